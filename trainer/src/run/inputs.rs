//! What a run was started with: a folder belongs to one recipe on one set of inputs.

use super::places::{Places, Start};
use crate::config::Config;
use crate::error::{Error, Result, ensure};
use crate::stages::state::State;
use cssa::checkpoint::{Provenance, WEIGHTS};
use cssa::dataset::Dataset;
use cssa::files;
use cssa::vocabulary::Vocabulary;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;

/// The recipe as it is run, in the run's folder.
pub(crate) const CONFIG: &str = "config.toml";

/// `run/inputs.toml`: what a run was started on.
#[derive(PartialEq, Serialize, Deserialize)]
pub(super) struct Inputs {
    pub(super) backbone_sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from_sha256: Option<String>,
    pub(super) vocabulary_sha256: String,
    /// Of the synonyms, where the run has MCCL's text branch; `none` without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) synonyms_sha256: Option<String>,
    pub(super) datasets: Vec<String>,
    /// Of the files of further captions and of sentences, where there are any.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) beside_sha256: Vec<String>,
    /// Of the teachers' weights, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) teachers_sha256: Vec<String>,
    /// How many processes share each batch; none for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) processes: Option<usize>,
}

impl Inputs {
    pub(super) fn new(
        provenance: &Provenance,
        vocabulary: &Vocabulary,
        datasets: &[Dataset],
        places: &Places,
    ) -> Result<Self> {
        let described = |dataset: &Dataset| format!("{}: {} images", dataset.name, dataset.images.len());
        let from_sha256 = match &places.start {
            Start::Backbone(_) => None,
            Start::Run(run) => Some(sha256(&run.join(WEIGHTS))?),
        };
        Ok(Self {
            backbone_sha256: provenance.backbone_sha256.clone(),
            from_sha256,
            vocabulary_sha256: cssa::bundle::hexadecimal(&Sha256::digest(vocabulary.text())),
            synonyms_sha256: None,
            datasets: datasets.iter().map(described).collect(),
            beside_sha256: places.beside.digests()?,
            teachers_sha256: Vec::new(),
            processes: None,
        })
    }
}

/// Makes the run's folder, or checks that the run in it was started with the same recipe on the same inputs.
pub(super) fn prepare(config: &Config, places: &Places, state: &State, inputs: &Inputs) -> Result<()> {
    std::fs::create_dir_all(&places.out).map_err(Error::system(&places.out, "cannot be created"))?;
    let path = places.out.join(CONFIG);
    if path.exists() {
        let known: Config = files::read_toml(&path)?;
        let same = known.without_epochs() == config.without_epochs();
        ensure!(same, Error::other_run(path, "differs from --config: name another --out for another recipe"));
        for (stage, before, now, next) in [
            ("mccl", known.mccl.epochs, config.mccl.epochs, Some("rsic")),
            ("rsic", known.rsic.epochs, config.rsic.epochs, Some("scst")),
            ("scst", known.scst.epochs, config.scst.epochs, None),
        ] {
            let begun = next.is_some_and(|next| places.out.join(format!("state/{next}.toml")).exists());
            ensure!(before == now || !begun, Error::StageOver { recipe: path, stage, before, now });
            let trained = state.epochs(stage)?;
            let expected = format_args!("at least the {trained} that are trained");
            ensure!(now >= trained, Error::setting(format_args!("{stage}.epochs"), now, expected));
        }
    }
    let (inputs_path, text) = (places.out.join("inputs.toml"), toml::to_string_pretty(inputs)?);
    if inputs_path.exists() {
        let same = files::read_text(&inputs_path, 1 << 20)? == text;
        let given = "--data, --further, --sentences, --backbone-weights, --from, --wordnet, rsic.teachers or the number of processes";
        ensure!(same, Error::other_run(inputs_path, format_args!("differs from {given}: name another --out")));
    }
    // Nothing of a run changes that is refused.
    files::write(&path, toml::to_string_pretty(config)?.as_bytes())?;
    Ok(files::write(&inputs_path, text.as_bytes())?)
}

/// SHA-256 of a file, in hexadecimal.
pub(super) fn sha256(path: &Path) -> Result<String> {
    Ok(cssa::bundle::hexadecimal(&Sha256::digest(files::read(path, 1 << 34)?)))
}
