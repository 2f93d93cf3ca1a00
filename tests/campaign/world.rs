//! What a campaign runs in: the folder, the camera that fills it, the receiver, the grounds, and the flight program itself.

use super::plan::{FRAMES, Fault, Plan};
use super::relay::{Relay, Weather};
use anyhow::{Context, Result, ensure};
use cross_crate_tests::{program, root, signal, succeed};
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two frames of the camera.
const EVERY: Duration = Duration::from_millis(40);
/// Told to end, the program has so long.
pub(super) const LIMIT: Duration = Duration::from_secs(2);
/// Nothing of a campaign may take longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a life of the flight program ended.
#[derive(Debug)]
pub(super) enum Life {
    /// By a kill that the plan has.
    Killed,
    /// At the start, since the disk of the store failed: with its last line. Whoever watches it starts it again.
    Refused(String),
    /// By itself, or because it was told to: with its last status.
    Ended(Value),
}

pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
    pub(super) plan: Plan,
    pub(super) grounds: Vec<(SocketAddr, Option<Child>)>,
    relay: Option<Relay>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl World {
    pub(super) fn new(plan: Plan) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        copy(slots()?, &folder.path().join("state"))?;
        fs::create_dir(folder.path().join("frames"))?;
        succeed("ground", ["key".as_ref(), folder.path().join("key").as_os_str()])?;
        fs::write(folder.path().join("zone"), "40000\n")?;
        let stations = if plan.has(|fault| *fault == Fault::TwoGrounds) { 2 } else { 1 };
        let mut grounds = Vec::new();
        for _ in 0..stations {
            grounds.push((fixtures::free_address()?, None));
        }
        let loss = plan.faults.iter().find_map(|fault| match fault {
            Fault::Loss(share) => Some(*share),
            _ => None,
        });
        let weather =
            Weather { loss: loss.unwrap_or(0.0), junk: plan.has(|fault| *fault == Fault::Junk), seed: plan.seed };
        let addresses: Vec<SocketAddr> = grounds.iter().map(|(address, _)| *address).collect();
        let relay = Relay::start(&addresses, weather)?;
        let world = Self { folder, plan, grounds, relay: Some(relay), over: Arc::default(), threads: Vec::new() };
        world.configure(true)?;
        Ok(world)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `edge.toml`.
    fn configure(&self, watch: bool) -> Result<()> {
        let [state, frames, key, nmea, zone] = ["state", "frames", "key", "nmea", "zone"].map(|name| self.path(name));
        let to = self.relay.as_ref().context("the relay is over")?.address;
        let text = format!(
            "state = {state:?}\n[model]\nlooks = 1\nthreads = 1\n[health]\nheartbeat_seconds = 1\nscrub_minutes = 0.004\n\
             [policy]\noutside = \"send\"\n[source]\nkind = \"folder\"\npath = {frames:?}\nwatch = {watch}\n\
             [position]\nkind = \"nmea\"\ndevice = {nmea:?}\n[peripherals]\ntemperature = {{ zone = {zone:?}, warm = 70.0, limit = 80.0 }}\n\
             [link]\nto = \"udp:{to}\"\nkey = {key:?}\nresend_seconds = 0.2\nvehicle = 7\n"
        );
        Ok(fs::write(self.path("edge.toml"), text)?)
    }

    /// Starts the ground program of a station.
    pub(super) fn start_ground(&mut self, station: usize) -> Result<()> {
        let mut ground = program("ground")?;
        ground.args(["receive", "--quiet", "--station", &(station + 1).to_string()]);
        ground.arg("--from").arg(format!("udp:{}", self.grounds[station].0));
        ground.arg("--archive").arg(self.path(&format!("{station}.gpkg"))).arg("--key").arg(self.path("key"));
        ground.stdout(Stdio::null()).stderr(File::create(self.path(&format!("ground-{station}.log")))?);
        self.grounds[station].1 = Some(ground.spawn()?);
        Ok(())
    }

    /// Starts what gives frames and positions.
    pub(super) fn start_sources(&mut self) -> Result<()> {
        let (folder, plan, over) = (self.folder.path().to_owned(), self.plan.clone(), Arc::clone(&self.over));
        self.threads.push(std::thread::spawn(move || {
            for frame in 0..FRAMES {
                if plan.has(|fault| *fault == Fault::Late(frame)) {
                    continue;
                }
                put(&folder, frame)?;
                std::thread::sleep(EVERY);
            }
            Ok(())
        }));
        let (folder, plan) = (self.folder.path().to_owned(), self.plan.clone());
        self.threads.push(std::thread::spawn(move || speak(&folder.join("nmea"), &plan, &over)));
        Ok(())
    }

    /// A life of the flight program, with the plan's faults or without. `is_first`: with those that would end every life at the same place, too.
    pub(super) fn start(&self, with_faults: bool, is_first: bool) -> Result<Child> {
        let mut edge = program("edge")?;
        edge.args(["run", "--config"]).arg(self.path("edge.toml")).stdout(Stdio::piped());
        let log = OpenOptions::new().create(true).append(true).open(self.path("edge.log"))?;
        edge.stderr(log);
        if with_faults {
            let rules = self.plan.rules();
            let rules: Vec<&str> = rules
                .split(';')
                .filter(|rule| is_first || ![":kill", ":hang", ":EIO", ":ENOSPC"].iter().any(|end| rule.ends_with(end)))
                .collect();
            edge.env("LD_PRELOAD", library()?).env("CAMPAIGN_RULES", rules.join(";"));
            edge.env("CAMPAIGN_LOG", self.path("reached"));
        }
        Ok(edge.spawn()?)
    }

    /// Which rules were reached so far, in the last lives with faults.
    pub(super) fn reached(&self) -> String {
        fs::read_to_string(self.path("reached")).unwrap_or_default()
    }

    /// No more faults: the camera has given all, the receiver goes on, the grounds are there.
    pub(super) fn clear(&mut self) -> Result<()> {
        self.threads.remove(0).join().map_err(|_| anyhow::anyhow!("the camera panicked"))??;
        for frame in 0..FRAMES {
            put(self.folder.path(), frame)?;
        }
        fs::write(self.path("zone"), "40000\n")?;
        self.configure(false)
    }

    /// Ends all but the flight program; gives what that has sent.
    pub(super) fn end(&mut self) -> Result<Vec<Vec<u8>>> {
        let sent = self.relay.take().context("the relay is over")?.end();
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| anyhow::anyhow!("the receiver panicked"))??;
        }
        for (_, ground) in &mut self.grounds {
            let Some(mut ground) = ground.take() else { continue };
            signal(&ground, "-TERM")?;
            let status = ground.wait()?;
            ensure!(status.success(), "ground ended with {status}");
        }
        Ok(sent)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for (_, ground) in &mut self.grounds {
            ground.iter_mut().for_each(|ground| drop(ground.kill()));
        }
    }
}

/// Waits for the end of a life.
pub(super) fn ended(life: &mut Child, log: &Path) -> Result<Life> {
    let mut text = String::new();
    life.stdout.take().context("its output is not piped")?.read_to_string(&mut text)?;
    let status = life.wait()?;
    // Told to end before it listens for that, it is ended by the system.
    if matches!(status.signal(), Some(9 | 15)) {
        return Ok(Life::Killed);
    }
    if status.success() && text.is_empty() {
        // It hung, and was ended when it was told to.
        return Ok(Life::Killed);
    }
    if status.code() == Some(1) && text.is_empty() {
        let log = fs::read_to_string(log)?;
        return Ok(Life::Refused(log.lines().last().unwrap_or_default().to_owned()));
    }
    ensure!(status.success(), "edge ended with {status}");
    Ok(Life::Ended(serde_json::from_str(&text)?))
}

/// Tells a life to end, which it must do in time.
pub(super) fn stop(life: &mut Child, log: &Path) -> Result<Life> {
    let began = Instant::now();
    signal(life, "-TERM")?;
    while life.try_wait()?.is_none() {
        if began.elapsed() > PATIENCE {
            life.kill()?;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let took = began.elapsed();
    ensure!(took < LIMIT, "it ended {took:?} after it was told to");
    ended(life, log)
}

/// Gives a frame, whole at once.
fn put(folder: &Path, frame: usize) -> Result<()> {
    let (part, whole) = (folder.join("part"), folder.join(format!("frames/{frame:03}.jpg")));
    if !whole.exists() {
        fs::copy(fixtures::scenes().join(format!("images/scene_{:05}.jpg", frame % 12)), &part)?;
        fs::rename(&part, whole)?;
    }
    Ok(())
}

/// A receiver that says each 100 ms where it is.
fn speak(device: &Path, plan: &Plan, over: &AtomicBool) -> Result<()> {
    let began = Instant::now();
    let (gone, junk) =
        (plan.has(|fault| *fault == Fault::ReceiverGone), plan.has(|fault| *fault == Fault::ReceiverJunk));
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let mut pipe = None;
    while !over.load(Ordering::Relaxed) {
        let is_away = gone && (400..1800).contains(&began.elapsed().as_millis());
        if is_away && pipe.take().is_some() {
            fs::remove_file(device)?;
        } else if !is_away && pipe.is_none() {
            ensure!(Command::new("mkfifo").arg(device).status()?.success(), "mkfifo failed");
            // For both: a pipe that nobody reads yet would not open.
            pipe = Some(OpenOptions::new().read(true).write(true).open(device)?);
        }
        if let Some(pipe) = &mut pipe {
            if junk {
                let noise: Vec<u8> = (0..random.usize(0..60)).map(|_| random.u8(..)).collect();
                pipe.write_all(&noise)?;
            }
            pipe.write_all(sentence().as_bytes())?;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Vienna, now.
fn sentence() -> String {
    let now = chrono::DateTime::from_timestamp(cssa::clock::now().into(), 0).unwrap_or_default();
    let body =
        format!("GPRMC,{},A,4812.0000,N,01622.2000,E,0.0,0.0,{},,,A", now.format("%H%M%S.00"), now.format("%d%m%y"));
    let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
    format!("${body}*{sum:02X}\r\n")
}

/// A state folder with the default bundle in both slots, made once.
fn slots() -> Result<&'static Path> {
    static MADE: OnceLock<Result<tempfile::TempDir, String>> = OnceLock::new();
    let make = || -> Result<tempfile::TempDir> {
        let folder = tempfile::tempdir()?;
        for _ in 0..2 {
            let (bundle, state) = (fixtures::bundle(), folder.path().join("state"));
            succeed("edge", ["install".as_ref(), bundle.as_os_str(), "--state".as_ref(), state.as_os_str()])?;
        }
        Ok(folder)
    };
    let made = MADE.get_or_init(|| make().map_err(|error| format!("{error:#}")));
    made.as_ref().map(|folder| Path::new(folder.path())).map_err(|error| anyhow::anyhow!("{error}"))
}

/// Copies a folder; large files, which are only ever replaced as a whole, are linked.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let from = if from.join("state").is_dir() { from.join("state") } else { from.to_owned() };
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(&from)? {
        let entry = entry?;
        let (old, new) = (entry.path(), to.join(entry.file_name()));
        match entry.metadata()? {
            about if about.is_dir() => copy(&old, &new)?,
            about if about.len() > 100_000 => fs::hard_link(&old, &new)?,
            _ => drop(fs::copy(&old, &new)?),
        }
    }
    Ok(())
}

/// Turns a bit of a slot's encoder over.
pub(super) fn damage(state: &Path) -> Result<()> {
    let slots = edge::slots::Slots::open(state);
    let path = slots.path(slots.order().first().copied().context("no slot")?).join("encoder.onnx");
    let mut bytes = fs::read(&path)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let part = state.join("slots/damaged");
    fs::write(&part, bytes)?;
    Ok(fs::rename(part, path)?)
}

/// The library that makes calls fail, compiled once.
fn library() -> Result<&'static Path> {
    static MADE: OnceLock<Result<(tempfile::TempDir, PathBuf), String>> = OnceLock::new();
    let make = || -> Result<(tempfile::TempDir, PathBuf)> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("faults.so");
        let source = root().join("tests/campaign/faults.c");
        let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&path).arg(source).output()?;
        ensure!(compiled.status.success(), "cc: {}", String::from_utf8_lossy(&compiled.stderr));
        Ok((folder, path))
    };
    let made = MADE.get_or_init(|| make().map_err(|error| format!("{error:#}")));
    made.as_ref().map(|(_, path)| path.as_path()).map_err(|error| anyhow::anyhow!("{error}"))
}
