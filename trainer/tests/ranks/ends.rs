//! A rank that is killed or fails ends all, and the same command goes on exactly.

use super::world::{NETWORK, TRAINER, World, mpirun, said, succeed};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// All stages with dropout, augmentation and averages.
const STAGES: &str = r#"[data]
minimum_count = 1
views = 2
[mccl]
epochs = 6
unit = "images"
batch = 4
schedule = { kind = "cosine", peak = 3e-3, warmup = 2 }
[rsic]
epochs = 6
unit = "images"
batch = 4
accumulate = 2
augment = true
average = 0.9
schedule = { kind = "noam", factor = 0.1, warmup = 12 }
[scst]
epochs = 3
batch = 4
samples = 3
average = 0.9
schedule = { kind = "cosine", peak = 1e-4, warmup = 2 }
"#;

fn recipe() -> String {
    [NETWORK, STAGES].concat()
}

/// Whichever rank is killed, and in whichever stage: the others end, and what is started again makes the run that nobody disturbed.
#[test]
fn whoever_is_killed_the_same_command_goes_on() -> Result<()> {
    let long = std::env::var("RANKS").is_ok_and(|value| value == "long");
    let (ranks, stages) = if long { (4, vec!["mccl", "rsic", "scst"]) } else { (2, vec!["mccl", "rsic"]) };
    let Some(world) = World::new(48)? else { return Ok(()) };
    world.recipe("recipe", &recipe())?;
    succeed(&mut world.train(ranks, "recipe", "whole", &[]))?;
    for stage in stages {
        for rank in 0..ranks {
            let mut all = world.train(ranks, "recipe", "killed", &["--save-every", "0"]).spawn()?;
            let reached = waits_for(&mut all, &world.path("killed/state"), stage);
            let killed = reached.and_then(|()| kill_rank(&all, rank));
            let ended = all.wait_with_output()?;
            killed.with_context(|| format!("{stage}, rank {rank}: {}", said(&ended)))?;
            ensure!(!ended.status.success(), "{stage}: mpirun succeeded without rank {rank}");
        }
    }
    // Half an epoch of two processes is none of one.
    let other = world.train(1, "recipe", "killed", &[]).output()?;
    ensure!(!other.status.success() && said(&other).contains("or the number of processes"), "{}", said(&other));
    succeed(&mut world.train(ranks, "recipe", "killed", &["--save-every", "0"]))?;
    for file in ["model.safetensors", "metrics.json", "state/scst-3-0.safetensors", "state/rsic-6-0.safetensors"] {
        let [whole, killed] = ["whole", "killed"].map(|run| std::fs::read(world.path(&format!("{run}/{file}"))));
        ensure!(whole? == killed?, "{file} differs after the kills");
    }
    Ok(())
}

/// Waits until a stage has saved itself anew.
fn waits_for(all: &mut Child, state: &Path, stage: &str) -> Result<()> {
    let saved = || std::fs::read_to_string(state.join(format!("{stage}.toml"))).unwrap_or_default();
    let (before, started) = (saved(), Instant::now());
    while saved() == before {
        ensure!(all.try_wait()?.is_none(), "it ended before it was killed");
        ensure!(started.elapsed() < Duration::from_secs(120), "{stage} does not save itself");
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Sends SIGKILL to the process that Open MPI has made rank `rank`.
fn kill_rank(all: &Child, rank: usize) -> Result<()> {
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", all.id()))?;
    let wanted = format!("OMPI_COMM_WORLD_RANK={rank}");
    let is_wanted = |process: &&str| {
        let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|variable| variable == wanted.as_bytes())
    };
    let process = children.split_whitespace().find(is_wanted).context("the rank is not there")?;
    ensure!(Command::new("kill").args(["-9", process]).status()?.success(), "rank {rank} cannot be killed");
    Ok(())
}

/// One rank cannot read its recipe: it says so, with its number and host, and nobody waits for it. Where all cannot, one says it.
#[test]
fn a_rank_that_fails_ends_all_with_its_reason() -> Result<()> {
    let Some(world) = World::new(16)? else { return Ok(()) };
    world.recipe("recipe", &recipe())?;
    let started = Instant::now();
    let mut one = mpirun();
    one.args(["-n", "1", TRAINER]).args(world.arguments("recipe", "run"));
    let ended = one.args([":", "-n", "1", TRAINER]).args(world.arguments("lost", "run")).output()?;
    let errors =
        |text: &str| text.lines().filter(|line| line.starts_with("error: ")).map(str::to_owned).collect::<Vec<_>>();
    let found = errors(&said(&ended));
    assert!(!ended.status.success() && found.len() == 1, "{}", said(&ended));
    assert!(found[0].starts_with("error: rank 1 of 2 on ") && found[0].contains("lost.toml"), "{found:?}");
    // Another recipe on one host.
    world.recipe("other", &recipe().replace("heads = 4", "heads = 2"))?;
    let mut one = mpirun();
    one.args(["-n", "1", TRAINER]).args(world.arguments("recipe", "run"));
    let ended = one.args([":", "-n", "1", TRAINER]).args(world.arguments("other", "run")).output()?;
    let found = errors(&said(&ended));
    assert!(!ended.status.success() && found.len() == 1, "{}", said(&ended));
    assert!(found[0].contains("rank 1 of 2 on ") && found[0].contains("has another recipe or other data"), "{found:?}");
    let ended = world.train(4, "lost", "run", &[]).output()?;
    let found = errors(&said(&ended));
    assert!(!ended.status.success() && found.len() == 1 && found[0].contains("rank 0 of 4 on "), "{}", said(&ended));
    let ended = mpirun().args(["-n", "2", TRAINER, "evaluate", "--run", "x", "--data", "x"]).output()?;
    assert!(!ended.status.success() && said(&ended).contains("start it alone"), "{}", said(&ended));
    assert!(started.elapsed() < Duration::from_secs(60));
    Ok(())
}
