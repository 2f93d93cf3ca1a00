//! The report that a training leaves behind, small, by the real program: its numbers are the run's.

mod small;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use small::Small;
use std::path::Path;
use std::process::{Command, Output};
use trainer::run::Places;
use trainer::{events, log};

const RECIPE: &str = r#"
[mccl]
epochs = 1
batch = 8
schedule = { kind = "cosine", peak = 3e-3, warmup = 2 }
[rsic]
epochs = 2
batch = 8
continues_schedule = false
schedule = { kind = "cosine", peak = 3e-3, warmup = 2 }
"#;

fn trainer(arguments: &[&Path]) -> Result<Output> {
    Ok(Command::new(env!("CARGO_BIN_EXE_trainer"))
        .args(arguments)
        .args(["--device", "cpu", "--threads", "1"])
        .output()?)
}

/// What stands in the page for programs.
fn numbers(page: &str) -> Result<Value> {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").context("no data")?;
    Ok(serde_json::from_str(rest.split_once("</script>").context("no end")?.0)?)
}

/// The points of the curve below a title, as they are drawn.
fn drawn(page: &str, title: &str) -> Result<Vec<[f64; 2]>> {
    let (_, rest) = page.split_once(&format!(">{title}</text>")).with_context(|| format!("no {title}"))?;
    let (_, rest) = rest.split_once(" points=\"").context("no points")?;
    let points = rest.split_once('"').context("no end")?.0.split_whitespace().map(|point| {
        let (x, y) = point.split_once(',').context("no point")?;
        Ok([x.parse()?, y.parse()?])
    });
    points.collect()
}

#[test]
fn a_training_leaves_its_report() -> Result<()> {
    let Some(small) = Small::start()? else { return Ok(()) };
    let path = |name: &str| small.path(name);
    // Names that tell two classes.
    let description = path("scenes/dataset_scenes.json");
    let mut text = std::fs::read_to_string(&description)?;
    for n in 0..40 {
        let (old, new) = (format!("scene_{n:05}.jpg"), format!("{}_{n:05}.jpg", ["north", "south"][n % 2]));
        std::fs::rename(path("scenes/images").join(&old), path("scenes/images").join(&new))?;
        text = text.replace(&old, &new);
    }
    std::fs::write(&description, text)?;
    std::fs::write(path("recipe.toml"), toml::to_string(&small.recipe(RECIPE)?)?)?;
    let Places { data, out: run, cache, .. } = small.places("run");
    let (recipe, scenes) = (path("recipe.toml"), data.first().context("no data")?);
    let trained = trainer(&[
        "train".as_ref(),
        "--config".as_ref(),
        &recipe,
        "--data".as_ref(),
        scenes,
        "--backbone-weights".as_ref(),
        small.weights(),
        "--out".as_ref(),
        &run,
        "--cache".as_ref(),
        &cache,
    ])?;
    let said = String::from_utf8_lossy(&trained.stderr);
    ensure!(trained.status.success() && said.contains("report.html: curves"), "{said}");

    let page = std::fs::read_to_string(run.join("report.html"))?;
    let (data, curves) = (numbers(&page)?, events::read(&run.join(log::EVENTS))?);
    let epochs = log::epochs(&run.join(log::METRICS))?;
    assert!(curves.contains_key("mccl/loss") && curves.contains_key("rsic/learning_rate"), "{:?}", curves.keys());
    assert_eq!(data["curves"], serde_json::to_value(&curves)?);
    assert_eq!(data["epochs"], serde_json::to_value(&epochs)?);
    for (title, name) in
        [("MCCL, alignment: loss", "mccl/loss"), ("RSIC, captioning: learning rate", "rsic/learning_rate")]
    {
        let (points, known) = (drawn(&page, title)?, &curves[name]);
        assert_eq!(points.len(), known.len(), "{title}");
        // Drawn values are the known ones on a scale: y grows downwards.
        let extreme =
            |values: &[f64]| values.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map(|best| best.0);
        let lowest: Vec<f64> = points.iter().map(|point| -point[1]).collect();
        assert_eq!(extreme(&lowest), extreme(&known.values().copied().collect::<Vec<_>>()), "{title}");
        assert!(points.windows(2).all(|pair| pair[0][0] < pair[1][0]), "{title}");
    }
    assert_eq!(drawn(&page, "CIDEr on dev")?.len(), epochs.len());

    // The captions are the checkpoint's: its score on dev is the chosen epoch's.
    let chosen = epochs.iter().rfind(|epoch| epoch.chosen).and_then(|epoch| epoch.dev_cider).context("no dev")?;
    let dev = &data["dev"][0];
    assert!(dev["cider"].as_f64().is_some_and(|cider| (cider - chosen).abs() < 1e-9), "{dev} {chosen}");
    let images = dev["images"].as_u64().context("no images")?;
    let count = |value: &Value| {
        value.as_array().into_iter().flatten().map(|bin| bin["captions"].as_u64().unwrap_or(0)).sum::<u64>()
    };
    assert_eq!(count(&data["reliability"]), images);
    let counts = data["confusions"][0]["counts"].as_array().context("no classes")?;
    let confused: u64 =
        counts.iter().flat_map(|row| row.as_array().into_iter().flatten()).filter_map(Value::as_u64).sum();
    assert_eq!(confused + data["confusions"][0]["left_out"].as_u64().unwrap_or(0), images);
    assert_eq!(page.matches("<article>").count() as u64, images.min(24));
    assert_eq!(page.matches("data:image/jpeg;base64,").count(), page.matches("<article>").count());

    // Without data there are the curves; without a run there is one error.
    let alone = trainer(&["report".as_ref(), "--run".as_ref(), &run, "--out".as_ref(), &path("alone.html")])?;
    ensure!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stderr));
    let alone = std::fs::read_to_string(path("alone.html"))?;
    assert!(alone.contains("The data were not at hand") && !alone.contains("<article>"));
    assert_eq!(drawn(&alone, "MCCL, alignment: loss")?, drawn(&page, "MCCL, alignment: loss")?);
    let refused = trainer(&["report".as_ref(), "--run".as_ref(), scenes])?;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.starts_with("error: ") && said.contains("model.toml"), "{said}");
    assert!(!scenes.join("report.html").exists());
    Ok(())
}
