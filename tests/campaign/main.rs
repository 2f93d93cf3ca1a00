//! The fault campaign: the real programs in a world where several things go wrong at once, drawn from a seed. After each campaign no
//! caption that was queued is lost, none came twice unmarked, no slot is lost, no thread is dead, every end came in time, and the status
//! named the faults.
//!
//! `CAMPAIGN_SEEDS=0..1000` runs so many (`tests/long.sh campaign`), `CAMPAIGN_RESULTS=FILE` keeps a line each there, and those that it
//! has already are not run again.

#![expect(clippy::print_stderr, reason = "a campaign says what it met")]

mod plan;
mod relay;
mod world;

use anyhow::{Context, Result, bail, ensure};
use cssa::bundle::{Bundle, Language};
use cssa_wire::{CaptionPacket, Checksum, Key, Verification};
use ground::archive::Archive;
use plan::{FRAMES, Fault, Plan};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};
use world::{Life, World, ended, stop};

/// Seeds of the short form: each kind of fault comes first once.
const SHORT: std::ops::Range<u64> = 0..20;
/// How long things go wrong.
const TROUBLE: Duration = Duration::from_millis(2200);
/// In so many milliseconds before it is told to end, a life of the flight program may be closing its store already.
const CLOSING: u64 = 300;
/// After that all must be well within this time: what the grounds lack comes again.
const RECOVERY: Duration = Duration::from_secs(40);

#[test]
fn nothing_is_lost_whatever_goes_wrong() -> Result<()> {
    let seeds = match std::env::var("CAMPAIGN_SEEDS") {
        Ok(text) => {
            let (from, to) = text.split_once("..").context("CAMPAIGN_SEEDS is FROM..TO")?;
            from.parse()?..to.parse()?
        }
        Err(_) => SHORT,
    };
    let results = std::env::var_os("CAMPAIGN_RESULTS").map(PathBuf::from);
    let known: BTreeSet<u64> = match &results {
        Some(path) if path.exists() => {
            let lines = cross_crate_tests::json_lines(&std::fs::read_to_string(path)?)?;
            lines.iter().filter(|line| line["problem"].is_null()).filter_map(|line| line["seed"].as_u64()).collect()
        }
        _ => BTreeSet::new(),
    };
    let mut failed = Vec::new();
    for seed in seeds.filter(|seed| !known.contains(seed)) {
        let (plan, began) = (Plan::of(seed), Instant::now());
        let told = plan.to_string();
        let outcome = campaign(plan);
        let seconds = began.elapsed().as_secs_f64();
        let (reached, problem) = match outcome {
            Ok(reached) => (reached, None),
            Err(problem) => (String::new(), Some(format!("{problem:#}"))),
        };
        eprintln!("{told}: {seconds:.1} s {}", problem.as_deref().unwrap_or("well"));
        if let Some(path) = &results {
            let line = serde_json::json!({
                "seed": seed, "faults": told, "reached": reached, "seconds": seconds, "problem": problem
            });
            writeln!(OpenOptions::new().create(true).append(true).open(path)?, "{line}")?;
        }
        failed.extend(problem.map(|problem| format!("{told}: {problem}")));
    }
    ensure!(failed.is_empty(), "{} campaigns failed:\n{}", failed.len(), failed.join("\n"));
    Ok(())
}

/// Runs one; gives the rules that were reached.
fn campaign(plan: Plan) -> Result<String> {
    let mut world = World::new(plan)?;
    let outcome = fly(&mut world);
    match outcome {
        Ok(()) => Ok(world.reached()),
        Err(problem) => {
            let log = std::fs::read_to_string(world.path("edge.log")).unwrap_or_default();
            let last: Vec<&str> = log.lines().filter(|line| !line.starts_with('{')).collect();
            let last = last[last.len().saturating_sub(8)..].join("\n");
            Err(problem.context(format!("reached {:?}; its log ends\n{last}\n", world.reached())))
        }
    }
}

fn fly(world: &mut World) -> Result<()> {
    let (state, log) = (world.path("state"), world.path("edge.log"));
    if world.plan.has(|fault| *fault == Fault::SlotDamaged) {
        world::damage(&state)?;
    }
    (0..world.grounds.len()).try_for_each(|station| world.start_ground(station))?;
    let mut life = world.start(true, true)?;
    world.start_sources()?;
    let lives = trouble(world, &mut life)?;
    world.clear()?;
    // What is left, without faults.
    let mut last = world.start(false, false)?;
    let began = Instant::now();
    while last.try_wait()?.is_none() {
        if began.elapsed() > RECOVERY {
            last.kill()?;
            last.wait()?;
            let status = std::fs::read_to_string(world.path("state/status.json"))?;
            bail!("{} s after the last fault it is not through: {status}", RECOVERY.as_secs());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let Life::Ended(status) = ended(&mut last, &log)? else { bail!("it failed without a fault") };
    let sent = world.end()?;
    prove_frames(&status)?;
    prove_captions(world, &status, &sent)?;
    prove_slots(world)?;
    for life in lives.told.iter().chain([&status]) {
        ensure!(life["faults"]["lifeless_threads"].is_null(), "a thread was dead: {life}");
    }
    prove_named(world, &lives)
}

/// What the lives of the flight program left behind while things went wrong.
#[derive(Default)]
struct Lives {
    /// The last status of each that ended well.
    told: Vec<Value>,
    /// One was killed, or did not start: it took with it what it knew.
    is_cut: bool,
}

impl Lives {
    fn add(&mut self, life: Life) {
        match life {
            Life::Ended(status) => self.told.push(status),
            Life::Killed | Life::Refused(_) => self.is_cut = true,
        }
    }
}

/// Things go wrong for a while.
fn trouble(world: &mut World, life: &mut Child) -> Result<Lives> {
    let (began, mut lives, mut done) = (Instant::now(), Lives::default(), BTreeSet::new());
    let (faults, log) = (world.plan.faults.clone(), world.path("edge.log"));
    let is_broken = world.plan.has(|fault| matches!(fault, Fault::Broken(..) | Fault::Full(..)));
    let mut once = |name: &'static str, after: u64, began: Instant| {
        began.elapsed() >= Duration::from_millis(after) && done.insert(name)
    };
    while began.elapsed() < TROUBLE {
        if life.try_wait()?.is_some() {
            match ended(life, &log)? {
                Life::Refused(line) if !(is_broken && line.contains("store.redb: I/O error")) => {
                    bail!("it does not start: {line}")
                }
                Life::Ended(status) => bail!("it ended by itself: {status}"),
                cut => lives.add(cut),
            }
            *life = world.start(true, false)?;
        }
        for fault in &faults {
            match fault {
                Fault::Heat if once("hot", 500, began) => std::fs::write(world.path("zone"), "90000\n")?,
                Fault::Heat if once("cool", 1000, began) => std::fs::write(world.path("zone"), "40000\n")?,
                Fault::SlotDamagedInFlight if once("damage", 900, began) => world::damage(&world.path("state"))?,
                Fault::GroundKilled if once("ground", 800, began) => {
                    if let Some(mut ground) = world.grounds[0].1.take() {
                        ground.kill()?;
                        ground.wait()?;
                    }
                    world.start_ground(0)?;
                }
                Fault::Stopped(after) if once("stop", *after, began) => {
                    lives.add(stop(life, &log)?);
                    *life = world.start(true, false)?;
                }
                _ => {}
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    lives.add(stop(life, &log)?);
    Ok(lives)
}

fn counter(status: &Value, name: &str) -> u64 {
    status["counters"][name].as_u64().unwrap_or(0)
}

/// Every frame has one outcome, and nothing waits any more.
fn prove_frames(status: &Value) -> Result<()> {
    let counters = status["counters"].as_object().context("no counters")?;
    let dropped: u64 =
        counters.iter().filter(|(name, _)| name.starts_with("dropped_")).filter_map(|(_, n)| n.as_u64()).sum();
    let (frames, queued) = (counter(status, "frames"), counter(status, "queued"));
    ensure!(frames == FRAMES as u64 && queued + dropped == frames, "frames do not add up: {status}");
    ensure!(status["waiting"] == 0 && counter(status, "retired") == queued, "captions wait: {status}");
    Ok(())
}

/// Each caption that was queued is at one of the grounds, and no number went out twice unmarked.
fn prove_captions(world: &World, status: &Value, sent: &[Vec<u8>]) -> Result<()> {
    let language = Language::read(&fixtures::bundle())?;
    let key = Key::from_hexadecimal(&std::fs::read_to_string(world.path("key"))?).context("a key")?;
    let mut unmarked = BTreeSet::new();
    for packet in sent {
        let packet =
            CaptionPacket::decode(packet, language.id, &language.model, Verification::Required(&key), Checksum::Crc32);
        for caption in packet.into_iter().flat_map(|packet| packet.captions).filter(|caption| !caption.repeat) {
            ensure!(unmarked.insert(caption.sequence), "{} went out twice unmarked", caption.sequence);
        }
    }
    let mut arrived = BTreeSet::new();
    for station in 0..world.grounds.len() {
        let archive = Archive::read(&world.path(&format!("{station}.gpkg")))?;
        arrived.extend(archive.captions(None)?.into_iter().map(|caption| caption.sequence));
    }
    let expected: BTreeSet<u32> = (0..counter(status, "queued") as u32).collect();
    ensure!(arrived == expected, "queued {}, but the grounds have {arrived:?}", expected.len());
    Ok(())
}

/// A slot that was not damaged is whole, and flies.
fn prove_slots(world: &World) -> Result<()> {
    let slots = edge::slots::Slots::open(&world.path("state"));
    let whole = slots.order().into_iter().filter(|slot| Bundle::read(&slots.path(*slot)).is_ok()).count();
    let is_damaged = world.plan.has(|fault| *fault == Fault::SlotDamaged || *fault == Fault::SlotDamagedInFlight);
    let twice = world.plan.has(|fault| *fault == Fault::SlotDamaged)
        && world.plan.has(|fault| *fault == Fault::SlotDamagedInFlight);
    let expected = 2 - usize::from(is_damaged) - usize::from(twice);
    ensure!(whole == expected, "{whole} slots are whole, expected {expected}");
    Ok(())
}

/// What was reached in a life that could tell of it was told.
fn prove_named(world: &World, Lives { told: lives, is_cut }: &Lives) -> Result<()> {
    let reached = world.reached();
    let told = |fault: &str| lives.iter().any(|life| life["faults"][fault].as_u64() > Some(0));
    let is_stopped = world.plan.has(|fault| matches!(fault, Fault::Stopped(_)));
    let first_stop = world.plan.faults.iter().find_map(|fault| match fault {
        Fault::Stopped(after) => Some(*after),
        _ => None,
    });
    let closing = first_stop.unwrap_or(TROUBLE.as_millis() as u64).saturating_sub(CLOSING);
    for (rule, faults) in [
        ("write ENOSPC", &["store_errors", "status_errors"][..]),
        ("sync EIO", &["store_errors", "status_errors"]),
        ("open EACCES", &["unread_files"]),
        ("clock", &["clock_jumps"]),
    ] {
        let at = |line: &str| line.rsplit(' ').next().and_then(|at| at.parse::<u64>().ok()).unwrap_or(0);
        // A store's file that is closed at the end has no one to tell any more, and nothing to lose.
        let is_reached =
            reached.lines().any(|line| line.starts_with(rule) && (!line.contains("store.redb") || at(line) < closing));
        ensure!(!is_reached || *is_cut || faults.iter().any(|fault| told(fault)), "{rule} was not named: {lives:?}");
    }
    let is_named = |kind: &Fault, faults: &[&str]| {
        !world.plan.has(|fault| fault == kind) || *is_cut || faults.iter().any(|fault| told(fault))
    };
    ensure!(is_named(&Fault::SlotDamaged, &["slot_failures"]), "the slot was not named: {lives:?}");
    ensure!(
        is_stopped || is_named(&Fault::SlotDamagedInFlight, &["model_damage", "slot_failures"]),
        "the damage was not named: {lives:?}"
    );
    ensure!(
        is_stopped || is_named(&Fault::ReceiverGone, &["position_receiver"]),
        "the receiver was not named: {lives:?}"
    );
    Ok(())
}
