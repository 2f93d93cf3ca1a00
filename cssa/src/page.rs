//! What HTML pages that need nothing else are made of: escaped text, and images inside the page.

use crate::files::FileError;
use crate::preprocess;
use base64::Engine;
use std::path::Path;

/// JPEG quality of images inside pages.
const QUALITY: u8 = 80;

/// Text as HTML shows it, also within attributes.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// An image, scaled to `side` × `side` pixels, as a `data:` URL.
pub fn embedded(path: &Path, side: u32) -> Result<String, FileError> {
    let small = preprocess::resize(&preprocess::read(path)?, side);
    let mut jpeg = Vec::new();
    small
        .write_with_encoder(image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, QUALITY))
        .map_err(|error| FileError::content(path, error))?;
    Ok(format!("data:image/jpeg;base64,{}", base64::engine::general_purpose::STANDARD.encode(jpeg)))
}
