//! Loads a bundle into the runtime that the settings ask for.

use crate::decoder::Decoder;
use crate::error::{At, Error, Result};
use crate::onnxruntime::{OrtEncoder, find_library};
use crate::runtime::{Encoder, Runtime};
use crate::settings::{Choice, Provider, Settings};
use crate::weights;
use cssa::bundle::{Bundle, DECODER, ENCODER};
use cssa::search::Rows;
use std::path::PathBuf;

/// A bundle as it flies.
struct Loaded {
    encoder: Box<dyn Encoder>,
    decoder: Decoder,
}

impl Runtime for Loaded {
    fn active(&self) -> String {
        self.encoder.active()
    }

    fn share(&self) -> Option<f64> {
        self.encoder.share()
    }

    fn kernel(&self) -> &'static str {
        self.decoder.kernel()
    }

    fn encode(&mut self, place: usize, images: &[f32]) -> Result<Vec<f32>> {
        let Self { encoder, decoder } = self;
        let mut seen =
            |image, layer, part, values: &[f32]| decoder.set_cross_attention(place + image, layer, part, values);
        encoder.encode(images, &mut seen)
    }

    fn step(&mut self, rows: Rows<'_>, logits: &mut Vec<f32>) -> Result<()> {
        self.decoder.step(rows, logits)
    }
}

/// Loads a bundle into the runtime that the settings ask for.
///
/// # Errors
/// Where that runtime or provider is not there, or takes too little of the work, and where a graph is not as the manifest says.
pub fn open(bundle: &Bundle, settings: &Settings) -> Result<Box<dyn Runtime>> {
    for (name, graph) in [(ENCODER, &bundle.encoder), (DECODER, &bundle.decoder)] {
        weights::check(graph).at(|| bundle.folder.join(name).display().to_string())?;
    }
    let encoder = open_encoder(bundle, settings)?;
    let decoder = Decoder::open(&bundle.decoder, &bundle.manifest.model, settings.threads)
        .at(|| format!("{}", bundle.folder.join(DECODER).display()))?;
    Ok(Box::new(Loaded { encoder, decoder }))
}

fn open_encoder(bundle: &Bundle, settings: &Settings) -> Result<Box<dyn Encoder>> {
    if settings.choice == Choice::Tract && settings.provider != Provider::Cpu {
        return Err(Error::ProviderOfTract(settings.provider));
    }
    let library = match settings.choice {
        Choice::Tract => None,
        Choice::Auto => library(settings),
        Choice::Ort => Some(library(settings).ok_or(Error::RuntimeMissing)?),
    };
    let Some(library) = library else {
        return match settings.provider {
            Provider::Cpu => in_tract(bundle),
            provider => Err(Error::ProviderNeedsRuntime(provider)),
        };
    };
    match OrtEncoder::open(bundle, &library, settings) {
        Ok(encoder) => Ok(Box::new(encoder)),
        // What was only found does not have to load.
        Err(Error::Library { library, problem })
            if settings.choice == Choice::Auto && settings.provider == Provider::Cpu =>
        {
            instead(bundle, Error::Library { library, problem })
        }
        Err(error) => Err(error),
    }
}

/// The settings' library, unless the environment names another one.
fn library(settings: &Settings) -> Option<PathBuf> {
    let is_told = std::env::var_os("ORT_DYLIB_PATH").is_some_and(|path| !path.is_empty());
    settings.library.clone().filter(|_| !is_told).or_else(find_library)
}

#[cfg(feature = "tract")]
fn in_tract(bundle: &Bundle) -> Result<Box<dyn Encoder>> {
    Ok(Box::new(crate::tract::TractEncoder::open(bundle)?))
}

#[cfg(not(feature = "tract"))]
fn in_tract(_: &Bundle) -> Result<Box<dyn Encoder>> {
    Err(Error::WithoutTract)
}

/// tract in place of an ONNX Runtime that does not load.
#[cfg(feature = "tract")]
fn instead(bundle: &Bundle, unloaded: Error) -> Result<Box<dyn Encoder>> {
    tracing::warn!("{unloaded}: tract runs the encoder in its place");
    in_tract(bundle)
}

#[cfg(not(feature = "tract"))]
fn instead(_: &Bundle, unloaded: Error) -> Result<Box<dyn Encoder>> {
    Err(Error::NoneLoads(Box::new(unloaded)))
}
