//! Packets whose bundle is not here: they wait for it, and so many at most that junk takes neither the disk nor their places.

use super::bounded::{Bounded, Stored};
use super::{Archive, now};
use crate::error::Result;
use cssa_wire::Checksum;
use rusqlite::params;

/// A packet whose bundle is not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecoded {
    /// Where it came from.
    pub sender: String,
    /// The bundle that it names.
    pub bundle: u16,
    /// The checksum that it was taken with.
    pub checksum: Checksum,
    /// Whether a code of authentication was there and right.
    pub is_authentic: bool,
    /// Its bytes.
    pub packet: Vec<u8>,
}

impl Archive {
    /// Keeps a packet whose bundle is not here, for later; what goes out for it is said.
    pub fn keep_undecoded(&mut self, waiting: &Undecoded) -> Result<Stored> {
        let Undecoded { sender, bundle, checksum, is_authentic, packet } = waiting;
        let insert = "INSERT INTO undecoded (sender, bundle, checksum, authentic, packet, received)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
        let values = params![sender, format!("{bundle:04x}"), checksum.bits(), is_authentic, packet, now()];
        let inserted = self.bounds.insert(&self.database, Bounded::Undecoded, sender, insert, values);
        inserted.map_err(self.refused())
    }

    /// The first `most` packets that wait for a bundle, with their rows.
    pub fn undecoded(&self, bundle: u16, most: u32) -> Result<Vec<(i64, Undecoded)>> {
        let asked =
            "SELECT id, sender, checksum, authentic, packet FROM undecoded WHERE bundle = ?1 ORDER BY id LIMIT ?2";
        self.rows(asked, params![format!("{bundle:04x}"), most], |row| {
            let checksum = if row.get::<u8>(2)? == Checksum::Crc16.bits() { Checksum::Crc16 } else { Checksum::Crc32 };
            let (sender, is_authentic, packet) = (row.get(1)?, row.get(3)?, row.get(4)?);
            Ok((row.get(0)?, Undecoded { sender, bundle, checksum, is_authentic, packet }))
        })
    }

    /// Forgets rows of packets: each has been decoded, or is none of its bundle.
    pub fn forget_undecoded(&mut self, rows: &[i64]) -> Result<()> {
        let refused = self.refused();
        let forgetting = self.database.write().map_err(&refused)?;
        for row in rows {
            forgetting.execute("DELETE FROM undecoded WHERE id = ?1", params![row]).map_err(&refused)?;
        }
        forgetting.commit().map_err(&refused)
    }

    /// Bundles whose packets wait to be decoded, in hexadecimal, with how many.
    pub fn missing_bundles(&self) -> Result<Vec<(String, u32)>> {
        let asked = "SELECT bundle, count(*) FROM undecoded GROUP BY bundle ORDER BY bundle";
        self.rows(asked, &[], |row| Ok((row.get(0)?, row.get(1)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::bounded::Limits;
    use super::*;
    use anyhow::Result;

    fn waiting(sender: &str, n: u16, is_authentic: bool) -> Undecoded {
        let packet = [&n.to_le_bytes()[..], sender.as_bytes()].concat();
        Undecoded { sender: sender.into(), bundle: 7, checksum: Checksum::Crc32, is_authentic, packet }
    }

    /// Numbers of the packets that wait, by sender.
    fn numbers(archive: &Archive, sender: &str) -> Result<Vec<u8>> {
        let all = archive.undecoded(7, 100)?.into_iter().map(|(_, waiting)| waiting);
        Ok(all.filter(|waiting| waiting.sender == sender).map(|waiting| waiting.packet[0]).collect())
    }

    #[test]
    fn a_packet_waits_once_with_its_checksum_until_it_is_forgotten() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        let short = Undecoded { checksum: Checksum::Crc16, ..waiting("uav", 1, true) };
        assert_eq!(archive.keep_undecoded(&short)?, Stored { is_new: true, ..Stored::default() });
        assert_eq!(archive.keep_undecoded(&short)?, Stored::default());
        assert_eq!(archive.missing_bundles()?, [("0007".to_owned(), 1)]);
        let found = archive.undecoded(7, 9)?;
        assert_eq!((found.len(), &found[0].1), (1, &short));
        archive.forget_undecoded(&[found[0].0])?;
        assert!(archive.undecoded(7, 9)?.is_empty());
        Ok(())
    }

    /// Junk of one sender takes no other's places, and what is authentic goes last.
    #[test]
    fn the_oldest_of_the_largest_sender_goes_out_first_and_junk_before_all() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        archive.bounds.limits = Limits { of_sender: 4, total: 6 };
        let mut displaced = 0;
        let mut keep = |archive: &mut Archive, sender: &str, n, is_authentic| -> Result<()> {
            displaced += archive.keep_undecoded(&waiting(sender, n, is_authentic))?.displaced;
            Ok(())
        };
        for n in 0..3 {
            keep(&mut archive, "uav", n, true)?;
        }
        for n in 0..20 {
            keep(&mut archive, "junk", n, false)?;
        }
        assert_eq!((numbers(&archive, "uav")?, numbers(&archive, "junk")?), (vec![0, 1, 2], vec![17, 18, 19]));
        keep(&mut archive, "other", 0, false)?;
        assert_eq!((numbers(&archive, "other")?, numbers(&archive, "junk")?), (vec![0], vec![18, 19]));
        for n in 3..9 {
            keep(&mut archive, "uav", n, true)?;
        }
        assert_eq!(numbers(&archive, "uav")?, [5, 6, 7, 8], "its newest four");
        for n in 0..4 {
            keep(&mut archive, "satellite", n, true)?;
        }
        assert_eq!((numbers(&archive, "junk")?, numbers(&archive, "other")?), (vec![], vec![]));
        let before = (numbers(&archive, "uav")?, numbers(&archive, "satellite")?);
        keep(&mut archive, "junk", 99, false)?;
        assert_eq!(
            (numbers(&archive, "uav")?, numbers(&archive, "satellite")?),
            before,
            "junk displaces nothing authentic"
        );
        assert_eq!(displaced, 3 + 20 + 1 + 6 + 4 + 1 - 6, "all that went out is counted");
        // A sender of few is not the first for being the oldest.
        let mut archive = Archive::open(&folder.path().join("other.gpkg"))?;
        archive.bounds.limits = Limits { of_sender: 4, total: 5 };
        for (sender, n) in [("few", 0), ("many", 0), ("many", 1), ("many", 2), ("many", 3), ("new", 0)] {
            archive.keep_undecoded(&waiting(sender, n, false))?;
        }
        assert_eq!((numbers(&archive, "few")?, numbers(&archive, "many")?), (vec![0], vec![1, 2, 3]));
        Ok(())
    }
}
