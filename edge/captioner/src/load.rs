//! Loads a bundle into the runtime that the settings ask for.

use crate::decoder::Decoder;
use crate::error::{At, Error, Result};
use crate::onnxruntime::{OrtEncoder, find_library};
use crate::runtime::{Encoder, Runtime};
use crate::settings::{Choice, Provider, Settings};
use cssa::bundle::{Bundle, DECODER};
use cssa::search::Rows;

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
    let library = match settings.choice {
        Choice::Tract => None,
        Choice::Auto => find_library(),
        Choice::Ort => Some(find_library().ok_or(Error::RuntimeMissing)?),
    };
    if settings.choice == Choice::Tract && settings.provider != Provider::Cpu {
        return Err(Error::ProviderOfTract(settings.provider));
    }
    let encoder: Box<dyn Encoder> = match library {
        Some(library) => Box::new(OrtEncoder::open(bundle, &library, settings)?),
        None if settings.provider != Provider::Cpu => return Err(Error::ProviderNeedsRuntime(settings.provider)),
        None => in_tract(bundle)?,
    };
    let decoder = Decoder::open(&bundle.decoder, &bundle.manifest.model, settings.threads)
        .at(|| format!("{}", bundle.folder.join(DECODER).display()))?;
    Ok(Box::new(Loaded { encoder, decoder }))
}

#[cfg(feature = "tract")]
fn in_tract(bundle: &Bundle) -> Result<Box<dyn Encoder>> {
    Ok(Box::new(crate::tract::TractEncoder::open(bundle)?))
}

#[cfg(not(feature = "tract"))]
fn in_tract(_: &Bundle) -> Result<Box<dyn Encoder>> {
    Err(Error::WithoutTract)
}
