//! Train, export, caption, downlink, decode: everything a user does, small, with the real programs.

#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use anyhow::{Context, Result};
use cross_crate_tests::{fail, json_lines, program, succeed};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const RECIPE: &str = r#"
seed = 3
[network]
backbone = "efficientnet-lite2"
image_size = 96
width = 32
heads = 4
feed_forward = 64
encoder_layers = 2
decoder_layers = 2
dgp_hidden = 8
contrast_width = 16
[data]
minimum_count = 1
views = 2
[mccl]
epochs = 1
batch = 16
schedule = { kind = "cosine", peak = 3e-3, warmup = 2 }
[rsic]
epochs = 8
batch = 8
schedule = { kind = "noam", factor = 0.1, warmup = 12 }
average = 0.9
"#;

/// The arguments of `trainer train` into `run`.
fn train(folder: &Path, run: &str, weights: &Path) -> Vec<String> {
    let path = |name: &str| folder.join(name).display().to_string();
    let weights = weights.display().to_string();
    let arguments = ["train", "--threads", "1", "--device", "cpu", "--config"].map(str::to_owned);
    let named = ["--data", "--backbone-weights", "--out", "--cache"].map(str::to_owned);
    let values = [path("scenes"), weights, path(run), path("features")];
    let pairs = named.into_iter().zip(values).flat_map(|(name, value)| [name, value]);
    arguments.into_iter().chain([path("recipe.toml")]).chain(pairs).collect()
}

#[test]
fn from_scenes_to_words_on_the_ground() -> Result<()> {
    let Some(backbones) = fixtures::shared_backbones() else {
        eprintln!("skipped: ../shared/backbones is not here");
        return Ok(());
    };
    let weights = backbones.join("efficientnet_lite2.safetensors");
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("recipe.toml"), RECIPE)?;
    succeed("trainer", ["scenes", "--out", &path("scenes"), "--count", "60", "--seed", "5"])?;
    succeed("trainer", train(folder.path(), "run", &weights))?;
    for file in
        ["model.safetensors", "model.toml", "vocabulary.txt", "golden.safetensors", "metrics.json", "config.toml"]
    {
        assert!(folder.path().join("run").join(file).is_file(), "run/{file}");
    }
    losses_fall(&folder.path().join("run/metrics.json"))?;
    succeed("trainer", train(folder.path(), "twin", &weights))?;
    let weights_of = |run: &str| std::fs::read(folder.path().join(run).join("model.safetensors"));
    assert!(weights_of("run")? == weights_of("twin")?, "the same recipe and seed gave other weights");

    killed_and_started_again(folder.path(), &weights)?;
    assert!(weights_of("run")? == weights_of("killed")?, "a run that was killed and started again gave other weights");

    let evaluated =
        ["evaluate", "--json", "--split", "test", "--device", "cpu", "--run", &path("run"), "--data", &path("scenes")];
    let evaluated = evaluated.into_iter().chain(["--cache", &path("features")]).map(str::to_owned).collect::<Vec<_>>();
    let evaluation = &json_lines(&succeed("trainer", evaluated)?)?[0];
    assert_eq!(evaluation["images"], 6);
    let hypotheses = evaluation["hypotheses"].as_object().context("hypotheses")?;

    succeed("exporter", ["--checkpoint", &path("run"), "--quantize", "none", "--out", &path("fp32")])?;
    let images = path("scenes/images");
    succeed(
        "exporter",
        ["--checkpoint", &path("run"), "--quantize", "int8", "--calibration", &images, "--out", &path("int8")],
    )?;
    for (bundle, runtime) in [("fp32", "ort"), ("fp32", "tract"), ("int8", "ort"), ("int8", "tract")] {
        let packets = path("packets.bin");
        let arguments =
            ["caption", "--json", "--bundle", &path(bundle), "--runtime", runtime, "--packets", &packets, &images];
        let sent = json_lines(&succeed("edge", arguments)?)?;
        assert_eq!(sent.len(), 60);
        let decoded = succeed("edge", ["decode", "--bundle", &path(bundle), &packets])?;
        let texts: Vec<&str> = sent.iter().filter_map(|line| line["caption"].as_str()).collect();
        assert_eq!(decoded.lines().collect::<Vec<_>>(), texts);
        assert!(sent[0]["runtime"].as_str().is_some_and(|active| active.starts_with(runtime)));
        if bundle == "fp32" {
            for line in &sent {
                let name = Path::new(line["image"].as_str().context("image")?).file_name().unwrap_or_default();
                let expected = hypotheses.get(&*name.to_string_lossy());
                assert!(expected.is_none_or(|expected| *expected == line["caption"]), "{runtime}: {line} {expected:?}");
            }
        }
    }

    refusals(folder.path(), &weights)
}

/// Trains into `killed`, stopped by SIGKILL as soon as the second stage has saved an epoch, then started again.
fn killed_and_started_again(folder: &Path, weights: &Path) -> Result<()> {
    let mut child = program("trainer")?.args(train(folder, "killed", weights)).stderr(Stdio::null()).spawn()?;
    let saved = folder.join("killed/state/rsic.toml");
    while !saved.exists() && child.try_wait()?.is_none() {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill()?;
    assert!(!child.wait()?.success(), "the run ended before it could be killed");
    succeed("trainer", train(folder, "killed", weights)).map(drop)
}

fn losses_fall(metrics: &Path) -> Result<()> {
    let epochs: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(metrics)?)?;
    let losses: Vec<f64> =
        epochs.as_array().context("epochs")?.iter().filter_map(|e| e["train_loss"].as_f64()).collect();
    assert_eq!(losses.len(), 8);
    assert!(losses[7] < 0.8 * losses[0], "{losses:?}");
    Ok(())
}

/// What must be refused: another recipe for a run, weights that do not fit, too few images, a taken folder.
fn refusals(folder: &Path, weights: &Path) -> Result<()> {
    let path = |name: &str| folder.join(name).display().to_string();
    std::fs::write(path("recipe.toml"), RECIPE.replace("seed = 3", "seed = 4"))?;
    let line = fail("trainer", train(folder, "run", weights))?;
    assert!(line.contains("config.toml differs"), "{line}");
    std::fs::write(path("recipe.toml"), RECIPE.replace("efficientnet-lite2", "resnet50"))?;
    let line = fail("trainer", train(folder, "other", weights))?;
    assert!(line.contains("efficientnet_lite2.safetensors: tensor conv1.weight is missing"), "{line}");
    assert!(!folder.join("other").exists());
    let run = path("run");
    let line = fail("exporter", ["--checkpoint", &run, "--quantize", "int8", "--out", &path("none")])?;
    assert!(line.contains("--calibration"), "{line}");
    std::fs::create_dir(folder.join("few"))?;
    std::fs::copy(folder.join("scenes/images/scene_00000.jpg"), folder.join("few/a.jpg"))?;
    let few = ["--checkpoint", &run, "--quantize", "int8", "--calibration", &path("few"), "--out", &path("none")];
    let line = fail("exporter", few)?;
    assert!(line.contains("few: 1 images, expected at least"), "{line}");
    assert!(!folder.join("none").exists());
    let line = fail("exporter", ["--checkpoint", &run, "--quantize", "none", "--out", &path("fp32")])?;
    assert!(line.contains("fp32: is there already"), "{line}");
    Ok(())
}
