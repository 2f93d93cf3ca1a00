//! Train, export, caption, downlink, decode: everything a user does, small, with the real programs.

#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use anyhow::{Context, Result};
use cross_crate_tests::{RECIPE, fail, json_lines, program, small_run, succeed, train};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

#[test]
fn from_scenes_to_words_on_the_ground() -> Result<()> {
    let Some(backbones) = fixtures::shared_backbones() else {
        eprintln!("skipped: ../shared/backbones is not here");
        return Ok(());
    };
    let weights = backbones.join("efficientnet_lite2.safetensors");
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    small_run(folder.path(), &weights)?;
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
        let decoded = succeed("ground", ["decode", "--bundle", &path(bundle), &packets])?;
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

    looked_at(folder.path())?;
    consensus(folder.path())?;
    lengths(folder.path(), &weights)?;
    refitted(folder.path(), &weights)?;
    beyond_the_paper(folder.path())?;
    refusals(folder.path(), &weights)
}

/// Trains into `killed`: saved after every step, stopped by SIGKILL a few times anywhere, once in want of disk space.
fn killed_and_started_again(folder: &Path, weights: &Path) -> Result<()> {
    let arguments = || train(folder, "killed", weights).into_iter().chain(["--save-every".into(), "0".into()]);
    let state = folder.join("killed/state");
    let saved = || std::fs::read_to_string(state.join("rsic.toml")).unwrap_or_default();
    for stop in 0..3u64 {
        let before = saved();
        let mut child = program("trainer")?.args(arguments()).stderr(Stdio::null()).spawn()?;
        while saved() == before && child.try_wait()?.is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(37 * stop));
        child.kill()?;
        assert!(!child.wait()?.success(), "the run ended before it could be killed");
    }
    assert!(saved().contains("batches = "), "{}", saved());

    // No file may grow beyond 64 KiB: the state does not fit, and the one that is there stays.
    let before = saved();
    let limited = r#"trap "" XFSZ; ulimit -f 64; exec "$0" "$@""#;
    let trainer = program("trainer")?.get_program().to_owned();
    let full = std::process::Command::new("bash").args(["-c", limited]).arg(trainer).args(arguments()).output()?;
    let message = String::from_utf8_lossy(&full.stderr).into_owned();
    assert!(!full.status.success() && message.lines().any(|line| line.starts_with("error: ")), "{message}");
    assert_eq!(saved(), before);

    succeed("trainer", train(folder, "killed", weights)).map(drop)?;
    let metrics = |run: &str| std::fs::read_to_string(folder.join(run).join("metrics.json"));
    assert_eq!(metrics("killed")?, metrics("run")?);
    Ok(())
}

/// What else one does with a run: score its captions, look at them, check the data, compare beams.
fn looked_at(folder: &Path) -> Result<()> {
    let path = |name: &str| folder.join(name).display().to_string();
    let (run, scenes, features) = (path("run"), path("scenes"), path("features"));
    let (hypotheses, page, picture) = (path("hypotheses.json"), path("page.html"), path("heat.png"));
    let evaluate = ["evaluate", "--device", "cpu", "--run", &run, "--data", &scenes, "--cache", &features, "--json"];
    let evaluated = succeed("trainer", evaluate.into_iter().chain(["--hypotheses", &hypotheses]))?;
    let evaluation = &json_lines(&evaluated)?[0];
    let scored = succeed("trainer", ["score", "--json", "--hypotheses", &hypotheses, "--references", &scenes])?;
    let score = &json_lines(&scored)?[0];
    for name in ["bleu_1", "bleu_4", "rouge_l", "cider"] {
        assert_eq!(score[name], evaluation["scores"][name], "{name}");
    }
    assert_eq!(score["images"], 6);
    for name in ["meteor", "spice"] {
        assert!(score[name].is_number() != score["absent"][name].is_string(), "{name}: {score}");
    }
    let incomplete = path("incomplete.json");
    std::fs::write(&incomplete, "{}")?;
    let line = fail("trainer", ["score", "--hypotheses", &incomplete, "--references", &scenes])?;
    assert!(line.contains("6 of the 6 images of split test have no hypothesis"), "{line}");

    succeed("trainer", ["gallery", "--hypotheses", &hypotheses, "--data", &scenes, "--out", &page])?;
    let html = std::fs::read_to_string(&page)?;
    assert!(html.matches("<article>").count() == 6 && html.contains("data:image/jpeg;base64,"), "{page}");

    let (image, caption) = {
        let all = evaluation["hypotheses"].as_object().context("hypotheses")?;
        all.iter().find(|(_, caption)| caption.as_str().is_some_and(|c| c.contains(' '))).context("a caption")?
    };
    let word = caption.as_str().and_then(|caption| caption.split(' ').next()).context("a word")?;
    let image = path(&format!("scenes/images/{image}"));
    let draw =
        ["heatmap", "--run", &run, "--image", &image, "--out", &picture, "--cell", "1,2", "--hypotheses", &hypotheses];
    succeed("trainer", draw.into_iter().chain(["--word", word]))?;
    let drawn = image::open(&picture)?.to_rgb8();
    let panel = |column: u32| image::imageops::crop_imm(&drawn, column * 268, 268, 260, 260).to_image();
    assert_eq!(drawn.dimensions(), (4 * 268 - 8, 2 * 268 - 8));
    assert!(panel(1) != panel(3), "position attention is the same with DGP and without");
    let line = fail("trainer", draw.into_iter().chain(["--word", "submarine"]))?;
    assert!(line.contains("submarine"), "{line}");

    succeed("trainer", ["check-data", "--data", &scenes])?;
    let tune = [
        "tune",
        "--device",
        "cpu",
        "--run",
        &path("twin"),
        "--data",
        &scenes,
        "--cache",
        &features,
        "--beams",
        "1",
        "2",
    ];
    let chosen = succeed("trainer", tune)?;
    assert!(chosen.lines().last().is_some_and(|line| line.starts_with("chosen: beam")), "{chosen}");
    Ok(())
}

/// Consensus decoding, tuned on dev: trainer and `edge` say the same, and a beam turns it off.
fn consensus(folder: &Path) -> Result<()> {
    let path = |name: &str| folder.join(name).display().to_string();
    let (run, scenes, features, images) = (path("twin"), path("scenes"), path("features"), path("scenes/images"));
    let wide = ["--length-exponents", "1", "--consensus", "3,8", "--beams", "1"];
    let tune = ["tune", "--device", "cpu", "--run", &run, "--data", &scenes, "--cache", &features];
    let tried = succeed("trainer", tune.into_iter().chain(wide))?;
    assert!(tried.contains("consensus of beam 3 and 8 draws, length exponent 1: dev CIDEr"), "{tried}");
    let description = std::fs::read_to_string(path("twin/model.toml"))?;
    let at = description.find("[search]").context("no [search] in model.toml")?;
    let search = "[search]\nbeam = 3\nlength_exponent = 0.5\n\n[search.consensus]\nbeam = 3\ndraws = 8\n";
    std::fs::write(path("twin/model.toml"), format!("{}{search}", &description[..at]))?;

    succeed("exporter", ["--checkpoint", &run, "--quantize", "none", "--out", &path("agreed")])?;
    assert!(Path::new(&path("agreed/document-frequencies.bin")).is_file());
    let said = |program: &str, arguments: Vec<&str>| -> Result<Vec<String>> {
        let lines = json_lines(&succeed(program, arguments)?)?;
        Ok(lines.iter().filter_map(|line| line["caption"].as_str().map(str::to_owned)).collect())
    };
    let listed = vec!["caption", "--run", &run, "--device", "cpu", "--n-best", "3", &images];
    let by_trainer = said("trainer", listed.clone())?;
    let by_edge = said("edge", vec!["caption", "--json", "--bundle", &path("agreed"), &images])?;
    assert_eq!((by_trainer.len(), &by_trainer), (60, &by_edge));
    let line = &json_lines(&succeed("trainer", listed)?)?[0];
    let best = line["n_best"].as_array().context("n_best")?;
    let probabilities: Vec<f64> = best.iter().filter_map(|one| one["log_probability"].as_f64()).collect();
    assert!(best.len() == 3 && probabilities.iter().all(|&log| log < 0.0), "{line}");

    let by_beam = said("edge", vec!["caption", "--json", "--beam", "3", "--bundle", &path("agreed"), &images])?;
    assert_ne!(by_beam, by_edge, "a consensus of so unsure a model differs somewhere from its beam");

    std::fs::remove_file(path("twin/document-frequencies.bin"))?;
    let line = fail("trainer", ["caption", "--run", &run, "--device", "cpu", &images])?;
    assert!(line.contains("model.toml") && line.contains("trainer language-model"), "{line}");
    succeed("trainer", ["language-model", "--run", &run, "--data", &scenes])?;
    assert_eq!(said("trainer", vec!["caption", "--run", &run, "--device", "cpu", &images])?, by_trainer);
    let frequencies = path("agreed/document-frequencies.bin");
    let mut bytes = std::fs::read(&frequencies)?;
    bytes[9] ^= 1;
    std::fs::write(&frequencies, bytes)?;
    let line = fail("edge", ["caption", "--bundle", &path("agreed"), &images])?;
    assert!(line.contains("document-frequencies.bin"), "{line}");
    Ok(())
}

/// Length classes beside styles: dev chooses one, trainer and `edge` say the same in it and in another, no caption shows a token.
fn lengths(folder: &Path, weights: &Path) -> Result<()> {
    let path = |name: &str| folder.join(name).display().to_string();
    let (run, scenes, features, images) = (path("long"), path("scenes"), path("features"), path("scenes/images"));
    let classes = ["--set", "data.lengths=3", "--set", "data.styles=true"].map(str::to_owned);
    succeed("trainer", train(folder, "long", weights).into_iter().chain(classes))?;
    let words = std::fs::read_to_string(path("long/vocabulary.txt"))?;
    let tokens: Vec<&str> = words.lines().skip(3).take(4).collect();
    assert!(
        tokens[..3].iter().all(|token| token.starts_with("<length:")) && tokens[2] == "<length:more>",
        "{tokens:?}"
    );
    assert!(tokens[3].starts_with("<style:"), "{tokens:?}");
    assert!(std::fs::read_to_string(path("long/model.toml"))?.contains("\nlength = "), "dev has chosen a class");

    let said = |program: &str, arguments: Vec<&str>| -> Result<Vec<String>> {
        let lines = json_lines(&succeed(program, arguments)?)?;
        Ok(lines.iter().filter_map(|line| line["caption"].as_str().map(str::to_owned)).collect())
    };
    let mut spoken = Vec::new();
    for class in ["1", "3"] {
        let tune = ["tune", "--device", "cpu", "--run", &run, "--data", &scenes, "--cache", &features, "--beams", "3"];
        let chosen = succeed("trainer", tune.into_iter().chain(["--length-exponents", "0.5", "--lengths", class]))?;
        assert!(chosen.contains(&format!("chosen: beam 3, length exponent 0.5, length class {class}")), "{chosen}");
        let bundle = path(&format!("long-{class}"));
        succeed("exporter", ["--checkpoint", &run, "--quantize", "none", "--out", &bundle])?;
        let by_trainer = said("trainer", vec!["caption", "--run", &run, "--device", "cpu", &images])?;
        let by_edge = said("edge", vec!["caption", "--json", "--bundle", &bundle, &images])?;
        // Both sum in orders of their own: of two captions that are equally likely one takes the other, in one of these images at most.
        let others: Vec<_> = by_trainer.iter().zip(&by_edge).filter(|(trainer, edge)| trainer != edge).collect();
        assert_eq!((by_trainer.len(), by_edge.len()), (60, 60), "class {class}");
        assert!(others.len() <= 1, "class {class}: {others:?}");
        assert!(by_edge.iter().all(|caption| !caption.contains('<')), "{by_edge:?}");
        spoken.push(by_edge.iter().map(|caption| caption.split(' ').count()).sum::<usize>());
    }
    assert!(spoken[0] < spoken[1], "captions asked to be short have {} words, long ones {}", spoken[0], spoken[1]);

    let other = said("trainer", vec!["caption", "--run", &run, "--device", "cpu", "--length", "1", &images])?;
    assert_eq!(other.iter().map(|caption| caption.split(' ').count()).sum::<usize>(), spoken[0]);
    let manifest = std::fs::read_to_string(path("long-3/manifest.toml"))?;
    for (written, found) in [("length = 4", "search.length is 4"), ("", "search.length is not named")] {
        std::fs::write(path("long-3/manifest.toml"), manifest.replacen("length = 3", written, 1))?;
        let line = fail("edge", ["caption", "--bundle", &path("long-3"), &images])?;
        assert!(line.contains("manifest.toml") && line.contains(found) && line.contains("1 to 3"), "{line}");
    }
    Ok(())
}

/// A refit: no dev, all train images, the last epoch's weights.
fn refitted(folder: &Path, weights: &Path) -> Result<()> {
    let mut arguments = train(folder, "refit", weights);
    arguments.extend(["--set", "data.dev=none", "--set", "rsic.epochs=2"].map(str::to_owned));
    let run = program("trainer")?.args(arguments).output()?;
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success() && said.contains(" 0 dev, ") && said.contains("the last epoch counts"), "{said}");
    let epochs: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(folder.join("refit/metrics.json"))?)?;
    let epochs = epochs.as_array().context("epochs")?;
    assert!(epochs.len() == 2 && epochs.iter().all(|epoch| epoch["chosen"] == true && epoch["dev_cider"].is_null()));
    let description = std::fs::read_to_string(folder.join("refit/model.toml"))?;
    assert!(description.contains("dev = \"none\""), "{description}");
    Ok(())
}

/// The backbone fine-tuned on fresh augmentation in bfloat16, gradients of two batches a step, then self-critical training.
fn beyond_the_paper(folder: &Path) -> Result<()> {
    let path = |name: &str| folder.join(name).display().to_string();
    let recipe = RECIPE
        .replace("[network]", "[network]\ntrain_backbone_from = \"_blocks.20\"\nprecision = \"bfloat16\"")
        .replace("views = 2", "views = 0")
        .replace("epochs = 1", "epochs = 0")
        .replace("epochs = 8\nbatch = 8", "epochs = 9\nbatch = 4\naccumulate = 2\nlabel_smoothing = 0.1\npatience = 1")
        .replace("factor = 0.1", "factor = 0.01")
        + "[scst]\nepochs = 2\nbatch = 8\nsamples = 3\nbleu = 0.5\n";
    std::fs::write(path("beyond.toml"), recipe)?;
    let arguments = |out: &str| {
        let fixed = ["train", "--threads", "1", "--device", "cpu", "--config", &path("beyond.toml")].map(str::to_owned);
        let named =
            ["--data", &path("scenes"), "--from", &path("run"), "--out", &path(out), "--cache", &path("features")];
        fixed.into_iter().chain(named.map(str::to_owned)).collect::<Vec<_>>()
    };
    succeed("trainer", arguments("beyond"))?;
    let epochs: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path("beyond/metrics.json"))?)?;
    let epochs = epochs.as_array().context("epochs")?;
    let of = |stage: &str| epochs.iter().filter(|epoch| epoch["stage"] == stage).count();
    assert_eq!(of("scst"), 2);
    // It ends after the first epoch that is no better, which on some processors is the first one.
    assert!((1..=9).contains(&of("rsic")), "{epochs:?}");
    assert!(std::fs::read_dir(path("beyond/events"))?.count() >= 1);
    succeed("exporter", ["--checkpoint", &path("beyond"), "--quantize", "none", "--out", &path("beyond-fp32")])?;
    Ok(())
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
    // Another dataset, with more epochs: refused before anything of the run changes.
    std::fs::write(path("recipe.toml"), RECIPE.replace("epochs = 8", "epochs = 9"))?;
    let before = std::fs::read(folder.join("run/config.toml"))?;
    let mut elsewhere = train(folder, "run", weights);
    let data = elsewhere.iter().position(|argument| argument == "--data").context("--data")?;
    elsewhere[data + 1] = fixtures::scenes().display().to_string();
    let line = fail("trainer", elsewhere)?;
    assert!(line.contains("inputs.toml differs from --data"), "{line}");
    assert_eq!(std::fs::read(folder.join("run/config.toml"))?, before);
    // Epochs that are trained cannot be taken back, and two processes cannot train one run.
    std::fs::write(path("recipe.toml"), RECIPE.replace("epochs = 8", "epochs = 3"))?;
    let line = fail("trainer", train(folder, "run", weights))?;
    assert!(line.contains("rsic.epochs is 3, expected at least the 8 that are trained"), "{line}");
    assert_eq!(std::fs::read(folder.join("run/config.toml"))?, before);
    std::fs::write(path("recipe.toml"), RECIPE)?;
    let lock = std::fs::File::create(folder.join("run/state/lock"))?;
    lock.lock()?;
    let line = fail("trainer", train(folder, "run", weights))?;
    assert!(line.contains("run/state/lock is being written by another run"), "{line}");
    let line = fail("trainer", ["tune", "--run", &path("run"), "--data", &path("scenes"), "--device", "cpu"])?;
    assert!(line.contains("run/state/lock is being written by another run"), "{line}");
    drop(lock);
    std::fs::write(path("recipe.toml"), RECIPE.replace("width = 32", "width = 64"))?;
    let from = [&train(folder, "wider", weights)[..], &["--from".to_owned(), path("run")]].concat();
    let weights_at = from.iter().position(|argument| argument == "--backbone-weights").context("weights")?;
    let from = [&from[..weights_at], &from[weights_at + 2..]].concat();
    let line = fail("trainer", from)?;
    assert!(line.contains("width is 32 there and 64 here"), "{line}");
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
