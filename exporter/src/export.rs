//! The whole way from a run to a bundle.

use crate::calibrate::{Images, Selection};
use crate::choose::{self, Chosen};
use crate::error::{Error, Result};
use crate::evaluator::{Evaluator, Sample};
use crate::inspect::inspect;
use crate::model_card::{MODEL_CARD, card};
use crate::request::{Calibration, Graphs, Request, Source, Validation};
use crate::stac_item::{STAC_ITEM, stac_item};
use crate::weights::Weights;
use crate::{decoder, encoder, metadata, parity, quantize, trust};
use cssa::bundle::{BundleWriter, Contents, DECODER, ENCODER, MANIFEST, Manifest, Precision, Target};
use cssa::checkpoint::{Checkpoint, DOCUMENT_FREQUENCIES, GOLDEN, Golden, LANGUAGE_MODEL, VOCABULARY};
use cssa::dataset::{Captioned, Dataset, DevRule, Split};
use cssa::spread;
use cssa::tolerance::{CLOSE, QUANTIZED};
use cssa_captioner::find_library;
use cssa_graph::onnx::ModelProto;
use std::path::Path;

/// Exports and verifies a bundle; gives its manifest. Nothing appears under the bundle's name unless every check passed.
pub fn export(request: &Request) -> Result<Manifest> {
    request.license.as_deref().map_or(Ok(()), metadata::check_license)?;
    let place = BundleWriter::create(&request.out)?;
    let signer = request.sign.as_deref().map(crate::sign::Signer::read).transpose()?;
    let checkpoint = Checkpoint::read(&request.checkpoint)?;
    let images =
        (request.precision == Precision::Int8).then(|| images(request, checkpoint.description.dev)).transpose()?;
    let model = &checkpoint.description.model;
    let golden = Golden::read(&request.checkpoint.join(GOLDEN), model)?;
    find_library().ok_or(cssa_captioner::Error::RuntimeMissing)?;
    let weights = Weights::new(&checkpoint);
    let graphs = Graphs { encoder: encoder::build(&weights)?, decoder: decoder::build(&weights)? };
    let source = Source { checkpoint: &checkpoint, folder: &request.out, groups: graphs.groups()? };

    let float = source.bundle(&graphs, Target::Cpu, |_| Precision::Fp32)?;
    let prepared = request.trust.as_ref().map(|request| trust::prepare(&float, request)).transpose()?;
    tracing::info!("checking the float graphs in ONNX Runtime and tract");
    let mut parity = parity::verify(&float, &golden, CLOSE, "fp32")?;
    let mut bundle = match request.precision {
        Precision::Fp32 => float,
        Precision::Fp16 => {
            let (target, pass): (_, fn(ModelProto) -> Result<ModelProto>) = match request.target {
                Target::Tensorrt => (Target::Tensorrt, quantize::compute_in_fp16),
                Target::Cpu | Target::Tract => (Target::Cpu, quantize::halve),
            };
            let halved = Graphs { encoder: pass(graphs.encoder.clone())?, decoder: pass(graphs.decoder.clone())? };
            source.bundle(&halved, target, |_| Precision::Fp16)?
        }
        Precision::Int8 => {
            let (calibration, selection, compared) = images.ok_or(Error::CalibrationMissing)?;
            let images = Images::read(selection, model)?;
            let evaluator = Evaluator::new(&float, compared)?;
            let Chosen { graphs, kept, calibration, validation } =
                choose::choose(&source, &graphs, &float, (&images, calibration.method), &evaluator, request)?;
            let float = if request.target == Target::Tensorrt { Precision::Fp16 } else { Precision::Fp32 };
            let mut bundle = source
                .bundle(&graphs, request.target, |group| if kept.contains(group) { float } else { Precision::Int8 })?;
            (bundle.manifest.calibration, bundle.manifest.validation) = (Some(calibration), validation);
            bundle
        }
    };
    let label = match request.precision {
        Precision::Fp32 => None,
        Precision::Fp16 => Some(("fp16", cssa::tolerance::HALVED)),
        Precision::Int8 => Some(("int8", QUANTIZED)),
    };
    if let Some((label, tolerance)) = label {
        tracing::info!("checking the {label} graphs in ONNX Runtime and tract");
        parity.extend(parity::verify(&bundle, &golden, tolerance, label)?);
    }
    bundle.manifest.parity = parity;
    metadata::annotate(&mut bundle, request.license.as_deref())?;
    if let Some(prepared) = prepared {
        let fitted = trust::fit(&bundle, prepared)?;
        trust::add_to(&mut bundle, fitted)?;
    }
    let (manifest, inspected) = (bundle.manifest.clone(), inspect(&bundle)?);
    let text = toml::to_string_pretty(&manifest)?;
    let trusted = trust::files(&bundle)?;
    let mut files: Contents = [
        (MANIFEST.to_owned(), text.clone().into_bytes()),
        (ENCODER.to_owned(), bundle.encoder),
        (DECODER.to_owned(), bundle.decoder),
        (VOCABULARY.to_owned(), checkpoint.vocabulary.text().into_bytes()),
        (LANGUAGE_MODEL.to_owned(), checkpoint.language_model.to_bytes()),
    ]
    .into();
    if let Some(frequencies) = &bundle.document_frequencies {
        files.insert(DOCUMENT_FREQUENCIES.to_owned(), frequencies.to_bytes());
    }
    files.extend(trusted);
    files.insert(STAC_ITEM.to_owned(), stac_item(&manifest, &inspected, &files));
    if matches!(place, BundleWriter::Folder(_)) {
        files.insert(MODEL_CARD.to_owned(), card(&manifest, request.license.as_deref(), None).into_bytes());
    }
    if let Some(signer) = &signer {
        files.insert(cssa::bundle::SIGNATURE.to_owned(), signer.sign(text.as_bytes())?);
    }
    place.write(&files)?;
    Ok(manifest)
}

/// What is needed for INT8, read before anything takes time: the images for calibration, and those on which candidates are compared: the
/// validation set, else some of the calibration images.
fn images(request: &Request, dev: DevRule) -> Result<(&Calibration, Selection, Vec<Sample>)> {
    let calibration = request.calibration.as_ref().ok_or(Error::CalibrationMissing)?;
    let selection = Selection::of(&calibration.folder, calibration.most, dev)?;
    let compared = match &request.validation {
        Some(Validation { folder, split, .. }) => samples(folder, *split, dev)?.1,
        None => {
            let compared = spread(&selection.paths, choose::COMPARED).into_iter();
            compared.map(|path| Sample { path: path.clone(), references: Vec::new() }).collect()
        }
    };
    Ok((calibration, selection, compared))
}

/// The images of a dataset's part with their captions, and the dataset's name; `dev` is the run's rule.
pub fn samples(folder: &Path, split: Split, dev: DevRule) -> Result<(String, Vec<Sample>)> {
    let dataset = Dataset::read(folder, dev)?;
    let sample = |image: &Captioned| Sample { path: image.path.clone(), references: image.captions.clone() };
    let samples: Vec<Sample> = dataset.split(split).map(sample).collect();
    if samples.is_empty() {
        return Err(Error::NoImages { folder: folder.into(), part: format!("split {}", split.name()) });
    }
    Ok((dataset.name, samples))
}
