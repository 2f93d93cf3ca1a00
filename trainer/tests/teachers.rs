//! A run that learns from finished runs, small: from teachers of two networks and sizes, stopped and gone on with, and what is refused.

#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tch::Device;
use trainer::config::Config;
use trainer::progress::Progress;
use trainer::ranks::Ranks;
use trainer::run::{self, Places, Start};

const RECIPE: &str = r#"
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
view_seed = 3
[mccl]
epochs = 0
[rsic]
epochs = 2
batch = 8
continues_schedule = false
augment = true
schedule = { kind = "noam", factor = 0.1, warmup = 12 }
"#;

#[test]
fn a_student_of_two_teachers_goes_on_exactly() -> Result<()> {
    let backbones = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/backbones");
    let weights = backbones.join("efficientnet_lite2.safetensors");
    if !weights.is_file() {
        eprintln!("skipped: {} is not here", weights.display());
        return Ok(());
    }
    tch::set_num_threads(1);
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    scenes::write(&path("scenes"), 40, 5)?;
    let config: Config = toml::from_str(RECIPE)?;
    let train = |config: &Config, out: &str| {
        let places = Places {
            beside: trainer::data::beside::Beside::default(),
            data: vec![path("scenes")],
            start: Start::Backbone(weights.clone()),
            out: path(out),
            cache: path("features"),
            wordnet: PathBuf::from("/no/wordnet"),
            save_every: Duration::from_secs(300),
        };
        run::train(config, &places, Device::Cpu, &Ranks::alone(), &Progress::Shown)
    };
    let state = |run: &str| std::fs::read(path(run).join("state/rsic-2-0.safetensors"));
    train(&Config { seed: 11, ..config.clone() }, "one")?;
    let mut other = Config { seed: 12, ..config.clone() };
    (other.network.image_size, other.network.width) = (96, 24);
    train(&other, "other")?;

    let mut student = config.clone();
    student.rsic.teachers = vec![path("one"), path("other")];
    train(&student, "whole")?;
    let mut shorter = student.clone();
    shorter.rsic.epochs = 1;
    train(&shorter, "stopped")?;
    train(&student, "stopped")?;
    assert!(state("whole")? == state("stopped")?, "a student that was stopped went on otherwise");
    train(&config, "untaught")?;
    assert!(state("whole")? != state("untaught")?, "the teachers changed nothing");
    let cached = std::fs::read_dir(path("features"))?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    assert_eq!(cached.filter(|name| name.contains("train-view1")).count(), 2, "one file for each size");

    let refused = |config: &Config, out: &str| -> Result<String> {
        let error = train(config, out).err().context("it was not refused")?;
        Ok(format!("{:#}", anyhow::Error::from(error)))
    };
    let mut fewer = student.clone();
    fewer.rsic.teachers.pop();
    let said = refused(&fewer, "whole")?;
    assert!(said.contains("inputs.toml differs") && said.contains("rsic.teachers"), "{said}");
    let mut longer = student.clone();
    longer.data.max_tokens = 40;
    let said = refused(&longer, "longer")?;
    assert!(said.contains("one has at most 32 tokens a caption, expected data.max_tokens, 40, or more"), "{said}");
    student.data.lengths = 2;
    let said = refused(&student, "classes")?;
    assert!(said.contains("one/vocabulary.txt line 4 is") && said.contains("the student's \"<length:"), "{said}");
    student.rsic.teachers = vec![path("nobody")];
    assert!(refused(&student, "nobody's")?.contains("nobody"));
    Ok(())
}
