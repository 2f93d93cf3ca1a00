//! Where images come from: files and folders.

use anyhow::{Context, Result, ensure};
use cssa::preprocess::EXTENSIONS;
use std::path::{Path, PathBuf};

/// The image files that `paths` stand for, in the order given; a folder stands for all images in it and below, by name.
pub fn images(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut images = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = images.len();
            walk(path, &mut images)?;
            let endings = EXTENSIONS.join(", ");
            ensure!(
                images.len() > before,
                "{}: no image in this folder, expected files that end in {endings}",
                path.display()
            );
        } else {
            ensure!(path.exists(), "{}: no such file or folder", path.display());
            images.push(path.clone());
        }
    }
    Ok(images)
}

fn walk(folder: &Path, images: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{}: cannot be read", folder.display()))?;
    let mut entries: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
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
