//! How a bundle is run.

use crate::looks::Looks;
use crate::unknown_name::UnknownName;
use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Which runtime to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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

macro_rules! names {
    ($type:ty: $($name:literal = $value:expr),*) => {
        impl $type {
            /// What the values are called.
            pub const NAMES: &'static [&'static str] = &[$($name),*];
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(name: &str) -> Result<Self, UnknownName> {
                match name {
                    $($name => Ok($value),)*
                    _ => Err(UnknownName { found: name.into(), expected: Self::NAMES }),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(if *self == $value { return f.write_str($name); })*
                Ok(())
            }
        }
    };
}

names!(Choice: "auto" = Self::Auto, "ort" = Self::Ort, "tract" = Self::Tract);
names!(Provider: "cpu" = Self::Cpu, "cuda" = Self::Cuda, "tensorrt" = Self::Tensorrt);

/// How to load a bundle; the default is the CPU with two threads, in ONNX Runtime if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which runtime.
    pub choice: Choice,
    /// Where ONNX Runtime computes the encoder.
    pub provider: Provider,
    /// libonnxruntime where it is not looked for first (`ORT_DYLIB_PATH` stands above it): in a Python wheel, for example.
    pub library: Option<PathBuf>,
    /// Threads: as many in ONNX Runtime's encoder (tract's has one), two at most in the decoder.
    pub threads: usize,
    /// Folder in which TensorRT keeps its engines from one start to the next.
    pub engines: Option<PathBuf>,
    /// How many of an image's turned and mirrored views are captioned.
    pub looks: Looks,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            choice: Choice::default(),
            provider: Provider::default(),
            library: None,
            threads: 2,
            engines: None,
            looks: Looks::One,
        }
    }
}
