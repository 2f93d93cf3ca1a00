//! The key that a vehicle shares with its ground, and the codes of authentication that it gives.

use alloc::vec::Vec;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of a key.
pub const KEY: usize = 32;

/// What both ends know and nobody else: one key for each vehicle.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY]);

impl Key {
    /// A key of its bytes.
    #[must_use]
    pub fn new(bytes: [u8; KEY]) -> Self {
        Self(bytes)
    }

    /// A key of 64 hexadecimal digits.
    #[must_use]
    pub fn from_hexadecimal(text: &str) -> Option<Self> {
        let digits: Vec<u8> =
            text.trim().chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
        let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        if digits.len() != 2 * KEY {
            return None;
        }
        Some(Self(bytes.try_into().ok()?))
    }

    /// What it is made of, for whoever keeps it.
    #[must_use]
    pub fn bytes(&self) -> &[u8; KEY] {
        &self.0
    }

    /// Tells keys apart in what is kept of them, and nothing more of the key: the beginning of HMAC-SHA-256 of a text.
    #[must_use]
    pub fn name(&self) -> u32 {
        u32::from_be_bytes(self.mac(b"name of the key"))
    }

    /// HMAC-SHA-256 of `content`, its first `N` bytes, at most 32.
    pub(crate) fn mac<const N: usize>(&self, content: &[u8]) -> [u8; N] {
        let (mut mac, whole) = ([0; N], self.hmac(content).finalize().into_bytes());
        mac.iter_mut().zip(whole).for_each(|(byte, of_whole)| *byte = of_whole);
        mac
    }

    /// Whether that is what `mac` holds, in a time that does not depend on it.
    pub(crate) fn is_of(&self, content: &[u8], mac: &[u8]) -> bool {
        self.hmac(content).verify_truncated_left(mac).is_ok()
    }

    fn hmac(&self, content: &[u8]) -> Hmac<Sha256> {
        // HMAC fills a key up to a block of the hash with zeros.
        let mut block = [0; 64];
        block[..KEY].copy_from_slice(&self.0);
        let mut hmac = <Hmac<Sha256> as KeyInit>::new(&block.into());
        hmac.update(content);
        hmac
    }
}

impl core::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("Key")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_64_digits() {
        assert_eq!(Key::from_hexadecimal(&"07".repeat(32)), Some(Key::new([7; KEY])));
        let long = "0".repeat(66);
        for wrong in ["", "07", "x", long.as_str(), &"0g".repeat(32)] {
            assert_eq!(Key::from_hexadecimal(wrong), None, "{wrong}");
        }
    }

    /// RFC 4231, test case 1, whose key is shorter: zeros fill it as they would anyway.
    #[test]
    fn a_mac_is_the_beginning_of_the_standards() {
        let mut bytes = [0; KEY];
        bytes[..20].fill(0x0b);
        let key = Key::new(bytes);
        assert_eq!(key.mac::<8>(b"Hi There"), [0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53]);
        assert!(
            key.is_of(b"Hi There", &[0xb0, 0x34, 0x4c, 0x61]) && !key.is_of(b"Hi there", &[0xb0, 0x34, 0x4c, 0x61])
        );
    }
}
