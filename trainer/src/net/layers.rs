//! Linear, LayerNorm and the feed-forward network.

use super::Store;
use anyhow::Result;
use cssa::model::LAYER_NORM_EPSILON;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Arithmetic of the linear layers, the attention products and the convolutions. LayerNorm, softmax, sums over the residual
/// path, losses and weights are FP32 always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// FP32.
    #[default]
    Float,
    /// bfloat16 operands.
    Bfloat16,
}

impl Precision {
    /// The operand in this arithmetic.
    pub fn cast(self, x: &Tensor) -> Tensor {
        match self {
            Self::Float => x.shallow_clone(),
            Self::Bfloat16 => x.to_kind(Kind::BFloat16),
        }
    }
}

/// Whether dropout is active.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Training, with this share of activations dropped.
    Train(f64),
    /// Evaluation.
    Evaluate,
}

/// Drops activations in training.
pub fn dropout(x: Tensor, mode: Mode) -> Tensor {
    match mode {
        Mode::Train(rate) if rate > 0.0 => x.dropout(rate, true),
        _ => x,
    }
}

/// x W^T + b.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
    precision: Precision,
}

impl Linear {
    /// The layer `name` of the store.
    pub fn new(store: &Store, name: &str) -> Result<Self> {
        Ok(Self {
            weight: store.get(&format!("{name}.weight"))?,
            bias: store.get(&format!("{name}.bias"))?,
            precision: store.precision(),
        })
    }

    /// `[…, inputs]` → `[…, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let [x, weight, bias] = [x, &self.weight, &self.bias].map(|tensor| self.precision.cast(tensor));
        x.linear(&weight, Some(&bias))
    }
}

/// LayerNorm over the last dimension.
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    /// The layer `name` of the store.
    pub fn new(store: &Store, name: &str) -> Result<Self> {
        Ok(Self { weight: store.get(&format!("{name}.weight"))?, bias: store.get(&format!("{name}.bias"))? })
    }

    /// `[…, d]` → `[…, d]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), f64::from(LAYER_NORM_EPSILON), false)
    }
}

/// down(ReLU(up(x))).
#[derive(Debug)]
pub struct FeedForward {
    up: Linear,
    down: Linear,
}

impl FeedForward {
    /// The network `name` of the store.
    pub fn new(store: &Store, name: &str) -> Result<Self> {
        Ok(Self { up: Linear::new(store, &format!("{name}.up"))?, down: Linear::new(store, &format!("{name}.down"))? })
    }

    /// `[…, d]` → `[…, d]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.down.forward(&self.up.forward(x).relu_())
    }
}
