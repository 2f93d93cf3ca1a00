//! Numbers of seven bits a byte, lowest first, in files of which nothing is trusted.

use alloc::vec::Vec;

/// What a file has wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VarintError {
    pub(crate) problem: &'static str,
    pub(crate) offset: usize,
}

/// Reads a file from its start.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.offset == self.bytes.len()
    }

    pub(crate) fn error(&self, problem: &'static str) -> VarintError {
        VarintError { problem, offset: self.offset }
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], VarintError> {
        let found = self.bytes[self.offset..].get(..length).ok_or(self.error("the file is cut off"))?;
        self.offset += length;
        Ok(found)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, VarintError> {
        let bytes = self.take(2)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    pub(crate) fn varint(&mut self) -> Result<u32, VarintError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = u32::from(self.take(1)?[0]);
            let part = byte & 0x7f;
            if part << shift >> shift != part {
                break;
            }
            value |= part << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.error("a number that is too large"))
    }
}

pub(crate) fn push_varint(bytes: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, 127, 128, 300, 1 << 21, u32::MAX] {
            let mut bytes = Vec::new();
            push_varint(&mut bytes, value);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.varint(), Ok(value));
            assert!(reader.is_at_end() && reader.varint().is_err());
        }
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).varint().is_err(), "33 bits");
    }
}
