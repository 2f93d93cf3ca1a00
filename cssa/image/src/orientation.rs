//! How a camera was held (EXIF tag 274): from the picture as it is seen to the pixels as the file has them, and back.

use crate::Window;
use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};

/// EXIF's block behind its "Exif\0\0"; what cannot be read counts as upright.
pub(crate) fn of_exif(exif: &[u8]) -> Orientation {
    Orientation::from_exif_chunk(exif).unwrap_or(Orientation::NoTransforms)
}

pub(crate) fn apply(pixels: RgbImage, orientation: Orientation) -> RgbImage {
    let mut image = DynamicImage::ImageRgb8(pixels);
    image.apply_orientation(orientation);
    image.into_rgb8()
}

/// The size as it is seen.
pub(crate) fn seen_size(orientation: Orientation, (width, height): (u32, u32)) -> (u32, u32) {
    if steps(orientation).0 { (height, width) } else { (width, height) }
}

/// The part of the file that shows in a window of the picture; `size` is the file's.
pub(crate) fn stored_window(orientation: Orientation, (width, height): (u32, u32), seen: Window) -> Window {
    let (transposed, from_right, from_below) = steps(orientation);
    let Window { x, y, width: w, height: h } = seen;
    let (x, y, w, h) = if transposed { (y, x, h, w) } else { (x, y, w, h) };
    Window {
        x: if from_right { width - x - w } else { x },
        y: if from_below { height - y - h } else { y },
        width: w,
        height: h,
    }
}

/// The point of the file that shows at a point of the picture; `size` is the file's.
pub(crate) fn stored_point(orientation: Orientation, size: (u32, u32), (x, y): (f64, f64)) -> (f64, f64) {
    let (transposed, from_right, from_below) = steps(orientation);
    let (x, y) = if transposed { (y, x) } else { (x, y) };
    let (width, height) = (f64::from(size.0), f64::from(size.1));
    (if from_right { width - x } else { x }, if from_below { height - y } else { y })
}

/// Whether rows became columns, columns are counted from the right and rows from below.
fn steps(orientation: Orientation) -> (bool, bool, bool) {
    match orientation {
        Orientation::NoTransforms => (false, false, false),
        Orientation::FlipHorizontal => (false, true, false),
        Orientation::Rotate180 => (false, true, true),
        Orientation::FlipVertical => (false, false, true),
        Orientation::Rotate90FlipH => (true, false, false),
        Orientation::Rotate90 => (true, false, true),
        Orientation::Rotate270FlipH => (true, true, true),
        Orientation::Rotate270 => (true, true, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_the_picture_is_the_same_part_of_the_file() {
        let (width, height) = (7, 5);
        let file = RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 0]));
        for exif in 1..=8 {
            let Some(orientation) = Orientation::from_exif(exif) else { continue };
            let seen = apply(file.clone(), orientation);
            assert_eq!(seen.dimensions(), seen_size(orientation, (width, height)));
            let window = Window { x: 1, y: 2, width: 3, height: 2 };
            let part = stored_window(orientation, (width, height), window);
            let crop = image::imageops::crop_imm(&file, part.x, part.y, part.width, part.height).to_image();
            let expected = image::imageops::crop_imm(&seen, 1, 2, 3, 2).to_image();
            assert_eq!(apply(crop, orientation), expected, "orientation {exif}");
            let (x, y) = stored_point(orientation, (width, height), (2.5, 3.5));
            assert_eq!(seen.get_pixel(2, 3), file.get_pixel(x as u32, y as u32), "orientation {exif}");
        }
    }
}
