//! The bundle: what the exporter hands to `edge`, a folder or a single `.cssa` file. Everything is checked before it is used:
//! the signature where a key is trusted, the manifest's format, each file's size and SHA-256, the hyper-parameters, the
//! vocabulary's length.

mod default;
mod delta;
mod names;
mod signature;
mod storage;
mod trust;

pub use default::{checkout, named_or_default};
pub use delta::{Change, Delta};
pub use names::{BATCHED, DECODER, ENCODER, FORMAT, MANIFEST};
pub use signature::{SIGNATURE, Trusted};
pub use storage::{BundleWriter, Contents, EXTENSION};
pub use trust::{OBJECT_GROUPS, TRUST, Trust, TrustManifest};

use crate::checkpoint::{DOCUMENT_FREQUENCIES, LANGUAGE_MODEL, Provenance, VOCABULARY};
use crate::dataset::DevRule;
use crate::files::{self, FileError};
use crate::language_model::LanguageModel;
use crate::model::{Model, Search};
use crate::search::{DocumentFrequencies, Strategy, StrategyError};
use crate::vocabulary::Vocabulary;
use names::{MAX_FILE, OLDEST_FORMAT};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use storage::BundleReader;

/// `manifest.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this layout.
    pub format: u32,
    /// What the graphs are made for.
    #[serde(default)]
    pub target: Target,
    /// Which train images were dev when the model was trained. Bundles without this field come from runs that used `hash`.
    #[serde(default = "crate::checkpoint::hash")]
    pub dev: DevRule,
    /// Precision by layer group: a block of the backbone, an attention or feed-forward network, a layer of its own.
    pub precision: BTreeMap<String, Precision>,
    /// Hyper-parameters; normalization and grid follow from them.
    pub model: Model,
    /// How captions are searched, where nobody chooses otherwise.
    #[serde(default)]
    pub search: Search,
    /// Every other file of the bundle.
    pub files: BTreeMap<String, Entry>,
    /// How activation ranges were found; absent for a float bundle.
    pub calibration: Option<Calibration>,
    /// What the bundle scored on a validation set when it was made; absent where none was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
    /// How confidence and familiarity are computed; absent where they were not fitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustManifest>,
    /// How far each runtime strays from the checkpoint on the golden vectors: `{runtime}.{precision}.{tensor}`.
    pub parity: BTreeMap<String, Parity>,
    /// Where the weights come from.
    pub provenance: Provenance,
}

/// Numbers that a layer group computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floating point.
    Fp32,
    /// 16-bit floating point: as computed for [`Target::Tensorrt`], else as stored.
    Fp16,
    /// 8-bit weights, one scale a channel, and, but for [`Target::Tract`], 8-bit activations.
    Int8,
}

/// What the graphs of a bundle are made for: it decides on the form of the 8-bit activations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// ONNX Runtime on a CPU: U8 activations, S8 weights, integer biases.
    #[default]
    Cpu,
    /// TensorRT: S8 activations and weights with zero point 0, float biases; the rest is FP16 in the graph, LayerNorm FP32.
    Tensorrt,
    /// tract: S8 weights, everything computed in float.
    Tract,
}

/// A file of the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Size.
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// How activation ranges were found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Method.
    pub method: String,
    /// Images.
    pub images: usize,
    /// The dataset that they are from, or the name of the plain folder; absent in older bundles.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dataset: String,
    /// Its part; absent for a plain folder, all of whose images may have been taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// SHA-256 over their contents in order, in hexadecimal.
    pub sha256: String,
    /// What the method was chosen on: `dataset split`, or the calibration images.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub judged_on: String,
    /// Mean divergence of the next word from the float model's, in nats, of every method that was tried.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub divergence: BTreeMap<String, f64>,
}

/// Score on a validation set, in ONNX Runtime, beside the float model's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// The dataset's name.
    pub dataset: String,
    /// Its part.
    pub split: String,
    /// Images.
    pub images: usize,
    /// CIDEr-D of the float model.
    pub float_cider: f64,
    /// CIDEr-D of the bundle.
    pub cider: f64,
    /// Share of the images with the float model's caption.
    pub agreement: f64,
    /// Share of the float model's CIDEr-D that was allowed to go.
    pub max_loss: f64,
}

/// Difference to the checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parity {
    /// Largest |a − b| / max(1, |b|).
    pub relative: f32,
    /// Cosine similarity.
    pub cosine: f32,
}

/// A bundle whose files have been checked.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// Its folder.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its words.
    pub vocabulary: Vocabulary,
    /// Its id: what packets name it by.
    pub id: u16,
    /// What its captions are packed with.
    pub language_model: LanguageModel,
    /// What consensus decoding and the choice among looks compare captions by; there where one of them is.
    pub document_frequencies: Option<Arc<DocumentFrequencies>>,
    /// What confidence, familiarity and the choice among looks take; absent where they were not fitted.
    pub trust: Option<Arc<Trust>>,
    /// Bytes of `encoder.onnx`.
    pub encoder: Vec<u8>,
    /// Bytes of `decoder.onnx`.
    pub decoder: Vec<u8>,
}

/// What packing and unpacking captions takes: the language model and the id, without the graphs.
#[derive(Clone, Debug)]
pub struct Language {
    /// The model.
    pub model: LanguageModel,
    /// The bundle's id.
    pub id: u16,
}

impl Manifest {
    /// Reads and checks the manifest of a bundle.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        Self::open(&mut BundleReader::open(path)?, None)
    }

    fn open(reader: &mut BundleReader, trusted: Option<&Trusted>) -> Result<Self, FileError> {
        let path = reader.place(MANIFEST);
        let bytes = reader.get(MANIFEST, 1 << 20)?;
        if let Some(trusted) = trusted {
            trusted.check(&path, &bytes, reader.find(SIGNATURE, 1 << 16)?.as_deref())?;
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| FileError::content(&path, "is not UTF-8 text"))?;
        Self::parse(&path, text)
    }

    /// Reads and checks a manifest's text; `path` is what errors name.
    pub fn parse(path: &Path, text: &str) -> Result<Self, FileError> {
        let manifest: Self = files::parse_toml(path, text)?;
        if !(OLDEST_FORMAT..=FORMAT).contains(&manifest.format) {
            let problem = format!("format is {}, expected {OLDEST_FORMAT} to {FORMAT}", manifest.format);
            return Err(FileError::content(path, problem));
        }
        if let Some(name) = manifest.files.keys().find(|name| name.contains(['/', '\\']) || name.starts_with('.')) {
            return Err(FileError::content(path, format!("file {name:?}, expected plain file names")));
        }
        if let Some(trust) = &manifest.trust {
            trust.validate(manifest.format).map_err(|problem| FileError::content(path, problem))?;
        }
        manifest.model.validate().map_err(|error| FileError::content(path, error))?;
        manifest.search.validate().map_err(|error| FileError::content(path, error))?;
        Ok(manifest)
    }

    /// The bundle's id: the first 16 bits of a SHA-256 over the names and hashes of its files.
    #[must_use]
    pub fn id(&self) -> u16 {
        let mut hash = Sha256::new();
        for (name, entry) in &self.files {
            hash.update(format!("{name} {}\n", entry.sha256));
        }
        let digest = hash.finalize();
        u16::from_be_bytes([digest[0], digest[1]])
    }

    /// Reads a file of the bundle and checks it against its entry.
    fn file(&self, reader: &mut BundleReader, name: &str) -> Result<Vec<u8>, FileError> {
        let bytes = reader.get(name, MAX_FILE)?;
        self.check(&reader.place(name), name, &bytes)?;
        Ok(bytes)
    }

    /// Checks the content of the file `name` against its entry; `path` is what errors name.
    pub fn check(&self, path: &Path, name: &str, bytes: &[u8]) -> Result<(), FileError> {
        let missing = || FileError::content(path, "has no entry in the manifest");
        let entry = self.files.get(name).ok_or_else(missing)?;
        let found = Entry::of(bytes);
        if found != *entry {
            let problem = format!(
                "has {} bytes with SHA-256 {}, the manifest expects {} bytes with {}",
                found.bytes, found.sha256, entry.bytes, entry.sha256
            );
            return Err(FileError::content(path, problem));
        }
        Ok(())
    }
}

impl Entry {
    /// The entry of a file with this content.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, sha256: hexadecimal(&Sha256::digest(bytes)) }
    }
}

impl Bundle {
    /// Reads a bundle; a file that differs from the manifest is refused by name.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        Self::read_trusted(path, None)
    }

    /// Reads a bundle that must be signed with the trusted key, where one is given.
    pub fn read_trusted(path: &Path, trusted: Option<&Trusted>) -> Result<Self, FileError> {
        let mut reader = BundleReader::open(path)?;
        let manifest = Manifest::open(&mut reader, trusted)?;
        let place = reader.place(VOCABULARY);
        let text = String::from_utf8(manifest.file(&mut reader, VOCABULARY)?)
            .map_err(|_| FileError::content(&place, "is not UTF-8 text"))?;
        let language = Language::of(&manifest, &mut reader)?;
        let document_frequencies =
            if manifest.files.contains_key(DOCUMENT_FREQUENCIES) || manifest.search.consensus.is_some() {
                let bytes = manifest.file(&mut reader, DOCUMENT_FREQUENCIES)?;
                let place = reader.place(DOCUMENT_FREQUENCIES);
                Some(Arc::new(crate::checkpoint::parse_document_frequencies(&place, &bytes, &manifest.model)?))
            } else {
                None
            };
        let trust = match &manifest.trust {
            Some(trust) => {
                let (bytes, groups) = (manifest.file(&mut reader, TRUST)?, manifest.file(&mut reader, OBJECT_GROUPS)?);
                let (place, groups_place) = (reader.place(TRUST), reader.place(OBJECT_GROUPS));
                let (statistics, groups) = ((place.as_path(), bytes.as_slice()), (groups_place.as_path(), groups));
                Some(Arc::new(Trust::read(trust, &manifest.model, statistics, groups)?))
            }
            None => None,
        };
        let vocabulary = crate::checkpoint::parse_vocabulary(&place, &text, &manifest.model)?;
        Strategy::new(&manifest.model, manifest.search, &vocabulary, document_frequencies.as_ref())
            .map_err(|error| FileError::content(&reader.place(MANIFEST), error))?;
        Ok(Self {
            document_frequencies,
            trust,
            encoder: manifest.file(&mut reader, ENCODER)?,
            decoder: manifest.file(&mut reader, DECODER)?,
            folder: path.into(),
            vocabulary,
            id: language.id,
            language_model: language.model,
            manifest,
        })
    }
}

impl Bundle {
    /// How its captions are searched.
    pub fn strategy(&self) -> Result<Strategy, StrategyError> {
        let (manifest, frequencies) = (&self.manifest, self.document_frequencies.as_ref());
        Strategy::new(&manifest.model, manifest.search, &self.vocabulary, frequencies)
    }
}

impl Language {
    /// Reads what packing and unpacking captions takes.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let mut reader = BundleReader::open(path)?;
        Self::of(&Manifest::open(&mut reader, None)?, &mut reader)
    }

    fn of(manifest: &Manifest, reader: &mut BundleReader) -> Result<Self, FileError> {
        let path = reader.place(LANGUAGE_MODEL);
        let bytes = manifest.file(reader, LANGUAGE_MODEL)?;
        Ok(Self { model: crate::checkpoint::parse_language_model(&path, &bytes)?, id: manifest.id() })
    }
}

/// All files of a bundle, checked: the manifest, what it names, and the signature where there is one.
pub fn contents(path: &Path) -> Result<Contents, FileError> {
    let mut reader = BundleReader::open(path)?;
    let bytes = reader.get(MANIFEST, 1 << 20)?;
    let place = reader.place(MANIFEST);
    let text = std::str::from_utf8(&bytes).map_err(|_| FileError::content(&place, "is not UTF-8 text"))?;
    let manifest = Manifest::parse(&place, text)?;
    let mut contents = Contents::new();
    for name in manifest.files.keys() {
        contents.insert(name.clone(), manifest.file(&mut reader, name)?);
    }
    if let Some(signature) = reader.find(SIGNATURE, 1 << 16)? {
        contents.insert(SIGNATURE.into(), signature);
    }
    contents.insert(MANIFEST.into(), bytes);
    Ok(contents)
}

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
