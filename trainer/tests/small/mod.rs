//! What small trainings have in common: a network that trains in seconds, pretrained weights where this machine has them, and forty
//! rendered scenes.

#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use anyhow::Result;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use trainer::config::Config;
use trainer::data::beside::Beside;
use trainer::run::{Places, Start};

/// The beginning of a recipe.
const NETWORK: &str = r#"
seed = 3
[network]
backbone = "efficientnet-lite2"
image_size = 64
width = 16
heads = 2
feed_forward = 32
encoder_layers = 1
decoder_layers = 1
dgp_hidden = 4
contrast_width = 8
[data]
minimum_count = 1
views = 2
"#;

/// A folder with `scenes`, and what trains on them.
pub(crate) struct Small {
    folder: TempDir,
    weights: PathBuf,
}

impl Small {
    /// Renders the scenes; nothing where there are no weights, which is said.
    pub(crate) fn start() -> Result<Option<Self>> {
        let backbones = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/backbones");
        let weights = backbones.join("efficientnet_lite2.safetensors");
        if !weights.is_file() {
            eprintln!("skipped: {} is not here", weights.display());
            return Ok(None);
        }
        tch::set_num_threads(1);
        let small = Self { folder: tempfile::tempdir()?, weights };
        scenes::write(&small.path("scenes"), 40, 5)?;
        Ok(Some(small))
    }

    /// A place in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The backbone's weights.
    pub(crate) fn weights(&self) -> &Path {
        &self.weights
    }

    /// The recipe of the small network; `rest` goes on within its table `data`.
    pub(crate) fn recipe(&self, rest: &str) -> Result<Config> {
        Ok(toml::from_str(&format!("{NETWORK}{rest}"))?)
    }

    /// Where a run `out` takes and leaves things.
    pub(crate) fn places(&self, out: &str) -> Places {
        Places {
            beside: Beside::default(),
            data: vec![self.path("scenes")],
            start: Start::Backbone(self.weights().into()),
            out: self.path(out),
            cache: self.path("features"),
            wordnet: PathBuf::from("/no/wordnet"),
            save_every: Duration::from_secs(300),
        }
    }
}
