//! What is computed once for each image and kept on disk, one file a dataset, split and view: the output of the
//! backbone's frozen layers as FP16, or the decoded pixels. A file's name carries a hash of all that its content follows
//! from, so a file with the right name is the right file.

use super::rows::{Rows, Writer};
use crate::error::{Error, Result};
use crate::net::augment::{self, Augmentation, AugmentationKind, Orientation};
use crate::net::{BackboneNet, FeatureShape};
use crate::progress::{Progress, Stage};
use cssa::dataset::{Captioned, Dataset, Split};
use cssa::model::Model;
use cssa::random::Random;
use cssa::{files, preprocess};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::mpsc::sync_channel;
use tch::{Device, Kind, Tensor};

/// What the cache works with.
#[derive(Debug)]
pub struct Source<'a> {
    /// Hyper-parameters: backbone and image size.
    pub model: &'a Model,
    /// The network.
    pub backbone: &'a BackboneNet,
    /// Where it runs.
    pub device: Device,
    /// Folder of the cached files.
    pub folder: &'a Path,
    /// Seed of the augmented views.
    pub seed: u64,
    /// What augments them.
    pub augmentation: AugmentationKind,
}

/// Images a call of the backbone.
const BATCH: usize = 16;

impl Source<'_> {
    /// [`Source::features`] of a part of a dataset.
    pub fn split_features(&self, dataset: &Dataset, split: Split, view: usize, progress: &Progress) -> Result<Rows> {
        let images: Vec<&Captioned> = dataset.split(split).collect();
        let name = format!("{}-{}", dataset.name, format!("{split:?}").to_lowercase());
        self.features(&name, &images, view, progress)
    }

    /// Output of the frozen layers for `images` in view `view` (0: the image itself), a row `[N, C]` each.
    pub fn features(&self, name: &str, images: &[&Captioned], view: usize, progress: &Progress) -> Result<Rows> {
        let length = self.backbone.frozen_output().bytes();
        let seed = if view == 0 { 0 } else { self.seed };
        // Captions decide which images may be turned, so drawn views follow from them: view 0 is the same beside any captions.
        let drawn = if view == 0 { String::new() } else { self.augmentation.constants() + &kept(images) };
        let layers = format!("{} {:?} {view} {seed} {drawn}", self.backbone.frozen_hash(), self.backbone.precision());
        let path = self.folder.join(format!("{name}-view{view}-{}.f16", self.key(&layers, images)?));
        if !path.exists() {
            let (mut writer, done) = Writer::start(&path, length)?;
            let bar = progress.stage(format!("features {name} view {view}"), images.len());
            self.decoded(images, done, &bar, |chunk, pixels| {
                let batch = augment::to_images(pixels, self.model.image_size, self.device);
                let batch = match view {
                    0 => batch,
                    _ => self.drawn(chunk, view).apply(&batch)?,
                };
                let features = self.backbone.frozen(&self.normalized(&batch));
                let bytes = features.to_kind(Kind::Half).to_device(Device::Cpu).contiguous().view_dtype(Kind::Uint8);
                writer.push(&Vec::<u8>::try_from(bytes.view(-1))?)
            })?;
            writer.finish()?;
        }
        Rows::open(path, images.len(), length)
    }

    /// The decoded images, a row `[3, s, s]` of bytes each.
    pub fn pixels(&self, name: &str, images: &[&Captioned], progress: &Progress) -> Result<Rows> {
        let length = 3 * self.model.image_size.pow(2);
        let path = self.folder.join(format!("{name}-pixels-{}.u8", self.key("pixels", images)?));
        if !path.exists() {
            let (mut writer, done) = Writer::start(&path, length)?;
            let bar = progress.stage(format!("pixels {name}"), images.len());
            self.decoded(images, done, &bar, |_, pixels| writer.push(pixels))?;
            writer.finish()?;
        }
        Rows::open(path, images.len(), length)
    }

    /// Images with values 0 to 255 as the network takes them.
    pub fn normalized(&self, images: &Tensor) -> Tensor {
        augment::normalize(images, self.model.backbone.normalization())
    }

    /// Calls `then` with the planar pixels of one batch after the other, from image `done` on; each core decodes batches ahead.
    fn decoded(
        &self,
        images: &[&Captioned],
        done: usize,
        bar: &Stage,
        mut then: impl FnMut(&[&Captioned], &[u8]) -> Result<()>,
    ) -> Result<()> {
        bar.advance(done);
        let size = self.model.image_size as u32;
        std::thread::scope(|scope| -> Result<()> {
            let chunks = images[done..].chunks(BATCH);
            let threads = std::thread::available_parallelism().map_or(1, usize::from).min(chunks.len());
            // Thread n decodes every batch whose number is n modulo their count, so that the order needs no sorting.
            let decoders: Vec<_> = (0..threads)
                .map(|n| {
                    let (sender, receiver) = sync_channel(2);
                    let own = chunks.clone().skip(n).step_by(threads);
                    scope.spawn(move || {
                        for chunk in own {
                            let pixels: Result<Vec<Vec<u8>>> =
                                chunk.iter().map(|image| Ok(planar(&cssa_image::read(&image.path)?, size))).collect();
                            if sender.send(pixels).is_err() {
                                return;
                            }
                        }
                    });
                    receiver
                })
                .collect();
            for (n, chunk) in chunks.enumerate() {
                let pixels = decoders[n % threads].recv();
                let pixels = pixels.map_err(|_| Error::Broken("a thread that decodes images has ended"))??;
                then(chunk, &pixels.concat())?;
                bar.advance(chunk.len());
            }
            Ok(())
        })
    }

    /// The changes of view `view`: always the same for an image and a seed.
    fn drawn(&self, images: &[&Captioned], view: usize) -> Augmentation {
        let mut drawn = Augmentation::default();
        for image in images {
            let name = Sha256::digest(image.filename.as_bytes());
            let name = name.iter().take(8).fold(0, |hash, &byte| hash << 8 | u64::from(byte));
            let mut random = Random::keyed(&[self.seed, name, view as u64]);
            drawn.draw(self.augmentation, Orientation::of(image), &mut random);
        }
        drawn
    }

    fn key(&self, content: &str, images: &[&Captioned]) -> Result<String> {
        let mut hash = Sha256::new();
        hash.update(format!("{content} {} {}", self.model.backbone, self.model.image_size));
        for image in images {
            hash.update(Sha256::digest(files::read(&image.path, 1 << 30)?));
            hash.update(&image.filename);
        }
        Ok(cssa::bundle::hexadecimal(&hash.finalize()[..8]))
    }
}

/// 1 for each image that keeps its orientation, 0 for each that may be turned.
fn kept(images: &[&Captioned]) -> String {
    images.iter().map(|image| if Orientation::of(image) == Orientation::Kept { '1' } else { '0' }).collect()
}

/// An image as `size` × `size` pixels, channel after channel.
fn planar(image: &image::RgbImage, size: u32) -> Vec<u8> {
    let square = preprocess::resize(image, size);
    (0..3).flat_map(|channel| square.as_raw().iter().skip(channel).step_by(3).copied()).collect()
}

/// FP16 rows (little-endian) as a tensor `[rows, N, C]` in FP32 on `device`.
pub fn to_tensor(bytes: &[u8], shape: FeatureShape, device: Device) -> Tensor {
    let rows = bytes.len() / shape.bytes();
    let size = [rows, shape.cells, shape.channels].map(|extent| extent as i64);
    Tensor::from_data_size(&bytes[..rows * shape.bytes()], &size, Kind::Half).to_device(device).to_kind(Kind::Float)
}
