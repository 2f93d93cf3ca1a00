//! Where images come from: files and folders.

use cssa::files::FileError;
use std::path::{Path, PathBuf};

/// File name endings that are taken for images when a folder is read.
pub const EXTENSIONS: [&str; 5] = ["jpg", "jpeg", "png", "tif", "tiff"];

/// The image files that `paths` stand for, in the order given; a folder stands for all images in it and below, by name.
///
/// # Errors
/// A path that is not there, a folder that cannot be read or has no image.
pub fn images(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FileError> {
    let mut images = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = images.len();
            walk(path, &mut images)?;
            if images.len() == before {
                let endings = EXTENSIONS.join(", ");
                let problem = format!("no image in this folder, expected files that end in {endings}");
                return Err(FileError::content(path, problem));
            }
        } else if !path.exists() {
            return Err(FileError::content(path, "no such file or folder"));
        } else {
            images.push(path.clone());
        }
    }
    Ok(images)
}

fn walk(folder: &Path, images: &mut Vec<PathBuf>) -> Result<(), FileError> {
    let unreadable = |error: std::io::Error| FileError::content(folder, format!("cannot be read: {error}"));
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let entries: std::io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut entries = entries.map_err(unreadable)?;
    entries.sort();
    for path in entries {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_dir() && !path.is_symlink() {
            walk(&path, images)?;
        } else if EXTENSIONS.contains(&ending.as_str()) && path.is_file() {
            images.push(path);
        }
    }
    Ok(())
}
