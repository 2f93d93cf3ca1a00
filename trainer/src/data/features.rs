//! Grid features of a frozen backbone, computed once and kept on disk as FP16, one file a dataset, split and view.
//!
//! A file holds a row `[N, C]` for each image, in the dataset's order. Its name carries a hash of all that the content
//! follows from, so a file with the right name is the right file. An unfinished file keeps its rows under `.part`, and
//! the next run goes on after them.

use super::augment;
use crate::net::BackboneNet;
use crate::progress::Progress;
use crate::random::Random;
use anyhow::{Context, Result, ensure};
use cssa::dataset::Captioned;
use cssa::model::Model;
use cssa::{files, preprocess};
use half::f16;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use tch::{Device, Kind, Tensor};

/// What the cache works with.
#[derive(Debug)]
pub struct Source<'a> {
    /// Hyper-parameters: backbone and image size.
    pub model: &'a Model,
    /// The network.
    pub backbone: &'a BackboneNet,
    /// SHA-256 of its weights file.
    pub weights_hash: String,
    /// Where it runs.
    pub device: Device,
    /// Folder of the cached files.
    pub folder: &'a Path,
    /// Seed of the augmented views.
    pub seed: u64,
}

/// The cached features of a list of images, one view.
#[derive(Debug)]
pub struct Features {
    file: File,
    path: PathBuf,
    rows: usize,
    cells: usize,
    channels: usize,
}

/// Images a call of the backbone.
const BATCH: usize = 16;

impl Source<'_> {
    /// Features of `images` in view `view` (0: the image itself), computed where they are not on disk.
    pub fn features(&self, name: &str, images: &[&Captioned], view: usize, progress: &Progress) -> Result<Features> {
        let path = self.folder.join(format!("{name}-view{view}-{}.f16", self.key(images, view)?));
        if !path.exists() {
            self.compute(&path, images, view, progress.stage(format!("features {name} view {view}"), images.len()))?;
        }
        Features::open(path, images.len(), self.model)
    }

    fn compute(&self, path: &Path, images: &[&Captioned], view: usize, bar: crate::progress::Stage) -> Result<()> {
        std::fs::create_dir_all(self.folder).with_context(|| format!("{} cannot be created", self.folder.display()))?;
        let row = self.model.cells() * self.model.backbone.channels() * 2;
        let part = path.with_extension("part");
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&part)
            .with_context(|| format!("{} cannot be written", part.display()))?;
        let held = || format!("{} is being written by another run", part.display());
        file.try_lock().with_context(held)?;
        let done = file.metadata()?.len() as usize / row;
        file.set_len((done * row) as u64)?;
        bar.advance(done);
        let (size, seed, normalization) = (self.model.image_size, self.seed, self.model.backbone.normalization());
        std::thread::scope(|scope| -> Result<()> {
            let (sender, receiver) = sync_channel(2);
            scope.spawn(move || {
                for (n, batch) in images.chunks(BATCH).enumerate().map(|(n, batch)| (n * BATCH, batch)) {
                    if n + batch.len() <= done {
                        continue;
                    }
                    let skipped = done.saturating_sub(n);
                    let inputs: Result<Vec<Vec<f32>>> = batch[skipped..]
                        .iter()
                        .map(|image| Ok(preprocess::normalize(&pixels(image, view, size as u32, seed)?, normalization)))
                        .collect();
                    if sender.send(inputs).is_err() {
                        return;
                    }
                }
            });
            for inputs in receiver {
                let inputs = inputs?;
                let shape = [inputs.len() as i64, 3, size as i64, size as i64];
                let batch = Tensor::from_slice(&inputs.concat()).view(shape).to_device(self.device);
                let features = self.backbone.forward(&batch).flatten(2, 3).transpose(1, 2).contiguous();
                let flat = Vec::<f32>::try_from(features.to_device(Device::Cpu).view(-1))?;
                let bytes: Vec<u8> = flat.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect();
                file.write_all(&bytes).with_context(|| format!("{} cannot be written", part.display()))?;
                bar.advance(inputs.len());
            }
            Ok(())
        })?;
        file.sync_all()?;
        std::fs::rename(&part, path).with_context(|| format!("{} cannot be written", path.display()))
    }

    fn key(&self, images: &[&Captioned], view: usize) -> Result<String> {
        let mut hash = Sha256::new();
        let seed = if view == 0 { 0 } else { self.seed };
        hash.update(format!("{} {} {} {seed}", self.weights_hash, self.model.backbone, self.model.image_size));
        for image in images {
            hash.update(Sha256::digest(files::read(&image.path, 1 << 30)?));
            hash.update(&image.filename);
            if view > 0 {
                hash.update([u8::from(augment::names_direction(&image.captions))]);
            }
        }
        Ok(cssa::bundle::hexadecimal(&hash.finalize()[..8]))
    }
}

impl Features {
    fn open(path: PathBuf, rows: usize, model: &Model) -> Result<Self> {
        let (cells, channels) = (model.cells(), model.backbone.channels());
        let file = File::open(&path).with_context(|| format!("{} cannot be opened", path.display()))?;
        let (found, expected) = (file.metadata()?.len(), (rows * cells * channels * 2) as u64);
        ensure!(found == expected, "{} has {found} bytes, expected {expected}: delete it", path.display());
        Ok(Self { file, path, rows, cells, channels })
    }

    /// Appends row `row`, `[N, C]` as FP16 bits.
    pub fn read(&self, row: usize, into: &mut Vec<f16>) -> Result<()> {
        ensure!(row < self.rows, "{} has {} rows, not {row}", self.path.display(), self.rows);
        let length = self.cells * self.channels;
        let mut bytes = vec![0; length * 2];
        let offset = (row * length * 2) as u64;
        self.file.read_exact_at(&mut bytes, offset).with_context(|| format!("{}", self.path.display()))?;
        into.extend(bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]])));
        Ok(())
    }

    /// The shape of a row.
    pub fn shape(&self) -> (usize, usize) {
        (self.cells, self.channels)
    }
}

/// An image in view `view`, `size` × `size` pixels.
fn pixels(image: &Captioned, view: usize, size: u32, seed: u64) -> Result<image::RgbImage> {
    let pixels = preprocess::read(&image.path)?;
    if view == 0 {
        return Ok(preprocess::resize(&pixels, size));
    }
    let name = Sha256::digest(image.filename.as_bytes());
    let name = name.iter().take(8).fold(0, |hash, &byte| hash << 8 | u64::from(byte));
    let mut random = Random::keyed(&[seed, name, view as u64]);
    let keep_direction = augment::names_direction(&image.captions);
    Ok(augment::view(&pixels, size, keep_direction, &mut random))
}

/// Rows as a tensor `[rows, N, C]`, FP32 on `device`.
pub fn to_tensor(values: &[f16], shape: (usize, usize), device: Device) -> Tensor {
    Tensor::from_slice(values).view([-1, shape.0 as i64, shape.1 as i64]).to_device(device).to_kind(Kind::Float)
}
