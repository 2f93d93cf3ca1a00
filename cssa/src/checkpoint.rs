//! The `run/` folder: what the trainer hands to the exporter.

use crate::dataset::DevRule;
use crate::files::{self, FileError};
use crate::language_model::LanguageModel;
use crate::model::{Model, Search};
use crate::parameters;
use crate::search::{DocumentFrequencies, Strategy};
use crate::tensors::{self, Array, Tensors};
use crate::vocabulary::Vocabulary;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// The tensors: `run/model.safetensors`.
pub const WEIGHTS: &str = "model.safetensors";
/// Hyper-parameters and provenance: `run/model.toml`.
pub const DESCRIPTION: &str = "model.toml";
/// The words: `run/vocabulary.txt`, also in a bundle.
pub const VOCABULARY: &str = "vocabulary.txt";
/// An n-gram model of the train captions, [`crate::language_model`]: `run/language-model.bin`, also in a bundle.
pub const LANGUAGE_MODEL: &str = "language-model.bin";
/// Document frequencies of the train captions' n-grams, [`crate::search::DocumentFrequencies`]; in a bundle where its search is
/// a consensus.
pub const DOCUMENT_FREQUENCIES: &str = "document-frequencies.bin";
/// Inputs and outputs of a few images, stage by stage: `run/golden.safetensors`.
pub const GOLDEN: &str = "golden.safetensors";

/// `model.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Version of this layout.
    pub format: u32,
    /// Which train images were dev: the model has not trained on them. Runs without this field used `hash`.
    #[serde(default = "hash")]
    pub dev: DevRule,
    /// Hyper-parameters.
    pub model: Model,
    /// Where the weights come from.
    pub provenance: Provenance,
    /// How captions are searched, where nobody chooses otherwise.
    #[serde(default)]
    pub search: Search,
}

impl Description {
    /// Reads and checks the description of a run.
    pub fn read(run: &Path) -> Result<Self, FileError> {
        let path = run.join(DESCRIPTION);
        let description: Self = files::read_toml(&path)?;
        if description.format != FORMAT {
            let problem = format!("format is {}, expected {FORMAT}", description.format);
            return Err(FileError::content(&path, problem));
        }
        description.model.validate().map_err(|error| FileError::content(&path, error))?;
        description.search.validate().map_err(|error| FileError::content(&path, error))?;
        Ok(description)
    }

    /// Reads the words of the run.
    pub fn vocabulary(&self, run: &Path) -> Result<Vocabulary, FileError> {
        let path = run.join(VOCABULARY);
        parse_vocabulary(&path, &files::read_text(&path, 1 << 24)?, &self.model)
    }
}

/// What a run or a bundle without the field `dev` used.
pub(crate) fn hash() -> DevRule {
    DevRule::Hash
}

/// Version of the layout that this code reads and writes.
pub const FORMAT: u32 = 1;

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Names of the datasets it was trained on.
    pub datasets: Vec<String>,
    /// SHA-256 of the backbone's weights file.
    pub backbone_sha256: String,
    /// Seed of the run.
    pub seed: u64,
    /// Git revision of the trainer, `unknown` outside a checkout.
    pub revision: String,
}

/// A trained model.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// `model.toml`.
    pub description: Description,
    /// All tensors of [`parameters::all`], in that order.
    pub tensors: Vec<(String, Array)>,
    /// The words.
    pub vocabulary: Vocabulary,
    /// What makes captions short on the link.
    pub language_model: LanguageModel,
    /// What consensus decoding compares captions by. Older runs have none.
    pub document_frequencies: Option<Arc<DocumentFrequencies>>,
}

/// Golden inputs and outputs of one computation, `n` images: what every runtime must reproduce.
#[derive(Clone, Debug, PartialEq)]
pub struct Golden {
    /// Normalized images, `[n, 3, s, s]`.
    pub image: Array,
    /// Grid features, `[n, N, C]`.
    pub features: Array,
    /// Output of the DG-former, `[n, N, d]`.
    pub memory: Array,
    /// Tokens of a caption, start included, `[n, t]`, as whole numbers.
    pub tokens: Array,
    /// Logits of the next token at every place, `[n, t, V]`.
    pub logits: Array,
}

impl Checkpoint {
    /// Reads a run's model; the error names the file and the first tensor that does not fit.
    pub fn read(run: &Path) -> Result<Self, FileError> {
        let description = Description::read(run)?;
        let vocabulary = description.vocabulary(run)?;
        let tensors = Tensors::read(&run.join(WEIGHTS))?.take(&parameters::all(&description.model), "")?;
        let path = run.join(LANGUAGE_MODEL);
        if !path.exists() {
            let hint = "is missing: `trainer language-model --run RUN --data DATASET` makes it";
            return Err(FileError::content(&path, hint));
        }
        let language_model = parse_language_model(&path, &files::read(&path, 1 << 28)?)?;
        let path = run.join(DOCUMENT_FREQUENCIES);
        let document_frequencies = if path.exists() {
            Some(Arc::new(parse_document_frequencies(&path, &files::read(&path, 1 << 28)?, &description.model)?))
        } else {
            None
        };
        Strategy::new(&description.model, description.search, &vocabulary, document_frequencies.as_ref())
            .map_err(|error| FileError::content(&run.join(DESCRIPTION), error))?;
        Ok(Self { description, tensors, vocabulary, language_model, document_frequencies })
    }

    /// Writes the run's files, each whole or not at all.
    pub fn write(&self, run: &Path) -> Result<(), FileError> {
        let path = run.join(DESCRIPTION);
        let text = toml::to_string_pretty(&self.description).map_err(|error| FileError::content(&path, error))?;
        tensors::write(&run.join(WEIGHTS), self.tensors.iter().map(|(name, array)| (name.as_str(), array)))?;
        files::write(&run.join(VOCABULARY), self.vocabulary.text().as_bytes())?;
        files::write(&run.join(LANGUAGE_MODEL), &self.language_model.to_bytes())?;
        if let Some(frequencies) = &self.document_frequencies {
            files::write(&run.join(DOCUMENT_FREQUENCIES), &frequencies.to_bytes())?;
        }
        files::write(&path, text.as_bytes())
    }
}

/// Reads a language model; `path` is what errors name.
pub(crate) fn parse_language_model(path: &Path, bytes: &[u8]) -> Result<LanguageModel, FileError> {
    LanguageModel::from_bytes(bytes).map_err(|error| FileError::content(path, error))
}

/// Reads document frequencies and checks that they are of the model's words; `path` is what errors name.
pub(crate) fn parse_document_frequencies(
    path: &Path,
    bytes: &[u8],
    model: &Model,
) -> Result<DocumentFrequencies, FileError> {
    let found = DocumentFrequencies::from_bytes(bytes).map_err(|error| FileError::content(path, error))?;
    if !found.fits(model.vocabulary) {
        let problem = format!("has a word beyond the model's {}", model.vocabulary);
        return Err(FileError::content(path, problem));
    }
    Ok(found)
}

/// Reads a vocabulary's text and checks that it has as many words as the model; `path` is what errors name.
pub(crate) fn parse_vocabulary(path: &Path, text: &str, model: &Model) -> Result<Vocabulary, FileError> {
    let vocabulary = Vocabulary::parse(text).map_err(|error| FileError::content(path, error))?;
    if vocabulary.size() != model.vocabulary {
        let problem = format!("has {} lines, expected the model's {}", vocabulary.size(), model.vocabulary);
        return Err(FileError::content(path, problem));
    }
    Ok(vocabulary)
}

impl Golden {
    /// Reads golden vectors and checks their shapes against the model's.
    pub fn read(path: &Path, model: &Model) -> Result<Self, FileError> {
        let file = Tensors::read(path)?;
        let get = |name: &str, tail: &[usize]| {
            let array = file.get(name)?;
            if array.shape.len() <= tail.len() || !array.shape.ends_with(tail) || array.shape[0] == 0 {
                let problem = format!("tensor {name} has shape {:?}, expected […, {tail:?}]", array.shape);
                return Err(FileError::content(path, problem));
            }
            Ok(array.clone())
        };
        let (size, cells) = (model.image_size, model.cells());
        let golden = Self {
            image: get("image", &[3, size, size])?,
            features: get("features", &[cells, model.backbone.channels()])?,
            memory: get("memory", &[cells, model.width])?,
            tokens: get("tokens", &[])?,
            logits: get("logits", &[model.vocabulary])?,
        };
        let images = golden.image.shape[0];
        let counts = [&golden.features, &golden.memory, &golden.tokens, &golden.logits].map(|array| array.shape[0]);
        let steps = golden.tokens.shape.get(1).copied().unwrap_or_default();
        if counts != [images; 4] || golden.logits.shape != [images, steps, model.vocabulary] || steps > model.max_tokens
        {
            return Err(FileError::content(path, "its tensors differ in the number of images or tokens"));
        }
        Ok(golden)
    }

    /// Writes golden vectors.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        let named = [
            ("image", &self.image),
            ("features", &self.features),
            ("memory", &self.memory),
            ("tokens", &self.tokens),
            ("logits", &self.logits),
        ];
        tensors::write(path, named)
    }
}
