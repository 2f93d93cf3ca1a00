//! The pixels of a `sensor_msgs/Image`, by the names of `sensor_msgs/image_encodings.hpp`. All that the message says of its size is checked
//! before a byte is read; more than 8 bits become 8 as in a file (`cssa_image::rgb8`).

use crate::messages::Image;
use crate::refusal::Refusal;
use cssa_image::{Kept, Samples, rgb8};
use image::RgbImage;

/// How samples lie in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// `channels` samples a pixel, red or blue first.
    Packed { channels: usize, first: First, depth: Depth },
    /// One sample a pixel behind a mosaic of filters, with red in this column and row of each two by two.
    Bayer { red: (usize, usize), depth: Depth },
    /// Two bytes a pixel: chrominance is shared by two.
    Yuv422(First422),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Red,
    Blue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First422 {
    Chrominance,
    Luminance,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    Bytes,
    Words,
}

impl Layout {
    fn named(encoding: &str) -> Option<Self> {
        use {Depth::Bytes, Depth::Words, First::Blue, First::Red};
        let packed = |channels, first, depth| Some(Self::Packed { channels, first, depth });
        match encoding {
            "mono8" => packed(1, Red, Bytes),
            "rgb8" => packed(3, Red, Bytes),
            "bgr8" => packed(3, Blue, Bytes),
            "rgba8" => packed(4, Red, Bytes),
            "bgra8" => packed(4, Blue, Bytes),
            "mono16" => packed(1, Red, Words),
            "rgb16" => packed(3, Red, Words),
            "bgr16" => packed(3, Blue, Words),
            "rgba16" => packed(4, Red, Words),
            "bgra16" => packed(4, Blue, Words),
            "yuv422" | "uyvy" => Some(Self::Yuv422(First422::Chrominance)),
            "yuv422_yuy2" | "yuyv" => Some(Self::Yuv422(First422::Luminance)),
            _ => {
                let mosaic = encoding.strip_prefix("bayer_")?;
                let (cells, depth) = match mosaic.strip_suffix("16") {
                    Some(cells) => (cells, Words),
                    None => (mosaic.strip_suffix('8')?, Bytes),
                };
                let red = match cells {
                    "rggb" => (0, 0),
                    "grbg" => (1, 0),
                    "gbrg" => (0, 1),
                    "bggr" => (1, 1),
                    _ => return None,
                };
                Some(Self::Bayer { red, depth })
            }
        }
    }

    fn bytes_a_pixel(self) -> usize {
        let of = |depth| if depth == Depth::Bytes { 1 } else { 2 };
        match self {
            Self::Packed { channels, depth, .. } => channels * of(depth),
            Self::Bayer { depth, .. } => of(depth),
            Self::Yuv422(_) => 2,
        }
    }
}

/// The picture that a message has.
///
/// # Errors
/// An encoding that is not taken, a size that its own fields contradict, more pixels than are read.
pub(crate) fn rgb(image: Image) -> Result<RgbImage, Refusal> {
    let layout = layout(&image.encoding)?;
    let row = row(&image, layout)?;
    let Image { height, width, is_bigendian, step, data, .. } = image;
    let rows = data.bytes.chunks_exact(step as usize).map(|padded| &padded[..row]);
    let big_endian = is_bigendian != 0;
    match layout {
        Layout::Packed { channels, first, depth } => {
            let bytes = if step as usize == row { data.bytes } else { rows.flatten().copied().collect() };
            let samples = match depth {
                Depth::Bytes => Samples::Bytes(red_first(bytes, channels, first)),
                Depth::Words => Samples::Words(red_first(words(&bytes, big_endian), channels, first)),
            };
            Ok(rgb8((width, height), channels, samples, Kept::Reduced)?)
        }
        Layout::Bayer { red, depth } => {
            let half = (width / 2, height / 2);
            let samples = match depth {
                Depth::Bytes => Samples::Bytes(cells(&rows.map(<[u8]>::to_vec).collect::<Vec<_>>(), red)),
                Depth::Words => Samples::Words(cells(&rows.map(|row| words(row, big_endian)).collect::<Vec<_>>(), red)),
            };
            Ok(rgb8(half, 3, samples, Kept::Reduced)?)
        }
        Layout::Yuv422(first) => {
            let bytes = rows.flat_map(|row| row.chunks_exact(4)).flat_map(|pair| of_yuv422(pair, first)).collect();
            Ok(rgb8((width, height), 3, Samples::Bytes(bytes), Kept::Reduced)?)
        }
    }
}

/// Refuses a message whose fields say that it has no picture.
///
/// # Errors
/// An encoding that is not taken, a size that its own fields contradict.
pub(crate) fn check(image: &Image) -> Result<(), Refusal> {
    row(image, layout(&image.encoding)?).map(drop)
}

fn layout(encoding: &str) -> Result<Layout, Refusal> {
    Layout::named(encoding).ok_or_else(|| Refusal::encoding(encoding))
}

/// The bytes of a row without its padding.
fn row(image: &Image, layout: Layout) -> Result<usize, Refusal> {
    let &Image { width, height, step, .. } = image;
    let refused = |problem: String| {
        let encoding = image.encoding.clone();
        Err(Refusal::Layout { encoding, width, height, step, problem })
    };
    if width == 0 || height == 0 {
        return refused("expected pixels".into());
    }
    let row = u64::from(width) * layout.bytes_a_pixel() as u64;
    if u64::from(step) < row {
        return refused(format!("a row takes {row} bytes"));
    }
    let expected = u64::from(step) * u64::from(height);
    if image.data.length as u64 != expected {
        return refused(format!("{} bytes of data, expected {expected}", image.data.length));
    }
    let pairs = match layout {
        Layout::Packed { .. } => (1, 1),
        Layout::Bayer { .. } => (2, 2),
        Layout::Yuv422(_) => (2, 1),
    };
    if width % pairs.0 != 0 || height % pairs.1 != 0 {
        return refused("expected even sides".into());
    }
    Ok(row as usize)
}

fn words(bytes: &[u8], big_endian: bool) -> Vec<u16> {
    let word = if big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
    bytes.as_chunks().0.iter().map(|two| word(*two)).collect()
}

fn red_first<T>(mut samples: Vec<T>, channels: usize, first: First) -> Vec<T> {
    if first == First::Blue {
        samples.chunks_exact_mut(channels).for_each(|pixel| pixel.swap(0, 2));
    }
    samples
}

/// Of each two by two filters one pixel with what they measured, the greens averaged: half the size, and no colour is guessed.
fn cells<T: Copy + Into<u32> + TryFrom<u32> + Default>(rows: &[Vec<T>], (x, y): (usize, usize)) -> Vec<T> {
    let mut pixels = Vec::with_capacity(rows.len() * rows.first().map_or(0, Vec::len) / 4 * 3);
    for pair in rows.chunks_exact(2) {
        for (upper, lower) in pair[0].chunks_exact(2).zip(pair[1].chunks_exact(2)) {
            let cell = [upper, lower];
            let green = (cell[y][1 - x].into() + cell[1 - y][x].into()) / 2;
            pixels.extend([cell[y][x], T::try_from(green).unwrap_or_default(), cell[1 - y][1 - x]]);
        }
    }
    pixels
}

/// Two pixels by ITU-R BT.601 with 16 to 235, as cameras have it.
fn of_yuv422(pair: &[u8], first: First422) -> [u8; 6] {
    let [a, b, c, d] = [0, 1, 2, 3].map(|n| i32::from(pair[n]));
    let (u, v, luminances) = match first {
        First422::Chrominance => (a - 128, c - 128, [b, d]),
        First422::Luminance => (b - 128, d - 128, [a, c]),
    };
    let mut pixels = [0; 6];
    for (pixel, luminance) in pixels.chunks_exact_mut(3).zip(luminances) {
        let light = 298 * (luminance - 16) + 128;
        let colours = [light + 409 * v, light - 100 * u - 208 * v, light + 516 * u];
        pixel.iter_mut().zip(colours).for_each(|(to, colour)| *to = (colour >> 8).clamp(0, 255) as u8);
    }
    pixels
}

#[cfg(test)]
mod tests;
