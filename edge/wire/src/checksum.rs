//! The checksum at a packet's end, sized to the link.

use crate::error::WireError;
use crate::limits::SHORT_CHECKSUM;
use alloc::vec::Vec;
use crc::{CRC_16_IBM_3740, CRC_32_ISO_HDLC, Crc};

const CRC_32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
const CRC_16: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_3740);

/// Sender and receiver use the same one; it is nothing that a packet could choose, or damage could make the weaker one of the
/// stronger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "u8")]
pub enum Checksum {
    /// CRC-32/ISO-HDLC, four bytes: of 2^32 damaged packets one is taken.
    #[default]
    Crc32,
    /// CRC-16/IBM-3740, two bytes, for links that check by themselves (MAVLink, Reed–Solomon, IP): of 65,536 one.
    Crc16,
}

impl Checksum {
    /// Bytes that it takes.
    #[must_use]
    pub fn length(self) -> usize {
        match self {
            Self::Crc32 => 4,
            Self::Crc16 => 2,
        }
    }

    /// Its bits.
    #[must_use]
    pub fn bits(self) -> u8 {
        match self {
            Self::Crc32 => 32,
            Self::Crc16 => 16,
        }
    }

    /// The first byte of packets of a version that have it.
    pub(crate) fn mark(self, version: u8) -> u8 {
        match self {
            Self::Crc32 => version,
            Self::Crc16 => version | SHORT_CHECKSUM,
        }
    }

    /// Appends it.
    pub(crate) fn seal(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Crc32 => bytes.extend(CRC_32.checksum(bytes).to_le_bytes()),
            Self::Crc16 => bytes.extend(CRC_16.checksum(bytes).to_le_bytes()),
        }
    }

    /// The bytes before it, where it is right.
    pub(crate) fn open(self, bytes: &[u8]) -> Result<&[u8], WireError> {
        let length = bytes.len().checked_sub(self.length()).ok_or(WireError::Length { found: bytes.len() })?;
        let (content, checksum) = bytes.split_at(length);
        let found = checksum.iter().rev().fold(0, |sum, &byte| sum << 8 | u32::from(byte));
        let expected = match self {
            Self::Crc32 => CRC_32.checksum(content),
            Self::Crc16 => u32::from(CRC_16.checksum(content)),
        };
        if found == expected { Ok(content) } else { Err(WireError::Checksum { found, expected }) }
    }
}

/// CRC-32/ISO-HDLC.
pub(crate) fn crc_32(bytes: &[u8]) -> u32 {
    CRC_32.checksum(bytes)
}

impl TryFrom<u8> for Checksum {
    type Error = &'static str;

    /// By its bits, 16 or 32.
    fn try_from(bits: u8) -> Result<Self, Self::Error> {
        match bits {
            16 => Ok(Self::Crc16),
            32 => Ok(Self::Crc32),
            _ => Err("a checksum has 16 or 32 bits"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_are_those_of_the_standards() -> Result<(), WireError> {
        assert_eq!(CRC_32.checksum(b"123456789"), 0xcbf4_3926);
        assert_eq!(CRC_16.checksum(b"123456789"), 0x29b1);
        for checksum in [Checksum::Crc16, Checksum::Crc32] {
            let mut bytes = b"words".to_vec();
            checksum.seal(&mut bytes);
            assert_eq!(checksum.open(&bytes)?, b"words");
            bytes[1] ^= 8;
            assert!(matches!(checksum.open(&bytes), Err(WireError::Checksum { .. })));
            assert!(checksum.open(&[1]).is_err());
        }
        Ok(())
    }
}
