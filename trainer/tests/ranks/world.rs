//! A dataset, a recipe and the real program, alone or in several processes.

#![cfg_attr(not(feature = "mpi"), expect(dead_code, reason = "one test needs no more than the program"))]

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The program under test.
pub(crate) const TRAINER: &str = env!("CARGO_BIN_EXE_trainer");

/// How recipes begin; what follows belongs to its last table.
pub(crate) const NETWORK: &str = include_str!("network.toml");

/// A folder with a dataset.
pub(crate) struct World {
    folder: tempfile::TempDir,
    weights: PathBuf,
}

impl World {
    /// One of `train` scenes to train on, of three classes by their names, and six to choose on; none without backbones.
    pub(crate) fn new(train: usize) -> Result<Option<Self>> {
        let backbones = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/backbones");
        let weights = backbones.join("efficientnet_lite2.safetensors");
        if !weights.is_file() {
            eprintln!("skipped: {} is not here", weights.display());
            return Ok(None);
        }
        let folder = tempfile::tempdir()?;
        let images = folder.path().join("scenes/images");
        std::fs::create_dir_all(&images)?;
        let mut listed = Vec::new();
        for n in 0..train + 6 {
            let scene = scenes::render(5, n as u64);
            let filename = format!("{}_{n:03}.png", ["road", "pond", "roof"][n % 3]);
            scene.image.save(images.join(&filename))?;
            let sentences: Vec<_> = scene.captions.iter().map(|raw| serde_json::json!({ "raw": raw })).collect();
            let split = if n < train { "train" } else { "dev" };
            listed.push(serde_json::json!({ "filename": filename, "split": split, "sentences": sentences }));
        }
        let text = serde_json::json!({ "dataset": "scenes", "images": listed }).to_string();
        std::fs::write(folder.path().join("scenes/dataset.json"), text)?;
        Ok(Some(Self { folder, weights }))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn recipe(&self, name: &str, text: &str) -> Result<()> {
        Ok(std::fs::write(self.path(name).with_extension("toml"), text)?)
    }

    /// `trainer train` by the recipe `recipe` into `out`, in `ranks` processes.
    pub(crate) fn train(&self, ranks: usize, recipe: &str, out: &str, further: &[&str]) -> Command {
        let mut command = together(ranks);
        command.args(self.arguments(recipe, out)).args(further).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn arguments(&self, recipe: &str, out: &str) -> Vec<String> {
        let path = |name: &str| self.path(name).display().to_string();
        let named = [
            ("--config", path(&format!("{recipe}.toml"))),
            ("--data", path("scenes")),
            ("--backbone-weights", self.weights.display().to_string()),
            ("--out", path(out)),
            ("--cache", path("features")),
            ("--wordnet", "/no/wordnet".into()),
            ("--threads", "1".into()),
            ("--device", "cpu".into()),
        ];
        let named = named.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
        std::iter::once("train".to_owned()).chain(named).collect()
    }
}

/// The program, in several processes where there are to be several.
pub(crate) fn together(ranks: usize) -> Command {
    if ranks == 1 {
        return Command::new(TRAINER);
    }
    let mut command = mpirun();
    command.args(["-n", &ranks.to_string(), TRAINER]);
    command
}

/// `mpirun` on a machine with fewer cores than processes, where tests may run as root.
pub(crate) fn mpirun() -> Command {
    let mut command = Command::new("mpirun");
    command.args(["--allow-run-as-root", "--oversubscribe"]).env("OMP_NUM_THREADS", "1");
    command
}

/// What a program that must succeed said.
pub(crate) fn succeed(command: &mut Command) -> Result<String> {
    let ended = command.output().context("mpirun does not start")?;
    ensure!(ended.status.success(), "{}", said(&ended));
    Ok(said(&ended))
}

pub(crate) fn said(ended: &Output) -> String {
    String::from_utf8_lossy(&ended.stderr).into_owned()
}
