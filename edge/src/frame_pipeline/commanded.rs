//! Carries out what the ground commands. A command says where it ends up, so that one that is carried out again after a kill changes nothing.

use super::delta::{Installation, NotInstalled};
use super::{FramePipeline, LOADING};
use crate::error::{Error, chain, like};
use crate::orders::Orders;
use crate::slots::Slot;
use crate::store::{Answered, Pending};
use cssa_wire::{Command, CommandResult, DeltaPart, FAILED, FaultKind, UNSUPPORTED, WatchWord};
use std::sync::atomic::Ordering;
use std::sync::mpsc::TryRecvError;
use std::time::Instant;

/// Why a command is not carried out.
enum Refused {
    /// This program does not do that.
    Unsupported,
    /// It was tried, or looked at, and this is wrong.
    Failed(String),
    /// Not at all: it goes on.
    NotYet,
}

impl FramePipeline {
    /// Carries out all commands that wait, in the order in which they came; what takes long goes on beside.
    pub(super) fn carry_out_commands(&mut self) {
        self.end_installation();
        if !self.control.commanded.swap(false, Ordering::Relaxed) {
            return;
        }
        loop {
            let at_work = self.installing.as_ref().map(|(pending, _)| pending.place);
            let pending = match self.store.next_command(at_work) {
                Ok(Some(pending)) => pending,
                Ok(None) => break,
                Err(error) => return self.try_later(&chain(&error)),
            };
            let before = self.orders.clone();
            let outcome = self.carry_out(&pending);
            if let Err(Refused::NotYet) = outcome {
                continue;
            }
            if !self.answer(&pending, outcome) {
                // What is not written down does not stand.
                return self.obey(before);
            }
        }
    }

    /// The bundle that is being installed may be so by now.
    fn end_installation(&mut self) {
        let Some((pending, outcome)) = self.installing.take() else { return };
        let outcome = match outcome.try_recv() {
            Err(TryRecvError::Empty) => {
                self.installing = Some((pending, outcome));
                return;
            }
            Err(TryRecvError::Disconnected) => {
                Err(NotInstalled::Useless("the installation ended without a word".into()))
            }
            Ok(outcome) => outcome,
        };
        let is_kept = matches!(outcome, Err(NotInstalled::NotNow(_)));
        if !is_kept && let Err(error) = self.store.forget_delta() {
            self.faults.record(FaultKind::StoreErrors, chain(&error));
        }
        let why = |(NotInstalled::Useless(why) | NotInstalled::NotNow(why))| Refused::Failed(why);
        self.answer(&pending, outcome.map_err(why));
    }

    fn try_later(&self, reason: &str) {
        self.faults.record(FaultKind::StoreErrors, reason);
        self.control.commanded.store(true, Ordering::Relaxed);
    }

    /// Writes down what became of a command, and has it said; whether the disk took it.
    fn answer(&self, pending: &Pending, outcome: Result<(), Refused>) -> bool {
        let (result, said) = match outcome {
            Ok(()) => (CommandResult::Done, String::new()),
            Err(Refused::Unsupported) => (CommandResult::Refused(UNSUPPORTED), String::new()),
            Err(Refused::Failed(why)) => (CommandResult::Refused(FAILED), why),
            Err(Refused::NotYet) => return true,
        };
        let answered = Answered::new(pending.number, result, &said);
        if let Err(error) = self.store.carried_out(pending, &answered, &self.orders) {
            self.try_later(&chain(&error));
            return false;
        }
        let (station, counter) = pending.number;
        tracing::info!("command {counter} of station {station}: {result:?} {said}");
        // Where the link's thread has ended, nobody waits for it.
        self.answered.send(pending.number).ok();
        true
    }

    fn carry_out(&mut self, pending: &Pending) -> Result<(), Refused> {
        let mut orders = self.orders.clone();
        match &pending.command {
            Command::SetThreshold { thousandths } => {
                if *thousandths > 0 && !self.model.captioner.is_calibrated() {
                    return Err(Refused::Failed("the bundle at work has no statistics for a confidence".into()));
                }
                orders.least_confidence = Some(*thousandths);
            }
            Command::SetWatchWords(words) => orders.watch = Some(self.watch_words(words)?),
            Command::SetNovelty { metres, minutes } => orders.novelty = Some((*metres, *minutes)),
            Command::SetRate { bytes_per_second } => orders.bytes_per_second = Some(*bytes_per_second),
            Command::SetBudget { bytes_per_hour } => orders.bytes_per_hour = Some(*bytes_per_hour),
            Command::Pause => orders.paused = true,
            Command::Resume => orders.paused = false,
            Command::SelfTest => self.self_test().map_err(Refused::Failed)?,
            Command::SwitchSlot { slot } => self.switch_slot(if *slot == 1 { Slot::A } else { Slot::B })?,
            // The link's thread makes one.
            Command::StatusNow => {}
            Command::DeltaPart(part) => return self.take_delta_part(pending, part),
            Command::ForgetPictures => {
                self.forget_pictures().map_err(|error| Refused::Failed(chain(&error)))?;
            }
            // The link's thread takes and answers one at once; here is what an earlier program had taken, and did not do.
            Command::NewKeyPart { .. } => return Err(Refused::Unsupported),
        }
        self.obey(orders);
        Ok(())
    }

    /// The words and their priorities, where captions of the bundle at work can have each.
    fn watch_words(&self, words: &[WatchWord]) -> Result<std::collections::BTreeMap<String, u8>, Refused> {
        let watch = words.iter().map(|word| (word.word.clone(), word.priority)).collect();
        let policy = self.config.policy.under(&Orders { watch: Some(watch), ..self.orders.clone() });
        match self.model.watch_list(&policy).1.first() {
            // As short as a packet takes.
            Some(Error::WatchWord { phrase, nearest, .. }) => {
                Err(Refused::Failed(format!("no caption has {phrase:?}{}", like(nearest))))
            }
            Some(unsaid) => Err(Refused::Failed(chain(unsaid))),
            None => Ok(policy.watch),
        }
    }

    /// A part of a delta is kept; with the last one the bundle is installed, and that one's answer comes when it is.
    fn take_delta_part(&mut self, pending: &Pending, part: &DeltaPart) -> Result<(), Refused> {
        if self.installing.is_some() {
            return Err(Refused::Failed("a bundle is being installed".into()));
        }
        let Some(config) = self.config.file.clone() else { return Err(Refused::Unsupported) };
        let whole = self.store.keep_delta_part(part).map_err(|error| Refused::Failed(chain(&error)))?;
        let Some(delta) = whole else { return Ok(()) };
        let (state, earlier) = (self.config.state.clone(), self.model.place().to_path_buf());
        self.installing = Some((pending.clone(), Installation { config, state, earlier }.begin(delta)));
        Err(Refused::NotYet)
    }

    fn switch_slot(&mut self, slot: Slot) -> Result<(), Refused> {
        self.pulse.busy(LOADING);
        self.model.switch_to(slot).map_err(|error| Refused::Failed(chain(&error)))?;
        self.work_with_model();
        Ok(())
    }

    /// From now on these orders stand.
    pub(super) fn obey(&mut self, orders: Orders) {
        if orders != self.orders {
            self.orders = orders;
            self.follow_policy();
        }
        let configured = self.config.link.bytes_per_second;
        self.rate.store(self.orders.bytes_per_second.unwrap_or(configured), Ordering::Relaxed);
    }

    /// The policy is that of the configuration under the orders, for the bundle at work.
    pub(super) fn follow_policy(&mut self) {
        let policy = self.config.policy.under(&self.orders);
        let (watch, unsaid) = self.model.watch_list(&policy);
        unsaid.iter().for_each(|problem| self.faults.record(FaultKind::WatchWords, chain(problem)));
        self.policy.follow(&policy, watch, Instant::now());
    }
}
