//! The three stages of a recipe, with the defaults that [`Config`](super::Config) explains.

use crate::data::samples::Unit;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How the learning rate goes over a stage's steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind", deny_unknown_fields)]
pub enum Schedule {
    /// factor · d^−0.5 · min(step^−0.5, step · warmup^−1.5).
    Noam {
        /// Multiplies the whole.
        factor: f64,
        /// Steps until the peak.
        warmup: usize,
    },
    /// Linear to `peak` over `warmup` steps, then a half cosine down to 0 at the last step.
    Cosine {
        /// The highest rate.
        peak: f64,
        /// Steps until the peak.
        warmup: usize,
    },
}

impl Schedule {
    /// The factor or peak.
    pub(super) fn height(self) -> f64 {
        match self {
            Self::Noam { factor, .. } => factor,
            Self::Cosine { peak, .. } => peak,
        }
    }
}

/// Contrastive stage (paper 3.4.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mccl {
    /// Passes over the train images or pairs; 0 leaves the stage out.
    pub epochs: usize,
    /// What `batch` and an epoch count: `pairs` or `images`.
    pub unit: Unit,
    /// Images or pairs a batch.
    pub batch: usize,
    /// λ: weight of image → sentence against sentence → image.
    pub lambda: f64,
    /// γi: weight of the image branch; 0 leaves it out.
    pub gamma_image: f64,
    /// γs: weight of the text branch; 0 leaves it out.
    pub gamma_sentence: f64,
    /// τ at the start.
    pub temperature: f64,
    /// Whether τ is learned.
    pub learn_temperature: bool,
    /// A sentence is no negative of an image that has it among its captions.
    pub spare_equal_sentences: bool,
    /// Learning rate.
    pub schedule: Schedule,
    /// Largest norm of all gradients together.
    pub clip: f64,
    /// Batches a step; each has its own negatives.
    pub accumulate: usize,
}

/// Captioning stage (paper 3.4.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rsic {
    /// Passes over the train images or pairs.
    pub epochs: usize,
    /// What `batch` and an epoch count: `pairs`, or `images` with all their captions.
    pub unit: Unit,
    /// Images or pairs a batch.
    pub batch: usize,
    /// Learning rate.
    pub schedule: Schedule,
    /// The schedule's steps are counted on from the first stage's, so that one schedule spans both.
    pub continues_schedule: bool,
    /// Largest norm of all gradients together.
    pub clip: f64,
    /// Decoupled weight decay of the matrices.
    pub weight_decay: f64,
    /// Share of each step that the averaged weights keep of the past; 0 turns averaging off.
    pub average: f64,
    /// Decoupled pull of all weights toward those that the stage began with (L2-SP; Li et al. 2018): without it they are as free as
    /// the gradients take them; 100 holds each about a hundredth from where it was. 0 turns it off.
    #[serde(skip_serializing_if = "is_zero")]
    pub pull: f64,
    /// Batches a step.
    pub accumulate: usize,
    /// Share of each target that goes to all words alike.
    pub label_smoothing: f64,
    /// Stop after this many epochs without a better CIDEr on dev; 0: never.
    pub patience: usize,
    /// Whether images are augmented here too; the paper does so in the first stage alone.
    pub augment: bool,
    /// Weight of an auxiliary loss: the scene class, as far as file names tell it, from the mean of the memory. 0 leaves it out.
    pub scene_weight: f64,
    /// Finished runs with the same words, of whatever network and backbone: the captions' words are also learned as these say them on
    /// average ([`crate::stages::distillation`]).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teachers: Vec<PathBuf>,
    /// Share of the teachers in the loss, more than 0 to 1; the rest is the captions'.
    #[serde(skip_serializing_if = "is_half")]
    pub teacher_weight: f64,
}

/// Self-critical stage (Rennie et al. 2017).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scst {
    /// Passes over the train images; 0 leaves the stage out, as the paper does.
    pub epochs: usize,
    /// Images a batch.
    pub batch: usize,
    /// Batches a step.
    pub accumulate: usize,
    /// Captions drawn for each image.
    pub samples: usize,
    /// Weight of BLEU-4 beside CIDEr-D's 1 in the reward.
    pub bleu: f64,
    /// Learning rate.
    pub schedule: Schedule,
    /// Largest norm of all gradients together.
    pub clip: f64,
    /// Share of each step that the averaged weights keep of the past; 0 turns averaging off.
    pub average: f64,
    /// Stop after this many epochs without a better CIDEr on dev; 0: never.
    pub patience: usize,
    /// Whether images are augmented.
    pub augment: bool,
    /// Whether rewards count each distinct reference once: the datasets repeat sentences, which draws captions together.
    pub distinct_references: bool,
    /// What a reward loses for each group of objects that the caption says and no reference does
    /// ([`cssa::metrics::objects`]).
    pub invention_price: f64,
    /// Share of the references' cross-entropy in the loss: a floor under the captions' variety.
    pub cross_entropy: f64,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

fn is_half(value: &f64) -> bool {
    *value == 0.5
}

impl Default for Mccl {
    fn default() -> Self {
        Self {
            epochs: 10,
            unit: Unit::Pairs,
            batch: 16,
            lambda: 0.5,
            gamma_image: 0.4,
            gamma_sentence: 0.1,
            temperature: 0.07,
            learn_temperature: true,
            spare_equal_sentences: true,
            schedule: Schedule::Noam { factor: 1.0, warmup: 20_000 },
            clip: 5.0,
            accumulate: 1,
        }
    }
}

impl Default for Rsic {
    fn default() -> Self {
        Self {
            epochs: 30,
            unit: Unit::Pairs,
            batch: 8,
            schedule: Schedule::Noam { factor: 1.0, warmup: 20_000 },
            continues_schedule: true,
            clip: 5.0,
            weight_decay: 0.0,
            average: 0.0,
            pull: 0.0,
            accumulate: 1,
            label_smoothing: 0.0,
            patience: 0,
            augment: false,
            scene_weight: 0.0,
            teachers: Vec::new(),
            teacher_weight: 0.5,
        }
    }
}

impl Default for Scst {
    fn default() -> Self {
        Self {
            epochs: 0,
            batch: 32,
            accumulate: 1,
            samples: 5,
            bleu: 0.0,
            schedule: Schedule::Cosine { peak: 1e-4, warmup: 50 },
            clip: 1.0,
            average: 0.0,
            patience: 0,
            augment: true,
            distinct_references: false,
            invention_price: 0.0,
            cross_entropy: 0.0,
        }
    }
}
