//! What kinds of TIFF are read, and how others are called.

use super::directory::{self, Directory};
use super::values::{Real, Samples, Words};
use crate::error::DecodeError;
use tiff_reader::source::SharedSource;

/// How the samples become 8 bits.
pub(super) fn samples(
    directory: &Directory,
    source: &SharedSource,
    (photometric, compression): (u64, u64),
    (bits, format): (u64, u64),
) -> Result<Samples, DecodeError> {
    const GROUP_4: u64 = 4;
    match (photometric, bits, format) {
        (0 | 1, 1, _) if compression == GROUP_4 => Ok(Samples::Fax),
        _ if compression == GROUP_4 => Err(DecodeError::Unsupported("a fax of more than black and white".into())),
        (3, 1..=8, _) => {
            let map = directory.numbers(source.as_ref(), directory::COLOUR_MAP).unwrap_or_default();
            // Some programs write 8 bits where the standard has 16.
            let by = if map.iter().any(|value| *value > 255) { 8 } else { 0 };
            let colours = map.len() / 3;
            let at = |n: usize, band: usize| (map[band * colours + n] >> by) as u8;
            Ok(Samples::Palette((0..colours).map(|n| [at(n, 0), at(n, 1), at(n, 2)]).collect()))
        }
        (3, ..) => Err(DecodeError::Unsupported(format!("a palette of {bits} bits"))),
        (5 | 6 | 8, ..) => Ok(Samples::Colours),
        (0..=2 | 4, 1..=8, 1 | 4) => Ok(Samples::Bytes { largest: ((1u16 << bits) - 1) as u8 }),
        (0..=2 | 4, 9..=16, 1 | 4) => Ok(Samples::Words { of: Words::Unsigned, first: 0.0 }),
        (0..=2 | 4, 8, 2) => Ok(Samples::Words { of: Words::SignedByte, first: -128.0 }),
        (0..=2 | 4, 16, 2) => Ok(Samples::Words { of: Words::Signed, first: -32768.0 }),
        (0..=2 | 4, 16, 3) => Ok(Samples::Reals(Real::Half)),
        (0..=2 | 4, 32, 3) => Ok(Samples::Reals(Real::Single)),
        (0..=2 | 4, 64, 3) => Ok(Samples::Reals(Real::Double)),
        (0..=2 | 4, 32, 1 | 4) => Ok(Samples::Reals(Real::Unsigned32)),
        (0..=2 | 4, 32, 2) => Ok(Samples::Reals(Real::Signed32)),
        (0..=2 | 4, 64, 1 | 4) => Ok(Samples::Reals(Real::Unsigned64)),
        (0..=2 | 4, 64, 2) => Ok(Samples::Reals(Real::Signed64)),
        (0..=2 | 4, _, 5 | 6) => Err(DecodeError::Unsupported("complex numbers".into())),
        (0..=2 | 4, ..) => Err(DecodeError::Unsupported(format!("{bits} bits a sample of format {format}"))),
        _ => Err(DecodeError::Unsupported(photometric_name(photometric))),
    }
}

pub(super) fn by_photometric(error: DecodeError, photometric: u64) -> DecodeError {
    if matches!(photometric, 0..=6 | 8) { error } else { DecodeError::Unsupported(photometric_name(photometric)) }
}

fn photometric_name(photometric: u64) -> String {
    match photometric {
        9 => "ICC Lab colours".into(),
        10 => "ITU Lab colours".into(),
        32_803 => "a camera's raw mosaic (CFA)".into(),
        32_844 => "LogL colours".into(),
        32_845 => "LogLuv colours".into(),
        34_892 => "a camera's linear raw colours".into(),
        other => format!("colours of kind {other} (PhotometricInterpretation)"),
    }
}

/// Names the compressions that are not read.
pub(super) fn unsupported_compression(code: u64) -> Option<String> {
    let name = match code {
        1 | 4 | 5 | 7 | 8 | 32_773 | 32_946 | 34_887 | 50_000 | 50_001 => return None,
        2 => "CCITT Huffman",
        3 => "CCITT Group 3",
        6 => "old-style JPEG in TIFF",
        9 | 10 | 34_661 => "JBIG",
        32_766 => "NeXT",
        32_771 => "CCITT Huffman with word alignment",
        32_809 => "ThunderScan",
        32_908 | 32_909 => "Pixar",
        33_003 | 33_005 | 34_712 => "JPEG 2000",
        34_676 | 34_677 => "SGI Log",
        34_892 => "lossy DNG",
        34_925 => "LZMA",
        50_002 | 52_546 => "JPEG XL",
        other => return Some(format!("compression {other}")),
    };
    Some(name.into())
}
