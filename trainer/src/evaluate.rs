//! Captions of a split and their scores.

use crate::data::features::to_tensor;
use crate::data::rows::Rows;
use crate::net::{BackboneNet, Encoder, Images, Keys, Mode, RsicDecoder, StepCache, Store};
use crate::progress::Progress;
use anyhow::Result;
use cssa::dataset::Captioned;
use cssa::metrics::{self, Item, Scores};
use cssa::model::Model;
use cssa::search::{self, Hypothesis, Settings, Step};
use cssa::vocabulary::Vocabulary;
use tch::{Device, Tensor};

/// A model ready to caption.
#[derive(Debug)]
pub struct Captioner<'a> {
    encoder: Encoder<'a>,
    shape: (usize, usize),
    decoder: RsicDecoder,
    vocabulary: &'a Vocabulary,
    settings: Settings,
    device: Device,
}

/// The decoder's side of beam search.
struct TchStep<'a> {
    decoder: &'a RsicDecoder,
    memory: &'a [Keys],
    cache: StepCache,
    device: Device,
}

impl Step for TchStep<'_> {
    type Error = anyhow::Error;

    fn step(&mut self, rows: search::Rows<'_>, logits: &mut Vec<f32>) -> Result<()> {
        let search::Rows { position, tokens, parents, .. } = rows;
        let tokens: Vec<i64> = tokens.iter().map(|token| i64::from(token.0)).collect();
        let parents: Vec<i64> = parents.iter().map(|&parent| parent as i64).collect();
        let tensor = |values: &[i64]| Tensor::from_slice(values).to_device(self.device);
        let (tokens, parents) = (tensor(&tokens), tensor(&parents));
        let found = self.decoder.step(&tokens, position as i64, &parents, &mut self.cache, self.memory);
        *logits = Vec::try_from(found.to_device(Device::Cpu).contiguous().view(-1))?;
        Ok(())
    }
}

/// Rows of features taken through the encoder at once.
const BATCH: usize = 32;

impl<'a> Captioner<'a> {
    /// The model in `store` behind `backbone`, with its way to search.
    pub fn new(
        model: &Model,
        (store, backbone): (&Store, &'a BackboneNet),
        vocabulary: &'a Vocabulary,
        search: cssa::model::Search,
    ) -> Result<Self> {
        Ok(Self {
            encoder: Encoder::new(store, model, backbone)?,
            shape: backbone.frozen_output(),
            decoder: RsicDecoder::new(store, model)?,
            vocabulary,
            settings: Settings {
                beam: search.beam,
                longest: model.max_tokens - 1,
                length_exponent: search.length_exponent,
            },
            device: store.device(),
        })
    }

    /// A caption for each of the first `rows` rows of what the backbone's frozen layers gave.
    pub fn captions(&self, features: &Rows, rows: usize, name: &str, progress: &Progress) -> Result<Vec<String>> {
        let bar = progress.stage(format!("captions {name}"), rows);
        let mut captions = Vec::with_capacity(rows);
        for start in (0..rows).step_by(BATCH) {
            let mut values = Vec::new();
            let end = rows.min(start + BATCH);
            for row in start..end {
                features.read(row, &mut values)?;
            }
            let batch = Images::Features(to_tensor(&values, self.shape, self.device));
            let found: Result<Vec<Hypothesis>> = tch::no_grad(|| {
                let memory = self.encoder.forward(&batch, Mode::Evaluate);
                (0..(end - start) as i64).map(|row| self.search(&memory.narrow(0, row, 1))).collect()
            });
            for hypothesis in found? {
                captions.push(self.vocabulary.decode(&hypothesis.tokens).unwrap_or_default());
            }
            bar.advance(end - start);
        }
        Ok(captions)
    }

    /// The caption of grid features `[1, N, C]`.
    pub fn caption(&self, features: &Tensor) -> Result<String> {
        let found = tch::no_grad(|| {
            self.search(&self.encoder.forward(&Images::Features(features.shallow_clone()), Mode::Evaluate))
        })?;
        Ok(self.vocabulary.decode(&found.tokens).unwrap_or_default())
    }

    fn search(&self, memory: &Tensor) -> Result<Hypothesis> {
        let memory = self.decoder.memory_keys(memory);
        let cache = StepCache::default();
        let mut step = TchStep { decoder: &self.decoder, memory: &memory, cache, device: self.device };
        search::search(&mut step, self.settings)
    }
}

/// Scores captions, one an image, against the images' references.
pub fn score(images: &[&Captioned], captions: &[String]) -> Result<Scores> {
    let item = |(image, caption): (&&Captioned, &String)| Item {
        hypothesis: caption.clone(),
        references: image.captions.clone(),
    };
    let items: Vec<Item> = images.iter().zip(captions).map(item).collect();
    Ok(metrics::score(&items)?)
}
