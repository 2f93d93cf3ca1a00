//! What captions frames and decides on them.

mod attend;
mod commanded;
mod delta;
mod pictures;
mod place;

use super::at_work::AtWork;
use super::config::{Config, Outside};
use super::control::{Control, Faults, TICK, rest_while};
use super::error::{Result, chain};
use super::frame_queue::{FrameReceiver, Taken};
use super::health::Reporter;
use super::health::scrub::Scrubber;
use super::model::Model;
use super::orders::Orders;
use super::outcome::{Dropped, outside_counter};
use super::outside_run::{OutsideRuns, Run, Said};
use super::packets;
use super::peripherals::{Peripherals, rest};
use super::picture_maker::Shared;
use super::policy::Policy;
use super::position::Receiver;
use super::silence::Silence;
use super::sources::Frame;
use super::store::{self, Change, ChangeKind, Number, Outcome, Pending, Store};
use super::vitals::Pulse;
use cssa::bundle::Language;
use cssa::clock;
use cssa_captioner::{Caption, Sight};
use cssa_wire::FaultKind;
use cssa_wire::Position;
use image::RgbImage;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU32;
use std::sync::mpsc::{Receiver as Inbox, Sender as Outbox};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a row after which the model is loaded again.
const FAILURES: u32 = 3;
/// Longest that frames are captioned together: so late it is noticed that the program is to end.
const BATCH: Duration = Duration::from_millis(500);
/// Longest that a model may take to be loaded and to caption the golden image: TensorRT builds its engine meanwhile.
pub(super) const LOADING: Duration = Duration::from_secs(900);

/// Everything that decides on a frame.
pub(super) struct FramePipeline {
    pub(super) config: Arc<Config>,
    pub(super) store: Arc<Store>,
    pub(super) at_work: Arc<AtWork>,
    pub(super) model: Model,
    pub(super) scrubber: Arc<Mutex<Scrubber>>,
    /// What the link's thread packs with.
    pub(super) language: Arc<Mutex<Arc<Language>>>,
    pub(super) policy: Policy,
    pub(super) outside: OutsideRuns,
    pub(super) receiver: Receiver,
    /// Why frames had no footprint: each is said once.
    pub(super) unseen: BTreeSet<&'static str>,
    /// Where frames come from a camera.
    pub(super) silence: Option<Silence>,
    pub(super) peripherals: Peripherals,
    pub(super) faults: Faults,
    pub(super) reporter: Reporter,
    pub(super) pulse: Pulse,
    pub(super) failures: u32,
    /// Frames at most that are captioned together next: one, until it is known how long it takes.
    pub(super) together: usize,
    /// Sum in millijoules and number of captions.
    pub(super) energy: (f64, u64),
    pub(super) control: Control,
    /// Where damage that was found in the model's files is said.
    pub(super) damage: Inbox<String>,
    /// Where it is said that a command was carried out, or refused.
    pub(super) answered: Outbox<Number>,
    /// What the ground has ordered.
    pub(super) orders: Orders,
    /// The command that installs a bundle at the moment, and what comes of it.
    pub(super) installing: Option<(Pending, Inbox<Result<(), delta::NotInstalled>>)>,
    /// What is kept for a ground that asks to see it; nothing where none can ask.
    pub(super) pictures: Shared,
    /// Bytes a second that the link takes.
    pub(super) rate: Arc<AtomicU32>,
    /// Frames come when they come.
    pub(super) is_live: bool,
    pub(super) is_hot: bool,
    /// When the temperature was looked at while nothing else asked for it.
    pub(super) warmth: Option<Instant>,
}

impl FramePipeline {
    /// Takes frames until there are no more or somebody says stop; then what was begun is written down.
    pub(super) fn run(mut self, frames: FrameReceiver) {
        while !self.control.is_stopped() {
            self.attend();
            if (self.is_too_hot() || self.orders.paused) && !self.is_live {
                // What waits is captioned when it goes on.
                std::thread::sleep(TICK);
                continue;
            }
            let batch = match frames.take(self.together, TICK) {
                Taken::Frames(batch) => batch,
                Taken::Nothing => continue,
                Taken::End => break,
            };
            self.silence.iter_mut().for_each(|silence| silence.end(Instant::now()));
            let began = Instant::now();
            self.caption_and_record(&batch);
            let one = began.elapsed() / batch.len() as u32;
            self.together =
                (BATCH.as_micros() / one.as_micros().max(1)).clamp(1, self.config.model.batch as u128) as usize;
            if self.failures >= FAILURES {
                let why = "the model fails again and again";
                self.faults.record(FaultKind::ModelFailures, why);
                self.reload(Model::reload, why);
            }
            let pause = rest(self.peripherals.duty(), began.elapsed());
            self.pulse.beat();
            rest_while(pause, || !self.control.is_stopped());
        }
        frames.close().for_each(|frame| self.leave(&frame));
        self.end_outside_run();
        self.gauge();
        if let Err(error) = self.store.flush() {
            self.faults.record(FaultKind::StoreErrors, chain(&error));
        }
    }

    /// Decides on frames. Told to end, it leaves those that are not decided on.
    fn caption_and_record(&mut self, batch: &[Frame]) {
        for (frame, caption) in batch.iter().zip(self.caption(batch)) {
            if self.control.is_stopped() {
                self.leave(frame);
                continue;
            }
            let outcome = caption.map_or_else(Outcome::Dropped, |caption| self.decide(frame, &caption));
            self.record_outcome(frame, &outcome);
        }
    }

    /// A frame for which there is no time left: where it cannot come again, that is accounted for.
    fn leave(&self, frame: &Frame) {
        if frame.key.is_none()
            && let Err(error) =
                self.store.settle(self.store.change(ChangeKind::Captioned), None, &Outcome::Dropped(Dropped::Busy))
        {
            self.faults.record(FaultKind::StoreErrors, chain(&error));
        }
    }

    /// Loads the model anew by `load`. Where that fails the one in memory goes on: its numbers are guarded, and it is all there is.
    fn reload(&mut self, load: fn(&mut Model) -> Result<()>, why: &str) {
        self.failures = 0;
        self.pulse.busy(LOADING);
        let loaded = load(&mut self.model);
        self.model.problems.drain(..).for_each(|(kind, problem)| self.faults.record(kind, problem));
        match loaded {
            Ok(()) => {
                self.faults.record(FaultKind::ModelReloads, why);
                self.work_with_model();
            }
            Err(error) => tracing::error!("{}", chain(&error)),
        }
    }

    /// Another model is at work: whoever goes by it learns of it.
    fn work_with_model(&mut self) {
        *self.language.lock().unwrap_or_else(PoisonError::into_inner) = self.model.captioner.language();
        *self.scrubber.lock().unwrap_or_else(PoisonError::into_inner) = self.model.scrubber.clone();
        self.warn_unjudged();
        self.follow_policy();
        tracing::info!("{}: loaded", self.model.place().display());
    }

    /// The captions of some frames, or why there is none.
    fn caption(&mut self, batch: &[Frame]) -> Vec<Result<Sight, Dropped>> {
        let refused: Vec<Option<Dropped>> = batch.iter().map(|frame| self.refuse(frame)).collect();
        let wanted = || batch.iter().zip(&refused).filter(|(_, refused)| refused.is_none()).map(|(frame, _)| frame);
        let pixels: Vec<&RgbImage> = wanted().filter_map(|frame| frame.pixels.as_ref().ok()).collect();
        self.peripherals.begin_energy();
        let captioner = &mut self.model.captioner;
        let captions: Vec<Result<Sight, cssa_captioner::Error>> = match captioner.sights(&pixels) {
            Ok(sights) => sights.into_iter().map(Ok).collect(),
            Err(error) if pixels.len() == 1 => vec![Err(error)],
            // One of them is to blame: only it is lost.
            Err(_) => pixels.iter().map(|pixels| captioner.sight(pixels)).collect(),
        };
        if let (Some(millijoules), false) = (self.peripherals.end_energy(), pixels.is_empty()) {
            self.energy = (self.energy.0 + millijoules, self.energy.1 + pixels.len() as u64);
        }
        let mut captions = wanted().zip(captions);
        let mut next = || match captions.next() {
            Some((_, Ok(sight))) => Ok(sight),
            Some((frame, Err(error))) => {
                self.failures += 1;
                tracing::warn!("{}: {error}", frame.name);
                Err(Dropped::Model)
            }
            None => Err(Dropped::Unreadable),
        };
        refused.iter().map(|refused| refused.map_or_else(&mut next, Err)).collect()
    }

    /// Why a frame is not captioned at all.
    fn refuse(&mut self, frame: &Frame) -> Option<Dropped> {
        if let Err(problem) = &frame.pixels {
            tracing::warn!("{problem}");
            return Some(Dropped::Unreadable);
        }
        if self.orders.paused {
            return Some(Dropped::Paused);
        }
        if !self.peripherals.is_triggered() {
            return Some(Dropped::NotTriggered);
        }
        self.is_too_hot().then_some(Dropped::TooHot)
    }

    /// Further looks at a frame, with the energy that they take.
    fn look_again(&mut self, sight: &Sight) -> Result<cssa_captioner::Caption, cssa_captioner::Error> {
        self.peripherals.begin_energy();
        let caption = self.model.captioner.look_again(sight);
        if let Some(millijoules) = self.peripherals.end_energy() {
            self.energy.0 += millijoules;
        }
        caption
    }

    /// Counts an image outside by its reason; why its caption is not sent, where a report of a run of such frames takes its place.
    fn outside(&mut self, sight: &Sight, time: u32) -> Option<Dropped> {
        if let Some(reason) = sight.caption.outside()
            && let Err(error) = self.store.count(outside_counter(reason))
        {
            self.faults.record(FaultKind::StoreErrors, chain(&error));
        }
        // Whoever wants no captions of such frames is to hear all the same that the camera shows nothing else.
        if self.config.policy.outside == Outside::Send {
            return None;
        }
        let (over, said) = self.outside.next(sight.caption.outside(), time);
        over.iter().for_each(|run| self.report(run));
        match said {
            Said::Caption => return None,
            Said::Report(run) => self.report(&run),
            Said::Nothing => {}
        }
        Some(Dropped::OutsideRun)
    }

    /// No more frames come: what there is to say of the run at hand.
    pub(super) fn end_outside_run(&mut self) {
        let over = self.outside.over();
        over.iter().for_each(|run| self.report(run));
    }

    /// Queues a report of a run, which the budget has to bear; one that the disk does not take is lost, and so says the fault.
    fn report(&mut self, run: &Run) {
        let sends = usize::from(self.config.link.sends);
        if let Ok(bytes) = packets::report_size(run, &self.model.captioner.language(), &self.config.link) {
            self.policy.spend_anyway(bytes * sends, Instant::now());
        }
        if let Err(error) = self.keep_budget().and_then(|()| self.store.report(run)) {
            self.faults.record(FaultKind::StoreErrors, chain(&error));
        }
    }

    /// The priority that a caption is sent with, or why it is not.
    fn admit(&self, caption: &Caption, position: Option<Position>, now: Instant) -> Result<u8, Dropped> {
        if self.model.captioner.is_calibrated() {
            self.policy.admit(caption, position, now)
        } else {
            self.policy.admit_unjudged(caption, position, now)
        }
    }

    /// Says that captions go out unjudged, where the policy asks for what the bundle at work has no statistics for: words that might be
    /// wrong are worth more than a vehicle that falls silent.
    pub(super) fn warn_unjudged(&self) {
        let place = self.model.place();
        if !self.model.captioner.is_calibrated() {
            for missing in self.config.policy.under(&self.orders).unjudged(place) {
                self.faults.record(FaultKind::NoConfidence, format!("captions go out unjudged: {missing}"));
            }
        }
    }

    /// Decides on a captioned frame.
    fn decide(&mut self, frame: &Frame, sight: &Sight) -> Outcome {
        let (position, footprint) = self.locate(frame);
        let time = frame.taken.time(&self.receiver);
        let now = Instant::now();
        if let Some(dropped) = self.outside(sight, time) {
            self.failures = 0;
            return Outcome::Dropped(dropped);
        }
        // Only what would be sent is worth further looks; they may say otherwise, and then it is judged anew.
        if let Err(reason) = self.admit(&sight.caption, position, now) {
            self.failures = 0;
            return Outcome::Dropped(reason);
        }
        let caption = match self.look_again(sight) {
            Ok(caption) => {
                self.failures = 0;
                caption
            }
            Err(error) => {
                self.failures += 1;
                tracing::warn!("{}: {error}", frame.name);
                return Outcome::Dropped(Dropped::Model);
            }
        };
        let priority = match self.admit(&caption, position, now) {
            Ok(priority) => priority,
            Err(reason) => return Outcome::Dropped(reason),
        };
        let queued = packets::queued(&caption, self.policy.outside(&caption), time, position, priority);
        let queued = store::Caption { footprint, ..queued };
        // As if it went alone: shared packets cost less.
        let bytes = match packets::size_alone(&queued, &self.model.captioner.language(), &self.config.link) {
            Ok(bytes) => bytes * usize::from(self.config.link.sends),
            Err(error) => {
                tracing::warn!("{}: {error}", frame.name);
                return Outcome::Dropped(Dropped::Model);
            }
        };
        if let Err(reason) = self.policy.spend(bytes, priority, now) {
            return Outcome::Dropped(reason);
        }
        self.policy.queued(&caption, priority, position, now);
        Outcome::Queued(queued)
    }

    /// Keeps what is left of the budget, with what is queued next.
    fn keep_budget(&self) -> Result<()> {
        match self.policy.budget(Instant::now(), clock::now()) {
            Some(budget) => self.store.keep_budget(budget),
            None => Ok(()),
        }
    }

    fn settle(&self, change: Change, frame: &Frame, outcome: &Outcome) -> Result<Option<u32>> {
        if matches!(outcome, Outcome::Queued(_)) {
            self.keep_budget()?;
        }
        self.store.settle(change, frame.key.as_deref(), outcome)
    }

    /// Writes the outcome down; while the disk takes nothing, frames wait.
    fn record_outcome(&mut self, frame: &Frame, outcome: &Outcome) {
        // Before the caption: once that is queued the ground may ask for the picture, whatever ends this program in between.
        let kept = match outcome {
            Outcome::Queued(caption) => {
                self.store.next_number().ok().inspect(|number| self.keep_picture(*number, caption, frame))
            }
            Outcome::Dropped(_) => None,
        };
        let change = self.store.change(ChangeKind::Captioned);
        let number = loop {
            match self.settle(change, frame, outcome) {
                Ok(number) => break number,
                Err(error) => {
                    self.faults.record(FaultKind::StoreErrors, chain(&error));
                    self.give_way(&error);
                }
            }
            if self.control.is_stopped() {
                return;
            }
            self.pulse.beat();
            std::thread::sleep(TICK);
        };
        if let (Some(number), Outcome::Queued(caption)) = (number.filter(|number| kept != Some(*number)), outcome) {
            self.keep_picture(number, caption, frame);
        }
        frame.key.iter().for_each(|key| self.at_work.settle(key));
    }
}
