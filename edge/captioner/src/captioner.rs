//! From an image to a caption: preprocessing, encoder, search, and how far the caption can be believed.

use crate::error::{Error, Result, unexpected};
use crate::judgement::{self, Judgement};
use crate::load;
use crate::looks::{self, Looks};
use crate::runtime::{Runtime, Steps};
use crate::settings::Settings;
use cssa::bundle::{Bundle, Language};
use cssa::dataset::DevRule;
use cssa::model::{Model, Search};
use cssa::preprocess::Preprocessor;
use cssa::search::{Hypothesis, Strategy};
use cssa::trust::{Confidence, ImageStatistics, Reason};
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
    looks: Looks,
    judgement: Option<Judgement>,
    limit: f32,
    preprocessor: Preprocessor,
}

/// What no value of a healthy memory reaches: a LayerNorm of any width that this program takes stays far below.
const MAX_ACTIVATION: f32 = 1e3;

/// A caption and what it took.
#[derive(Clone, Debug, Default)]
pub struct Caption {
    /// The words as ids.
    pub tokens: Vec<TokenId>,
    /// The words.
    pub text: String,
    /// Geometric mean of the tokens' probabilities, 0 to 1: how the search ranks, and no measure of truth.
    pub score: f32,
    /// Probability that it names nothing that is not there; `None` where the bundle has no statistics for this.
    pub confidence: Option<Confidence>,
    /// The share of dev images that are less like the train images than this one, 0 to 1; `None` without statistics.
    pub familiarity: Option<f32>,
    /// Why the image is outside of what the model knows, the plainest reason first; empty where it is not.
    pub reasons: Vec<Reason>,
    /// How many turned and mirrored images were looked at for it.
    pub looks: Looks,
    /// Time for scaling and normalizing the pixels.
    pub preprocessing: Duration,
    /// Time in the encoder.
    pub encoder: Duration,
    /// Time in the search, an equal share of it where images share steps.
    pub decoder: Duration,
    /// Time for the image check, familiarity and confidence.
    pub judgement: Duration,
}

impl Caption {
    /// The plainest reason why the image is outside; `None` where it is not.
    #[must_use]
    pub fn outside(&self) -> Option<Reason> {
        self.reasons.first().copied()
    }
}

/// An image seen once, as it is: its caption, and what further looks start from.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The caption of this one look.
    pub caption: Caption,
    /// The memory, `[N, d]`.
    pub memory: Vec<f32>,
    /// What the pixels show.
    pub statistics: ImageStatistics,
    /// What the search found, best first.
    pub candidates: Vec<Hypothesis>,
    /// Normalized, `[3, s, s]`.
    input: Vec<f32>,
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
            looks: settings.looks,
            judgement: Judgement::of(bundle),
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

    /// Whether its captions have a confidence.
    #[must_use]
    pub fn is_calibrated(&self) -> bool {
        self.judgement.is_some()
    }

    /// From now on a memory with a value beyond `limit` is an error: the activation range guard.
    pub fn set_activation_limit(&mut self, limit: f32) {
        self.limit = limit;
    }

    /// Captions an image of any size, with as many looks as the settings say.
    pub fn caption(&mut self, image: &RgbImage) -> Result<Caption> {
        let sight = self.sight(image)?;
        self.look_again(&sight)
    }

    /// Looks at one image once.
    pub fn sight(&mut self, image: &RgbImage) -> Result<Sight> {
        self.sights(&[image])?.pop().ok_or(Error::NoCaption)
    }

    /// Looks at several images once each, whose searches share the decoder's steps. A memory that is not finite or leaves its range
    /// is an error: something is broken, and no caption of it would be true.
    pub fn sights(&mut self, images: &[&RgbImage]) -> Result<Vec<Sight>> {
        let mut seen = Vec::with_capacity(images.len());
        for (place, image) in images.iter().enumerate() {
            let started = Instant::now();
            let (size, normalization) = (self.model.image_size as u32, self.model.backbone.normalization());
            let input = self.preprocessor.input(image, size, normalization).to_vec();
            let prepared = Instant::now();
            // Before the network takes the caches.
            let statistics = judgement::statistics(self.preprocessor.square());
            let checked = Instant::now();
            let memory = self.encode(place, &input)?;
            seen.push((memory, input, statistics, prepared - started, checked.elapsed(), checked - prepared));
        }
        let started = Instant::now();
        let found = self.strategy.candidates(&mut Steps(self.runtime.as_mut()), images.len())?;
        let decoder = started.elapsed() / images.len().max(1) as u32;
        let sight = |(candidates, (memory, input, statistics, preprocessing, encoder, checking))| {
            let empty = Caption { preprocessing, encoder, decoder, judgement: checking, ..Caption::default() };
            let mut sight = Sight { caption: empty, memory, statistics, candidates, input };
            let looks = std::slice::from_ref(&sight.candidates);
            let caption = self.judged(&sight, looks)?;
            sight.caption = caption;
            Ok(sight)
        };
        found.into_iter().zip(seen).map(sight).collect()
    }

    /// The image once more, turned and mirrored, as often as the settings say: the caption that the looks agree on. Without statistics in
    /// the bundle nothing could tell it, and the first look stays.
    pub fn look_again(&mut self, sight: &Sight) -> Result<Caption> {
        if self.looks == Looks::One || self.judgement.is_none() {
            return Ok(sight.caption.clone());
        }
        let (looks, encoder, decoder) = self.views(sight, self.looks)?;
        let mut caption = self.judged(sight, &looks)?;
        caption.looks = self.looks;
        caption.encoder += encoder;
        caption.decoder += decoder;
        Ok(caption)
    }

    /// What the search finds in each of `looks` views of an image, the first as it is: what [`Captioner::look_again`] judges by.
    pub fn candidates(&mut self, sight: &Sight, looks: Looks) -> Result<Vec<Vec<Hypothesis>>> {
        Ok(self.views(sight, looks)?.0)
    }

    fn views(&mut self, sight: &Sight, looks: Looks) -> Result<(Vec<Vec<Hypothesis>>, Duration, Duration)> {
        let more = looks.count() - 1;
        let mut lists = vec![sight.candidates.clone()];
        if more == 0 {
            return Ok((lists, Duration::ZERO, Duration::ZERO));
        }
        let started = Instant::now();
        let mut views = Vec::with_capacity(more * sight.input.len());
        for number in 1..=more {
            looks::append(&mut views, &sight.input, self.model.image_size, number);
        }
        self.encode(0, &views)?;
        let encoded = Instant::now();
        lists.append(&mut self.strategy.candidates(&mut Steps(self.runtime.as_mut()), more)?);
        Ok((lists, encoded - started, encoded.elapsed()))
    }

    fn encode(&mut self, place: usize, images: &[f32]) -> Result<Vec<f32>> {
        let memory = self.runtime.encode(place, images)?;
        let inside = |value: &f32| value.abs() <= self.limit;
        match memory.iter().find(|value| !inside(value)) {
            Some(&value) => Err(Error::Activation { value, limit: self.limit }),
            None => Ok(memory),
        }
    }

    /// The caption that the looks agree on, and how far it can be believed; times are those of the first look and of judging.
    fn judged(&self, sight: &Sight, looks: &[Vec<Hypothesis>]) -> Result<Caption> {
        let started = Instant::now();
        let best = || looks.iter().filter_map(|list| list.first()).max_by(|a, b| a.score().total_cmp(&b.score()));
        let (chosen, confidence, familiarity, reasons) = match &self.judgement {
            Some(judgement) => {
                let found = judgement.judge(&sight.memory, sight.statistics, looks);
                (found.chosen.or_else(best), found.confidence, Some(found.familiarity), found.reasons)
            }
            None => (best(), None, None, Vec::new()),
        };
        let chosen = chosen.filter(|chosen| chosen.log_probability.is_finite()).ok_or(Error::NoCaption)?;
        let text = self.vocabulary.decode(&chosen.tokens);
        let text = text.ok_or_else(|| unexpected!("the search gave a token that is no word"))?;
        Ok(Caption {
            tokens: chosen.tokens.clone(),
            text,
            score: chosen.score(),
            confidence,
            familiarity,
            reasons,
            judgement: sight.caption.judgement + started.elapsed(),
            ..sight.caption.clone()
        })
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
