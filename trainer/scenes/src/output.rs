//! Writes rendered scenes as a dataset in the Karpathy layout.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use cssa::files::{FileError, NewFolder};
use image::codecs::jpeg::JpegEncoder;
use serde_json::{Value, json};

use crate::{Scene, render};

const QUALITY: u8 = 90;

/// Writes `count` scenes to the folder `out`, new or empty, which appears complete or not at all.
///
/// # Errors
/// No scenes at all, or a folder that is not empty or cannot be written.
pub fn write(out: &Path, count: usize, seed: u64) -> Result<(), FileError> {
    if count == 0 {
        return Err(FileError::content(out, "0 scenes, expected one or more"));
    }
    let folder = NewFolder::create(out)?;
    fill(folder.path(), count, seed)?;
    folder.finish()
}

fn fill(folder: &Path, count: usize, seed: u64) -> Result<(), FileError> {
    let images = folder.join("images");
    fs::create_dir_all(&images).map_err(|error| FileError::content(&images, error))?;
    let mut entries = Vec::with_capacity(count);
    for index in 0..count {
        let scene = render(seed, index as u64);
        let name = format!("scene_{index:05}.jpg");
        write_image(&images.join(&name), &scene)?;
        entries.push(entry(index, &name, &scene.captions));
    }
    let path = folder.join("dataset_scenes.json");
    let text = json!({ "dataset": "scenes", "images": entries }).to_string();
    fs::write(&path, text).map_err(|error| FileError::content(&path, error))
}

fn write_image(path: &Path, scene: &Scene) -> Result<(), FileError> {
    let write = || -> image::ImageResult<()> {
        let mut buffer = BufWriter::new(File::create(path)?);
        JpegEncoder::new_with_quality(&mut buffer, QUALITY).encode_image(&scene.image)?;
        Ok(buffer.flush()?)
    };
    write().map_err(|error| FileError::content(path, format!("{} scene: {error}", scene.category)))
}

fn entry(index: usize, name: &str, captions: &[String; 5]) -> Value {
    let first = index * captions.len();
    let sentences: Vec<Value> = captions
        .iter()
        .enumerate()
        .map(|(place, raw)| json!({ "raw": raw, "imgid": index, "sentid": first + place }))
        .collect();
    let sentence_ids: Vec<usize> = (first..first + captions.len()).collect();
    json!({
        "filename": name,
        "imgid": index,
        "sentids": sentence_ids,
        "split": split(index),
        "sentences": sentences,
    })
}

fn split(index: usize) -> &'static str {
    match index % 10 {
        8 => "val",
        9 => "test",
        _ => "train",
    }
}
