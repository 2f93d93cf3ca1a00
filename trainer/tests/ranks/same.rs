//! N processes with batches of B compute what one with batches of N · B computes.

use super::world::{NETWORK, World, succeed, together};
use anyhow::{Context, Result, ensure};
use cssa::tensors::Tensors;
use prost::Message;
use std::collections::BTreeMap;
use std::path::Path;

/// Images of a batch of all ranks.
const BATCH: usize = 16;

/// Every stage, without dropout. What is augmented is augmented alike.
fn recipe(ranks: usize, data: &str, epochs: [usize; 3], schedule: &str, taught: &str) -> String {
    let (batch, [mccl, rsic, scst]) = (BATCH / ranks, epochs);
    format!(
        r#"
{NETWORK}dropout = 0.0
{data}
[mccl]
epochs = {mccl}
unit = "images"
batch = {batch}
clip = 1e9
schedule = {schedule}
[rsic]
epochs = {rsic}
unit = "images"
batch = {batch}
clip = 1e9
augment = true
scene_weight = 0.3
label_smoothing = 0.1
{taught}
continues_schedule = false
schedule = {schedule}
[scst]
epochs = {scst}
batch = {batch}
clip = 1e9
samples = 3
cross_entropy = 0.2
schedule = {schedule}
"#
    )
}

/// Adam's first moments after one step are a tenth of the gradient that all ranks summed.
fn gradients(state: &Path) -> Result<BTreeMap<String, Vec<f64>>> {
    let tensors = Tensors::read(state)?;
    let first = tensors.names().filter(|name| name.starts_with("first."));
    first.map(|name| Ok((name.to_owned(), tensors.get(name)?.data.iter().map(|&x| f64::from(x)).collect()))).collect()
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|x| x * x).sum::<f64>().sqrt()
}

/// In every stage the first step's gradient, all tensors together, and the loss; from cached views, and through the backbone's last
/// layers from pixels, with a teacher that sees other features. A stage of one step has a rate of 0 there, so each begins with the weights that the first one began with.
#[test]
fn the_first_gradient_is_the_big_batchs() -> Result<()> {
    let Some(world) = World::new(BATCH)? else { return Ok(()) };
    let cached = "[data]\nminimum_count = 1\nviews = 2";
    let trained = "train_backbone_from = \"_conv_head\"\n[data]\nminimum_count = 1\nviews = 0";
    let schedule = "{ kind = \"cosine\", peak = 1e-3, warmup = 0 }";
    world.recipe("teacher", &recipe(1, cached, [0, 1, 0], schedule, "").replace("[mccl]", "lengths = 2\n[mccl]"))?;
    succeed(&mut world.train(1, "teacher", "teacher", &[]))?;
    let taught = format!("teachers = [{:?}]\nteacher_weight = 0.7", world.path("teacher"));
    let search = "\n[search]\nlength = 1\n";
    for (name, data) in [("cached", cached), ("pixels", trained)] {
        let data = format!("{data}\nlengths = 2");
        for ranks in [1, 2, 4] {
            let out = format!("{name}{ranks}");
            world.recipe(&out, &(recipe(ranks, &data, [1, 1, 1], schedule, &taught) + search))?;
            succeed(&mut world.train(ranks, &out, &out, &[]))?;
            for stage in ["mccl", "rsic", "scst"] {
                let file = |ranks: usize| world.path(&format!("{name}{ranks}/state/{stage}-1-0.safetensors"));
                let (alone, found) = (gradients(&file(1))?, gradients(&file(ranks))?);
                ensure!(alone.keys().eq(found.keys()) && !alone.is_empty(), "{out} {stage}: other tensors");
                let all = norm(alone.values().flatten().copied());
                let pairs = || alone.values().flatten().zip(found.values().flatten());
                let apart = norm(pairs().map(|(a, b)| a - b)) / all;
                let [loss, expected] = [ranks, 1].map(|ranks| losses(&world.path(&format!("{name}{ranks}")), stage));
                let (loss, expected) = (loss?[&1], expected?[&1]);
                eprintln!(
                    "{name}, {stage}, {ranks} ranks: gradients {apart:.1e} of {all:.3} apart, losses {loss} {expected}"
                );
                ensure!(all > 1e-4 && apart < 1e-5, "{out} {stage}: the gradients are {apart} of {all} apart");
                // None hides behind a larger one; what is 0 but for rounding may be anything that small.
                for (name, expected) in &alone {
                    let apart = norm(expected.iter().zip(&found[name]).map(|(a, b)| a - b));
                    let own = norm(expected.iter().copied());
                    ensure!(apart < 1e-5 * own + 1e-7 * all, "{out} {stage} {name}: {apart} of {own} apart");
                }
                ensure!((loss - expected).abs() < 1e-5 * expected.abs().max(1.0), "{out} {stage}: {loss} {expected}");
            }
        }
    }
    Ok(())
}

/// Fifty steps of both stages of the paper, over epochs whose last batch is smaller.
#[test]
fn fifty_losses_are_the_big_batchs() -> Result<()> {
    let Some(world) = World::new(40)? else { return Ok(()) };
    for ranks in [1, 2, 4] {
        let out = format!("run{ranks}");
        let data = "[data]\nminimum_count = 1\nviews = 2";
        world.recipe(&out, &recipe(ranks, data, [25, 17, 0], "{ kind = \"cosine\", peak = 1e-3, warmup = 10 }", ""))?;
        succeed(&mut world.train(ranks, &out, &out, &[]))?;
        for stage in ["mccl", "rsic"] {
            let [alone, found] = [1, ranks].map(|ranks| losses(&world.path(&format!("run{ranks}")), stage));
            let (alone, found) = (alone?, found?);
            ensure!(alone.len() >= 50 && alone.keys().eq(found.keys()), "{stage}: {} steps", alone.len());
            let apart = alone.iter().zip(found.values()).map(|((_, a), b)| ((a - b) / a).abs()).fold(0.0, f64::max);
            let (first, last) = (alone[&1], alone[&alone.len()]);
            eprintln!("{stage}, {ranks} ranks: losses {apart:.1e} apart, {first:.3} to {last:.3}");
            ensure!(apart < 1e-4, "{stage}, {ranks} ranks: {apart}");
        }
    }
    Ok(())
}

/// Each rank's part of a bench, and the cost of a sum.
#[test]
fn a_bench_tells_what_a_sum_costs() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("recipe.toml");
    std::fs::write(
        &path,
        recipe(2, "[data]\nminimum_count = 1", [1, 1, 1], "{ kind = \"cosine\", peak = 1e-3, warmup = 1 }", ""),
    )?;
    let mut bench = together(2);
    bench
        .args(["bench", "--steps", "2", "--rounds", "1", "--device", "cpu", "--threads", "1", "--json", "--config"])
        .arg(path);
    let output = bench.output()?;
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).with_context(|| super::world::said(&output))?;
    let sum = &report["sum"]["rsic"];
    let (bytes, seconds) = (sum["bytes"].as_u64().context("bytes")?, sum["seconds"].as_f64().context("seconds")?);
    assert!(report["ranks"] == 2 && bytes > 100_000 && bytes % 4 == 0 && seconds > 0.0 && seconds < 1.0, "{report}");
    Ok(())
}

/// The loss of each step, mean over its epoch so far, from a run's event file.
fn losses(run: &Path, stage: &str) -> Result<BTreeMap<usize, f64>> {
    let file = std::fs::read_dir(run.join("events"))?.next().context("no events")??.path();
    let (bytes, mut found) = (std::fs::read(file)?, BTreeMap::new());
    let mut rest = &bytes[..];
    while let Some((length, _)) = rest.split_first_chunk::<8>() {
        let length = u64::from_le_bytes(*length) as usize;
        let event = Event::decode(&rest[12..12 + length])?;
        for value in event.summary.iter().flat_map(|summary| &summary.value) {
            if value.tag == format!("{stage}/loss") {
                found.insert(event.step as usize, f64::from(value.simple_value));
            }
        }
        rest = &rest[16 + length..];
    }
    Ok(found)
}

#[derive(Message)]
struct Event {
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, tag = "2")]
    simple_value: f32,
}
