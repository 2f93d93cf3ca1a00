//! Pictures as they go down: WebP by libwebp, which at 2,560 bytes is 2.2 dB better than optimized progressive JPEG (60 aerial images).

use image::imageops;
use image::{ImageBuffer, RgbImage};
use webp::{Encoder, WebPConfig};

/// The longer side of a small picture in pixels, and its bytes at most.
pub(crate) const SMALL_SIDE: u32 = 160;
pub(crate) const SMALL_BYTES: usize = 2560;
/// Where noise does not fit at any quality, it is made smaller down to this side.
const LEAST_SIDE: u32 = 16;
/// Quality that is tried first, by how much more bytes one step of it takes (their logarithm, on aerial images), and tries at most.
const FIRST_QUALITY: f32 = 50.0;
const LOG_BYTES_A_STEP: f32 = 0.022;
const TRIES: usize = 5;
/// Quality of larger pictures, of which then a few hundred bytes a kilopixel are left, and what they are tried with where that is too much.
const QUALITIES: [f32; 3] = [50.0, 25.0, 5.0];
/// Pixels of a picture that hardly ever fits.
const MAX_PIXELS: u64 = 4 << 20;
/// Bytes of any picture at most: it has to go down a thin link.
pub(crate) const MAX_BYTES: usize = 256 << 10;

/// A picture of at most [`SMALL_SIDE`] pixels and [`SMALL_BYTES`], as good as these hold.
pub(crate) fn small(frame: &RgbImage) -> Option<Vec<u8>> {
    let mut side = SMALL_SIDE;
    while side >= LEAST_SIDE {
        let best = fitting(&shrunk(frame, side));
        if best.is_some() {
            return best;
        }
        side = side * 3 / 4;
    }
    None
}

/// The picture in nearly as many bytes as a small one has: where the logarithm of its bytes is taken for a line over the quality, two
/// tries do for most.
fn fitting(picture: &RgbImage) -> Option<Vec<u8>> {
    let (mut quality, mut best) = (FIRST_QUALITY, None::<Vec<u8>>);
    for _ in 0..TRIES {
        let bytes = webp(picture, quality)?;
        let length = bytes.len();
        if length <= SMALL_BYTES && best.as_ref().is_none_or(|best| best.len() < length) {
            best = Some(bytes);
        }
        if (SMALL_BYTES * 9 / 10..=SMALL_BYTES).contains(&length) {
            break;
        }
        let step = (0.95 * SMALL_BYTES as f32 / length as f32).ln() / LOG_BYTES_A_STEP;
        let next = (quality + step).clamp(0.0, 100.0);
        if next == quality {
            break;
        }
        quality = next;
    }
    best
}

/// A picture whose longer side has at most so many pixels; nothing where it would have more than [`MAX_BYTES`].
pub(crate) fn sized(frame: &RgbImage, side: u32) -> Option<Vec<u8>> {
    let (width, height) = frame.dimensions();
    let longest = u64::from(width.max(height));
    let pixels = u64::from(width) * u64::from(height) * longest.min(u64::from(side)).pow(2) / longest.pow(2).max(1);
    if pixels > MAX_PIXELS {
        return None;
    }
    let picture = shrunk(frame, side);
    let all = QUALITIES.iter().filter_map(|&quality| webp(&picture, quality));
    all.into_iter().find(|bytes| bytes.len() <= MAX_BYTES)
}

/// The part of a frame that lies within it; nothing where none does.
pub(crate) fn cropped(frame: &RgbImage, [left, top, width, height]: [u16; 4]) -> Option<RgbImage> {
    let (left, top) = (u32::from(left), u32::from(top));
    let (width, height) = (
        u32::from(width).min(frame.width().checked_sub(left)?),
        u32::from(height).min(frame.height().checked_sub(top)?),
    );
    (width > 0 && height > 0).then(|| imageops::crop_imm(frame, left, top, width, height).to_image())
}

/// The frame, no side longer than `side`: never enlarged.
fn shrunk(frame: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = frame.dimensions();
    let longest = width.max(height);
    if longest <= side {
        return frame.clone();
    }
    let scaled = |length: u32| (u64::from(length) * u64::from(side)).div_ceil(u64::from(longest)).max(1) as u32;
    imageops::thumbnail(frame, scaled(width), scaled(height))
}

fn webp(picture: &RgbImage, quality: f32) -> Option<Vec<u8>> {
    let mut config = WebPConfig::new().ok()?;
    config.quality = quality;
    let encoder = Encoder::from_rgb(picture.as_raw(), picture.width(), picture.height());
    encoder.encode_advanced(&config).ok().map(|bytes| bytes.to_vec())
}

/// The pixels of a picture that this module wrote.
pub(crate) fn decoded(bytes: &[u8]) -> Option<RgbImage> {
    let picture = webp::Decoder::new(bytes).decode()?;
    let (width, height) = (picture.width(), picture.height());
    ImageBuffer::from_raw(width, height, picture.to_vec()).filter(|_| !picture.is_alpha())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn noise(width: u32, height: u32) -> RgbImage {
        let mut state = 1_u32;
        RgbImage::from_fn(width, height, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Rgb([(state >> 24) as u8, (state >> 16) as u8, (state >> 8) as u8])
        })
    }

    #[test]
    fn a_small_picture_fits_whatever_the_frame() {
        let wave = RgbImage::from_fn(640, 480, |x, y| Rgb([(x / 3) as u8, (y / 2) as u8, ((x * y) >> 9) as u8]));
        for (frame, name) in [
            (wave.clone(), "a wave"),
            (noise(500, 900), "noise"),
            (RgbImage::new(1, 1), "a pixel"),
            (RgbImage::new(9000, 1), "a line"),
            (RgbImage::new(200, 300), "nothing"),
        ] {
            let bytes = small(&frame).unwrap_or_default();
            assert!((1..=SMALL_BYTES).contains(&bytes.len()), "{name}: {} bytes", bytes.len());
            let (width, height) = decoded(&bytes).map(|picture| picture.dimensions()).unwrap_or_default();
            assert!(width.max(height) <= SMALL_SIDE && width.min(height) >= 1, "{name}: {width} x {height}");
        }
        assert!(small(&wave).unwrap_or_default().len() > SMALL_BYTES / 2, "as good as fits");
    }

    #[test]
    fn larger_pictures_are_never_enlarged_and_bounded() {
        let frame = noise(900, 700);
        let dimensions =
            |side| sized(&frame, side).and_then(|bytes| decoded(&bytes)).map(|picture| picture.dimensions());
        assert_eq!((dimensions(640), dimensions(8192)), (Some((640, 498)), Some((900, 700))));
        assert_eq!(sized(&noise(2000, 2000), 8192), None, "noise of 4 megapixels");
        assert_eq!(sized(&RgbImage::new(9000, 7000), 8192), None, "it is not even tried");
        assert!(decoded(b"RIFF").is_none());
    }

    #[test]
    fn a_crop_lies_within_its_frame() {
        let frame = RgbImage::new(100, 80);
        let size = |crop| cropped(&frame, crop).map(|crop| crop.dimensions());
        assert_eq!(size([10, 20, 30, 40]), Some((30, 40)));
        assert_eq!(size([90, 70, 30, 40]), Some((10, 10)));
        assert_eq!([size([100, 0, 5, 5]), size([0, 81, 5, 5]), size([u16::MAX; 4])], [None; 3]);
    }
}
