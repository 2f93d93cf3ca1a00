//! The whole way from a run to a bundle.

use crate::calibrate::{Images, Selection};
use crate::choose::{self, Chosen};
use crate::judge::{Judge, Question};
use crate::weights::Weights;
use crate::{decoder, encoder, graph, quantize, verify};
use anyhow::{Context, Result, ensure};
use cssa::bundle::{Bundle, Contents, DECODER, ENCODER, Entry, FORMAT, MANIFEST, Manifest, Precision, Target};
use cssa::checkpoint::{Checkpoint, DOCUMENT_FREQUENCIES, GOLDEN, Golden, LANGUAGE_MODEL, VOCABULARY};
use cssa::dataset::{Captioned, Dataset, DevRule, Split};
use cssa::tolerance::{CLOSE, QUANTIZED};
use cssa_captioner::{MISSING, find_library};
use cssa_graph::onnx::ModelProto;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use crate::calibrate::Method;

/// What to export.
#[derive(Clone, Debug)]
pub struct Request {
    /// The run's folder.
    pub checkpoint: PathBuf,
    /// Precision of the graphs.
    pub precision: Precision,
    /// What the graphs are made for.
    pub target: Target,
    /// Images to calibrate with; INT8 needs them.
    pub calibration: Option<Calibration>,
    /// What must hold its score.
    pub validation: Option<Validation>,
    /// The bundle, a new or empty folder, or a file that ends in `.cssa`.
    pub out: PathBuf,
    /// The minisign secret key to sign the manifest with.
    pub sign: Option<PathBuf>,
}

/// Where activation ranges come from.
#[derive(Clone, Debug)]
pub struct Calibration {
    /// A dataset's folder, of which the train images are taken, or a plain folder of images.
    pub folder: PathBuf,
    /// Images that are used where there are more.
    pub most: usize,
    /// How ranges are chosen; by measurement where it is not given.
    pub method: Option<Method>,
}

/// A captioned dataset on which the score must hold.
#[derive(Clone, Debug)]
pub struct Validation {
    /// Its folder.
    pub folder: PathBuf,
    /// Its part.
    pub split: Split,
    /// Share of the float model's CIDEr-D that may go.
    pub max_loss: f64,
}

/// Both graphs of a model.
#[derive(Clone)]
pub struct Graphs {
    /// `encoder.onnx`.
    pub encoder: ModelProto,
    /// `decoder.onnx`.
    pub decoder: ModelProto,
}

/// Exports and verifies a bundle; gives its manifest. Nothing appears under the bundle's name unless every check passed.
pub fn export(request: &Request) -> Result<Manifest> {
    let place = cssa::bundle::Place::create(&request.out)?;
    let signer = request.sign.as_deref().map(crate::sign::Signer::read).transpose()?;
    let checkpoint = Checkpoint::read(&request.checkpoint)?;
    let int8 = request.precision == Precision::Int8;
    ensure!(
        !int8 || request.calibration.is_some(),
        "--quantize int8 needs --calibration with a dataset or a folder of images"
    );
    let model = &checkpoint.description.model;
    let golden = Golden::read(&request.checkpoint.join(GOLDEN), model)?;
    find_library().context(MISSING)?;
    let weights = Weights::new(&checkpoint);
    let graphs = Graphs { encoder: encoder::build(&weights)?, decoder: decoder::build(&weights)? };
    let source = Source { checkpoint: &checkpoint, folder: &request.out, groups: graphs.groups()? };

    let float = source.bundle(&graphs, Target::Cpu, |_| Precision::Fp32)?;
    tracing::info!("checking the float graphs in ONNX Runtime and tract");
    let mut parity = verify::verify(&float, &golden, CLOSE, "fp32")?;
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
            let calibration = request.calibration.as_ref().context("no calibration images")?;
            let dev = checkpoint.description.dev;
            let selection = Selection::of(&calibration.folder, calibration.most, dev)?;
            let images = Images::read(selection, model)?;
            let judge = judge(request, &images.selection, &float)?;
            let Chosen { graphs, kept, calibration, validation } =
                choose::choose(&source, &graphs, &float, (&images, calibration.method), &judge, request)?;
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
        parity.extend(verify::verify(&bundle, &golden, tolerance, label)?);
    }
    bundle.manifest.parity = parity;
    let manifest = bundle.manifest.clone();
    let text = toml::to_string_pretty(&manifest)?;
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
    if let Some(signer) = &signer {
        files.insert(cssa::bundle::SIGNATURE.to_owned(), signer.sign(text.as_bytes())?);
    }
    place.fill(&files)?;
    Ok(manifest)
}

/// The images on which candidates are compared: the validation set, else some of the calibration images.
fn judge(request: &Request, calibration: &Selection, float: &Bundle) -> Result<Judge> {
    let questions = match &request.validation {
        Some(Validation { folder, split, .. }) => questions(folder, *split, float.manifest.dev)?.1,
        None => {
            let all = &calibration.paths;
            let count = all.len().min(choose::COMPARED);
            let spread = (0..count).map(|n| all[n * all.len() / count].clone());
            spread.map(|path| Question { path, references: Vec::new() }).collect()
        }
    };
    Judge::new(float, questions)
}

/// The images of a dataset's part with their captions, and the dataset's name; `dev` is the run's rule.
pub fn questions(folder: &Path, split: Split, dev: DevRule) -> Result<(String, Vec<Question>)> {
    let dataset = Dataset::read(folder, dev)?;
    let question = |image: &Captioned| Question { path: image.path.clone(), references: image.captions.clone() };
    let questions: Vec<Question> = dataset.split(split).map(question).collect();
    ensure!(!questions.is_empty(), "{}: has no image of split {}", folder.display(), split.name());
    Ok((dataset.name, questions))
}

/// What every bundle of one export has in common.
pub struct Source<'a> {
    /// The run.
    pub checkpoint: &'a Checkpoint,
    /// What errors call the bundle.
    pub folder: &'a Path,
    /// Its layer groups, in the graphs' order.
    pub groups: Vec<String>,
}

impl Graphs {
    /// The layer groups of both float graphs, in their order.
    pub fn groups(&self) -> Result<Vec<String>> {
        let mut groups = quantize::groups(&self.encoder)?;
        for group in quantize::groups(&self.decoder)? {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        Ok(groups)
    }
}

impl Source<'_> {
    /// A bundle in memory; `precision` tells that of each layer group.
    pub fn bundle(&self, graphs: &Graphs, target: Target, precision: impl Fn(&str) -> Precision) -> Result<Bundle> {
        let Self { checkpoint, folder, groups } = self;
        let (encoder, decoder) = (graph::bytes(&graphs.encoder), graph::bytes(&graphs.decoder));
        let (words, language) = (checkpoint.vocabulary.text(), checkpoint.language_model.to_bytes());
        let search = checkpoint.description.search;
        let document_frequencies = checkpoint.document_frequencies.clone().filter(|_| search.consensus.is_some());
        let frequencies = document_frequencies.as_ref().map(|frequencies| frequencies.to_bytes());
        let mut files = vec![
            (ENCODER, encoder.as_slice()),
            (DECODER, &decoder),
            (VOCABULARY, words.as_bytes()),
            (LANGUAGE_MODEL, &language),
        ];
        files.extend(frequencies.as_deref().map(|bytes| (DOCUMENT_FREQUENCIES, bytes)));
        let manifest = Manifest {
            format: FORMAT,
            target,
            dev: checkpoint.description.dev,
            precision: groups.iter().map(|group| (group.clone(), precision(group))).collect(),
            model: checkpoint.description.model.clone(),
            search,
            files: files.iter().map(|(name, bytes)| ((*name).to_owned(), Entry::of(bytes))).collect(),
            calibration: None,
            validation: None,
            parity: BTreeMap::new(),
            provenance: checkpoint.description.provenance.clone(),
        };
        let id = manifest.id();
        let (vocabulary, language_model) = (checkpoint.vocabulary.clone(), checkpoint.language_model.clone());
        Ok(Bundle {
            folder: (*folder).into(),
            manifest,
            vocabulary,
            id,
            language_model,
            document_frequencies,
            encoder,
            decoder,
        })
    }
}
