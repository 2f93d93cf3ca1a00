//! The stages at work: a thread for the source, one for the link, one that looks through the model's files; captioning and
//! everything that decides on a frame (`FramePipeline`) in the caller's.

use super::at_work::{self, AtWork};
use super::config::Config;
use super::control::{Control, Faults, TICK};
use super::downlink::Downlink;
use super::downlink::sender::Sender;
use super::error::{Error, Result, chain, ensure};
use super::frame_pipeline::FramePipeline;
use super::frame_queue::frame_queue;
use super::health::{self, Clock, Status};
use super::model::Model;
use super::outcome::Dropped;
use super::outside_run::OutsideRuns;
use super::peripherals::Peripherals;
use super::policy::Policy;
use super::position;
use super::reader::{Known, read};
use super::silence::Silence;
use super::sources;
use super::store::{Outcome, Store};
use cssa::clock;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Frames that wait between the source and the captioner.
const FRAMES: usize = 4;
/// At the end, a source that waits for its device is waited for so long.
const LAST_FRAME: Duration = Duration::from_secs(2);

/// Runs until the source ends or somebody says stop. `fallback` is the bundle where neither the configuration nor a slot has
/// one. Gives the last status.
pub fn run(
    config: &Config,
    fallback: Option<PathBuf>,
    peripherals: Option<Peripherals>,
    control: &Control,
) -> Result<Status> {
    let store = Arc::new(Store::open(&config.state, config.queue)?);
    let (port, started) = (config.link.port(config.position.system())?, Instant::now());
    let downlink = Downlink::new(Arc::clone(&store), &config.link, 0.0, clock::now())?;
    let source = sources::open(&config.source, config.tiler)?;
    store.forget(|key| source.is_gone(key))?;
    let faults = Faults::default();
    let blamed = store.blame(&at_work::left(&config.state), sources::unread)?;
    for key in &blamed.quarantined {
        faults.record(
            "quarantined",
            format_args!("{key}: the program ended twice while it was at work, it is not read again"),
        );
    }
    let at_work = Arc::new(AtWork::open(&config.state, blamed.suspects, faults.clone())?);
    let command = source.command();
    let mut model = Model::load(config, fallback)?;
    // A slot that took over for another flies on without; what was configured so is a mistake.
    ensure!(
        config.policy.least_confidence <= 0.0 || model.captioner.is_calibrated() || model.is_of_a_slot(),
        Error::NoConfidence(model.place().into())
    );
    let (peripherals, problems) = match peripherals {
        Some(peripherals) => (peripherals, Vec::new()),
        None => Peripherals::open(&config.peripherals),
    };
    problems.iter().for_each(|problem| tracing::warn!("{problem}"));
    tracing::info!("{}: {}", model.place().display(), model.captioner.at_work());
    model.problems.drain(..).for_each(|(kind, problem)| faults.record(kind, problem));
    let (watch, unsaid) = model.watch_list(&config.policy);
    for problem in unsaid {
        // As above.
        ensure!(model.took_over(), problem);
        faults.record("watch_words", chain(&problem));
    }
    if let Some(damage) = store.damage() {
        faults.record("store_damaged", damage);
    }
    let finished = Arc::new(AtomicBool::new(false));
    let (damage_found, damage) = sync_channel(1);
    let scrubber = Arc::new(Mutex::new(model.scrubber.clone()));
    let policy = Policy::new(&config.policy, watch, Instant::now()).with_budget(store.budget()?, clock::now());
    scrub(config, &scrubber, damage_found, &finished);
    let (frames_out, frames) = frame_queue(config.model.batch.max(FRAMES), config.source.memory());
    let known = Known { store: Arc::clone(&store), at_work: Arc::clone(&at_work), stop: control.stop.clone() };
    let reading = read(source, known, frames_out, faults.clone());
    let language = Arc::new(Mutex::new(model.captioner.language()));
    let (self_tested, self_tests) = channel();
    let sending = Sender {
        port,
        downlink,
        language: Arc::clone(&language),
        finished: Arc::clone(&finished),
        self_test: Arc::clone(&control.self_test),
        self_tested: self_tests,
        faults: faults.clone(),
        started,
    };
    let link_ended = Arc::new(AtomicBool::new(false));
    let ended = Ended(Arc::clone(&link_ended));
    let sending = std::thread::spawn(move || {
        let _told_at_the_end = ended;
        sending.run();
    });
    let mut pipeline = FramePipeline {
        config,
        store,
        at_work: Arc::clone(&at_work),
        model,
        scrubber,
        language,
        policy,
        outside: OutsideRuns::default(),
        receiver: position::start(&config.position, &faults),
        silence: command.is_some().then(|| Silence::new(Instant::now())),
        peripherals,
        faults,
        link_ended,
        clock: Clock::start(),
        started,
        beat: None,
        failures: 0,
        together: 1,
        energy: (0.0, 0),
        control,
        self_tested,
    };
    pipeline.warn_unjudged();
    health::notify_ready();
    let flown = pipeline.run(&frames, &damage);
    for frame in frames.try_iter().filter(|frame| frame.key.is_none()) {
        // What nobody will see again is accounted for.
        pipeline.record_outcome(&frame, &Outcome::Dropped(Dropped::Busy));
    }
    drop(frames);
    pipeline.end_outside_run();
    pipeline.store.flush().ok();
    finished.store(true, Ordering::Relaxed);
    if let Some(command) = &command {
        sources::kill(command);
    }
    // A camera that gives nothing must not keep the program from ending.
    let until = Instant::now() + LAST_FRAME;
    while !reading.is_finished() && Instant::now() < until {
        std::thread::sleep(TICK / 10);
    }
    let read = match reading.is_finished() {
        true => reading.join().unwrap_or_else(|_| Err(Error::Thread("the source"))),
        false => Ok(()),
    };
    sending.join().ok();
    at_work.close();
    let status = pipeline.status();
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
            let at_work = || scrubber.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let scrubbed = at_work();
            // A model that was replaced meanwhile hurts nobody.
            if let Err(problem) = scrubbed.scrub_slowly()
                && at_work() == scrubbed
            {
                found.try_send(chain(&problem)).ok();
            }
            last = Instant::now();
        }
    });
}
