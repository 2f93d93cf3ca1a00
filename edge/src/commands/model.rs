//! The options of all commands that load a model.

use anyhow::{Result, ensure};
use cssa::bundle::{Bundle, Trusted, named_or_default};
use cssa_captioner::{Captioner, Choice, Looks, Provider, Settings};
use cssa_terminal::one_of;
use std::path::PathBuf;

/// Options that load a model.
#[derive(Debug, clap::Args)]
pub(crate) struct ModelOptions {
    /// Bundle: a folder or a `.cssa` file. Default: the default bundle.
    #[arg(long)]
    pub(crate) bundle: Option<PathBuf>,
    /// minisign public key: accept only a bundle that is signed with it.
    #[arg(long)]
    pub(crate) trust: Option<PathBuf>,
    /// Inference runtime. `auto`: ONNX Runtime (`ort`) if it is found and loads, else tract.
    #[arg(long, default_value = "auto", value_parser = one_of::<Choice>(Choice::NAMES))]
    runtime: Choice,
    /// Execution provider of ONNX Runtime, for the encoder.
    #[arg(long, default_value = "cpu", value_parser = one_of::<Provider>(Provider::NAMES))]
    provider: Provider,
    /// Folder in which TensorRT keeps the engines it has built. Building one takes minutes.
    #[arg(long)]
    pub(crate) engines: Option<PathBuf>,
    /// Threads of ONNX Runtime's encoder (tract's has one). The decoder uses at most two.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    threads: u8,
    /// Beam width. Default: the bundle's own search, which may be consensus decoding.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=16))]
    beam: Option<u8>,
    /// Turned and mirrored views of each image that are captioned. More are slower and reduce wrong captions.
    #[arg(long, default_value = "1", value_parser = one_of::<Looks>(Looks::NAMES))]
    looks: Looks,
}

impl ModelOptions {
    /// The captioner and the settings that it was opened with.
    pub(crate) fn open(&self) -> Result<(Captioner, Settings)> {
        let trusted = self.trust.as_deref().map(Trusted::read).transpose()?;
        let mut bundle = Bundle::read_trusted(&named_or_default(self.bundle.as_deref())?, trusted.as_ref())?;
        if let Some(beam) = self.beam {
            bundle.manifest.search = bundle.manifest.search.with_beam(usize::from(beam));
        }
        let settings = Settings {
            choice: self.runtime,
            provider: self.provider,
            library: None,
            threads: usize::from(self.threads),
            engines: self.engines.clone(),
            looks: self.looks,
        };
        let without = self.looks > Looks::One && bundle.trust.is_none();
        ensure!(
            !without,
            "--looks {}: {} has no statistics to judge looks by (`exporter calibrate` adds them), expected --looks 1",
            self.looks,
            bundle.folder.display()
        );
        Ok((Captioner::open(&bundle, &settings)?, settings))
    }
}
