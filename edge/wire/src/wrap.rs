//! A new key on its way up. A packet is authenticated, not encrypted, so the key is wrapped: AES-256 key wrap (RFC 3394) under a key that
//! HKDF-SHA-256 (RFC 5869) makes of the one that authenticates the packet, without salt, with `cssa new key` and the vehicle's number,
//! little-endian, as its info. This rotates keys and heals no leak: whoever has the old key and the packet has the new one.

use crate::command::Command;
use crate::error::WireError;
use crate::key::{KEY, Key};
use aes_kw::{KeyInit, KwAes256};
use hkdf::Hkdf;
use sha2::Sha256;

/// Bytes of a wrapped key: eight more, by which whoever unwraps it knows that it is right.
pub const WRAPPED_KEY: usize = KEY + 8;

/// What the info of its wrapping begins with.
const PURPOSE: &[u8; 12] = b"cssa new key";

impl Key {
    /// The command by which `vehicle`, whose key this is, gets `new`.
    ///
    /// # Errors
    /// None that is known.
    pub fn wrap(&self, new: &Self, vehicle: u16) -> Result<Command, WireError> {
        let mut bytes = [0; WRAPPED_KEY];
        self.wrapping(vehicle)?.wrap_key(new.bytes(), &mut bytes).map_err(|_| WireError::Wrapping)?;
        Ok(Command::NewKeyPart { part: 0, parts: 1, bytes: bytes.to_vec() })
    }

    /// The key that was wrapped for `vehicle` under this one.
    ///
    /// # Errors
    /// It was wrapped under another one, for another vehicle, or is none.
    pub fn unwrap_new(&self, wrapped: &[u8], vehicle: u16) -> Result<Self, WireError> {
        let mut bytes = [0; KEY];
        let unwrapped = self.wrapping(vehicle)?.unwrap_key(wrapped, &mut bytes).map_err(|_| WireError::Wrapping)?;
        if unwrapped.len() == KEY { Ok(Self::new(bytes)) } else { Err(WireError::Wrapping) }
    }

    fn wrapping(&self, vehicle: u16) -> Result<KwAes256, WireError> {
        let mut info = [0; PURPOSE.len() + 2];
        info[..PURPOSE.len()].copy_from_slice(PURPOSE);
        info[PURPOSE.len()..].copy_from_slice(&vehicle.to_le_bytes());
        Ok(KwAes256::new(&derived(self.bytes(), &info)?.into()))
    }
}

/// HKDF-SHA-256 without salt: 32 bytes.
fn derived(key: &[u8], info: &[u8]) -> Result<[u8; 32], WireError> {
    let mut derived = [0; 32];
    Hkdf::<Sha256>::new(None, key).expand(info, &mut derived).map_err(|_| WireError::Wrapping)?;
    Ok(derived)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn bytes(hexadecimal: &str) -> Vec<u8> {
        let digits: Vec<u32> = hexadecimal.chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
    }

    fn counted(first: u8) -> Key {
        Key::new(core::array::from_fn(|n| first + n as u8))
    }

    /// RFC 5869, A.3: neither salt nor info; the first 32 of its 42 bytes.
    #[test]
    fn a_key_is_derived_as_the_standard_has_it() -> Result<(), WireError> {
        let expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d";
        assert_eq!(derived(&[0x0b; 22], &[])?.to_vec(), bytes(expected));
        Ok(())
    }

    /// RFC 3394, 4.6: 256 bits of key data under a key of 256 bits.
    #[test]
    fn a_key_is_wrapped_as_the_standard_has_it() {
        let data = bytes("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
        let expected = bytes("28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21");
        let (wrapping, mut wrapped) = (KwAes256::new(counted(0).bytes().into()), [0; WRAPPED_KEY]);
        assert!(wrapping.wrap_key(&data, &mut wrapped).is_ok_and(|wrapped| wrapped == expected));
    }

    /// By pyca/cryptography 48.0.0: `aes_key_wrap(HKDF(SHA256(), 32, None, b"cssa new key\x2c\x01").derive(old), new)`.
    #[test]
    fn a_new_key_is_what_another_program_makes_of_it() -> Result<(), WireError> {
        let (old, new) = (counted(0), counted(0x80));
        let wrapped = bytes("c5e81d58b4060c586f44fe6a9069ade6109c61c039372409e40d3ba74addb650f23097b9e883b577");
        assert_eq!(old.wrap(&new, 300)?, Command::NewKeyPart { part: 0, parts: 1, bytes: wrapped.clone() });
        assert_eq!(old.unwrap_new(&wrapped, 300)?, new);
        Ok(())
    }

    #[test]
    fn nothing_else_is_unwrapped() -> Result<(), WireError> {
        let (old, new) = (counted(0), counted(0x80));
        let Command::NewKeyPart { bytes: wrapped, .. } = old.wrap(&new, 300)? else { return Err(WireError::Malformed) };
        assert_eq!(old.unwrap_new(&wrapped, 301), Err(WireError::Wrapping), "for another vehicle");
        assert_eq!(new.unwrap_new(&wrapped, 300), Err(WireError::Wrapping), "under another key");
        for bit in 0..8 * WRAPPED_KEY {
            let mut damaged = wrapped.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(old.unwrap_new(&damaged, 300), Err(WireError::Wrapping), "bit {bit}");
        }
        for length in (0..=80).filter(|length| *length != WRAPPED_KEY) {
            let mut other = wrapped.clone();
            other.resize(length, 0);
            assert_eq!(old.unwrap_new(&other, 300), Err(WireError::Wrapping), "{length} bytes");
        }
        // What is as well wrapped and no key.
        let (wrapping, mut room) = (old.wrapping(300)?, [0; 24]);
        let shorter = wrapping.wrap_key(&[7; 16], &mut room).map_err(|_| WireError::Wrapping)?;
        assert_eq!(old.unwrap_new(shorter, 300), Err(WireError::Wrapping));
        Ok(())
    }
}
