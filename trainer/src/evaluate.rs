//! Captions of a split and their scores.

use crate::data::features::to_tensor;
use crate::data::rows::Rows;
use crate::error::{Error, Result};
use crate::net::{Encoder, FeatureShape, Images, Keys, Mode, Parts, RsicDecoder, StepCache};
use crate::progress::Progress;
use cssa::dataset::Captioned;
use cssa::metrics::{self, Item, Scores};
use cssa::search::{self, Hypothesis, Step, Strategy};
use cssa::vocabulary::Vocabulary;
use std::ops::Range;
use tch::{Device, Kind, Tensor};

/// A model ready to caption.
#[derive(Debug)]
pub struct Captioner<'a> {
    encoder: Encoder<'a>,
    shape: FeatureShape,
    decoder: RsicDecoder,
    vocabulary: &'a Vocabulary,
    strategy: Strategy,
    device: Device,
}

/// The decoder's side of beam search.
struct TchStep<'a> {
    decoder: &'a RsicDecoder,
    memory: &'a [Keys],
    /// The memory of each row's image, and the images that it was selected for.
    selected: Option<(Vec<usize>, Vec<Keys>)>,
    cache: StepCache,
    device: Device,
}

impl Step for TchStep<'_> {
    type Error = Error;

    fn step(&mut self, rows: search::Rows<'_>, logits: &mut Vec<f32>) -> Result<()> {
        let search::Rows { position, images, tokens, parents } = rows;
        if position == 0 {
            self.cache = StepCache::default();
        }
        if self.selected.as_ref().is_none_or(|(selected, _)| selected != images) {
            let index: Vec<i64> = images.iter().map(|&image| image as i64).collect();
            let index = Tensor::from_slice(&index).to_device(self.device);
            let keys = self.memory.iter().map(|keys| keys.select(&index)).collect();
            self.selected = Some((images.to_vec(), keys));
        }
        let memory = self.selected.as_ref().map_or(self.memory, |(_, keys)| keys);
        let tokens: Vec<i64> = tokens.iter().map(|token| i64::from(token.0)).collect();
        let parents: Vec<i64> = parents.iter().map(|&parent| parent as i64).collect();
        let tensor = |values: &[i64]| Tensor::from_slice(values).to_device(self.device);
        let (tokens, parents) = (tensor(&tokens), tensor(&parents));
        let found = self.decoder.step(&tokens, position as i64, &parents, &mut self.cache, memory);
        *logits = Vec::try_from(found.to_kind(Kind::Float).to_device(Device::Cpu).contiguous().view(-1))?;
        Ok(())
    }
}

/// Images captioned in the same steps, on a CPU and on a GPU.
const BATCH: [usize; 2] = [16, 128];

impl<'a> Captioner<'a> {
    /// The model of `parts` with its way to search.
    pub fn new(parts: Parts<'a>, vocabulary: &'a Vocabulary, strategy: Strategy) -> Result<Self> {
        let Parts { model, store, backbone } = parts;
        Ok(Self {
            encoder: Encoder::new(parts)?,
            shape: backbone.frozen_output(),
            decoder: RsicDecoder::new(store, model)?,
            vocabulary,
            strategy,
            device: store.device(),
        })
    }

    /// A caption for each of the rows `rows` of what the backbone's frozen layers gave.
    pub fn captions(
        &self,
        features: &Rows,
        rows: Range<usize>,
        name: &str,
        progress: &Progress,
    ) -> Result<Vec<String>> {
        Ok(self.scored(features, rows, name, progress)?.into_iter().map(|(caption, _)| caption).collect())
    }

    /// The same with their probabilities.
    pub fn scored(
        &self,
        features: &Rows,
        rows: Range<usize>,
        name: &str,
        progress: &Progress,
    ) -> Result<Vec<(String, Hypothesis)>> {
        let bar = progress.stage(format!("captions {name}"), rows.len());
        let mut captions = Vec::with_capacity(rows.len());
        let batch = BATCH[usize::from(self.device.is_cuda())];
        for start in rows.clone().step_by(batch) {
            let mut values = Vec::new();
            let end = rows.end.min(start + batch);
            for row in start..end {
                features.read(row, &mut values)?;
            }
            let images = Images::of_features(to_tensor(&values, self.shape, self.device));
            for hypothesis in self.search(&images, |step, count| self.strategy.captions(step, count))? {
                captions.push(self.named(hypothesis));
            }
            bar.advance(end - start);
        }
        Ok(captions)
    }

    /// The caption of grid features `[1, N, C]`, with its probability.
    pub fn caption(&self, features: &Tensor) -> Result<(String, Hypothesis)> {
        let images = Images::of_features(features.shallow_clone());
        let found = self.search(&images, |step, count| self.strategy.captions(step, count))?;
        let found = found.into_iter().next().ok_or(Error::NoCaption)?;
        Ok(self.named(found))
    }

    /// The `best` best captions of grid features `[1, N, C]` that the beam finds, best first.
    pub fn n_best(&self, features: &Tensor, best: usize) -> Result<Vec<(String, Hypothesis)>> {
        let images = Images::of_features(features.shallow_clone());
        let settings = self.strategy.settings();
        let settings = search::Settings { beam: settings.beam.max(best), ..settings };
        let lists = self.search(&images, |step, count| search::n_best_all(step, count, settings, best))?;
        Ok(lists.into_iter().flatten().map(|hypothesis| self.named(hypothesis)).collect())
    }

    fn named(&self, hypothesis: Hypothesis) -> (String, Hypothesis) {
        (self.vocabulary.decode(&hypothesis.tokens).unwrap_or_default(), hypothesis)
    }

    fn search<T>(&self, images: &Images, find: impl FnOnce(&mut TchStep<'_>, usize) -> Result<T>) -> Result<T> {
        tch::no_grad(|| {
            let memory = self.encoder.forward(images, Mode::Evaluate)?;
            let (count, memory) = (memory.size()[0] as usize, self.decoder.memory_keys(&memory));
            let (cache, device) = (StepCache::default(), self.device);
            let mut step = TchStep { decoder: &self.decoder, memory: &memory, selected: None, cache, device };
            find(&mut step, count)
        })
    }
}

/// Scores captions, one an image, against the images' references.
pub fn score(images: &[&Captioned], captions: &[String]) -> Result<Scores> {
    Ok(metrics::score(&items(images, captions))?)
}

/// CIDEr-D of each image's caption, with document frequencies from all the images' references.
pub fn cider_by_image(images: &[&Captioned], captions: &[String]) -> Result<Vec<f64>> {
    Ok(metrics::cider_per_item(&items(images, captions))?)
}

pub(crate) fn items(images: &[&Captioned], captions: &[String]) -> Vec<Item> {
    let item = |(image, caption): (&&Captioned, &String)| Item {
        hypothesis: caption.clone(),
        references: image.captions.clone(),
    };
    images.iter().zip(captions).map(item).collect()
}
