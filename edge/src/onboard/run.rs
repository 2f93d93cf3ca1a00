//! The stages at work: a thread for the source, one for the link, one that looks through the model's files; captioning and
//! everything that decides on a frame in the caller's.

use super::config::Config;
use super::downlink::Downlink;
use super::downlink::sender::Sender;
use super::health::{self, Clock, Status};
use super::model::Model;
use super::outcome::Dropped;
use super::peripherals::{Duty, Peripherals, rest};
use super::policy::Policy;
use super::position::Receiver;
use super::reader::read;
use super::sources::{self, Frame};
use super::store::{Caption, Outcome, Store};
use crate::link::End;
use crate::packets;
use crate::wire;
use anyhow::{Result, ensure};
use cssa::bundle::Language;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver as Inbox, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Frames that wait between the source and the captioner.
const FRAMES: usize = 4;
/// Signs of life while nothing happens.
pub(super) const TICK: Duration = Duration::from_millis(200);
/// At the end, a source that waits for its device is waited for so long.
const LAST_FRAME: Duration = Duration::from_secs(2);
/// Failures in a row after which the model is loaded again.
const FAILURES: u32 = 3;

/// What `edge run` is told from outside while it runs.
#[derive(Clone, Debug, Default)]
pub struct Control {
    /// Finish the frame at hand and end.
    pub stop: Arc<AtomicBool>,
    /// Caption the golden image.
    pub self_test: Arc<AtomicBool>,
}

/// What went wrong, by kind, counted by all threads.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(Arc<Mutex<BTreeMap<String, u64>>>);

impl Faults {
    pub(super) fn count(&self, kind: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(kind.to_owned()).or_default() += 1;
    }

    fn all(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Runs until the source ends or somebody says stop. `fallback` is the bundle where neither the configuration nor a slot has
/// one. Gives the last status.
pub fn run(
    config: &Config,
    fallback: Option<PathBuf>,
    peripherals: Option<Peripherals>,
    control: &Control,
    report: &mut dyn FnMut(&str),
) -> Result<Status> {
    let store = Arc::new(Store::open(&config.state, config.queue)?);
    let (port, started) = (config.link.address()?.port(End::Vehicle, config.link.format()), Instant::now());
    let downlink = Downlink::new(Arc::clone(&store), &config.link, 0.0, packets::now())?;
    let source = sources::open(&config.source, config.tiler)?;
    store.forget(|key| source.is_gone(key))?;
    let command = source.command();
    let model = Model::load(&config.model, &config.state, fallback, config.health.self_test, report)?;
    let (peripherals, problems) = match peripherals {
        Some(peripherals) => (peripherals, Vec::new()),
        None => Peripherals::open(&config.peripherals),
    };
    problems.iter().for_each(|problem| report(problem));
    report(&format!("{}: {}", model.place().display(), model.captioner.active()));
    let faults = Faults::default();
    let finished = Arc::new(AtomicBool::new(false));
    let (damage_found, damage) = sync_channel(1);
    let scrubber = Arc::new(Mutex::new(model.scrubber.clone()));
    scrub(config, &scrubber, damage_found, &finished);
    let (frames_out, frames) = sync_channel(FRAMES);
    let reading = read(source, Arc::clone(&store), frames_out, control.stop.clone(), faults.clone());
    let language = Arc::new(Mutex::new(model.captioner.language()));
    let sending = Sender {
        port,
        downlink,
        language: Arc::clone(&language),
        finished: Arc::clone(&finished),
        self_test: Arc::clone(&control.self_test),
        faults: faults.clone(),
        started,
    };
    let link_ended = Arc::new(AtomicBool::new(false));
    let ended = Ended(Arc::clone(&link_ended));
    let sending = std::thread::spawn(move || {
        let _told_at_the_end = ended;
        sending.run();
    });
    let mut flight = Flight {
        config,
        store,
        model,
        scrubber,
        language,
        policy: Policy::new(&config.policy, Instant::now()),
        receiver: Receiver::start(&config.position),
        peripherals,
        faults,
        link_ended,
        clock: Clock::start(),
        started,
        beat: None,
        failures: 0,
        energy: (0.0, 0),
        control,
    };
    health::notify(true);
    let flown = flight.fly(&frames, &damage, report);
    for frame in frames.try_iter().filter(|frame| frame.key.is_none()) {
        // What nobody will see again is accounted for.
        flight.settle(&frame, &Outcome::Dropped(Dropped::Busy), report);
    }
    drop(frames);
    flight.store.flush().ok();
    finished.store(true, Ordering::Relaxed);
    if let Some(command) = &command {
        sources::end(command, true);
    }
    // A camera that gives nothing must not keep the program from ending.
    let until = Instant::now() + LAST_FRAME;
    while !reading.is_finished() && Instant::now() < until {
        std::thread::sleep(TICK / 10);
    }
    let read = match reading.is_finished() {
        true => reading.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the source's thread failed"))),
        false => Ok(()),
    };
    sending.join().ok();
    let status = flight.status();
    status.write(&config.state).ok();
    flown?;
    read?;
    Ok(status)
}

/// Says that its thread has ended, even by a panic.
struct Ended(Arc<AtomicBool>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Everything that decides on a frame.
struct Flight<'a> {
    config: &'a Config,
    store: Arc<Store>,
    model: Model,
    scrubber: Arc<Mutex<health::scrub::Scrubber>>,
    /// What the link's thread packs with.
    language: Arc<Mutex<Arc<Language>>>,
    policy: Policy,
    receiver: Receiver,
    peripherals: Peripherals,
    faults: Faults,
    link_ended: Arc<AtomicBool>,
    clock: Clock,
    started: Instant,
    beat: Option<Instant>,
    failures: u32,
    /// Sum in millijoules and number of captions.
    energy: (f64, u64),
    control: &'a Control,
}

impl Flight<'_> {
    fn fly(&mut self, frames: &Inbox<Frame>, damage: &Inbox<String>, report: &mut dyn FnMut(&str)) -> Result<()> {
        loop {
            self.live(damage, report)?;
            if self.stopped() {
                return Ok(());
            }
            let frame = match frames.recv_timeout(TICK) {
                Ok(frame) => frame,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let began = Instant::now();
            let outcome = self.judge(&frame, report);
            self.settle(&frame, &outcome, report);
            if self.failures >= FAILURES {
                self.faults.count("model_failures");
                self.reload(true, "the model fails again and again", report)?;
            }
            let pause = rest(self.peripherals.duty(), began.elapsed());
            std::thread::sleep(pause);
        }
    }

    fn stopped(&self) -> bool {
        self.control.stop.load(Ordering::Relaxed)
    }

    /// Signs of life, and what came from outside.
    fn live(&mut self, damage: &Inbox<String>, report: &mut dyn FnMut(&str)) -> Result<()> {
        health::notify(false);
        self.peripherals.kick();
        ensure!(!self.link_ended.load(Ordering::Relaxed), "the link's thread failed");
        if self.clock.jumped() {
            self.faults.count("clock_jumps");
        }
        if let Ok(problem) = damage.try_recv() {
            self.faults.count("model_damage");
            self.reload(false, &problem, report)?;
        }
        if self.control.self_test.swap(false, Ordering::Relaxed) {
            match self.model.self_test() {
                Ok(()) => report("self-test passed"),
                Err(error) => {
                    self.faults.count("self_test_failures");
                    self.reload(true, &format!("self-test: {error:#}"), report)?;
                }
            }
        }
        let beat = Duration::from_secs(self.config.health.heartbeat_seconds);
        if self.beat.is_none_or(|last| last.elapsed() >= beat) {
            self.beat = Some(Instant::now());
            let status = self.status();
            if status.write(&self.config.state).is_err() {
                self.faults.count("status_errors");
            }
            report(&serde_json::to_string(&status)?);
        }
        Ok(())
    }

    /// Loads the model again, from the other slot where its own files are damaged. Without another the one in memory goes on:
    /// its numbers are guarded, and it is all there is.
    fn reload(&mut self, again: bool, why: &str, report: &mut dyn FnMut(&str)) -> Result<()> {
        report(why);
        self.failures = 0;
        match self.model.reload(again) {
            Ok(()) => {
                self.faults.count("model_reloads");
                *self.language.lock().unwrap_or_else(PoisonError::into_inner) = self.model.captioner.language();
                *self.scrubber.lock().unwrap_or_else(PoisonError::into_inner) = self.model.scrubber.clone();
                report(&format!("{}: loaded", self.model.place().display()));
            }
            Err(error) => report(&format!("{error:#}")),
        }
        Ok(())
    }

    /// Captions a frame and decides on it.
    fn judge(&mut self, frame: &Frame, report: &mut dyn FnMut(&str)) -> Outcome {
        let pixels = match &frame.pixels {
            Ok(pixels) => pixels,
            Err(problem) => {
                report(problem);
                return Outcome::Dropped(Dropped::Unreadable);
            }
        };
        if !self.peripherals.is_triggered() {
            return Outcome::Dropped(Dropped::NotTriggered);
        }
        if self.peripherals.duty() == Duty::Stop {
            return Outcome::Dropped(Dropped::TooHot);
        }
        self.peripherals.begin_energy();
        let caption = match self.model.captioner.caption(pixels) {
            Ok(caption) => caption,
            Err(error) => {
                self.failures += 1;
                report(&format!("{}: {error:#}", frame.name));
                return Outcome::Dropped(Dropped::Model);
            }
        };
        self.failures = 0;
        if let Some(millijoules) = self.peripherals.end_energy() {
            self.energy = (self.energy.0 + millijoules, self.energy.1 + 1);
        }
        let fix = self.receiver.fix();
        let position = frame.position.or(fix.map(|fix| fix.position));
        let time = frame.time.or(fix.and_then(|fix| fix.time)).unwrap_or_else(packets::now);
        let (now, priority) = (Instant::now(), self.policy.priority(&caption.text));
        if let Err(reason) = self.policy.judge(&caption.text, caption.score, position, priority, now) {
            return Outcome::Dropped(reason);
        }
        let queued =
            Caption { time, score: wire::score(caption.score), priority, position, text: caption.text.clone() };
        // As if it went alone: shared packets cost less.
        let bytes = match packets::pack(
            vec![queued.numbered(u32::MAX, false)],
            &self.model.captioner.language(),
            self.config.link.checksum,
        ) {
            Ok(packet) => packet.len() * usize::from(self.config.link.sends),
            Err(error) => {
                report(&format!("{}: {error}", frame.name));
                return Outcome::Dropped(Dropped::Model);
            }
        };
        if let Err(reason) = self.policy.spend(bytes, priority, now) {
            return Outcome::Dropped(reason);
        }
        self.policy.queued(&caption.text, position, now);
        Outcome::Queued(queued)
    }

    /// Writes the outcome down; while the disk takes nothing, frames wait and signs of life go on.
    fn settle(&mut self, frame: &Frame, outcome: &Outcome, report: &mut dyn FnMut(&str)) {
        let mut told = false;
        while let Err(error) = self.store.settle(frame.key.as_deref(), outcome) {
            self.faults.count("store_errors");
            if !told {
                report(&format!("{error:#}"));
                told = true;
            }
            if self.stopped() {
                return;
            }
            health::notify(false);
            self.peripherals.kick();
            std::thread::sleep(TICK);
        }
    }

    fn status(&self) -> Status {
        let mut faults = self.faults.all();
        if self.peripherals.errors > 0 {
            faults.insert("peripheral_errors".into(), self.peripherals.errors);
        }
        Status {
            time: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            uptime: self.started.elapsed().as_secs(),
            bundle: format!("{:04x}", self.model.captioner.language().id),
            runtime: self.model.captioner.active(),
            counters: self.store.counters().unwrap_or_default(),
            waiting: self.store.waiting().unwrap_or_default(),
            faults,
            celsius: self.peripherals.last_celsius,
            millijoules: (self.energy.1 > 0).then(|| self.energy.0 / self.energy.1 as f64),
            rss_mib: health::rss_mib(),
        }
    }
}

/// Starts the thread that looks through the model's files. It ends with the program.
fn scrub(
    config: &Config,
    scrubber: &Arc<Mutex<health::scrub::Scrubber>>,
    found: SyncSender<String>,
    finished: &Arc<AtomicBool>,
) {
    if config.health.scrub_minutes <= 0.0 {
        return;
    }
    let every = Duration::from_secs_f64(config.health.scrub_minutes * 60.0);
    let (scrubber, finished) = (Arc::clone(scrubber), Arc::clone(finished));
    std::thread::spawn(move || {
        let mut last = Instant::now();
        while !finished.load(Ordering::Relaxed) {
            std::thread::sleep(TICK.min(every));
            if last.elapsed() < every {
                continue;
            }
            let now = scrubber.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Err(problem) = now.scrub_slowly() {
                found.try_send(format!("{problem:#}")).ok();
            }
            last = Instant::now();
        }
    });
}
