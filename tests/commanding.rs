//! Commands and a bundle's delta from `ground command` to a flying `edge run`, over a real link, with kills of both ends.

use anyhow::{Context, Result, ensure};
use cross_crate_tests::{json_lines, program, succeed};
use cssa::bundle::{Change, Delta, MANIFEST, contents};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A vehicle, its ground, and what they have in common.
struct World {
    folder: tempfile::TempDir,
    ends: Vec<Child>,
    /// The ground's, by their names.
    keys: Vec<&'static str>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.kill();
    }
}

impl World {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&mut self) -> Result<()> {
        let archive = self.path("captions.gpkg");
        let from = std::fs::read_to_string(self.path("address"))?;
        let mut ground = program("ground")?;
        ground.args(["receive", "--quiet", "--from", &from, "--framing", "ccsds-tm", "--archive"]).arg(archive);
        for key in &self.keys {
            ground.arg("--key").arg(self.path(key));
        }
        let mut edge = program("edge")?;
        edge.args(["run", "--config"]).arg(self.path("edge.toml"));
        for program in [&mut ground, &mut edge] {
            self.ends.push(program.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        }
        Ok(())
    }

    /// Waits until both ends run.
    fn is_there(&self) -> Result<()> {
        let began = Instant::now();
        while !self.path("captions.gpkg").is_file() || !self.path("state/status.json").is_file() {
            ensure!(began.elapsed() < Duration::from_secs(60), "both ends run");
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Power cuts of both ends.
    fn kill(&mut self) {
        for mut end in self.ends.drain(..) {
            // One that has ended by itself shows in what is missing.
            end.kill().and_then(|()| end.wait()).ok();
        }
    }

    fn command(&self, arguments: &[&str]) -> Result<String> {
        let archive = self.path("captions.gpkg").display().to_string();
        succeed("ground", [&["command", "--archive", &archive, "--vehicle", "300"], arguments].concat())
    }

    /// The commands in the order in which they were given, once `count` of them have an outcome.
    fn outcomes(&self, count: usize) -> Result<Vec<(String, String)>> {
        let began = Instant::now();
        loop {
            let mut all = json_lines(&self.command(&["--list", "--json"])?)?;
            all.reverse();
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let of = |given: &serde_json::Value| (text(&given["state"]), text(&given["reason"]));
            let outcomes: Vec<(String, String)> = all.iter().map(of).collect();
            if outcomes.iter().filter(|(state, _)| !["waiting", "sent"].contains(&state.as_str())).count() >= count {
                return Ok(outcomes);
            }
            ensure!(began.elapsed() < Duration::from_secs(120), "{outcomes:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn world() -> Result<World> {
    let world = World { folder: tempfile::tempdir()?, ends: Vec::new(), keys: vec!["uav.key"] };
    let link = format!("udp:{}", fixtures::free_address()?);
    std::fs::write(world.path("address"), &link)?;
    std::fs::create_dir(world.path("frames"))?;
    succeed("ground", ["key", &world.path("uav.key").display().to_string()])?;
    let text = format!(
        "state = {:?}\n[source]\nkind = \"folder\"\npath = {:?}\n[model]\nlooks = 1\n[link]\nto = {link:?}\nframing = \"ccsds-tm\"\n\
         key = {:?}\nvehicle = 300\nresend_seconds = 0.5\nhousekeeping_seconds = 1\n",
        world.path("state"),
        world.path("frames"),
        world.path("uav.key")
    );
    std::fs::write(world.path("edge.toml"), text)?;
    let config = world.path("edge.toml").display().to_string();
    succeed("edge", ["install", &fixtures::bundle().display().to_string(), "--state", &config])?;
    Ok(world)
}

/// The difference to a bundle that searches with a narrower beam.
fn delta(world: &World, flying: &Path) -> Result<PathBuf> {
    let (earlier, path) = (contents(flying)?, world.path("narrow.delta"));
    let mut new = earlier.clone();
    let manifest = String::from_utf8(new.get(MANIFEST).cloned().context("a manifest")?)?;
    ensure!(manifest.contains("beam = 3"));
    new.insert(MANIFEST.into(), manifest.replace("beam = 3", "beam = 2").into_bytes());
    Delta::between(&earlier, &new, |_, _, _| Change::default()).write(&path)?;
    Ok(path)
}

#[test]
fn a_delta_goes_up_and_flies_when_it_is_told_to() -> Result<()> {
    let mut world = world()?;
    world.start()?;
    world.is_there()?;
    let path = delta(&world, &world.path("state/slots/a"))?;
    let parts = std::fs::metadata(&path)?.len().div_ceil(80) as usize;
    world.command(&["delta", &path.display().to_string()])?;
    world.command(&["slot", "b"])?;
    world.outcomes(3)?;
    // It overtakes the parts, and its effect is to be seen at once, long before the next status is due.
    world.command(&["threshold", "0.25"])?;
    let began = Instant::now();
    while world.outcomes(3)?.last().is_none_or(|(state, _)| state != "done") {
        ensure!(began.elapsed() < Duration::from_secs(30), "no outcome of the threshold");
    }
    ensure!(world.outcomes(3)?.iter().any(|(state, _)| state == "waiting"), "it went first");
    std::thread::sleep(Duration::from_secs(1));
    let status: serde_json::Value = serde_json::from_slice(&std::fs::read(world.path("state/status.json"))?)?;
    assert_eq!(status["orders"]["least_confidence"], 250, "{status}");
    world.kill();
    world.start()?;
    let outcomes = world.outcomes(parts + 2)?;
    assert!(outcomes.iter().all(|(state, _)| state == "done"), "{outcomes:?}");
    let flying = std::fs::read_to_string(world.path("state/slots/b").join(MANIFEST))?;
    assert!(flying.contains("beam = 2"), "{flying}");
    Ok(())
}

/// Over the link, of a vehicle that has no captions: the new key is given under the old one, both are the ground's for a while, and then the
/// old one is nobody's, whatever starts.
#[test]
fn a_key_is_changed_where_nobody_reaches_the_vehicle() -> Result<()> {
    let mut world = world()?;
    let path = |world: &World, name: &str| world.path(name).display().to_string();
    let (old, new) = (path(&world, "uav.key"), path(&world, "new.key"));
    succeed("ground", ["key", &new])?;
    world.start()?;
    world.is_there()?;
    world.command(&["new-key", &new, "--key", &old])?;
    assert_eq!(world.outcomes(1)?, [("done".to_owned(), String::new())]);
    world.kill();
    world.keys = vec!["new.key", "uav.key"];
    world.start()?;
    let (began, check) =
        (Instant::now(), ["run", "--check", "--config", &path(&world, "edge.toml")].map(str::to_owned));
    loop {
        let checked = program("edge")?.args(&check).output()?;
        let said = String::from_utf8(checked.stderr)?;
        ensure!(checked.status.success() && said.contains("a new key came over the link"), "{said}");
        if said.contains("is used above") {
            break;
        }
        ensure!(began.elapsed() < Duration::from_secs(60), "{said}");
    }
    world.kill();
    world.keys = vec!["new.key"];
    world.start()?;
    world.command(&["pause"])?;
    assert!(world.outcomes(2)?.iter().all(|(state, _)| state == "done"));
    Ok(())
}
