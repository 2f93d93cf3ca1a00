//! Training with what lies beside the datasets: captions that others gave their images, and text without images.

mod small;

use anyhow::{Context, Result};
use cssa::checkpoint::Checkpoint;
use cssa::vocabulary::TokenId;
use serde_json::json;
use small::Small;
use tch::Device;
use trainer::data::beside::{Beside, FurtherCaptions};
use trainer::progress::Progress;
use trainer::ranks::Ranks;
use trainer::run::{Places, Start, train};

const RECIPE: &str = r#"
augmentation = "camera"
styles = true
[mccl]
epochs = 0
[rsic]
epochs = 1
batch = 8
augment = true
continues_schedule = false
schedule = { kind = "cosine", peak = 3e-3, warmup = 2 }
"#;

/// Words from beside are words of the run and of the link's model, styles tell whose they are, and another file is another run.
#[test]
fn further_captions_and_sentences_are_learned_and_recorded() -> Result<()> {
    let Some(small) = Small::start()? else { return Ok(()) };
    let path = |name: &str| small.path(name);
    let image = |n: usize| {
        let name = format!("scene_{n:05}.jpg");
        json!({ "filename": name, "split": "train", "sentences": [{ "raw": "quaint zebra crossing on the left" }] })
    };
    let described = json!({ "dataset": "others", "images": (0..40).map(image).collect::<Vec<_>>() });
    std::fs::write(path("others.json"), described.to_string())?;
    std::fs::write(path("text.txt"), "a gondola drifts by\n\n  a gondola waits  \n")?;

    let config = small.recipe(RECIPE)?;
    let further = |dataset: &str| FurtherCaptions { dataset: dataset.into(), file: path("others.json") };
    let places = Places {
        beside: Beside { further: vec![further("scenes")], sentences: vec![path("text.txt")] },
        ..small.places("out")
    };
    let run = |places: &Places| train(&config, places, Device::Cpu, &Ranks::alone(), &Progress::Shown);
    run(&places)?;
    let checkpoint = Checkpoint::read(&path("out"))?;
    for style in ["scenes", "others"] {
        assert!(checkpoint.vocabulary.style(style).is_some(), "{style}");
    }
    for word in ["zebra", "gondola"] {
        assert_ne!(checkpoint.vocabulary.id(word), TokenId::UNKNOWN, "{word}");
        assert_ne!(checkpoint.language_model.id(word), cssa::language_model::UNKNOWN, "{word}");
    }
    let frequencies = checkpoint.document_frequencies.context("no document frequencies")?;
    let idf = |word: &str| frequencies.idf(u128::from(checkpoint.vocabulary.id(word).0) + 1);
    assert_eq!(idf("zebra"), idf("gondola"), "what others say is no reference");
    assert!(idf("a") < idf("zebra"));

    // Captions that say where things are keep their images from being turned; the images as they are stay what they were.
    run(&small.places("plain"))?;
    let cached = |view: &str| -> Result<usize> {
        let files = std::fs::read_dir(path("features"))?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(files.filter(|name| name.starts_with(view)).count())
    };
    assert_eq!((cached("scenes-train-view0")?, cached("scenes-train-view1")?), (1, 2));

    std::fs::write(path("text.txt"), "a gondola waits\n")?;
    let refused = run(&places).err().context("other sentences were taken")?.to_string();
    assert!(refused.contains("inputs.toml differs") && refused.contains("--sentences"), "{refused}");
    let elsewhere = Beside { further: vec![further("UCM")], ..Beside::default() };
    let refused = run(&Places { beside: elsewhere, out: path("new"), ..places.clone() });
    let refused = refused.err().context("an unknown dataset was taken")?.to_string();
    assert!(refused.contains("--further") && refused.contains("UCM") && refused.contains("scenes"), "{refused}");
    let twice = Beside { further: vec![further("scenes"), further("scenes")], ..Beside::default() };
    let refused = run(&Places { beside: twice, out: path("new"), ..places.clone() });
    let refused = refused.err().context("captions were taken twice")?.to_string();
    assert!(refused.contains("others"), "{refused}");
    std::fs::write(path("text.txt"), " \n")?;
    let empty = Beside { further: Vec::new(), sentences: vec![path("text.txt")] };
    let refused = run(&Places { beside: empty, out: path("new"), ..places.clone() });
    assert!(refused.err().context("no sentence was enough")?.to_string().contains("has no sentence"));
    assert!(!path("new").exists());
    Ok(())
}

/// What is learned beside the task is not chosen on, and what is learned for cameras is chosen on their pictures, too.
#[test]
fn checkpoints_are_chosen_on_what_is_flown_over_and_as_a_camera_sees_it() -> Result<()> {
    let Some(small) = Small::start()? else { return Ok(()) };
    scenes::write(&small.path("rendered"), 40, 6)?;
    let described = small.path("rendered").join("dataset_scenes.json");
    let mut dataset: serde_json::Value = serde_json::from_slice(&std::fs::read(&described)?)?;
    dataset["dataset"] = json!("rendered");
    std::fs::write(&described, dataset.to_string())?;

    let places = |out: &str| Places { data: vec![small.path("scenes"), small.path("rendered")], ..small.places(out) };
    let config = small.recipe(&RECIPE.replace("styles = true", "auxiliary = [\"rendered\"]"))?;
    train(&config, &places("out"), Device::Cpu, &Ranks::alone(), &Progress::Shown)?;
    let mut cached: Vec<String> = Vec::new();
    for file in std::fs::read_dir(small.path("features"))? {
        let name = file?.file_name().into_string().map_err(|name| anyhow::anyhow!("{}", name.display()))?;
        cached.push(name);
    }
    let has = |begin: &str| cached.iter().any(|name| name.starts_with(begin));
    assert!(has("scenes-dev-view0") && has("scenes-dev-view1") && !has("scenes-dev-view2"), "{cached:?}");
    assert!(has("rendered-train-view0") && !has("rendered-dev"), "{cached:?}");

    for (names, expected) in
        [("[\"no\"]", "data.auxiliary"), ("[\"scenes\", \"rendered\"]", "none is left to choose on")]
    {
        let config = small.recipe(&RECIPE.replace("styles = true", &format!("auxiliary = {names}")))?;
        let refused = train(&config, &places("refused"), Device::Cpu, &Ranks::alone(), &Progress::Shown);
        let refused = refused.err().context("was taken")?.to_string();
        assert!(refused.contains(expected), "{refused}");
    }
    Ok(())
}

/// A run without styles is where one with styles starts, and no checkpoint to choose; one that has them is.
#[test]
fn a_run_that_learns_styles_chooses_none_of_what_it_started_from() -> Result<()> {
    let Some(small) = Small::start()? else { return Ok(()) };
    let plain = small.recipe(&RECIPE.replace("styles = true", ""))?;
    train(&plain, &small.places("plain"), Device::Cpu, &Ranks::alone(), &Progress::Shown)?;
    let config = small.recipe(&RECIPE.replace("styles = true", "styles = true\nextend = true"))?;
    for (from, out, stages) in [("plain", "styled", &["rsic"][..]), ("styled", "again", &["from", "rsic"])] {
        let places = Places { start: Start::Run(small.path(from)), ..small.places(out) };
        let epochs = train(&config, &places, Device::Cpu, &Ranks::alone(), &Progress::Shown)?;
        let found: Vec<&str> = epochs.iter().map(|epoch| epoch.stage.as_str()).collect();
        assert_eq!(found, stages, "{out}");
    }
    Ok(())
}
