//! The parts of a bundle's delta, which come over many passes: one delta at a time.

use super::Store;
use crate::error::{Error, Result};
use cssa_wire::DeltaPart;
use redb::{ReadableTable, ReadableTableMetadata, TableDefinition};

/// The parts that are here, by the delta's number and theirs.
pub(super) const PARTS: TableDefinition<(u16, u16), &[u8]> = TableDefinition::new("delta_parts");
/// CRC-32 of the whole delta, by its number, once its last part is here.
pub(super) const CRC: TableDefinition<u16, u32> = TableDefinition::new("delta_crc");

impl Store {
    /// Keeps a part. Parts of another delta than that go: it is given up. Gives the whole delta once all of it is here.
    ///
    /// # Errors
    /// The whole is not what its CRC says: all of it is forgotten, and has to come again.
    pub fn keep_delta_part(&self, part: &DeltaPart) -> Result<Option<Vec<u8>>> {
        let whole = self.file.with(|database| {
            let write = database.begin_write()?;
            let mut whole = None;
            {
                let (mut parts, mut crcs) = (write.open_table(PARTS)?, write.open_table(CRC)?);
                parts.retain(|(id, number), _| id == part.id && number < part.parts)?;
                crcs.retain(|id, _| id == part.id)?;
                parts.insert((part.id, part.part), part.bytes.as_slice())?;
                if let Some(crc) = part.crc {
                    crcs.insert(part.id, crc)?;
                }
                if parts.len()? == u64::from(part.parts)
                    && let Some(crc) = crcs.get(part.id)?.map(|crc| crc.value())
                {
                    let mut bytes = Vec::new();
                    for entry in parts.iter()? {
                        bytes.extend_from_slice(entry?.1.value());
                    }
                    whole = Some((bytes, crc));
                }
            }
            write.commit()?;
            Ok(whole)
        })?;
        match whole {
            Some((bytes, crc)) if crc32fast::hash(&bytes) == crc => Ok(Some(bytes)),
            Some(_) => {
                self.forget_delta()?;
                Err(Error::DeltaDamaged(part.id))
            }
            None => Ok(None),
        }
    }

    /// Forgets all parts: the delta is installed, or is of no use.
    pub fn forget_delta(&self) -> Result<()> {
        self.file.with(|database| {
            let write = database.begin_write()?;
            write.open_table(PARTS)?.retain(|_, _| false)?;
            write.open_table(CRC)?.retain(|_, _| false)?;
            Ok(write.commit()?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, Result};

    fn parts(id: u16, delta: &[u8]) -> Vec<DeltaPart> {
        let pieces: Vec<&[u8]> = delta.chunks(80).collect();
        let parts = pieces.len() as u16;
        let crc = |n| (n + 1 == pieces.len()).then(|| crc32fast::hash(delta));
        let part =
            |(n, bytes): (usize, &&[u8])| DeltaPart { id, part: n as u16, parts, crc: crc(n), bytes: bytes.to_vec() };
        pieces.iter().enumerate().map(part).collect()
    }

    #[test]
    fn parts_come_in_any_order_and_more_than_once() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let delta: Vec<u8> = (0..1000_u32).map(|n| (n * 7 % 251) as u8).collect();
        let (all, other) = (parts(5, &delta), parts(4, &[1; 300]));
        let store = Store::open(folder.path(), 100)?;
        assert_eq!(store.keep_delta_part(&other[0])?, None);
        let mut order: Vec<&DeltaPart> = all.iter().rev().chain([&all[3], &all[12]]).collect();
        let last = order.remove(6);
        for part in order {
            assert_eq!(store.keep_delta_part(part)?, None);
        }
        drop(store);
        let store = Store::open(folder.path(), 100)?;
        assert_eq!(store.keep_delta_part(last)?.as_ref(), Some(&delta), "after a start, too");
        store.forget_delta()?;
        assert_eq!(store.keep_delta_part(last)?, None);
        Ok(())
    }

    #[test]
    fn a_delta_that_is_not_what_its_crc_says_is_forgotten() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let store = Store::open(folder.path(), 100)?;
        let mut all = parts(9, &[3; 200]);
        all[1].bytes[7] ^= 1;
        assert_eq!((store.keep_delta_part(&all[0])?, store.keep_delta_part(&all[1])?), (None, None));
        let error = store.keep_delta_part(&all[2]).err().context("an error")?;
        assert!(error.to_string().contains("delta 9"), "{error}");
        all[1].bytes[7] ^= 1;
        assert_eq!(store.keep_delta_part(&all[1])?, None, "it begins anew");
        Ok(())
    }
}
