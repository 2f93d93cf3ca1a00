//! A decoded image, and how large one may be.

use crate::error::DecodeError;
use crate::orientation;
use crate::scaling::Scaling;
use image::RgbImage;
use image::metadata::Orientation;

/// Longest side of an image, in pixels.
pub(crate) const MAX_SIDE: u64 = 1 << 20;
/// Most pixels of an image that is read row by row: 16,384 × 16,384.
pub(crate) const MAX_PIXELS: u64 = 1 << 28;
/// Most bytes that a decoder may hold at a time.
pub(crate) const MAX_HELD: u64 = 1 << 29;

/// How many pixels of an image are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All that the file has.
    All,
    /// At most so many, in pixels: a larger image is reduced by a whole factor while it is read.
    AtMost(u64),
    /// At most 2²⁵ (33 million): a larger image is reduced by a whole factor while it is read. To caption an image whole, more
    /// is of no use.
    Reduced,
}

impl Kept {
    pub(crate) fn pixels(self) -> u64 {
        match self {
            Self::All => u64::MAX,
            Self::AtMost(pixels) => pixels.max(1),
            Self::Reduced => 1 << 25,
        }
    }
}

/// A decoded image.
#[derive(Debug)]
pub struct Picture {
    /// Its pixels, upright.
    pub pixels: RgbImage,
    /// How more than 8 bits became 8.
    pub scaling: Option<Scaling>,
    /// By what factor it was reduced, 1: not.
    pub reduced: u32,
    stored: (u32, u32),
    orientation: Orientation,
    /// What else is to be said of the file.
    pub(crate) remarks: Vec<String>,
}

impl Picture {
    pub(crate) fn new(
        pixels: RgbImage,
        stored: (u32, u32),
        held: Orientation,
        reduced: u32,
        scaling: Option<Scaling>,
    ) -> Self {
        let pixels = orientation::apply(pixels, held);
        Self { pixels, scaling, reduced, stored, orientation: held, remarks: Vec::new() }
    }

    /// Where a point of the picture lies in the file's own columns and rows, which georeferences count.
    #[must_use]
    pub fn in_file(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let by = f64::from(self.reduced);
        orientation::stored_point(self.orientation, self.stored, (x * by, y * by))
    }

    /// Columns and rows as the file has them, before it was turned upright or reduced.
    #[must_use]
    pub fn size_in_file(&self) -> (f64, f64) {
        (f64::from(self.stored.0), f64::from(self.stored.1))
    }

    /// What was done to the pixels, where anything was.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let reduced = (self.reduced > 1).then(|| format!("reduced by the factor {}", self.reduced));
        note(self.scaling, self.remarks.iter().cloned().chain(reduced))
    }
}

pub(crate) fn note(scaling: Option<Scaling>, remarks: impl Iterator<Item = String>) -> Option<String> {
    let notes: Vec<String> = scaling.map(|scaling| scaling.to_string()).into_iter().chain(remarks).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

pub(crate) fn check_size(width: u64, height: u64, most: u64) -> Result<(), DecodeError> {
    let fits = width.checked_mul(height).is_some_and(|pixels| pixels <= most);
    if fits && width.max(height) <= MAX_SIDE {
        return Ok(());
    }
    Err(DecodeError::Large { width, height, most, side: MAX_SIDE })
}
