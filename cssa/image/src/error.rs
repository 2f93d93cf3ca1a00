//! Why an image has no pixels.

use std::fmt;

/// Why an image has no pixels.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The first bytes are those of no known kind of image.
    #[error("is no JPEG, PNG or TIFF by its first bytes")]
    Unknown,
    /// A kind of image that the libraries cannot read; the file may be in order.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// More pixels than are read.
    #[error("has {} × {} pixels, expected at most {most} of them and sides up to {side}", Amount(*width), Amount(*height))]
    Large {
        /// Columns.
        width: u64,
        /// Rows.
        height: u64,
        /// Most pixels.
        most: u64,
        /// Longest side.
        side: u64,
    },
    /// A strip or tile that takes more memory than an image may.
    #[error("a strip or tile takes {} bytes, expected at most {most}", Amount(*bytes))]
    Piece {
        /// Its bytes.
        bytes: u64,
        /// Most bytes.
        most: u64,
    },
    /// A JPEG whose pixels end before its end marker.
    #[error("the JPEG is cut off: {0}")]
    CutOff(&'static str),
    /// A JPEG that its structure rules out.
    #[error("the JPEG is damaged: {0}")]
    Jpeg(String),
    /// A PNG that its library refuses.
    #[error("the PNG is damaged")]
    Png(#[source] png::DecodingError),
    /// A TIFF that its library refuses.
    #[error("the TIFF is damaged")]
    Tiff(#[source] tiff_reader::TiffError),
    /// What the file says about its pixels contradicts itself.
    #[error("{0}")]
    Inconsistent(String),
    /// A decoder that contradicts itself.
    #[error("the decoder failed: {0}")]
    Panicked(String),
    /// The file cannot be read.
    #[error("cannot be read")]
    File(#[from] std::io::Error),
}

/// A number as a file has it: from a million billions on, which only a damaged header or a bomb says, by its size alone.
#[derive(Debug)]
struct Amount(u64);

impl fmt::Display for Amount {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: u64 = 1_000_000_000_000_000;
        if self.0 < MOST { write!(to, "{}", self.0) } else { to.write_str("more than 10^15") }
    }
}

impl From<png::DecodingError> for DecodeError {
    fn from(error: png::DecodingError) -> Self {
        match error {
            png::DecodingError::IoError(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
                Self::File(error)
            }
            error => Self::Png(error),
        }
    }
}

impl From<tiff_reader::TiffError> for DecodeError {
    fn from(error: tiff_reader::TiffError) -> Self {
        use tiff_reader::TiffError as E;
        match error {
            E::Io(error, _) if error.kind() != std::io::ErrorKind::UnexpectedEof => Self::File(error),
            E::DecodeOutputTooLarge { requested, limit } => Self::Piece { bytes: requested as u64, most: limit as u64 },
            E::UnsupportedBitsPerSample(bits) => Self::Unsupported(format!("{bits} bits a sample")),
            E::UnsupportedPredictor(predictor) => Self::Unsupported(format!("predictor {predictor}")),
            E::UnsupportedSampleFormat(5 | 6) => Self::Unsupported("complex numbers".into()),
            E::UnsupportedSampleFormat(format) => Self::Unsupported(format!("samples of format {format}")),
            E::UnsupportedPlanarConfiguration(planes) => Self::Unsupported(format!("planar configuration {planes}")),
            E::InvalidImageLayout(said) if said.contains("not supported") => Self::Unsupported(said),
            E::UnsupportedVersion(version) => Self::Unsupported(format!("TIFF version {version}")),
            error => Self::Tiff(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_bombs_can_be_read() {
        let bomb = DecodeError::Large { width: u64::MAX, height: 7, most: 9, side: 3 };
        assert_eq!(bomb.to_string(), "has more than 10^15 × 7 pixels, expected at most 9 of them and sides up to 3");
        let piece = DecodeError::Piece { bytes: u64::MAX, most: 9 };
        assert_eq!(piece.to_string(), "a strip or tile takes more than 10^15 bytes, expected at most 9");
    }
}
