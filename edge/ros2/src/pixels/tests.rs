//! Each encoding by its bytes, and sizes that lie.

use super::*;
use crate::messages::Data;

fn message(encoding: &str, (width, height): (u32, u32), step: u32, bytes: Vec<u8>) -> Image {
    Image { encoding: encoding.into(), width, height, step, data: Data::from(bytes), ..Image::default() }
}

fn raw(encoding: &str, size: (u32, u32), step: u32, bytes: &[u8]) -> Option<Vec<u8>> {
    rgb(message(encoding, size, step, bytes.to_vec())).ok().map(RgbImage::into_raw)
}

#[test]
fn eight_bits_are_taken_in_either_order_without_padding() {
    assert_eq!(raw("rgb8", (1, 2), 4, &[1, 2, 3, 99, 4, 5, 6, 99]), Some(vec![1, 2, 3, 4, 5, 6]));
    assert_eq!(raw("bgr8", (2, 1), 6, &[1, 2, 3, 4, 5, 6]), Some(vec![3, 2, 1, 6, 5, 4]));
    assert_eq!(raw("rgba8", (1, 1), 4, &[1, 2, 3, 0]), Some(vec![1, 2, 3]));
    assert_eq!(raw("bgra8", (1, 1), 4, &[1, 2, 3, 0]), Some(vec![3, 2, 1]));
    assert_eq!(raw("mono8", (2, 1), 3, &[7, 9, 99]), Some(vec![7, 7, 7, 9, 9, 9]));
}

#[test]
fn sixteen_bits_are_scaled_as_in_a_file_in_either_byte_order() {
    let values: Vec<u16> = (0..64 * 64 * 3).map(|n: u32| (n * 2_654_435_761 % 9000) as u16).collect();
    let expected = rgb8((64, 64), 3, Samples::Words(values.clone()), Kept::Reduced).ok().map(RgbImage::into_raw);
    let little = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(rgb(message("rgb16", (64, 64), 384, little)).ok().map(RgbImage::into_raw), expected);
    let big = values.chunks_exact(3).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).flat_map(u16::to_be_bytes);
    let big = Image { is_bigendian: 1, ..message("bgr16", (64, 64), 384, big.collect()) };
    assert_eq!(rgb(big).ok().map(RgbImage::into_raw), expected);
}

#[test]
fn a_mosaic_becomes_what_its_filters_measured() {
    for (encoding, bytes) in [
        ("bayer_rggb8", [200, 100, 50, 10]),
        ("bayer_grbg8", [100, 200, 10, 50]),
        ("bayer_gbrg8", [100, 10, 200, 50]),
        ("bayer_bggr8", [10, 100, 50, 200]),
    ] {
        assert_eq!(raw(encoding, (2, 2), 2, &bytes), Some(vec![200, 75, 10]), "{encoding}");
    }
    let wide = raw("bayer_rggb8", (4, 2), 5, &[1, 2, 3, 4, 99, 4, 5, 6, 7, 99]);
    assert_eq!(wide, Some(vec![1, 3, 5, 3, 5, 7]));
    assert!(rgb(message("bayer_rggb16", (2, 2), 4, vec![0; 8])).is_ok());
}

/// The six primaries as BT.601 has them (SMPTE EG 1's 100 % bars), each to one step.
#[test]
fn luminance_and_chrominance_become_colours() {
    for (yuv, colour) in [
        ([235, 128, 128], [255, 255, 255]),
        ([16, 128, 128], [0, 0, 0]),
        ([81, 90, 240], [255, 0, 0]),
        ([145, 54, 34], [0, 255, 0]),
        ([41, 240, 110], [0, 0, 255]),
        ([210, 16, 146], [255, 255, 0]),
    ] {
        let [y, u, v] = yuv;
        for (encoding, bytes) in
            [("yuv422", [u, y, v, y]), ("uyvy", [u, y, v, y]), ("yuv422_yuy2", [y, u, y, v]), ("yuyv", [y, u, y, v])]
        {
            let found = raw(encoding, (2, 1), 4, &bytes).unwrap_or_default();
            let near = |n: usize| found.get(n).is_some_and(|found: &u8| found.abs_diff(colour[n % 3]) <= 1);
            assert!((0..6).all(near), "{encoding} {yuv:?}: {found:?}");
        }
    }
}

#[test]
fn sizes_that_lie_are_refused_before_a_byte_is_read() {
    let layout = [
        message("rgb8", (2, 2), 5, vec![0; 10]),
        message("rgb8", (2, 2), 6, vec![0; 11]),
        message("rgb8", (2, 2), 6, vec![0; 13]),
        message("rgb8", (0, 2), 6, vec![0; 12]),
        message("rgb8", (2, 0), 6, Vec::new()),
        message("rgba16", (u32::MAX, u32::MAX), u32::MAX, vec![0; 16]),
        message("mono8", (u32::MAX, 1), u32::MAX, Vec::new()),
        message("yuyv", (3, 1), 6, vec![0; 6]),
        message("bayer_rggb8", (2, 3), 2, vec![0; 6]),
    ];
    for image in layout {
        let shown = format!("{image:?}");
        assert_eq!(rgb(image).err().map(|refusal| refusal.kind()), Some("layout"), "{shown}");
    }
    for encoding in ["32FC1", "16UC1", "8UC3", "nv21", "bayer_rgbg8", "bayer_rggb", "bayer_", "RGB8", ""] {
        let refusal = rgb(message(encoding, (1, 1), 1, vec![0])).err();
        assert_eq!(refusal.as_ref().map(Refusal::kind), Some("encoding"));
        assert!(refusal.is_some_and(|refusal| refusal.to_string().starts_with(&format!("encoding {encoding:?}"))));
    }
}
