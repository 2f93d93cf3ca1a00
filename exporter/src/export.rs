//! The whole way from a run to a bundle.

use crate::calibrate::{self, Images};
use crate::weights::Weights;
use crate::{decoder, encoder, graph, quantize, verify};
use anyhow::{Context, Result};
use cssa::bundle::{Bundle, DECODER, ENCODER, Entry, FORMAT, MANIFEST, Manifest, Precision};
use cssa::checkpoint::{Checkpoint, GOLDEN, Golden, VOCABULARY};
use cssa::files::{self, NewFolder};
use cssa::tolerance::{CLOSE, QUANTIZED};
use edge::runtime::{Choice, MISSING, Provider, Settings, find_library};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tract_onnx::pb::ModelProto;

/// What to export.
#[derive(Clone, Debug)]
pub struct Request {
    /// The run's folder.
    pub checkpoint: PathBuf,
    /// Precision of the graphs.
    pub precision: Precision,
    /// Folder of images to calibrate with; INT8 needs it.
    pub calibration: Option<PathBuf>,
    /// The bundle's folder, new or empty.
    pub out: PathBuf,
}

/// Exports and verifies a bundle; gives its manifest. Nothing appears under the bundle's name unless every check passed.
pub fn export(request: &Request, say: &mut dyn FnMut(&str)) -> Result<Manifest> {
    let folder = NewFolder::create(&request.out)?;
    let checkpoint = Checkpoint::read(&request.checkpoint)?;
    let model = &checkpoint.description.model;
    let golden = Golden::read(&request.checkpoint.join(GOLDEN), model)?;
    let library = find_library().context(MISSING)?;
    let weights = Weights::new(&checkpoint);
    let (encoder, decoder) = (encoder::build(&weights)?, decoder::build(&weights)?);

    let float = in_memory(&checkpoint, &encoder, &decoder, Precision::Fp32, &request.out);
    say("checking the float graphs in ONNX Runtime and tract");
    let mut parity = verify::verify(&float, &golden, CLOSE, "fp32")?;
    let bundle = match request.precision {
        Precision::Fp32 => float,
        Precision::Int8 => {
            let images =
                request.calibration.as_deref().context("--quantize int8 needs --calibration DIR with images")?;
            let images = Images::read(images, model)?;
            say(&format!("calibrating with {} images", images.description.images));
            let ranges = calibrated(&float, &encoder, &decoder, &library, &images)?;
            let (encoder, decoder) = (quantize::quantize(encoder, &ranges)?, quantize::quantize(decoder, &ranges)?);
            let mut bundle = in_memory(&checkpoint, &encoder, &decoder, Precision::Int8, &request.out);
            bundle.manifest.calibration = Some(images.description);
            say("checking the INT8 graphs in ONNX Runtime and tract");
            parity.extend(verify::verify(&bundle, &golden, QUANTIZED, "int8")?);
            bundle
        }
    };
    let manifest = Manifest { parity, ..bundle.manifest };
    write(folder.path(), &manifest, &[(ENCODER, &bundle.encoder), (DECODER, &bundle.decoder)], &checkpoint)?;
    Bundle::read(folder.path()).context("the bundle that was just written")?;
    folder.finish()?;
    Ok(manifest)
}

/// The ranges of all activations that INT8 needs.
fn calibrated(
    float: &Bundle,
    encoder: &ModelProto,
    decoder: &ModelProto,
    library: &Path,
    images: &Images,
) -> Result<BTreeMap<String, quantize::Range>> {
    let open = |model: &ModelProto| -> Result<Vec<u8>> {
        Ok(graph::bytes(&calibrate::with_outputs(model.clone(), &quantize::activations(model)?)))
    };
    let observed = Bundle { encoder: open(encoder)?, decoder: open(decoder)?, ..float.clone() };
    let settings = Settings { choice: Choice::Ort, provider: Provider::Cpu, threads: 2, beam: 3 };
    calibrate::ranges(&observed, library, &settings, images)
}

fn in_memory(
    checkpoint: &Checkpoint,
    encoder: &ModelProto,
    decoder: &ModelProto,
    precision: Precision,
    out: &Path,
) -> Bundle {
    let (encoder, decoder) = (graph::bytes(encoder), graph::bytes(decoder));
    let words = checkpoint.vocabulary.text();
    let files = [(ENCODER, encoder.as_slice()), (DECODER, &decoder), (VOCABULARY, words.as_bytes())];
    let manifest = Manifest {
        format: FORMAT,
        precision: [("encoder".to_owned(), precision), ("decoder".to_owned(), precision)].into(),
        model: checkpoint.description.model.clone(),
        search: checkpoint.description.search,
        files: files.iter().map(|(name, bytes)| ((*name).to_owned(), Entry::of(bytes))).collect(),
        calibration: None,
        parity: BTreeMap::new(),
        provenance: checkpoint.description.provenance.clone(),
    };
    let id = manifest.id();
    let vocabulary = checkpoint.vocabulary.clone();
    Bundle { folder: out.into(), manifest, vocabulary, id, encoder, decoder }
}

fn write(folder: &Path, manifest: &Manifest, graphs: &[(&str, &Vec<u8>)], checkpoint: &Checkpoint) -> Result<()> {
    for (name, bytes) in graphs {
        files::write(&folder.join(name), bytes)?;
    }
    files::write(&folder.join(VOCABULARY), checkpoint.vocabulary.text().as_bytes())?;
    files::write(&folder.join(MANIFEST), toml::to_string_pretty(manifest)?.as_bytes())?;
    Ok(())
}
