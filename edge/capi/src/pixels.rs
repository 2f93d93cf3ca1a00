//! Images in memory.

use crate::foreign;
use crate::status::{Failure, Result};
use cssa::errors::chain;
use cssa_image::{Kept, Samples};
use image::RgbImage;
use std::ops::Range;

/// The bytes of a pixel.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum CssaFormat {
    /// Red, green, blue.
    Rgb8 = 0,
    /// Blue, green, red, as OpenCV has them.
    Bgr8 = 1,
    /// Red, green, blue, alpha, which is left away.
    Rgba8 = 2,
    /// Grey.
    Grey8 = 3,
}

/// An image in memory, its upper row first. Set all of it to zero before you set its fields.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CssaPixels {
    /// The first pixel of the upper row.
    pub data: *const u8,
    /// Bytes that may be read from `data` on, at least stride × (height − 1) + what the pixels of a row take.
    pub length: usize,
    /// Bytes from one row to the next, at least what the pixels of a row take; 0: exactly that.
    pub stride: usize,
    /// Pixels of a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// CssaFormat: the bytes of a pixel.
    pub format: u32,
    /// 0.
    pub reserved: u32,
}

impl CssaPixels {
    /// A copy of the pixels, as the captioner takes them.
    pub(crate) fn image(&self) -> Result<RgbImage> {
        let Self { data, length, stride, width, height, format, reserved } = *self;
        let channels = match format {
            0 | 1 => 3,
            2 => 4,
            3 => 1,
            other => return Err(wrong(format!("format is {other}, expected a CssaFormat, 0 to 3"))),
        };
        if reserved != 0 {
            return Err(wrong(format!("reserved is {reserved}, expected 0")));
        }
        let rows = Rows::new((width, height), channels, stride, length)?;
        cssa_image::check_pixels((width, height)).map_err(|error| wrong(chain(&error)))?;
        // SAFETY: so many bytes or NULL, as the header says.
        let data = unsafe { foreign::bytes("pixels: data", data, length) }?;
        let mut samples = Vec::with_capacity(rows.row * rows.height);
        for row in (0..rows.height).map(|row| rows.range(row)) {
            samples.extend_from_slice(data.get(row).ok_or_else(|| wrong("a row lies outside".into()))?);
        }
        if format == CssaFormat::Bgr8 as u32 {
            samples.chunks_exact_mut(3).for_each(|pixel| pixel.swap(0, 2));
        }
        let image = cssa_image::rgb8((width, height), channels, Samples::Bytes(samples), Kept::Reduced);
        image.map_err(|error| wrong(chain(&error)))
    }
}

/// Where the rows of an image lie in its memory.
#[derive(Debug, PartialEq, Eq)]
struct Rows {
    height: usize,
    /// Bytes of a row's pixels.
    row: usize,
    stride: usize,
}

impl Rows {
    fn new((width, height): (u32, u32), channels: usize, stride: usize, length: usize) -> Result<Self> {
        if width == 0 || height == 0 {
            return Err(wrong(format!("{width} × {height}, expected pixels")));
        }
        let large =
            || wrong(format!("{width} × {height} pixels with a stride of {stride} bytes are more than a memory holds"));
        let (width, height) = (width as usize, height as usize);
        let row = width.checked_mul(channels).ok_or_else(large)?;
        let stride = if stride == 0 { row } else { stride };
        if stride < row {
            return Err(wrong(format!("stride is {stride}, expected {row} or more, or 0")));
        }
        let needed = stride.checked_mul(height - 1).and_then(|before| before.checked_add(row)).ok_or_else(large)?;
        if length < needed {
            return Err(wrong(format!("length is {length}, expected {needed} or more")));
        }
        Ok(Self { height, row, stride })
    }

    fn range(&self, row: usize) -> Range<usize> {
        row * self.stride..row * self.stride + self.row
    }
}

fn wrong(said: String) -> Failure {
    Failure::argument(format!("pixels: {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_row_ends_with_its_pixels() {
        let rows = Rows::new((3, 2), 3, 16, 25).ok();
        assert_eq!(rows, Some(Rows { height: 2, row: 9, stride: 16 }));
        assert_eq!(rows.map(|rows| rows.range(1)), Some(16..25));
        for (size, stride, length) in [((3, 2), 16, 24), ((3, 2), 8, 99), ((0, 2), 0, 99), ((3, 0), 0, 99)] {
            assert!(Rows::new(size, 3, stride, length).is_err(), "{size:?} {stride} {length}");
        }
    }

    #[test]
    fn no_size_overflows() {
        assert!(Rows::new((u32::MAX, u32::MAX), 4, usize::MAX, usize::MAX).is_err());
        assert!(Rows::new((1, 3), 4, usize::MAX / 2 + 1, usize::MAX).is_err());
    }
}
