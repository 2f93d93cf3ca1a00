//! How far a bundle strays from the float model on real images: the divergence of the next word along the float model's
//! own captions, which is smooth enough to rank by, and the captions themselves with their score.

use crate::error::{Error, Result};
use cssa::bundle::Bundle;
use cssa::metrics::{self, Item};
use cssa::preprocess;
use cssa::search::{Hypothesis, Rows};
use cssa::spread;
use cssa::tolerance::Difference;
use cssa::vocabulary::TokenId;
use cssa_captioner::{Choice, Provider, Runtime, Settings, Steps};
use std::path::PathBuf;

/// An image to judge on.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Its file.
    pub path: PathBuf,
    /// Its captions; none where it only calibrates.
    pub references: Vec<String>,
}

/// What a model makes of one image.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// Output of the DG-former, `[N, d]`.
    pub memory: Vec<f32>,
    /// The words of the caption that the search finds, without start and end.
    pub tokens: Vec<TokenId>,
    /// The same as text.
    pub text: String,
    /// Logits of the next word along a given caption, `[steps, V]`.
    pub logits: Vec<f32>,
}

/// Images and the float model's predictions.
#[derive(Clone, Debug)]
pub struct Evaluator {
    samples: Vec<Sample>,
    float: Vec<Prediction>,
}

/// How a bundle differs from the float model, means over the images.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Divergence {
    /// KL(float ‖ bundle) of the next word along the float model's captions, in nats a word.
    pub divergence: f64,
    /// Cosine of the memory; the smallest over the images.
    pub least_cosine: f64,
    /// Cosine of the memory, mean.
    pub cosine: f64,
    /// Largest |difference| of a logit.
    pub logit_error: f64,
}

/// Threads of the encoder while judging.
const THREADS: usize = 2;

/// How a bundle is loaded to be judged.
#[must_use]
pub fn settings(choice: Choice) -> Settings {
    Settings { choice, provider: Provider::Cpu, threads: THREADS, ..Settings::default() }
}

impl Evaluator {
    /// Asks the float model about every image.
    pub fn new(float: &Bundle, samples: Vec<Sample>) -> Result<Self> {
        let predictions = predictions(float, &samples, Choice::Ort)?;
        Ok(Self { samples, float: predictions })
    }

    /// The images.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The float model's predictions, in the same order.
    #[must_use]
    pub fn float(&self) -> &[Prediction] {
        &self.float
    }

    /// How `bundle` differs on at most `most` of the images, spread evenly.
    pub fn divergence_of(&self, bundle: &Bundle, most: usize) -> Result<Divergence> {
        let mut runtime = cssa_captioner::open(bundle, &settings(Choice::Ort))?;
        let mut sum = Divergence { least_cosine: 1.0, ..Divergence::default() };
        let (samples, floats) = (spread(&self.samples, most), spread(&self.float, most));
        let count = samples.len();
        for (sample, float) in samples.into_iter().zip(floats) {
            let memory = runtime.encode(0, &input(bundle, sample)?)?;
            let logits = follow(bundle, runtime.as_mut(), &float.tokens)?;
            sum.add(float, &memory, &logits, bundle.vocabulary.size());
        }
        Ok(sum.over(count))
    }

    /// CIDEr-D of captions, one an image.
    pub fn cider<'a>(&self, captions: impl IntoIterator<Item = &'a str>) -> Result<f64> {
        Ok(metrics::score(&self.items(captions))?.cider)
    }

    /// Captions beside the references, for [`metrics`].
    pub fn items<'a>(&self, captions: impl IntoIterator<Item = &'a str>) -> Vec<Item> {
        let pairs = self.samples.iter().zip(captions);
        pairs
            .map(|(sample, caption)| Item { hypothesis: caption.into(), references: sample.references.clone() })
            .collect()
    }

    /// Share of captions that are the float model's.
    pub fn agreement<'a>(&self, captions: impl IntoIterator<Item = &'a str>) -> f64 {
        let same = self.float.iter().zip(captions).filter(|(float, caption)| float.text == *caption).count();
        same as f64 / self.float.len().max(1) as f64
    }
}

impl Divergence {
    /// Adds one image's differences.
    pub fn add(&mut self, float: &Prediction, memory: &[f32], logits: &[f32], vocabulary: usize) {
        let cosine = f64::from(Difference::between(memory, &float.memory).cosine);
        self.cosine += cosine;
        self.least_cosine = self.least_cosine.min(cosine);
        let steps = float.logits.len() / vocabulary.max(1);
        let rows = float.logits.chunks_exact(vocabulary).zip(logits.chunks_exact(vocabulary));
        self.divergence += rows.map(|(p, q)| divergence(p, q)).sum::<f64>() / steps.max(1) as f64;
        let errors = float.logits.iter().zip(logits).map(|(a, b)| f64::from((a - b).abs()));
        self.logit_error = errors.fold(self.logit_error, f64::max);
    }

    /// The means, after `count` images.
    #[must_use]
    pub fn over(self, count: usize) -> Self {
        let count = count.max(1) as f64;
        Self { divergence: self.divergence / count, cosine: self.cosine / count, ..self }
    }
}

/// The predictions of a bundle to all samples in `choice`; logits are along its own captions.
pub fn predictions(bundle: &Bundle, samples: &[Sample], choice: Choice) -> Result<Vec<Prediction>> {
    let mut runtime = cssa_captioner::open(bundle, &settings(choice))?;
    let prediction = |sample: &Sample| {
        let memory = runtime.encode(0, &input(bundle, sample)?)?;
        let Hypothesis { tokens, .. } = searched(bundle, runtime.as_mut())?;
        let logits = follow(bundle, runtime.as_mut(), &tokens)?;
        let text = text(bundle, &tokens)?;
        Ok(Prediction { memory, tokens, text, logits })
    };
    samples.iter().map(prediction).collect()
}

/// The captions of a bundle for all samples.
pub fn captions(bundle: &Bundle, samples: &[Sample], choice: Choice) -> Result<Vec<String>> {
    let mut runtime = cssa_captioner::open(bundle, &settings(choice))?;
    let caption = |sample: &Sample| {
        runtime.encode(0, &input(bundle, sample)?)?;
        text(bundle, &searched(bundle, runtime.as_mut())?.tokens)
    };
    samples.iter().map(caption).collect()
}

/// The image as the network takes it.
pub fn input(bundle: &Bundle, sample: &Sample) -> Result<Vec<f32>> {
    Ok(preprocess::input(&cssa_image::read(&sample.path)?, &bundle.manifest.model))
}

/// Logits of the next word along a caption, the bundle's start first, for the image that the runtime encoded last.
pub fn follow(bundle: &Bundle, runtime: &mut dyn Runtime, tokens: &[TokenId]) -> Result<Vec<f32>> {
    let (mut all, mut step, start) = (Vec::new(), Vec::new(), bundle.strategy()?.settings().start);
    for (position, &token) in std::iter::once(&start).chain(tokens).enumerate() {
        runtime.step(Rows { position, images: &[0], tokens: &[token], parents: &[0] }, &mut step)?;
        all.append(&mut step);
    }
    Ok(all)
}

/// The bundle's own search on the image that the runtime encoded last.
pub fn searched(bundle: &Bundle, runtime: &mut dyn Runtime) -> Result<Hypothesis> {
    bundle.strategy()?.captions(&mut Steps(runtime), 1)?.pop().ok_or(Error::NoCaption)
}

fn text(bundle: &Bundle, tokens: &[TokenId]) -> Result<String> {
    bundle.vocabulary.decode(tokens).ok_or(Error::NoWord)
}

/// KL(softmax(p) ‖ softmax(q)).
fn divergence(p: &[f32], q: &[f32]) -> f64 {
    let normalizer = |row: &[f32]| {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        f64::from(largest) + row.iter().map(|x| f64::from(x - largest).exp()).sum::<f64>().ln()
    };
    let (left, right) = (normalizer(p), normalizer(q));
    let per_word = p.iter().zip(q).map(|(&a, &b)| {
        let (a, b) = (f64::from(a) - left, f64::from(b) - right);
        a.exp() * (a - b)
    });
    per_word.sum::<f64>().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_is_zero_for_shifted_logits_and_known_for_two_words() {
        assert!(divergence(&[1.0, 2.0, 3.0], &[2.0, 3.0, 4.0]) < 1e-12);
        // p = (1/2, 1/2), q = (1/4, 3/4): ½ ln 2 + ½ ln (2/3).
        let expected = 0.5 * (2f64.ln() + (2.0 / 3.0f64).ln());
        assert!((divergence(&[0.0, 0.0], &[0.0, 3f32.ln()]) - expected).abs() < 1e-6);
    }
}
