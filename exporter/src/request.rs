//! What is to be exported, and what all bundles of one export have in common.

use crate::error::Result;
use crate::{graph, quantize};
use cssa::bundle::{Bundle, DECODER, ENCODER, Entry, FORMAT, Manifest, Precision, Target};
use cssa::checkpoint::{Checkpoint, DOCUMENT_FREQUENCIES, LANGUAGE_MODEL, VOCABULARY};
use cssa::dataset::Split;
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
    /// What confidence and familiarity are fitted on; captions have none without.
    pub trust: Option<crate::trust::Request>,
    /// The bundle, a new or empty folder, or a file that ends in `.cssa`.
    pub out: PathBuf,
    /// The SPDX expression of the weights' licence, where it is to be said.
    pub license: Option<String>,
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
        let document_frequencies = checkpoint.document_frequencies.clone();
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
            trust: None,
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
            trust: None,
            encoder,
            decoder,
        })
    }
}
