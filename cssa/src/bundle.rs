//! The `bundle/` folder: what the exporter hands to `edge`. Everything is checked before it is used: the manifest's
//! format, each file's size and SHA-256, the hyper-parameters, the vocabulary's length.

use crate::checkpoint::{Provenance, VOCABULARY};
use crate::files::{self, FileError};
use crate::model::{Model, Search};
use crate::vocabulary::Vocabulary;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Name of the manifest.
pub const MANIFEST: &str = "manifest.toml";
/// Name of the encoder's graph.
pub const ENCODER: &str = "encoder.onnx";
/// Name of the decoder's graph.
pub const DECODER: &str = "decoder.onnx";
/// Version of the layout that this code reads and writes.
pub const FORMAT: u32 = 1;

const LARGEST_FILE: u64 = 1 << 30;

/// `manifest.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this layout.
    pub format: u32,
    /// Precision by layer group: `encoder`, `decoder`, and `float` for what stays FP32 inside them.
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
    /// 8-bit weights, one scale a channel, and 8-bit activations.
    Int8,
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
    /// SHA-256 over their contents in order, in hexadecimal.
    pub sha256: String,
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
    /// Bytes of `encoder.onnx`.
    pub encoder: Vec<u8>,
    /// Bytes of `decoder.onnx`.
    pub decoder: Vec<u8>,
}

/// What decoding packets takes: the words and the id, without the graphs.
#[derive(Clone, Debug)]
pub struct Words {
    /// The words.
    pub vocabulary: Vocabulary,
    /// The bundle's id.
    pub id: u16,
}

impl Manifest {
    /// Reads and checks the manifest of a bundle.
    pub fn read(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join(MANIFEST);
        let manifest: Self = files::read_toml(&path)?;
        if manifest.format != FORMAT {
            return Err(FileError::content(&path, format!("format is {}, expected {FORMAT}", manifest.format)));
        }
        manifest.model.validate().map_err(|error| FileError::content(&path, error))?;
        manifest.search.validate().map_err(|error| FileError::content(&path, error))?;
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
    fn file(&self, folder: &Path, name: &str) -> Result<Vec<u8>, FileError> {
        let missing = || FileError::content(&folder.join(MANIFEST), format!("has no entry for {name}"));
        let entry = self.files.get(name).ok_or_else(missing)?;
        let path = folder.join(name);
        let bytes = files::read(&path, LARGEST_FILE)?;
        let found = Entry::of(&bytes);
        if found != *entry {
            let problem = format!(
                "has {} bytes with SHA-256 {}, the manifest expects {} bytes with {}",
                found.bytes, found.sha256, entry.bytes, entry.sha256
            );
            return Err(FileError::content(&path, problem));
        }
        Ok(bytes)
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
    pub fn read(folder: &Path) -> Result<Self, FileError> {
        let manifest = Manifest::read(folder)?;
        let words = Words::of(&manifest, folder)?;
        Ok(Self {
            encoder: manifest.file(folder, ENCODER)?,
            decoder: manifest.file(folder, DECODER)?,
            folder: folder.into(),
            vocabulary: words.vocabulary,
            id: words.id,
            manifest,
        })
    }
}

impl Words {
    /// Reads what decoding packets takes.
    pub fn read(folder: &Path) -> Result<Self, FileError> {
        Self::of(&Manifest::read(folder)?, folder)
    }

    fn of(manifest: &Manifest, folder: &Path) -> Result<Self, FileError> {
        let path = folder.join(VOCABULARY);
        let text = String::from_utf8(manifest.file(folder, VOCABULARY)?)
            .map_err(|_| FileError::content(&path, "is not UTF-8 text"))?;
        let vocabulary = crate::checkpoint::parse_vocabulary(&path, &text, &manifest.model)?;
        Ok(Self { vocabulary, id: manifest.id() })
    }
}

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
