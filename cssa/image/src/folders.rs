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
    let (images, problems) = found(paths);
    problems.into_iter().next().map_or(Ok(images), Err)
}

/// The same, and all that is wrong with the paths and the folders below them: the others' images are found.
#[must_use]
pub fn found(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<FileError>) {
    let (mut images, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        if path.is_dir() {
            let before = (images.len(), problems.len());
            walk(path, &mut images, &mut problems);
            if (images.len(), problems.len()) == before {
                let endings = EXTENSIONS.join(", ");
                let problem = format!("no image in this folder, expected files that end in {endings}");
                problems.push(FileError::content(path, problem));
            }
        } else if !path.exists() {
            problems.push(FileError::content(path, "no such file or folder"));
        } else {
            images.push(path.clone());
        }
    }
    (images, problems)
}

fn walk(folder: &Path, images: &mut Vec<PathBuf>, problems: &mut Vec<FileError>) {
    let entries = std::fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut entries: Vec<PathBuf> = match entries {
        Ok(entries) => entries,
        Err(error) => return problems.push(FileError::content(folder, format!("cannot be read: {error}"))),
    };
    entries.sort();
    for path in entries {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_dir() && !path.is_symlink() {
            walk(&path, images, problems);
        } else if EXTENSIONS.contains(&ending.as_str()) && path.is_file() {
            images.push(path);
        }
    }
}
