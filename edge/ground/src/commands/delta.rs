//! A bundle's delta as the commands that bring it up.

use anyhow::{Result, ensure};
use cssa::bundle::Delta;
use cssa_wire::{Command, DeltaPart};
use std::path::Path;

/// Bytes of a part: as many as a packet up takes.
const PART: usize = 80;

/// The parts of the delta in a file, the last one with the CRC of the whole. Its number is made of its content, so that a delta that is
/// given again goes on with what is there.
pub(super) fn parts(path: &Path) -> Result<Vec<Command>> {
    Delta::read(path)?;
    of(&cssa::files::read(path, (PART * usize::from(u16::MAX)) as u64)?)
}

fn of(delta: &[u8]) -> Result<Vec<Command>> {
    let (crc, pieces) = (crc32fast::hash(delta), delta.chunks(PART));
    let (id, parts) = (crc as u16, u16::try_from(pieces.len())?);
    ensure!(parts > 0, "the delta is empty");
    let part = |(number, bytes): (u16, &[u8])| {
        let crc = (number + 1 == parts).then_some(crc);
        Command::DeltaPart(DeltaPart { id, part: number, parts, crc, bytes: bytes.to_vec() })
    };
    Ok((0..parts).zip(pieces).map(part).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_the_whole() -> Result<()> {
        for length in [1_u32, 79, 80, 81, 4000] {
            let delta: Vec<u8> = (0..length).map(|n| (n * 7 % 251) as u8).collect();
            let (mut whole, commands) = (Vec::new(), of(&delta)?);
            for (n, command) in commands.iter().enumerate() {
                let Command::DeltaPart(part) = command else { anyhow::bail!("{command:?}") };
                assert_eq!((part.id, usize::from(part.part)), (crc32fast::hash(&delta) as u16, n));
                assert_eq!(usize::from(part.parts), commands.len());
                assert_eq!(part.crc, (n + 1 == commands.len()).then(|| crc32fast::hash(&delta)));
                whole.extend_from_slice(&part.bytes);
            }
            assert_eq!(whole, delta);
        }
        assert!(of(&[]).is_err() && of(&vec![0; 80 * 65_536]).is_err());
        Ok(())
    }
}
