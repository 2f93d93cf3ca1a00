//! The programs that run a bundle's graphs: ONNX Runtime and tract, behind one trait.

mod caches;
pub mod names;
mod ort;
mod tract;

pub use self::ort::{Observer, OrtRuntime, find_library};
pub use self::tract::{TractRuntime, float_twin};

use anyhow::{Context, Result, bail};
use cssa::bundle::Bundle;
use cssa::search::Step;
use cssa::vocabulary::TokenId;
use std::path::PathBuf;

/// A loaded model: an encoder and a decoder that works on what the encoder saw last.
pub trait Runtime {
    /// The runtime and execution provider that are really at work, `ort/CPUExecutionProvider` for example.
    fn active(&self) -> String;

    /// Runs the encoder on a normalized image `[3, s, s]` and starts a new caption. Gives the memory, `[N, d]`.
    fn encode(&mut self, image: &[f32]) -> Result<Vec<f32>>;

    /// One step of the decoder for the whole beam, as [`Step::step`] has it.
    fn step(&mut self, position: usize, tokens: &[TokenId], parents: &[usize], logits: &mut Vec<f32>) -> Result<()>;
}

/// Which runtime to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// ONNX Runtime where its library is found, else tract.
    #[default]
    Auto,
    /// ONNX Runtime, or an error.
    Ort,
    /// tract, on any CPU.
    Tract,
}

/// Where ONNX Runtime computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// The CPU.
    #[default]
    Cpu,
    /// CUDA, or an error.
    Cuda,
    /// TensorRT, with CUDA for what it cannot run, or an error.
    Tensorrt,
}

/// How to load a bundle.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which runtime.
    pub choice: Choice,
    /// Where ONNX Runtime computes the encoder.
    pub provider: Provider,
    /// Threads of ONNX Runtime's encoder; its decoder and tract use one.
    pub threads: usize,
    /// Captions that are followed at once.
    pub beam: usize,
    /// Folder in which TensorRT keeps its engines from one start to the next.
    pub engines: Option<PathBuf>,
}

/// Loads a bundle into the runtime that the settings ask for.
pub fn open(bundle: &Bundle, settings: &Settings) -> Result<Box<dyn Runtime>> {
    let library = match settings.choice {
        Choice::Tract => None,
        Choice::Auto => find_library(),
        Choice::Ort => Some(find_library().context(MISSING)?),
    };
    match library {
        Some(library) => Ok(Box::new(OrtRuntime::open(bundle, &library, settings)?)),
        None if settings.provider != Provider::Cpu => {
            bail!("--provider {:?} needs ONNX Runtime: {MISSING}", settings.provider)
        }
        None => Ok(Box::new(TractRuntime::open(bundle, settings.beam)?)),
    }
}

/// What to say where ONNX Runtime is needed and not there.
pub const MISSING: &str = "libonnxruntime.so is not found: set ORT_DYLIB_PATH to it, put it beside this program, or run \
                       tests/install-runtimes.sh in a checkout";

/// A runtime as beam search sees it.
pub struct Steps<'a>(pub &'a mut dyn Runtime);

impl Step for Steps<'_> {
    type Error = anyhow::Error;

    fn step(&mut self, position: usize, tokens: &[TokenId], parents: &[usize], logits: &mut Vec<f32>) -> Result<()> {
        self.0.step(position, tokens, parents, logits)
    }
}
