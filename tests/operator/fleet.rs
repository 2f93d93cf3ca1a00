//! The fleet, its links and its ground: the real programs, which are killed and started again.

use super::scale::{Scale, VEHICLES};
use anyhow::{Context, Result, ensure};
use cross_crate_tests::{ended, program, signal, succeed};
use fixtures::free_address;
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// What is on the way does, on the way: 20 % of the packets are lost, and one bit in 10,000 is wrong.
const WEATHER: [&str; 6] = ["--bits-per-second", "115200", "--loss", "0.2", "--bit-errors", "1e-4"];
/// Told to end, a program has so long.
const LIMIT: Duration = Duration::from_secs(20);

/// What flies, and what listens.
pub(super) struct Fleet {
    folder: tempfile::TempDir,
    archive: String,
    scale: Scale,
    /// Where the vehicles' links begin, and where they end at the ground.
    ports: Vec<(u16, u16)>,
    links: Vec<Child>,
    vehicles: Vec<Option<Child>>,
    ground: Option<Child>,
    /// How often something was killed so far, and when that was last.
    pub(super) kills: u32,
    last: Instant,
}

impl Fleet {
    pub(super) fn start(archive: &str, scale: Scale) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut fleet = Self {
            folder,
            archive: archive.to_owned(),
            scale,
            ports: Vec::new(),
            links: Vec::new(),
            vehicles: Vec::new(),
            ground: None,
            kills: 0,
            last: Instant::now(),
        };
        for vehicle in 1..=VEHICLES {
            fleet.ports.push((free_address()?.port(), free_address()?.port()));
            fleet.prepare(vehicle)?;
        }
        fleet.start_ground()?;
        for vehicle in 1..=VEHICLES {
            let flying = fleet.launch(vehicle)?;
            fleet.vehicles.push(Some(flying));
        }
        Ok(fleet)
    }

    fn path(&self, vehicle: u16, name: &str) -> PathBuf {
        self.folder.path().join(vehicle.to_string()).join(name)
    }

    /// A vehicle's state folder.
    pub(super) fn state(&self, vehicle: u16) -> PathBuf {
        self.path(vehicle, "state")
    }

    /// All that a vehicle's lives have logged.
    pub(super) fn log(&self, vehicle: u16) -> Result<String> {
        Ok(fs::read_to_string(self.path(vehicle, "log"))?)
    }

    /// A vehicle's last status.
    pub(super) fn status(&self, vehicle: u16) -> Result<Value> {
        Ok(serde_json::from_slice(&fs::read(self.path(vehicle, "state/status.json"))?)?)
    }

    /// The captions that a vehicle has to make.
    pub(super) fn captions_of(&self, vehicle: u16) -> usize {
        let (all, fleet) = (self.scale.captions, usize::from(VEHICLES));
        all / fleet + usize::from(usize::from(vehicle) <= all % fleet)
    }

    /// Its key, its frames, its configuration, and the link that it sends over.
    fn prepare(&mut self, vehicle: u16) -> Result<()> {
        fs::create_dir_all(self.path(vehicle, "frames"))?;
        succeed("ground", ["key".as_ref(), self.path(vehicle, "key").as_os_str()])?;
        let drone = fixtures::shared_data().map(|data| data.join("uavic/images"));
        let scenes = cssa_image::images(&[drone.filter(|drone| drone.is_dir()).unwrap_or_else(fixtures::scenes)])?;
        for n in 0..self.captions_of(vehicle) {
            let scene = &scenes[(n + 50 * usize::from(vehicle)) % scenes.len()];
            let frame = self.path(vehicle, &format!("frames/{n:05}.jpg"));
            // Each is a file of its own, which takes no room.
            if fs::hard_link(scene, &frame).is_err() {
                fs::copy(scene, &frame)?;
            }
        }
        let (sends, _) = self.ports[usize::from(vehicle) - 1];
        let [state, frames, key] = ["state", "frames", "key"].map(|name| self.path(vehicle, name));
        let text = format!(
            "state = {state:?}\n[model]\nlooks = 1\nthreads = 1\n[policy]\noutside = \"send\"\n[health]\nheartbeat_seconds = 1\n\
             [source]\nkind = \"folder\"\npath = {frames:?}\nwatch = true\n[link]\nto = \"udp:127.0.0.1:{sends}\"\nkey = {key:?}\n\
             vehicle = {vehicle}\nresend_seconds = 1.0\nhousekeeping_seconds = 5\nbytes_per_second = 14000\n"
        );
        fs::write(self.path(vehicle, "edge.toml"), text)?;
        let (sends, arrives) = self.ports[usize::from(vehicle) - 1];
        let mut link = program("link-sim")?;
        link.args(["--listen", &format!("127.0.0.1:{sends}"), "--to", &format!("127.0.0.1:{arrives}")]).args(WEATHER);
        link.args(["--every-seconds", &self.scale.every.to_string(), "--pass-seconds", &self.scale.pass.to_string()]);
        link.args(["--seed", &vehicle.to_string()])
            .stdout(Stdio::piped())
            .stderr(fs::File::create(self.path(vehicle, "link.log"))?);
        self.links.push(link.spawn()?);
        Ok(())
    }

    fn launch(&self, vehicle: u16) -> Result<Child> {
        let log = OpenOptions::new().create(true).append(true).open(self.path(vehicle, "log"))?;
        let mut edge = program("edge")?;
        edge.args(["run", "--config"]).arg(self.path(vehicle, "edge.toml")).stdout(Stdio::null()).stderr(log);
        Ok(edge.spawn()?)
    }

    fn start_ground(&mut self) -> Result<()> {
        let mut ground = program("ground")?;
        ground.args(["receive", "--quiet", "--archive", &self.archive]);
        for vehicle in 1..=VEHICLES {
            let (_, arrives) = self.ports[usize::from(vehicle) - 1];
            ground.arg("--from").arg(format!("udp:127.0.0.1:{arrives}"));
            ground.arg("--key").arg(format!("{vehicle}={}", self.path(vehicle, "key").display()));
        }
        let log = OpenOptions::new().create(true).append(true).open(self.folder.path().join("ground.log"))?;
        self.ground = Some(ground.stdout(Stdio::null()).stderr(log).spawn()?);
        Ok(())
    }

    /// Kills what is due to be killed, the ground and the vehicles in turn, and starts it again; sees that all are alive.
    pub(super) fn tend(&mut self) -> Result<()> {
        let ends = u32::from(VEHICLES) + 1;
        if self.kills < self.scale.kills * ends && self.last.elapsed() >= self.scale.rest / ends {
            self.last = Instant::now();
            match (self.kills % ends) as u16 {
                0 => {
                    kill(self.ground.as_mut())?;
                    self.start_ground()?;
                }
                vehicle => {
                    kill(self.vehicles[usize::from(vehicle) - 1].as_mut())?;
                    self.vehicles[usize::from(vehicle) - 1] = Some(self.launch(vehicle)?);
                }
            }
            self.kills += 1;
        }
        for (n, flying) in self.vehicles.iter_mut().enumerate() {
            let is_alive = flying.as_mut().is_some_and(|flying| matches!(flying.try_wait(), Ok(None)));
            ensure!(
                is_alive,
                "vehicle {} has ended: {}",
                n + 1,
                last(&self.folder.path().join(format!("{}/log", n + 1)))
            );
        }
        let is_alive = self.ground.as_mut().is_some_and(|ground| matches!(ground.try_wait(), Ok(None)));
        ensure!(is_alive, "the ground has ended: {}", last(&self.folder.path().join("ground.log")));
        Ok(())
    }

    /// Ends all programs; gives what went over the links.
    pub(super) fn end(&mut self) -> Result<Vec<Value>> {
        for flying in self.vehicles.iter_mut().chain([&mut self.ground]) {
            let mut flying = flying.take().context("it flies")?;
            signal(&flying, "-TERM")?;
            let until = Instant::now() + LIMIT;
            while flying.try_wait()?.is_none() {
                ensure!(Instant::now() < until, "it does not end");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let mut traffic = Vec::new();
        for (link, vehicle) in self.links.iter_mut().zip(1..) {
            signal(link, "-TERM")?;
            let log = self.folder.path().join(format!("{vehicle}/link.log"));
            let said = ended(link).with_context(|| format!("link-sim of vehicle {vehicle}: {}", last(&log)))?;
            traffic.push(serde_json::from_str(said.trim())?);
        }
        self.links.clear();
        Ok(traffic)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // Nothing is left of a proof that failed.
        let flying = self.vehicles.iter_mut().flatten().chain(&mut self.ground);
        for program in flying.chain(&mut self.links) {
            program.kill().ok();
            program.wait().ok();
        }
    }
}

fn kill(child: Option<&mut Child>) -> Result<()> {
    let child = child.context("it runs")?;
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn last(log: &Path) -> String {
    fs::read_to_string(log).unwrap_or_default().lines().last().unwrap_or_default().to_owned()
}
