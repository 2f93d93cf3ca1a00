//! Hyper-parameters of a CSSA model (paper 3.1–3.3), as saved in `run/model.toml` and in a bundle's manifest.

use crate::backbone::Backbone;
use crate::vocabulary::MAX_LENGTHS;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Everything that fixes the shapes and the arithmetic of a trained model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The convolutional network that gives the grid features.
    pub backbone: Backbone,
    /// Side of the square input image, in pixels.
    pub image_size: usize,
    /// d: width of the DG-former and of both decoders.
    pub width: usize,
    /// h: attention heads; divides `width`.
    pub heads: usize,
    /// Hidden width of every feed-forward network.
    pub feed_forward: usize,
    /// Layers of the DG-former.
    pub encoder_layers: usize,
    /// Layers of each text decoder.
    pub decoder_layers: usize,
    /// The dynamic geometry positional encoding.
    pub dgp: Dgp,
    /// Width of the space in which MCCL compares images and sentences.
    pub contrast_width: usize,
    /// Words in the vocabulary, special tokens included.
    pub vocabulary: usize,
    /// Longest caption, in tokens, the start token included: length of the decoder's cache.
    pub max_tokens: usize,
}

/// DGP: Ω^l = G · d(l), G = ReLU(fc(r)) (paper 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dgp {
    /// Width that r_ij is mapped up to before it is mapped down to one value a head.
    pub hidden: usize,
    /// d(l).
    pub decay: Decay,
    /// Initial value of the learnable s of the exponential decay.
    pub initial_s: f32,
}

/// d(l), how the geometry term fades with the layer l = 0, 1, … (paper 3.2, table 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decay {
    /// exp(−l·s), s learnable.
    Exponential,
    /// 1 − ln(l+1) / ln(l_max+1).
    Logarithmic,
    /// cos(l·π / (l_max+1)).
    Cosine,
    /// d(l) = 1: geometry without dynamic adjustment.
    Constant,
    /// No geometry term at all: the plain Transformer encoder.
    None,
}

/// How captions are searched, where nobody chooses otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    /// Captions that are followed at once.
    pub beam: usize,
    /// α: finished captions are ranked by log p / length^α.
    pub length_exponent: f32,
    /// Which of the vocabulary's length classes captions are asked for, from 1; a model without classes has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u8>,
    /// Consensus decoding instead of the beam's best caption, where wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consensus: Option<Consensus>,
}

/// Consensus decoding ([`crate::search::consensus`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consensus {
    /// Width of the beam, whose captions are all candidates.
    pub beam: usize,
    /// Captions drawn besides: candidates too, and what candidates are compared with. With 0 they are compared with the beam's.
    pub draws: usize,
}

impl core::fmt::Display for Search {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.consensus {
            Some(Consensus { beam, draws }) => write!(f, "consensus of beam {beam} and {draws} draws")?,
            None => write!(f, "beam {}", self.beam)?,
        }
        write!(f, ", length exponent {}", self.length_exponent)?;
        self.length.map_or(Ok(()), |class| write!(f, ", length class {class}"))
    }
}

impl Default for Search {
    /// The paper's beam, and the exponent that was best on dev for the default bundle.
    fn default() -> Self {
        Self { beam: 3, length_exponent: 0.5, length: None, consensus: None }
    }
}

impl Search {
    /// The best caption of a beam of this width, no consensus.
    #[must_use]
    pub fn with_beam(self, beam: usize) -> Self {
        Self { beam, consensus: None, ..self }
    }

    /// Checks the bounds.
    pub fn validate(&self) -> Result<(), ModelError> {
        let wrong = |field, found, expected| Err(ModelError { field, found, expected });
        if !(1..=16).contains(&self.beam) {
            return wrong("search.beam", alloc::format!("{}", self.beam), "1 to 16");
        }
        if !(0.0..=4.0).contains(&self.length_exponent) {
            return wrong("search.length_exponent", alloc::format!("{}", self.length_exponent), "0 to 4");
        }
        if let Some(class) = self.length.filter(|&class| !(1..=MAX_LENGTHS).contains(&usize::from(class))) {
            return wrong("search.length", alloc::format!("{class}"), "1 to 8");
        }
        if let Some(Consensus { beam, draws }) = self.consensus {
            if !(1..=16).contains(&beam) {
                return wrong("search.consensus.beam", alloc::format!("{beam}"), "1 to 16");
            }
            if draws > 256 {
                return wrong("search.consensus.draws", alloc::format!("{draws}"), "0 to 256");
            }
            if draws == 0 && beam < 3 {
                return wrong("search.consensus.beam", alloc::format!("{beam}"), "3 or more where draws is 0");
            }
        }
        Ok(())
    }
}

/// A hyper-parameter that no model can be built from.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{field} is {found}, expected {expected}")]
pub struct ModelError {
    /// The field's name in `model.toml`.
    pub field: &'static str,
    /// What it holds.
    pub found: String,
    /// What it may hold.
    pub expected: &'static str,
}

impl Model {
    /// Checks that the numbers fit together; [`ModelError`] names the first that does not. Bounds keep a hostile file
    /// from asking for absurd amounts of memory.
    pub fn validate(&self) -> Result<(), ModelError> {
        let within = |field, value: usize, low: usize, high: usize, expected| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(ModelError { field, found: alloc::format!("{value}"), expected })
            }
        };
        within("model.image_size", self.image_size, 32, 1024, "32 to 1024 pixels")?;
        within("model.width", self.width, 8, 4096, "8 to 4096")?;
        within("model.heads", self.heads, 1, 64, "1 to 64")?;
        within("model.feed_forward", self.feed_forward, 8, 16_384, "8 to 16384")?;
        within("model.encoder_layers", self.encoder_layers, 1, 24, "1 to 24")?;
        within("model.decoder_layers", self.decoder_layers, 1, 24, "1 to 24")?;
        within("model.dgp.hidden", self.dgp.hidden, 1, 1024, "1 to 1024")?;
        within("model.contrast_width", self.contrast_width, 1, 4096, "1 to 4096")?;
        within("model.vocabulary", self.vocabulary, 4, 65_536, "4 to 65536")?;
        within("model.max_tokens", self.max_tokens, 2, 256, "2 to 256")?;
        if !self.width.is_multiple_of(self.heads) || !self.width.is_multiple_of(2) {
            let found = alloc::format!("{}", self.width);
            return Err(ModelError { field: "model.width", found, expected: "an even multiple of heads" });
        }
        if !self.dgp.initial_s.is_finite() {
            let found = alloc::format!("{}", self.dgp.initial_s);
            return Err(ModelError { field: "model.dgp.initial_s", found, expected: "a finite number" });
        }
        Ok(())
    }

    /// Cells along one side of the feature grid.
    #[must_use]
    pub fn grid(&self) -> usize {
        self.backbone.grid(self.image_size)
    }

    /// N: cells of the feature grid.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.grid() * self.grid()
    }

    /// What word embeddings are multiplied by before the positions are added: √d.
    #[must_use]
    pub fn embedding_scale(&self) -> f32 {
        libm::sqrtf(self.width as f32)
    }

    /// d_k: width of one head.
    #[must_use]
    pub fn head_width(&self) -> usize {
        self.width / self.heads
    }
}

/// ε of every LayerNorm.
pub const LAYER_NORM_EPSILON: f32 = 1e-5;

/// The sinusoidal position encoding of the plain Transformer that both decoders add to their word embeddings:
/// `[positions, width]`, row-major, PE(p, 2i) = sin(p / 10000^(2i/width)), PE(p, 2i+1) = cos of the same.
#[must_use]
pub fn positions(positions: usize, width: usize) -> alloc::vec::Vec<f32> {
    let mut table = alloc::vec::Vec::with_capacity(positions * width);
    for position in 0..positions {
        for column in 0..width {
            let exponent = (column / 2 * 2) as f64 / width as f64;
            let angle = position as f64 / libm::pow(10_000.0, exponent);
            table.push(if column % 2 == 0 { libm::sin(angle) } else { libm::cos(angle) } as f32);
        }
    }
    table
}
