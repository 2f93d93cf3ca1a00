//! The mean of runs' weights.

mod small;

use anyhow::{Context, Result};
use cssa::checkpoint::Checkpoint;
use small::Small;
use std::time::Duration;
use tch::Device;
use trainer::average::{Request, average};
use trainer::config::Config;
use trainer::progress::Progress;
use trainer::ranks::Ranks;
use trainer::run::{Places, Start, train};
use trainer::stages::state::{STATE, State};

const RECIPE: &str = r#"
extend = true
[mccl]
epochs = 0
[rsic]
epochs = 1
batch = 8
augment = true
continues_schedule = false
schedule = { kind = "cosine", peak = 3e-3, warmup = 2 }
"#;

/// Each weight is the runs' mean, the backbone's stays, words that one run lacks are the other's, and the result is a run.
#[test]
fn the_mean_of_runs_is_a_run() -> Result<()> {
    let Some(small) = Small::start()? else { return Ok(()) };
    let trained = |recipe: &str, places: Places| -> Result<()> {
        let seed = if places.out.ends_with("b") { 4 } else { 3 };
        train(&Config { seed, ..small.recipe(recipe)? }, &places, Device::Cpu, &Ranks::alone(), &Progress::Shown)?;
        Ok(())
    };
    trained(&RECIPE.replace("extend = true", ""), small.places("start"))?;
    // Another dataset's words are new to the first of the two that go on.
    scenes::write(&small.path("more"), 40, 9)?;
    let described = small.path("more").join("dataset_scenes.json");
    let text = std::fs::read_to_string(&described)?.replace("\"dataset\":\"scenes\"", "\"dataset\":\"more\"");
    std::fs::write(&described, text.replace("road", "boulevard"))?;
    let from = || Start::Run(small.path("start"));
    trained(
        RECIPE,
        Places { start: from(), data: vec![small.path("scenes"), small.path("more")], ..small.places("a") },
    )?;
    trained(&RECIPE.replace("extend = true", "view_seed = 3"), small.places("b"))?;

    let request = |runs: [&str; 2], out: &str| Request {
        runs: runs.iter().map(|run| small.path(run)).collect(),
        last: false,
        data: vec![small.path("scenes")],
        out: small.path(out),
        cache: small.path("features"),
    };
    let scored = average(&request(["a", "b"], "mean"), Device::Cpu, &Progress::Shown)?;
    assert!(scored.runs.len() == 2 && scored.mean.is_finite(), "{scored:?}");
    let [a, b, mean] = ["a", "b", "mean"].map(|run| Checkpoint::read(&small.path(run)));
    let (a, b, mean) = (a?, b?, mean?);
    assert!(a.vocabulary.size() > b.vocabulary.size(), "the test has no new words");
    assert_eq!(mean.vocabulary, a.vocabulary);
    assert_eq!(mean.description.provenance.datasets, ["scenes", "more"]);
    let mut moved = 0;
    for (((name, a), (_, b)), (_, mean)) in a.tensors.iter().zip(&b.tensors).zip(&mean.tensors) {
        for (place, &mean) in mean.data.iter().enumerate() {
            let expected = b.data.get(place).map_or(a.data[place], |&b| (a.data[place] + b) / 2.0);
            assert!((mean - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{name}[{place}]: {mean}, {expected}");
            moved += usize::from(b.data.get(place).is_some_and(|&b| b != a.data[place]));
        }
    }
    assert!(moved > 1000, "{moved} weights differ");

    // The weights that the last stage left, of a run whose chosen ones are others; a run without a state has its own.
    let last = State::new(small.path("a").join(STATE), Duration::MAX).left_by("rsic", 1)?;
    let mut other = Checkpoint::read(&small.path("a"))?;
    other.tensors.iter_mut().for_each(|(_, array)| array.data.iter_mut().for_each(|value| *value += 1.0));
    other.write(&small.path("a"))?;
    std::fs::remove_dir_all(small.path("b").join(STATE))?;
    let request_last = Request { last: true, ..request(["a", "b"], "last") };
    average(&request_last, Device::Cpu, &Progress::Shown)?;
    assert!(!small.path("b").join(STATE).exists(), "nothing is written into a run that is read");
    let mean = Checkpoint::read(&small.path("last"))?;
    let of = |run: &Checkpoint, name: &str| {
        run.tensors.iter().find(|(known, _)| known == name).map(|(_, array)| array.clone())
    };
    assert!(last.len() > 10, "{} weights", last.len());
    for (name, a) in &last {
        let (mean, b) = (of(&mean, name).context("is missing")?, of(&b, name).context("is missing")?);
        for (place, &mean) in mean.data.iter().enumerate() {
            let expected = b.data.get(place).map_or(a.data[place], |&b| (a.data[place] + b) / 2.0);
            assert!((mean - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{name}[{place}]: {mean}, {expected}");
        }
    }

    // A stage that was interrupted, or is at it, has left nothing yet.
    let interrupted = || {
        let request = Request { last: true, ..request(["a", "b"], "refused") };
        let refused = average(&request, Device::Cpu, &Progress::Shown).err().context("was averaged");
        assert!(!small.path("refused").exists());
        refused
    };
    let lock = trainer::run::lock(&small.path("a"))?.context("has a state")?;
    let said = interrupted()?.to_string();
    assert!(said.contains("state/lock is being written by another run"), "{said}");
    drop(lock);
    let recipe = small.path("a").join("config.toml");
    let text = std::fs::read_to_string(&recipe)?;
    assert!(text.contains("epochs = 1"));
    std::fs::write(&recipe, text.replace("epochs = 1", "epochs = 3"))?;
    let said = interrupted()?.to_string();
    assert!(said.contains("rsic.toml: has done 1 of 3 epochs"), "{said}");
    std::fs::write(&recipe, text)?;

    let refused = |runs: [&str; 2]| -> Result<String> {
        let error = average(&request(runs, "refused"), Device::Cpu, &Progress::Shown).err();
        assert!(!small.path("refused").exists());
        Ok(error.context("was averaged")?.to_string())
    };
    let said = refused(["a", "./a"])?;
    assert!(said.contains("is named twice"), "{said}");
    let said = refused(["b", "a"])?;
    assert!(said.contains("the run with most words goes first"), "{said}");
    let text = std::fs::read_to_string(small.path("scenes").join("dataset_scenes.json"))?;
    std::fs::create_dir(small.path("untold"))?;
    std::fs::write(small.path("untold/dataset.json"), text.replace("\"train\"", "\"test\""))?;
    std::os::unix::fs::symlink(small.path("scenes/images"), small.path("untold/images"))?;
    let untold = Request { data: vec![small.path("untold")], ..request(["a", "b"], "refused") };
    let said = average(&untold, Device::Cpu, &Progress::Shown).err().context("was scored on nothing")?.to_string();
    assert!(said.contains("has 0 dev images by the runs' rule"), "{said}");
    let described = small.path("b").join("model.toml");
    let text = std::fs::read_to_string(&described)?;
    std::fs::write(&described, text.replace("dev = \"blocks\"", "dev = \"hash\""))?;
    let said = refused(["a", "b"])?;
    assert!(said.contains("one was trained on the other's"), "{said}");
    Ok(())
}
