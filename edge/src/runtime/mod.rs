//! What runs a bundle: `encoder.onnx` in ONNX Runtime or tract, and the [`Decoder`] of this crate.

mod caches;
mod decoder;
pub mod names;
mod ort;
mod share;
mod tract;

pub use self::decoder::Decoder;
pub use self::ort::{Observer, OrtGraphs, find_library};
pub use self::tract::float_twin;

use self::ort::OrtEncoder;
use self::tract::TractEncoder;
use anyhow::{Context, Result, bail};
use cssa::bundle::{Bundle, DECODER};
use cssa::search::{Rows, Step};
use std::path::PathBuf;

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
type Seen<'a> = dyn FnMut(usize, Part, &[f32]) -> Result<()> + 'a;

/// What runs `encoder.onnx`.
trait Encoder {
    /// As [`Runtime::active`] has it.
    fn active(&self) -> String;

    /// As [`Runtime::share`] has it.
    fn share(&self) -> Option<f64> {
        None
    }

    /// Runs on a normalized image `[3, s, s]`; shows every layer's keys and values to `seen`. Gives the memory, `[N, d]`.
    fn encode(&mut self, image: &[f32], seen: &mut Seen<'_>) -> Result<Vec<f32>>;
}

/// A bundle as it flies.
struct Onboard {
    encoder: Box<dyn Encoder>,
    decoder: Decoder,
}

impl Runtime for Onboard {
    fn active(&self) -> String {
        self.encoder.active()
    }

    fn share(&self) -> Option<f64> {
        self.encoder.share()
    }

    fn kernel(&self) -> &'static str {
        self.decoder.kernel()
    }

    fn encode(&mut self, place: usize, image: &[f32]) -> Result<Vec<f32>> {
        let Self { encoder, decoder } = self;
        encoder.encode(image, &mut |layer, part, values| decoder.see(place, layer, part, values))
    }

    fn step(&mut self, rows: Rows<'_>, logits: &mut Vec<f32>) -> Result<()> {
        self.decoder.step(rows, logits)
    }
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
    /// Threads: as many in ONNX Runtime's encoder (tract's has one), two at most in the decoder.
    pub threads: usize,
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
    let encoder: Box<dyn Encoder> = match library {
        Some(library) => Box::new(OrtEncoder::open(bundle, &library, settings)?),
        None if settings.provider != Provider::Cpu => {
            bail!("--provider {:?} needs ONNX Runtime: {MISSING}", settings.provider)
        }
        None => Box::new(TractEncoder::open(bundle)?),
    };
    let decoder = Decoder::open(&bundle.decoder, &bundle.manifest.model, settings.threads)
        .with_context(|| format!("{}", bundle.folder.join(DECODER).display()))?;
    Ok(Box::new(Onboard { encoder, decoder }))
}

/// What to say where ONNX Runtime is needed and not there.
pub const MISSING: &str = "libonnxruntime.so is not found: set ORT_DYLIB_PATH to it, put it beside this program, or run \
                       tests/install-runtimes.sh in a checkout";

/// A runtime as beam search sees it.
pub struct Steps<'a>(pub &'a mut dyn Runtime);

impl Step for Steps<'_> {
    type Error = anyhow::Error;

    fn step(&mut self, rows: Rows<'_>, logits: &mut Vec<f32>) -> Result<()> {
        self.0.step(rows, logits)
    }
}
