//! The operator's loop, with real programs: a fleet captions and is heard, asked, shown and commanded through links that are slow, lossy,
//! wrong and seldom there, while both ends are killed. At the end every caption is in the archive once, every picture that was asked for is
//! there and is what was kept aboard, and every command was carried out once.
//!
//! What test.sh runs is short; `tests/long.sh operator` runs 10,000 captions, 200 pictures and 50 commands over passes of 6 s in 60
//! (`OPERATOR=long`), `OPERATOR_RESULTS=FILE` keeps a line each.

#![expect(clippy::print_stderr, reason = "the proof says what it met")]

#[path = "../../edge/ground/tests/postgres/cluster.rs"]
mod cluster;
mod fleet;
mod scale;

use anyhow::{Context, Result, bail, ensure};
use cluster::Cluster;
use cssa_wire::Ask;
use edge::pictures::{Pictures, PicturesConfig};
use fleet::Fleet;
use ground::Place;
use ground::archive::{Archive, ArchivedCommand, ArchivedPicture, Origin};
use scale::{Scale, VEHICLES};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::{Duration, Instant};

/// Between two lines about it.
const SAY: Duration = Duration::from_secs(10);
/// Between two looks at what has come.
const LOOK: Duration = Duration::from_millis(300);

#[test]
fn a_fleet_is_heard_asked_shown_and_commanded_into_sqlite() -> Result<()> {
    let folder = tempfile::tempdir()?;
    prove("sqlite", &folder.path().join("captions.gpkg").display().to_string())
}

#[test]
fn a_fleet_is_heard_asked_shown_and_commanded_into_postgis() -> Result<()> {
    let Some(cluster) = Cluster::start()? else { return Ok(()) };
    cluster.create("operator")?;
    prove("postgis", &cluster.url("operator"))
}

fn prove(name: &str, archive: &str) -> Result<()> {
    let scale = Scale::of_environment()?;
    let (began, mut said) = (Instant::now(), Instant::now());
    let mut fleet = Fleet::start(archive, scale)?;
    let mut operator = Operator::new(archive, scale);
    // The ground makes it.
    Archive::open_at(&operator.archive)?;
    while !operator.is_done()? {
        fleet.tend()?;
        operator.act()?;
        ensure!(began.elapsed() < scale.limit, "after {:?}: {}", scale.limit, operator.said()?);
        if said.elapsed() >= SAY {
            said = Instant::now();
            eprintln!("{:.0} s: {}", began.elapsed().as_secs_f64(), operator.said()?);
        }
        std::thread::sleep(LOOK);
    }
    let seconds = began.elapsed().as_secs_f64();
    let traffic = fleet.end()?;
    let result = json!({
        "archive": name, "seconds": seconds, "captions": scale.captions, "pictures": scale.pictures, "commands": scale.commands,
        "kills": fleet.kills, "links": traffic, "met": operator.said()?,
    });
    eprintln!("{result}");
    if let Some(path) = std::env::var_os("OPERATOR_RESULTS") {
        let mut results = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        writeln!(results, "{result}")?;
    }
    operator.check(&fleet)
}

/// Asks and commands as captions come, and looks at what became of it.
struct Operator {
    argument: String,
    archive: Place,
    scale: Scale,
    /// Pictures that were asked for, by row of their caption; and commands that were given, by vehicle.
    asked: BTreeSet<i64>,
    given: BTreeMap<u16, Vec<Vec<String>>>,
    last_row: i64,
    rows: Vec<i64>,
}

impl Operator {
    fn new(argument: &str, scale: Scale) -> Self {
        let (asked, given, rows) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
        let archive = Place::from(std::ffi::OsString::from(argument));
        Self { argument: argument.to_owned(), archive, scale, asked, given, last_row: 0, rows }
    }

    /// Gives the next command, and asks for the next pictures, as many as belong to the captions that are here.
    fn act(&mut self) -> Result<()> {
        let archive = self.read()?;
        for (row, _) in archive.after(self.last_row, 5000)? {
            self.last_row = row;
            self.rows.push(row);
        }
        drop(archive);
        let share = |all: usize| all * self.rows.len() / self.scale.captions;
        let (pictures, commands) = (share(self.scale.pictures), share(self.scale.commands));
        while self.asked.len() < pictures {
            // Spread over all that came.
            let row = self.rows[self.asked.len() * self.rows.len() / pictures.max(1)];
            let row = if self.asked.contains(&row) { *self.free().context("a caption")? } else { row };
            Archive::open_at(&self.archive)?.ask_picture(row, 160, None)?;
            self.asked.insert(row);
        }
        let count = self.given.values().map(Vec::len).sum::<usize>();
        (count..commands).try_for_each(|n| self.give(n))
    }

    fn free(&self) -> Option<&i64> {
        self.rows.iter().find(|row| !self.asked.contains(row))
    }

    /// Gives a command by the program, as an operator does. What it sets has a value of its own.
    fn give(&mut self, n: usize) -> Result<()> {
        let vehicle = (n % usize::from(VEHICLES)) as u16 + 1;
        let number = n.to_string();
        let words: Vec<String> = match n / usize::from(VEHICLES) % 4 {
            0 => vec!["novelty".into(), "0".into(), number],
            1 => vec!["budget".into(), (1_000_000 + n).to_string()],
            2 => vec!["status".into()],
            _ => vec!["rate".into(), (20_000 + n).to_string()],
        };
        let mut arguments = vec!["command".to_owned(), "--vehicle".to_owned(), vehicle.to_string()];
        arguments.extend(["--archive".to_owned(), self.argument.clone()]);
        arguments.extend(words.clone());
        cross_crate_tests::succeed("ground", arguments)?;
        self.given.entry(vehicle).or_default().push(words);
        Ok(())
    }

    fn read(&self) -> Result<Archive> {
        Ok(Archive::read_at(&self.archive)?)
    }

    fn commands(&self) -> Result<Vec<ArchivedCommand>> {
        Ok(self.read()?.commands(1000)?)
    }

    fn pictures(&self) -> Result<Vec<ArchivedPicture>> {
        Ok(self.read()?.pictures(1000)?)
    }

    fn is_done(&self) -> Result<bool> {
        let is_given = self.asked.len() == self.scale.pictures
            && self.given.values().map(Vec::len).sum::<usize>() == self.scale.commands;
        Ok(is_given
            && self.rows.len() >= self.scale.captions
            && self.commands()?.iter().all(|command| command.state == "done")
            && self.pictures()?.iter().all(|picture| picture.state == "here"))
    }

    /// What has come so far.
    fn said(&self) -> Result<String> {
        let mut states = BTreeMap::new();
        for command in self.commands()? {
            *states.entry(format!("commands {}", command.state)).or_insert(0) += 1;
        }
        for picture in self.pictures()? {
            *states.entry(format!("pictures {}", picture.state)).or_insert(0) += 1;
        }
        Ok(format!("{} of {} captions, {states:?}", self.rows.len(), self.scale.captions))
    }

    /// Once all programs have ended.
    fn check(&self, fleet: &Fleet) -> Result<()> {
        let archive = self.read()?;
        let captions = archive.captions(None)?;
        for vehicle in 1..=VEHICLES {
            let numbers: Vec<u32> =
                captions.iter().filter(|caption| caption.vehicle == vehicle).map(|caption| caption.sequence).collect();
            let distinct: BTreeSet<u32> = numbers.iter().copied().collect();
            let queued = fleet.captions_of(vehicle);
            ensure!(
                numbers.len() == distinct.len(),
                "vehicle {vehicle}: {} captions came twice",
                numbers.len() - distinct.len()
            );
            ensure!(distinct.len() == queued, "vehicle {vehicle}: {} of {queued} captions", distinct.len());
            ensure!(archive.gaps(&Origin::Vehicle(vehicle))?.is_empty(), "vehicle {vehicle} has gaps");
            self.check_commands(fleet, vehicle)?;
        }
        ensure!(captions.len() == self.scale.captions, "{} captions", captions.len());
        for picture in self.pictures()? {
            let mut kept = Pictures::of(&fleet.state(picture.vehicle), &PicturesConfig::default());
            let ask = Ask { ask: 0, caption: picture.sequence, pixels: picture.pixels, crop: None };
            let Ok(kept) = kept.make(&ask)? else { bail!("{picture:?} is not kept aboard") };
            let came = archive.picture(picture.id)?.context("a picture")?;
            ensure!(came == kept.bytes, "{picture:?} is not what was kept aboard");
        }
        Ok(())
    }

    /// Each command was carried out once, and what was ordered last of each kind stands.
    fn check_commands(&self, fleet: &Fleet, vehicle: u16) -> Result<()> {
        let log = fleet.log(vehicle)?;
        let given = self.given.get(&vehicle).map(Vec::as_slice).unwrap_or_default();
        for command in self.commands()?.iter().filter(|command| command.vehicle == vehicle) {
            let counter = command.counter.context("its number")?;
            let lines = log.matches(&format!("command {counter} of station 1: Done")).count();
            // Between what is written down and the line about it a program may be killed.
            ensure!(lines <= 1, "vehicle {vehicle} carried out command {counter} {lines} times");
        }
        let orders = &fleet.status(vehicle)?["orders"];
        for (kind, field) in [("novelty", "/novelty/1"), ("budget", "/bytes_per_hour"), ("rate", "/bytes_per_second")] {
            let Some(last) = given.iter().rev().find(|words| words[0] == kind) else { continue };
            let expected: Value = last.last().context("a number")?.parse::<u64>()?.into();
            ensure!(
                orders.pointer(field) == Some(&expected),
                "vehicle {vehicle}: {kind} is {orders}, ordered was {last:?}"
            );
        }
        Ok(())
    }
}
