//! What a TIFF's samples are: bytes, 16-bit words, real numbers.

use half::f16;

/// The kinds of samples, by how they become 8 bits.
#[derive(Debug)]
pub(super) enum Samples {
    /// Unsigned, up to 8 bits: `largest` is white.
    Bytes { largest: u8 },
    /// Up to 16 bits: the value of word 0 is `first`.
    Words { of: Words, first: f64 },
    /// Others.
    Reals(Real),
    /// Numbers of colours.
    Palette(Vec<[u8; 3]>),
    /// Colours that the library turns into RGB.
    Colours,
    /// Bits of a fax.
    Fax,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Words {
    Unsigned,
    Signed,
    SignedByte,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Real {
    Half,
    Single,
    Double,
    Unsigned32,
    Signed32,
    Unsigned64,
    Signed64,
}

impl Words {
    pub(super) fn width(self) -> usize {
        match self {
            Self::Unsigned | Self::Signed => 2,
            Self::SignedByte => 1,
        }
    }

    /// In the order of the values, from 0.
    pub(super) fn word(self, bytes: &[u8]) -> u16 {
        match (self, bytes) {
            (Self::Unsigned, &[a, b]) => u16::from_ne_bytes([a, b]),
            (Self::Signed, &[a, b]) => u16::from_ne_bytes([a, b]) ^ 0x8000,
            (Self::SignedByte, &[a]) => u16::from(a ^ 0x80),
            _ => 0,
        }
    }
}

impl Real {
    pub(super) fn width(self) -> usize {
        match self {
            Self::Half => 2,
            Self::Single | Self::Unsigned32 | Self::Signed32 => 4,
            Self::Double | Self::Unsigned64 | Self::Signed64 => 8,
        }
    }

    pub(super) fn value(self, bytes: &[u8]) -> f64 {
        match (self, bytes) {
            (Self::Half, &[a, b]) => f16::from_ne_bytes([a, b]).to_f64(),
            (Self::Single, &[a, b, c, d]) => f32::from_ne_bytes([a, b, c, d]).into(),
            (Self::Unsigned32, &[a, b, c, d]) => u32::from_ne_bytes([a, b, c, d]).into(),
            (Self::Signed32, &[a, b, c, d]) => i32::from_ne_bytes([a, b, c, d]).into(),
            (Self::Double, bytes) => eight(bytes).map_or(f64::NAN, f64::from_ne_bytes),
            (Self::Unsigned64, bytes) => eight(bytes).map_or(f64::NAN, |bytes| u64::from_ne_bytes(bytes) as f64),
            (Self::Signed64, bytes) => eight(bytes).map_or(f64::NAN, |bytes| i64::from_ne_bytes(bytes) as f64),
            _ => f64::NAN,
        }
    }

    /// A number as these samples would have it: GDAL_NODATA is written with more digits than single precision has.
    pub(super) fn rounded(self, value: f64) -> f64 {
        match self {
            Self::Half => f16::from_f64(value).to_f64(),
            Self::Single => f64::from(value as f32),
            _ => value,
        }
    }
}

fn eight(bytes: &[u8]) -> Option<[u8; 8]> {
    bytes.try_into().ok()
}
