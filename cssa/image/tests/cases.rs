//! Files of the world's cameras and GIS programs (`fixtures/cases/img`) have the pixels that Pillow and GDAL read.

use anyhow::{Context, Result, ensure};
use cssa_image::{Kept, Raster, Scaling, Window, decode, is_tiff_file, picture, read};
use image::RgbImage;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/cases/img")
}

fn bytes(name: &str) -> Result<Vec<u8>> {
    let path = folder().join(name);
    std::fs::read(&path).with_context(|| path.display().to_string())
}

fn case(name: &str) -> Result<RgbImage> {
    decode(&bytes(name)?).with_context(|| name.to_owned())
}

/// JPEG decoders may differ in the last bits; nothing else may.
#[test]
fn each_case_has_the_colours_of_pillow_and_gdal() -> Result<()> {
    let text = std::fs::read_to_string(folder().join("pixels.csv"))?;
    for line in text.lines().skip(1) {
        let mut fields = line.split(',');
        let mut field = || fields.next().context("a field is missing");
        let (name, width, height, colours) = (field()?, field()?.parse()?, field()?.parse()?, field()?);
        let image = case(name)?;
        ensure!(image.dimensions() == (width, height), "{name}: {:?}", image.dimensions());
        let most = if name.contains("jpg") || name.contains("jpeg") { 4 } else { 0 };
        for (n, colour) in colours.split(' ').enumerate() {
            let (x, y) = ((2 * (n as u32 % 4) + 1) * width / 8, (2 * (n as u32 / 4) + 1) * height / 8);
            let expected = u32::from_str_radix(colour, 16)?.to_be_bytes();
            let found = image.get_pixel(x, y).0;
            let apart = found.iter().zip(&expected[1..]).map(|(a, b)| a.abs_diff(*b)).max();
            ensure!(apart <= Some(most), "{name} at {x}, {y}: {found:02x?}, expected {colour}");
        }
    }
    Ok(())
}

#[test]
fn what_cannot_be_read_says_why() -> Result<()> {
    for (name, expected) in [
        ("j25_main_cut_half_then_mpf_thumb.jpg", "the JPEG is cut off: another image begins before its end"),
        ("j27_12bit.jpg", "unsupported: JPEG of 12 bits a sample"),
        ("t10_lzma.tif", "unsupported: LZMA"),
        ("t38_jpegxl.tif", "unsupported: JPEG XL"),
        ("t39_jpeg2000.tif", "unsupported: JPEG 2000"),
    ] {
        let said = decode(&bytes(name)?).map(|image| image.dimensions()).map_err(|error| error.to_string());
        assert_eq!(said, Err(expected.into()), "{name}");
    }
    Ok(())
}

/// What a camera did not write, or what a transmission cut off, is a marker or pixels.
#[test]
fn a_jpeg_without_an_end_marker_is_whole_where_its_pixels_are() -> Result<()> {
    let open = bytes("j15_no_eoi.jpg")?;
    let whole = decode(&[open.as_slice(), &[0xFF, 0xD9]].concat())?;
    assert_eq!(decode(&open)?, whole);
    assert_eq!(decode(&[open.as_slice(), &[0xFF]].concat())?, whole);
    for name in ["j05_progressive.jpg", "j08_gray.jpg", "j09_restart.jpg", "j02_no_dht_mjpeg.jpg"] {
        let bytes = bytes(name)?;
        let whole = decode(&bytes)?;
        let end = bytes.windows(2).rposition(|pair| pair == [0xFF, 0xD9]).context("no end")?;
        assert_eq!(decode(&bytes[..end])?, whole, "{name}");
        let mut refused = 0;
        for cut in (1..end / 2).step_by(if name.contains("prog") { 61 } else { 239 }) {
            match decode(&bytes[..end - cut]) {
                Ok(found) => ensure!(found == whole, "{name} without {cut} bytes is another picture"),
                Err(error) => {
                    ensure!(error.to_string().starts_with("the JPEG is cut off"), "{name}: {error}");
                    refused += 1;
                }
            }
        }
        ensure!(refused > 10, "{name}: {refused}");
    }
    Ok(())
}

/// WebP holds three or four bands together: what a file says otherwise is not damage.
#[test]
fn webp_that_no_library_reads_is_unsupported_and_not_damaged() -> Result<()> {
    let healthy = bytes("t08_webp.tif")?;
    decode(&healthy)?;
    let first = u32::from_le_bytes(healthy[4..8].try_into()?) as usize;
    let count = usize::from(u16::from_le_bytes(healthy[first..first + 2].try_into()?));
    for (tag, value, expected) in
        [(284u16, 2u16, "unsupported: WebP in planes"), (277, 1, "unsupported: WebP of 1 bands")]
    {
        let mut odd = healthy.clone();
        let entry = (0..count).map(|n| first + 2 + 12 * n).find(|at| odd[*at..*at + 2] == tag.to_le_bytes());
        let entry = entry.with_context(|| format!("no tag {tag}"))?;
        odd[entry + 8..entry + 10].copy_from_slice(&value.to_le_bytes());
        if tag == 277 {
            // One band is grey, and has one number of bits.
            for (tag, values, value) in [(262u16, 1u32, 1u32), (258, 1, 8), (339, 1, 1)] {
                let other = (0..count).map(|n| first + 2 + 12 * n).find(|at| odd[*at..*at + 2] == tag.to_le_bytes());
                if let Some(other) = other {
                    odd[other + 4..other + 8].copy_from_slice(&values.to_le_bytes());
                    odd[other + 8..other + 12].copy_from_slice(&value.to_le_bytes());
                }
            }
        }
        let said = decode(&odd).map(|image| image.dimensions()).map_err(|error| error.to_string());
        assert_eq!(said, Err(expected.into()));
    }
    Ok(())
}

#[test]
fn a_file_and_its_windows_are_as_its_bytes() -> Result<()> {
    for entry in std::fs::read_dir(folder())? {
        let path = entry?.path();
        let Ok(image) = std::fs::read(&path).map_err(anyhow::Error::from).and_then(|bytes| Ok(decode(&bytes)?)) else {
            continue;
        };
        assert_eq!(read(&path)?, image, "{}", path.display());
        if is_tiff_file(&path) {
            let raster = Raster::open(&path)?;
            assert_eq!(raster.dimensions(), image.dimensions(), "{}", path.display());
            let (width, height) = image.dimensions();
            for (x, y) in [(0, 0), (width / 3, height / 2), (width - 1, height - 7)] {
                let (width, height) = ((width - x).min(40), (height - y).min(11));
                let crop = image::imageops::crop_imm(&image, x, y, width, height).to_image();
                assert_eq!(raster.window(Window { x, y, width, height })?, crop, "{} at {x}, {y}", path.display());
            }
        }
    }
    Ok(())
}

/// The same picture, whatever its values are counted in.
#[test]
fn percentiles_make_one_picture_of_every_kind_of_value() -> Result<()> {
    let twelve = case("t18_u16_12bit.tif")?;
    let with_nodata = case("t18b_u16_12bit_nodata65535_corner.tif")?;
    let apart = |a: &RgbImage, b: &RgbImage| {
        let differ = a.pixels().zip(b.pixels()).filter(|(a, b)| a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > 6));
        differ.count()
    };
    let nodata = with_nodata.pixels().filter(|pixel| pixel.0 == [0; 3]).count();
    assert!(apart(&twelve, &with_nodata) <= nodata, "{} of {nodata}", apart(&twelve, &with_nodata));
    for name in ["t16_float255.tif", "t17_int16.tif", "t26_uint32.tif", "t27_float64.tif", "t40_fp16.tif"] {
        assert_eq!(apart(&twelve, &case(name)?), 0, "{name}");
    }
    // Masked, transparent or called nodata, with 65535 below: the same pixels are left out.
    for name in ["t46_u16_mask_ifd.tif", "t47_u16_alpha.tif"] {
        assert_eq!(case(name)?, with_nodata, "{name}");
    }
    let scaling = picture(bytes("t18_u16_12bit.tif")?, Kept::All)?.scaling;
    assert!(matches!(scaling, Some(Scaling::Percentiles { .. })), "{scaling:?}");
    assert_eq!(picture(bytes("t05_deflate16_pred2.tif")?, Kept::All)?.scaling, Some(Scaling::Widened));
    assert_eq!(case("t05_deflate16_pred2.tif")?, case("t09_packbits.tif")?);
    Ok(())
}

/// What stands in a file beside its pixels must not keep them from being read.
#[test]
fn damaged_tags_beside_the_pixels_do_no_harm() -> Result<()> {
    let healthy = bytes("t18b_u16_12bit_nodata65535_corner.tif")?;
    let at = |tag: u16| healthy.windows(2).rposition(|pair| pair == tag.to_le_bytes()).context("no such tag");
    let mut odd = healthy.clone();
    // GDAL_NODATA's text, which stands where the entry's last four bytes say.
    let entry = at(42_113)?;
    let text = u32::from_le_bytes(healthy[entry + 8..entry + 12].try_into()?) as usize;
    odd[text] = b'?';
    let read = picture(odd, Kept::All)?;
    let note = read.note().context("no note")?;
    assert!(note.contains("GDAL_NODATA is \"?5535\""), "{note}");
    // The next directory and a place of the text outside of the file.
    let mut odd = healthy.clone();
    odd[entry + 8..entry + 12].fill(0xFF);
    let first = u32::from_le_bytes(healthy[4..8].try_into()?) as usize;
    let count = usize::from(u16::from_le_bytes(healthy[first..first + 2].try_into()?));
    odd[first + 2 + 12 * count..first + 6 + 12 * count].fill(0xEE);
    assert_eq!(decode(&odd)?.dimensions(), (64, 64));
    Ok(())
}

/// A TIFF of 8 × 8 pixels with red, green, blue and an alpha that is not multiplied into them.
fn tiff(pixels: &[u8]) -> Vec<u8> {
    const BEGIN: u32 = 8;
    let fields: [(u16, u16, u32, u32); 10] = [
        (256, 3, 1, 8),
        (257, 3, 1, 8),
        (258, 3, 4, BEGIN + 2 + 10 * 12 + 4),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, BEGIN + 2 + 10 * 12 + 4 + 8),
        (277, 3, 1, 4),
        (278, 3, 1, 8),
        (279, 4, 1, 256),
        (338, 3, 1, 2),
    ];
    let mut file = [b"II*\0".as_slice(), &BEGIN.to_le_bytes(), &[10, 0]].concat();
    for (tag, kind, count, value) in fields {
        file.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        file.extend([count.to_le_bytes(), value.to_le_bytes()].concat());
    }
    [file.as_slice(), &[0; 4], &[8, 0, 8, 0, 8, 0, 8, 0], pixels].concat()
}

/// Nobody sees what lies under an alpha of 0: it is black in every kind of file.
#[test]
fn what_is_transparent_is_black() -> Result<()> {
    use image::{DynamicImage, GrayAlphaImage, ImageFormat, RgbaImage};
    let colours = RgbaImage::from_fn(8, 8, |x, _| image::Rgba([200, 100, 50, if x < 4 { 0 } else { 1 }]));
    let greys = GrayAlphaImage::from_fn(8, 8, |x, _| image::LumaA([90, if x < 4 { 0 } else { 255 }]));
    let png = |image: DynamicImage| -> Result<Vec<u8>> {
        let mut file = std::io::Cursor::new(Vec::new());
        image.write_to(&mut file, ImageFormat::Png)?;
        Ok(file.into_inner())
    };
    let tiff = tiff(colours.as_raw());
    for (file, seen) in [(tiff, [200, 100, 50]), (png(colours.into())?, [200, 100, 50]), (png(greys.into())?, [90; 3])]
    {
        let found = decode(&file)?;
        ensure!(found.get_pixel(0, 0).0 == [0; 3] && found.get_pixel(7, 7).0 == seen, "{:?}", found.get_pixel(0, 0));
    }
    Ok(())
}
