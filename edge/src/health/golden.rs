//! The golden-image self-test: a rendered scene that is part of the program, and what a bundle made of it on this machine when
//! it proved itself.

use crate::error::{Error, Result, ensure};
use cssa_captioner::{Captioner, Sight};
use serde::{Deserialize, Serialize};

/// A rendered scene: a parking lot beside a road.
const IMAGE: &[u8] = include_bytes!("../../../fixtures/scenes/images/scene_00008.jpg");
/// Values of the memory that are kept, spread evenly over it.
const KEPT: usize = 64;
/// Least cosine between the memory then and now: the same program on the same machine gives the same numbers; threads may add
/// in another order.
const LEAST_COSINE: f32 = 0.999;
/// Raised when this program computes other numbers from the same bundle than the one before it: 2 since tract computes an INT8
/// encoder's whole numbers.
const ARITHMETIC: u32 = 2;
/// How far beyond the golden image's largest value other images' may go.
const RANGE: f32 = 4.0;

/// What a bundle made of the golden image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// Which program computed this, with what, and how it searched; empty where an earlier program does not say.
    #[serde(default)]
    pub computed_by: String,
    /// Its caption.
    pub caption: String,
    /// Values of its memory.
    pub memory: Vec<f32>,
    /// The largest absolute value of its memory.
    pub largest: f32,
}

impl Golden {
    /// Captions the golden image.
    pub fn of(captioner: &mut Captioner) -> Result<Self> {
        let image = cssa_image::decode(IMAGE).map_err(Error::GoldenImage)?;
        let Sight { caption, memory, .. } = captioner.sight(&image)?;
        ensure!(!caption.text.is_empty(), Error::GoldenEmpty);
        let largest = memory.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        let memory = memory.iter().step_by((memory.len() / KEPT).max(1)).copied().collect();
        let (version, runtime, search) = (env!("CARGO_PKG_VERSION"), captioner.active(), captioner.search());
        let computed_by = format!("edge {version}, arithmetic {ARITHMETIC}, {runtime}, {search}");
        Ok(Self { computed_by, caption: caption.text, memory, largest })
    }

    /// Whether both were computed in the same way: what another program, runtime, provider or search made of the image is nothing
    /// to compare with.
    #[must_use]
    pub fn is_comparable(&self, now: &Self) -> bool {
        self.computed_by == now.computed_by
    }

    /// Whether the model still sees what it saw when it proved itself, where that was computed in the same way.
    pub fn check(&self, now: &Self) -> Result<()> {
        if !self.is_comparable(now) {
            return Ok(());
        }
        ensure!(self.memory.len() == now.memory.len(), Error::GoldenSize);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let norms = dot(&self.memory, &self.memory).sqrt() * dot(&now.memory, &now.memory).sqrt();
        let cosine = dot(&self.memory, &now.memory) / norms;
        ensure!(cosine >= LEAST_COSINE, Error::GoldenMemory { found: cosine, expected: LEAST_COSINE });
        let (found, expected) = (now.caption.clone(), self.caption.clone());
        ensure!(found == expected, Error::GoldenCaption { found, expected });
        Ok(())
    }

    /// The largest value that the activation range guard lets pass.
    #[must_use]
    pub fn activation_limit(&self) -> f32 {
        self.largest * RANGE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_model_is_seen() {
        let memory = vec![1.0, -2.0, 0.5];
        let golden = Golden { computed_by: "edge 1".into(), caption: "a road".into(), memory, largest: 2.0 };
        assert!(golden.check(&golden).is_ok());
        let other = Golden { memory: vec![1.0, 2.0, 0.5], ..golden.clone() };
        assert!(golden.check(&other).is_err_and(|error| error.to_string().contains("cosine")));
        let other = Golden { caption: "a river".into(), ..golden.clone() };
        assert!(golden.check(&other).is_err_and(|error| error.to_string().contains("expected \"a road\"")));
        let broken = Golden { memory: vec![f32::NAN; 3], ..golden.clone() };
        assert!(golden.check(&broken).is_err());
        let newer = Golden { computed_by: "edge 2".into(), ..broken };
        assert!(golden.check(&newer).is_ok() && !golden.is_comparable(&newer));
    }
}
