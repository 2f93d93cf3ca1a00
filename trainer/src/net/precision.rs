//! In what numbers a network computes.

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
