//! What the captioner needs of a loaded model, and the parts that it is made of.

use crate::error::{Error, Result};
use cssa::search::{Rows, Step};

/// A loaded model: an encoder, and a decoder that works on what the encoder saw last.
pub trait Runtime: Send {
    /// The runtime and execution provider that are really at work, `ort/CPUExecutionProvider` for example.
    fn active(&self) -> String;

    /// Share of the encoder's multiplications that the execution provider took, 0 to 1; `None` where no provider but the CPU
    /// was asked for.
    fn share(&self) -> Option<f64> {
        None
    }

    /// The instructions that the decoder multiplies with, or what else runs it.
    fn kernel(&self) -> &'static str;

    /// Runs the encoder on normalized images `[B, 3, s, s]`, B of one or more, which the steps know by their places from `place`
    /// on; new captions start. Gives the memories, `[B, N, d]`.
    fn encode(&mut self, place: usize, images: &[f32]) -> Result<Vec<f32>>;

    /// One step of the decoder, as [`Step::step`] has it.
    fn step(&mut self, rows: Rows<'_>, logits: &mut Vec<f32>) -> Result<()>;
}

/// Keys or values of a cross-attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `[h, d_k, N]`.
    Keys,
    /// `[h, N, d_k]`.
    Values,
}

/// Takes cross-attention keys or values of an image of the batch, by its number, and a layer.
pub(crate) type CrossAttention<'a> = dyn FnMut(usize, usize, Part, &[f32]) -> Result<()> + 'a;

/// What runs `encoder.onnx`.
pub(crate) trait Encoder: Send {
    /// As [`Runtime::active`] has it.
    fn active(&self) -> String;

    /// As [`Runtime::share`] has it.
    fn share(&self) -> Option<f64> {
        None
    }

    /// Runs on normalized images `[B, 3, s, s]`; shows the keys and values of every image and layer to `seen`. Gives the memories,
    /// `[B, N, d]`.
    fn encode(&mut self, images: &[f32], seen: &mut CrossAttention<'_>) -> Result<Vec<f32>>;
}

/// A runtime as beam search sees it.
pub struct Steps<'a>(pub &'a mut dyn Runtime);

impl Step for Steps<'_> {
    type Error = Error;

    fn step(&mut self, rows: Rows<'_>, logits: &mut Vec<f32>) -> Result<()> {
        self.0.step(rows, logits)
    }
}
