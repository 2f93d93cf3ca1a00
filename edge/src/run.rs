//! The stages at work: a thread each for the source, the captioner with everything that decides on a frame (`FramePipeline`), the
//! link, the status, and what looks through the model's files. The caller's thread watches them all and shows signs of life.

use super::at_work::{self, AtWork};
use super::config::Config;
use super::control::{Control, Faults, TICK, rest_while};
use super::downlink::Downlink;
use super::downlink::sender::{Sender, Turn};
use super::error::{Error, Result, chain, ensure};
use super::frame_pipeline::{FramePipeline, LOADING};
use super::frame_queue::frame_queue;
use super::health::heartbeat::Heartbeat;
use super::health::scrub::Scrubber;
use super::health::{Reporter, Status};
use super::model::Model;
use super::outside_run::OutsideRuns;
pub use super::own::Own;
use super::peripherals::Peripherals;
use super::picture_maker::{self, PictureMaker};
use super::pictures;
use super::policy::Policy;
use super::position;
use super::reader::{Known, read};
use super::silence::Silence;
use super::slots::give;
use super::sources;
use super::store::{STORE, Store};
use super::vitals::{Pulse, Vitals};
use cssa::clock;
use cssa_wire::FaultKind;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

/// Frames that wait between the source and the captioner.
const FRAMES: usize = 4;
/// Told to stop, threads have so long to end. What then still waits for a device is left behind: all that is to be kept is on the disk.
const LAST_WORDS: Duration = Duration::from_millis(1200);
/// Between two looks at the threads.
const LOOK: Duration = Duration::from_millis(25);

/// Each thread shows a sign of life at least so often: a file of the largest size is cut into tiles,
const SOURCE: Duration = Duration::from_secs(300);
/// an engine is built for a batch of another size,
const CAPTIONER: Duration = Duration::from_secs(300);
/// a name is looked up, and a serial line takes a packet,
const LINK: Duration = Duration::from_secs(60);
/// a disk takes a status,
const STATUS: Duration = Duration::from_secs(60);
/// a large picture is made,
const PICTURES: Duration = Duration::from_secs(120);
/// all of a bundle's files are read.
const SCRUBBER: Duration = Duration::from_secs(600);

/// Runs until the source ends or somebody says stop. `fallback` is the bundle where neither the configuration nor a slot has
/// one. Gives the last status.
pub fn run(
    config: &Config,
    fallback: Option<PathBuf>,
    peripherals: Option<Peripherals>,
    control: &Control,
) -> Result<Status> {
    run_with(config, fallback, Own { peripherals, ..Own::default() }, control)
}

/// As [`run`], with parts of the program's own.
pub fn run_with(config: &Config, fallback: Option<PathBuf>, own: Own, control: &Control) -> Result<Status> {
    let Own { source, port, peripherals } = own;
    let config = Arc::new(config.clone());
    let store = Arc::new(Store::open(&config.state, config.queue)?);
    let port = port.map_or_else(|| config.link.port(config.position.system()), Ok)?;
    let started = Instant::now();
    let downlink =
        Downlink::new(Arc::clone(&store), &config.link, 0.0, clock::now())?.with_parts_of(config.pictures.part_bytes);
    let (faults, vitals, over) = (Faults::default(), Vitals::start(), Over::default());
    let source = match source {
        Some(source) => sources::started(source),
        None => sources::open(&config.source, config.tiler)?,
    };
    store.forget(|key| source.is_gone(key))?;
    let blamed = store.blame(&at_work::left(&config.state), sources::unread)?;
    for key in &blamed.quarantined {
        faults.record(
            FaultKind::Quarantined,
            format_args!("{key}: the program ended twice while it was at work, it is not read again"),
        );
    }
    Status::forget(&config.state)?;
    let at_work = Arc::new(AtWork::open(&config.state, blamed.suspects, faults.clone())?);
    let pictures = picture_maker::open(&config, &faults);
    // Where root tries it, the service goes on with the same files.
    for name in [STORE, at_work::NAME, pictures::RING, pictures::FRAMES] {
        let path = config.state.join(name);
        if path.exists() {
            give(&path, &config.state)?;
        }
    }
    let command = source.command();
    let mut peripherals = peripherals.unwrap_or_else(|| Peripherals::open(&config.peripherals));
    peripherals.report_to(&faults);
    let reporter = Reporter::new(Arc::clone(&store), (faults.clone(), vitals.clone()), &config.state, started);
    let mut watch = Watch {
        heartbeat: Heartbeat::new(vitals.clone(), peripherals.take_watchdog(), faults.clone()),
        control,
        last: None,
        stopped: None,
        at_work: Arc::clone(&at_work),
    };

    let Some(model) = watch.load(&config, fallback, vitals.watch(MODEL, LOADING))? else {
        return Ok(reporter.status());
    };
    let mut model = model;
    // A slot that took over for another flies on without; what was configured so is a mistake.
    if !model.captioner.is_calibrated() && !model.is_of_a_slot() {
        config.policy.unjudged(model.place()).into_iter().next().map_or(Ok(()), Err)?;
    }
    tracing::info!("{}: {}", model.place().display(), model.captioner.at_work());
    model.problems.drain(..).for_each(|(kind, problem)| faults.record(kind, problem));
    let orders = store.orders()?;
    if !orders.is_empty() {
        tracing::info!("ordered by the ground, above the configuration: {}", serde_json::to_string(&orders)?);
    }
    let ordered = config.policy.under(&orders);
    let (words, unsaid) = model.watch_list(&ordered);
    for problem in unsaid {
        // As above; what was ordered was right for the bundle that flew then.
        ensure!(model.took_over() || orders.watch.is_some(), problem);
        faults.record(FaultKind::WatchWords, chain(&problem));
    }
    if clock::utc().is_none() {
        faults.record(
            FaultKind::ClockNotSet,
            "the system's clock was not set: captions without another time count from the start",
        );
    }
    if let Some(damage) = store.damage() {
        faults.record(FaultKind::StoreDamaged, damage);
    }
    let (damage_found, damage) = sync_channel(1);
    let scrubber = Arc::new(Mutex::new(model.scrubber.clone()));
    let policy = Policy::new(&ordered, words, Instant::now()).with_budget(store.budget()?, clock::now());
    let (frames_out, frames) = frame_queue(config.model.batch.max(FRAMES), config.source.memory());
    let language = Arc::new(Mutex::new(model.captioner.language()));
    let (answered, answers) = channel();
    let rate = Arc::new(AtomicU32::new(orders.bytes_per_second.unwrap_or(config.link.bytes_per_second)));
    control.commanded.store(true, Ordering::Relaxed);
    control.asked.store(true, Ordering::Relaxed);
    let finished = Arc::new(AtomicBool::new(false));
    let reports = reporter.clone();
    let sender = Sender {
        turn: Turn::of(started),
        port,
        downlink,
        language: Arc::clone(&language),
        finished: Arc::clone(&finished),
        control: control.clone(),
        answered: answers,
        rate: Arc::clone(&rate),
        faults: faults.clone(),
        started,
        pulse: vitals.watch(LINK_THREAD, LINK),
        state: Box::new(move |sequence, period| reports.housekeeping(sequence, period)),
    };
    let maker = PictureMaker {
        store: Arc::clone(&store),
        pictures: pictures.clone(),
        control: control.clone(),
        answered: answered.clone(),
        faults: faults.clone(),
        pulse: vitals.watch("the pictures", PICTURES),
    };
    let pipeline = FramePipeline {
        store: Arc::clone(&store),
        at_work: Arc::clone(&at_work),
        model,
        scrubber: Arc::clone(&scrubber),
        language,
        policy,
        outside: OutsideRuns::default(),
        receiver: position::start(&config.position, &faults, &vitals),
        unseen: BTreeSet::new(),
        silence: command.is_some().then(|| Silence::new(Instant::now())),
        peripherals,
        faults: faults.clone(),
        reporter: reporter.clone(),
        pulse: vitals.watch(CAPTIONING, CAPTIONER),
        failures: 0,
        together: 1,
        energy: (0.0, 0),
        control: control.clone(),
        damage,
        answered,
        installing: None,
        pictures,
        orders,
        rate,
        is_live: source.is_live(),
        is_hot: false,
        warmth: None,
        config: Arc::clone(&config),
    };
    pipeline.warn_unjudged();
    pipeline.gauge();
    scrub(&config, scrubber, damage_found, &over, (faults.clone(), vitals.watch("the scrubber", SCRUBBER)));
    let every = Duration::from_secs(config.health.heartbeat_seconds);
    let (told, pulse, reports) = (over.told(), vitals.watch("the status", STATUS), reporter.clone());
    spawn(move || reports.run(every, &pulse, &told));
    let told = over.told();
    spawn(move || maker.run(&told));
    let pulse = Arc::new(vitals.watch(READING, SOURCE));
    let known = Known { store, at_work: Arc::clone(&at_work), control: control.clone(), pulse };
    let mut threads = Threads {
        reading: Some(read(source, known, frames_out, faults)),
        captioning: Some(spawn(move || pipeline.run(frames))),
        sending: Some(spawn(move || sender.run())),
    };
    let _absent = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let flown = watch.fly(&mut threads, &finished, || command.iter().for_each(sources::kill));
    let _absent = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    drop(over);
    at_work.close();
    // Also of a flight that failed: it goes on no more.
    let status = reporter.end();
    flown.map(|()| status)
}

/// The threads' names, as they stand in errors and faults.
const READING: &str = "the source";
const CAPTIONING: &str = "the captioner";
const LINK_THREAD: &str = "the link";
const MODEL: &str = "the model";

/// The threads that a flight is made of, until they have ended.
struct Threads {
    reading: Option<JoinHandle<Result<()>>>,
    captioning: Option<JoinHandle<()>>,
    sending: Option<JoinHandle<()>>,
}

/// Watches all threads.
struct Watch<'a> {
    heartbeat: Heartbeat,
    control: &'a Control,
    last: Option<Instant>,
    /// When it was noticed that somebody said stop.
    stopped: Option<Instant>,
    /// No frame is to blame for an end that somebody asked for.
    at_work: Arc<AtWork>,
}

impl Watch<'_> {
    /// Shows a sign of life where one is due, and waits a moment.
    fn look(&mut self) {
        if self.last.is_none_or(|last| last.elapsed() >= TICK) {
            self.last = Some(Instant::now());
            self.heartbeat.beat();
        }
        if self.control.is_stopped() && self.stopped.is_none() {
            self.stopped = Some(Instant::now());
            self.at_work.close();
        }
        std::thread::sleep(LOOK);
    }

    /// Whether no thread is waited for any longer.
    fn is_late(&self) -> bool {
        self.stopped.is_some_and(|stopped| stopped.elapsed() >= LAST_WORDS)
    }

    /// Loads the model while signs of life go on; nothing where somebody said stop.
    fn load(&mut self, config: &Arc<Config>, fallback: Option<PathBuf>, pulse: Pulse) -> Result<Option<Model>> {
        let config = Arc::clone(config);
        let loading = spawn(move || {
            let _pulse = pulse;
            Model::load(&config, fallback)
        });
        while !loading.is_finished() {
            self.look();
            if self.is_late() {
                self.control.left_behind.store(true, Ordering::Relaxed);
                return Ok(None);
            }
        }
        if self.stopped.is_some() {
            return Ok(None);
        }
        joined(loading, MODEL)?.map(Some)
    }

    /// Watches until all have ended, or are late. A thread that failed, or shows no sign of life when the others have ended, is an error.
    fn fly(&mut self, threads: &mut Threads, finished: &AtomicBool, kill: impl Fn()) -> Result<()> {
        let has_ended = |thread: &Option<JoinHandle<()>>| thread.as_ref().is_none_or(JoinHandle::is_finished);
        let mut outcome = Ok(());
        while !self.is_late() {
            self.look();
            if has_ended(&threads.captioning) {
                if let Some(captioning) = threads.captioning.take() {
                    outcome = outcome.and(joined(captioning, CAPTIONING));
                    finished.store(true, Ordering::Relaxed);
                    // A camera that gives nothing must not keep the program from ending.
                    kill();
                    self.stopped = self.stopped.or(outcome.is_err().then(Instant::now));
                }
                if threads.reading.as_ref().is_some_and(JoinHandle::is_finished)
                    && let Some(reading) = threads.reading.take()
                {
                    outcome = outcome.and(joined(reading, READING).flatten());
                }
                if has_ended(&threads.sending) && threads.reading.is_none() {
                    break;
                }
                if self.heartbeat.is_lifeless(LINK_THREAD) {
                    outcome = outcome.and(Err(Error::Thread(LINK_THREAD)));
                    break;
                }
            } else if has_ended(&threads.sending) && !self.control.is_stopped() {
                // Without a link a flight is for nothing.
                let Some(sending) = threads.sending.take() else { continue };
                outcome = outcome.and(joined(sending, LINK_THREAD)).and(Err(Error::Thread(LINK_THREAD)));
                self.control.stop.store(true, Ordering::Relaxed);
            }
        }
        if let Some(sending) = threads.sending.take_if(|sending| sending.is_finished()) {
            outcome = outcome.and(joined(sending, LINK_THREAD));
        }
        let Threads { reading, captioning, sending } = threads;
        let is_whole = reading.is_none() && captioning.is_none() && sending.is_none();
        self.control.left_behind.store(!is_whole, Ordering::Relaxed);
        outcome
    }
}

/// What a thread ended with.
fn joined<T>(thread: JoinHandle<T>, name: &'static str) -> Result<T> {
    thread.join().map_err(|_| Error::Thread(name))
}

/// Tells threads that only watch that it is over, however that came.
#[derive(Default)]
struct Over(Arc<AtomicBool>);

impl Over {
    fn told(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Starts the thread that looks through the model's files.
fn scrub(
    config: &Config,
    scrubber: Arc<Mutex<Scrubber>>,
    found: SyncSender<String>,
    over: &Over,
    (faults, pulse): (Faults, Pulse),
) {
    if config.health.scrub_minutes <= 0.0 {
        return;
    }
    let (every, over) = (Duration::from_secs_f64(config.health.scrub_minutes * 60.0), over.told());
    spawn(move || {
        let (mut last, mut said) = (Instant::now(), None);
        while !over.load(Ordering::Relaxed) {
            pulse.beat();
            rest_while(TICK.min(every), || !over.load(Ordering::Relaxed));
            if last.elapsed() < every {
                continue;
            }
            let at_work = || scrubber.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let scrubbed = at_work();
            // A model that was replaced meanwhile hurts nobody.
            if let Err(problem) = scrubbed.scrub_slowly()
                && at_work() == scrubbed
            {
                // Said here: whoever is to replace the model may be waiting for the disk.
                if said.as_ref() != Some(&scrubbed) {
                    faults.record(FaultKind::ModelDamage, chain(&problem));
                    said = Some(scrubbed);
                }
                found.try_send(chain(&problem)).ok();
            }
            last = Instant::now();
        }
    });
}
