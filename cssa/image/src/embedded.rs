//! Images inside HTML pages.

use crate::decode::read;
use base64::Engine;
use cssa::files::FileError;
use cssa::preprocess;
use std::path::Path;

/// JPEG quality of images inside pages.
const QUALITY: u8 = 80;

/// An image, scaled to `side` × `side` pixels, as a `data:` URL.
pub fn embedded(path: &Path, side: u32) -> Result<String, FileError> {
    let small = preprocess::resize(&read(path)?, side);
    let mut jpeg = Vec::new();
    small
        .write_with_encoder(image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, QUALITY))
        .map_err(|error| FileError::content(path, error))?;
    Ok(format!("data:image/jpeg;base64,{}", base64::engine::general_purpose::STANDARD.encode(jpeg)))
}
