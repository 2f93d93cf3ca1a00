//! What the captioner needs of a loaded model, and the parts that it is made of.

use crate::error::{Error, Result};
use cssa::search::{Rows, Step};

/// A loaded model: an encoder, and a decoder that works on what the encoder saw last.
pub trait Runtime {
    /// The runtime and execution provider that are really at work, `ort/CPUExecutionProvider` for example.
    fn active(&self) -> String;

    /// Share of the encoder's multiplications that the execution provider took, 0 to 1; `None` where no provider but the CPU
    /// was asked for.
    fn share(&self) -> Option<f64> {
        None
    }

    /// The instructions that the decoder multiplies with, or what else runs it.
    fn kernel(&self) -> &'static str;

    /// Runs the encoder on a normalized image `[3, s, s]`, which the steps know by its place; new captions start. Gives the
    /// memory, `[N, d]`.
    fn encode(&mut self, place: usize, image: &[f32]) -> Result<Vec<f32>>;

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

/// Takes a layer's cross-attention keys or values.
pub(crate) type CrossAttention<'a> = dyn FnMut(usize, Part, &[f32]) -> Result<()> + 'a;

/// What runs `encoder.onnx`.
pub(crate) trait Encoder {
    /// As [`Runtime::active`] has it.
    fn active(&self) -> String;

    /// As [`Runtime::share`] has it.
    fn share(&self) -> Option<f64> {
        None
    }

    /// Runs on a normalized image `[3, s, s]`; shows every layer's keys and values to `seen`. Gives the memory, `[N, d]`.
    fn encode(&mut self, image: &[f32], seen: &mut CrossAttention<'_>) -> Result<Vec<f32>>;
}

/// A runtime as beam search sees it.
pub struct Steps<'a>(pub &'a mut dyn Runtime);

impl Step for Steps<'_> {
    type Error = Error;

    fn step(&mut self, rows: Rows<'_>, logits: &mut Vec<f32>) -> Result<()> {
        self.0.step(rows, logits)
    }
}
