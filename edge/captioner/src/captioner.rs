//! From an image to a caption: preprocessing, encoder, search.

use crate::error::{Error, Result, unexpected};
use crate::load;
use crate::runtime::{Runtime, Steps};
use crate::settings::Settings;
use cssa::bundle::{Bundle, Language};
use cssa::dataset::DevRule;
use cssa::model::{Model, Search};
use cssa::preprocess::Preprocessor;
use cssa::search::{Hypothesis, Strategy};
use cssa::vocabulary::{TokenId, Vocabulary};
use image::RgbImage;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A loaded bundle, ready to caption.
pub struct Captioner {
    runtime: Box<dyn Runtime>,
    model: Model,
    vocabulary: Vocabulary,
    language: Arc<Language>,
    dev: DevRule,
    search: Search,
    strategy: Strategy,
    limit: f32,
    preprocessor: Preprocessor,
}

/// What no value of a healthy memory reaches: a LayerNorm of any width that this program takes stays far below.
const MAX_ACTIVATION: f32 = 1e3;

/// A caption and what it took.
#[derive(Clone, Debug)]
pub struct Caption {
    /// The words as ids.
    pub tokens: Vec<TokenId>,
    /// The words.
    pub text: String,
    /// Geometric mean of the tokens' probabilities, 0 to 1.
    pub score: f32,
    /// Time for scaling and normalizing the pixels.
    pub preprocessing: Duration,
    /// Time in the encoder.
    pub encoder: Duration,
    /// Time in the search, an equal share of it where images share steps.
    pub decoder: Duration,
}

/// The runtime and, where there is one, the share of its provider.
#[must_use]
pub fn at_work(active: &str, share: Option<f64>) -> String {
    match share {
        Some(share) => format!("{active} with {:.1} % of the encoder's multiplications", share * 100.0),
        None => active.into(),
    }
}

impl Captioner {
    /// Loads a bundle; its manifest says how captions are searched.
    pub fn open(bundle: &Bundle, settings: &Settings) -> Result<Self> {
        let model = bundle.manifest.model.clone();
        let strategy = bundle.strategy().map_err(|error| unexpected!("{error}"))?;
        let runtime = load::open(bundle, settings)?;
        let language = Arc::new(Language { model: bundle.language_model.clone(), id: bundle.id });
        Ok(Self {
            runtime,
            model,
            vocabulary: bundle.vocabulary.clone(),
            language,
            dev: bundle.manifest.dev,
            search: bundle.manifest.search,
            strategy,
            limit: MAX_ACTIVATION,
            preprocessor: Preprocessor::default(),
        })
    }

    /// How captions are searched.
    #[must_use]
    pub fn search(&self) -> Search {
        self.search
    }

    /// The runtime at work.
    #[must_use]
    pub fn active(&self) -> String {
        self.runtime.active()
    }

    /// Share of the encoder's multiplications that the execution provider took; `None` where only the CPU was asked for.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        self.runtime.share()
    }

    /// The runtime at work with the share of the work that its provider took, for people.
    #[must_use]
    pub fn at_work(&self) -> String {
        at_work(&self.active(), self.share())
    }

    /// What the decoder multiplies with.
    #[must_use]
    pub fn kernel(&self) -> &'static str {
        self.runtime.kernel()
    }

    /// What packs the bundle's captions.
    #[must_use]
    pub fn language(&self) -> Arc<Language> {
        Arc::clone(&self.language)
    }

    /// Which train images were dev when the bundle's model was trained.
    #[must_use]
    pub fn dev(&self) -> DevRule {
        self.dev
    }

    /// From now on a memory with a value beyond `limit` is an error: the activation range guard.
    pub fn set_activation_limit(&mut self, limit: f32) {
        self.limit = limit;
    }

    /// Captions an image of any size.
    pub fn caption(&mut self, image: &RgbImage) -> Result<Caption> {
        Ok(self.caption_with_memory(image)?.0)
    }

    /// Captions an image of any size; gives the memory, `[N, d]`, too.
    pub fn caption_with_memory(&mut self, image: &RgbImage) -> Result<(Caption, Vec<f32>)> {
        self.caption_batch(&[image])?.pop().ok_or(Error::NoCaption)
    }

    /// Captions several images, whose searches share the decoder's steps; gives their memories, too. A memory that is not
    /// finite or leaves its range is an error: something is broken, and no caption of it would be true.
    pub fn caption_batch(&mut self, images: &[&RgbImage]) -> Result<Vec<(Caption, Vec<f32>)>> {
        let mut seen = Vec::with_capacity(images.len());
        for (place, image) in images.iter().enumerate() {
            let started = Instant::now();
            let (size, normalization) = (self.model.image_size as u32, self.model.backbone.normalization());
            let input = self.preprocessor.input(image, size, normalization);
            let prepared = Instant::now();
            let memory = self.runtime.encode(place, input)?;
            let inside = |value: &f32| value.abs() <= self.limit;
            if let Some(&value) = memory.iter().find(|value| !inside(value)) {
                return Err(Error::Activation { value, limit: self.limit });
            }
            seen.push((memory, prepared - started, prepared.elapsed()));
        }
        let encoded = Instant::now();
        let found = self.strategy.captions(&mut Steps(self.runtime.as_mut()), images.len())?;
        let decoder = encoded.elapsed() / images.len().max(1) as u32;
        let caption = |(hypothesis, (memory, preprocessing, encoder)): (Hypothesis, _)| {
            if !hypothesis.log_probability.is_finite() {
                return Err(Error::NoCaption);
            }
            let score = hypothesis.score();
            let tokens = hypothesis.tokens;
            let text = self
                .vocabulary
                .decode(&tokens)
                .ok_or_else(|| unexpected!("the search gave a token that is no word"))?;
            Ok((Caption { tokens, text, score, preprocessing, encoder, decoder }, memory))
        };
        found.into_iter().zip(seen).map(caption).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_said_with_its_share() {
        assert_eq!(at_work("ort/CPUExecutionProvider", None), "ort/CPUExecutionProvider");
        assert_eq!(at_work("ort/Some", Some(0.9876)), "ort/Some with 98.8 % of the encoder's multiplications");
    }
}
