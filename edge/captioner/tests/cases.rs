//! Files of the world's cameras and GIS programs have the caption of the plain picture that they hold.

use cssa::bundle::Bundle;
use cssa_captioner::{Captioner, Choice, Settings};
use std::error::Error;
use std::path::Path;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

#[test]
fn one_picture_has_one_caption_whatever_wrote_it() -> Result {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/cases/img");
    let bundle = Bundle::read(&fixtures::bundle())?;
    let mut captioner =
        Captioner::open(&bundle, &Settings { choice: Choice::Auto, threads: 1, ..Settings::default() })?;
    let mut caption =
        |name: &str| -> Result<String> { Ok(captioner.caption(&cssa_image::read(&folder.join(name))?)?.text) };
    for group in [
        &["base.jpg", "j01_junk_bytes_between_segments.jpg", "j02_no_dht_mjpeg.jpg", "j29_height0_dnl.jpg"][..],
        &["j21_ss_444.jpg", "j24_orientation_3.jpg", "j24_orientation_6.jpg", "j24_orientation_8.jpg"],
        &[
            "t09_packbits.tif",
            "t06_zstd.tif",
            "t07_lerc.tif",
            "t11_bigtiff_tiled.tif",
            "t13_planar_band_tiled_deflate.tif",
        ],
        &["t09_packbits.tif", "t21_sparse.tif", "t36_orientation6.tif", "t05_deflate16_pred2.tif"],
        &["t01_cog_jpeg_ycbcr.tif", "t02_jpeg_ycbcr_tiled.tif", "t03_jpeg_rgb.tif"],
        &[
            "t18_u16_12bit.tif",
            "t18b_u16_12bit_nodata65535_corner.tif",
            "t16_float255.tif",
            "t17_int16.tif",
            "t20_rgbnir_u16_minisblack.tif",
            "t20c_5band_u16.tif",
            "t26_uint32.tif",
            "t27_float64.tif",
            "t30_float32_pred3.tif",
            "t40_fp16.tif",
            "t41_uint16_minisblack_3first.tif",
            "t45_u16_3band_gdal_default.tif",
        ],
    ] {
        let expected = caption(group[0])?;
        for name in &group[1..] {
            assert_eq!(caption(name)?, expected, "{name} and {}", group[0]);
        }
    }
    Ok(())
}
