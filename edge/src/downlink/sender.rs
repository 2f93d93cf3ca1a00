//! The link's thread: sends what is to be sent until the link takes it, and listens for the ground.

use super::{Downlink, Next, Outgoing, Room};
use crate::control::{Control, Faults, TICK, rest_while};
use crate::error::{Result, chain};
use crate::store::Number;
use crate::vitals::Pulse;
use cssa::bundle::Language;
use cssa::clock;
use cssa_link::Port;
use cssa_wire::{FaultKind, Housekeeping, Up};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest pause between two tries of a link that is down.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// When the source has ended and nothing gets through for so long, the rest stays in the queue for the next start.
const LAST_TRY: Duration = Duration::from_secs(5);

/// Everything that the thread has.
pub(crate) struct Sender {
    pub(crate) port: Box<dyn Port>,
    pub(crate) downlink: Downlink,
    pub(crate) language: Arc<Mutex<Arc<Language>>>,
    /// No more captions will come.
    pub(crate) finished: Arc<AtomicBool>,
    /// Told to stop, it leaves what waits to the next start. It says when the ground has commanded something.
    pub(crate) control: Control,
    /// Commands that were carried out, or refused.
    pub(crate) answered: Receiver<Number>,
    /// Bytes a second that the link takes; 0: as many as it does.
    pub(crate) rate: Arc<AtomicU32>,
    pub(crate) faults: Faults,
    pub(crate) started: Instant,
    pub(crate) pulse: Pulse,
    /// How the vehicle is: of a packet's number and its period.
    pub(crate) state: Box<dyn Fn(u16, u16) -> Housekeeping + Send>,
    pub(crate) turn: Turn,
}

/// Whose turn it is on a link that takes so many bytes a second.
#[derive(Debug)]
pub(crate) struct Turn {
    /// When the link has taken what it was given.
    free: Instant,
    /// Captions are due: answers take turns with them.
    captions: CaptionsDue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CaptionsDue {
    No,
    /// An answer may go first.
    AfterAnswer,
    /// An answer went out.
    Next,
}

impl Turn {
    pub(crate) fn of(now: Instant) -> Self {
        Self { free: now, captions: CaptionsDue::No }
    }

    fn is_answers(&self) -> bool {
        self.captions != CaptionsDue::Next && self.free <= Instant::now()
    }

    fn answered(&mut self) {
        if self.captions == CaptionsDue::AfterAnswer {
            self.captions = CaptionsDue::Next;
        }
    }
}

impl Sender {
    /// Sends until there is nothing left and nothing more to come, or somebody says stop.
    pub(crate) fn run(mut self) {
        let (mut pause, mut last_success) = (TICK, Instant::now());
        while !self.control.is_stopped() {
            let ending = self.ending();
            self.attend();
            let rest = self.turn.free.saturating_duration_since(Instant::now());
            if !rest.is_zero() {
                if self.listen(rest) {
                    last_success = Instant::now();
                }
                continue;
            }
            let next = self.next();
            self.turn.captions =
                if matches!(next, Ok(Next::Send(_))) { CaptionsDue::AfterAnswer } else { CaptionsDue::No };
            let fault = match next {
                Ok(Next::Empty) if ending => return,
                Ok(Next::Empty) => {
                    let failed = self.send_picture_or_listen(TICK / 4).err();
                    last_success = Instant::now();
                    failed.map(|error| (FaultKind::LinkErrors, error))
                }
                Ok(Next::Wait(seconds)) => {
                    let wait = Duration::from_secs_f64(seconds.max(0.0)).min(TICK);
                    match self.send_picture_or_listen(wait) {
                        Ok(heard) => {
                            if heard {
                                last_success = Instant::now();
                            }
                            None
                        }
                        Err(error) => Some((FaultKind::LinkErrors, error)),
                    }
                }
                Ok(Next::Send(packet)) => match self.send(&packet) {
                    Ok(Some(rest)) => {
                        pause = TICK;
                        if self.listen(rest) || !self.downlink.is_acknowledged() {
                            last_success = Instant::now();
                        }
                        None
                    }
                    // The disk takes nothing, and the program ends.
                    Ok(None) => return,
                    Err(error) => Some((FaultKind::LinkErrors, error)),
                },
                Err(error) => Some((FaultKind::StoreErrors, error)),
            };
            if ending && last_success.elapsed() > LAST_TRY.max(self.downlink.patience()) {
                return;
            }
            let Some((kind, error)) = fault else { continue };
            self.faults.record(kind, chain(&error));
            let until = Instant::now() + if ending { TICK } else { pause };
            while Instant::now() < until && self.goes_on(ending) {
                std::thread::sleep(TICK / 4);
                self.attend();
            }
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    fn ending(&self) -> bool {
        self.finished.load(Ordering::Relaxed)
    }

    /// Whether nothing about the end has changed.
    fn goes_on(&self, ending: bool) -> bool {
        self.ending() == ending && !self.control.is_stopped()
    }

    fn language(&self) -> Arc<Language> {
        Arc::clone(&self.language.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn now(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    fn next(&mut self) -> Result<Next> {
        let (language, now) = (self.language(), self.now());
        let room = Room { largest: self.port.largest(), cost: &|length| self.port.cost(length) };
        self.downlink.next(now, clock::now(), &language, room)
    }

    /// Sends a packet and writes down that it went out; gives how long the link needs for it, or nothing where the disk takes
    /// nothing and the program ends.
    fn send(&mut self, packet: &Outgoing) -> Result<Option<Duration>> {
        self.port.send(&packet.bytes)?;
        if self.downlink.config.statustext {
            for (line, priority) in packet.lines() {
                if let Err(error) = self.port.show(&line, priority) {
                    self.faults.record(FaultKind::StatustextErrors, error);
                }
            }
        }
        let (cost, now) = (self.port.cost(packet.bytes.len()), self.now());
        while let Err(error) = self.downlink.sent(packet, cost, now) {
            self.faults.record(FaultKind::StoreErrors, chain(&error));
            if self.ending() || self.control.is_stopped() {
                return Ok(None);
            }
            self.pulse.beat();
            std::thread::sleep(TICK);
        }
        let rate = self.rate.load(Ordering::Relaxed);
        let seconds = if rate > 0 { cost as f64 / f64::from(rate) } else { 0.0 };
        let now = Instant::now();
        self.turn.free = self.turn.free.max(now) + Duration::from_secs_f64(seconds);
        Ok(Some(self.turn.free.saturating_duration_since(now)))
    }

    /// No caption is due: sends a part of a picture where one is wanted, and listens while the link takes it, else for `wait`; whether the
    /// ground was heard. The end does not wait for pictures.
    fn send_picture_or_listen(&mut self, wait: Duration) -> Result<bool> {
        if self.ending() {
            return Ok(self.listen(wait));
        }
        let (language, now) = (self.language(), (self.now(), clock::now()));
        let room = Room { largest: self.port.largest(), cost: &|length| self.port.cost(length) };
        let rest = match self.downlink.picture(now, &language, room)? {
            Some(part) => self.send(&part)?.unwrap_or_default(),
            None => wait,
        };
        Ok(self.listen(rest))
    }

    /// Listens for `wait`; whether the ground was heard.
    fn listen(&mut self, wait: Duration) -> bool {
        let (until, ending) = (Instant::now() + wait, self.ending());
        if !self.downlink.is_acknowledged() {
            while Instant::now() < until && self.goes_on(ending) {
                std::thread::sleep(until.saturating_duration_since(Instant::now()).min(TICK / 4));
                self.attend();
            }
            return false;
        }
        let mut heard = false;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.port.receive(left.min(TICK)) {
                Ok(received) => {
                    for bytes in received.found.into_iter().flatten() {
                        heard |= self.take(&bytes);
                    }
                }
                Err(error) => {
                    self.faults.record(FaultKind::LinkErrors, error);
                    rest_while(left.min(TICK), || self.goes_on(ending));
                }
            }
            self.attend();
            // Whatever keeps coming.
            if left.is_zero() || !self.goes_on(ending) {
                return heard;
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> bool {
        let packet = match self.downlink.receive(bytes, self.now(), clock::now()) {
            Ok(Some(packet)) => packet,
            Ok(None) => return false,
            Err(error) => {
                self.faults.record(FaultKind::StoreErrors, chain(&error));
                return false;
            }
        };
        match packet.body {
            Up::Command(_) => self.control.commanded.store(true, Ordering::Relaxed),
            Up::Ask(_) => self.control.asked.store(true, Ordering::Relaxed),
            Up::Acknowledge(_) | Up::Missing(_) => {}
        }
        true
    }

    /// What is due beside captions: a sign of life, and answers to commands. An answer that does not go out is lost, as one may be on the
    /// way: whoever asked asks again.
    fn attend(&mut self) {
        self.pulse.beat();
        if let Err(error) = self.port.announce() {
            self.faults.record(FaultKind::LinkErrors, error);
        }
        while let Ok(number) = self.answered.try_recv() {
            if let Err(error) = self.downlink.answered(number) {
                self.faults.record(FaultKind::StoreErrors, chain(&error));
            }
        }
        if self.turn.free <= Instant::now()
            && let Err(error) = self.housekeep()
        {
            self.faults.record(FaultKind::LinkErrors, chain(&error));
        }
        while self.turn.is_answers() {
            match self.answer() {
                Ok(true) => self.turn.answered(),
                Ok(false) => return,
                Err(error) => return self.faults.record(FaultKind::LinkErrors, chain(&error)),
            }
        }
    }

    /// Sends a housekeeping packet where one is due.
    fn housekeep(&mut self) -> Result<()> {
        let (language, now) = (self.language(), (self.now(), clock::now()));
        let room = Room { largest: self.port.largest(), cost: &|length| self.port.cost(length) };
        let due = self.downlink.housekeeping(now, &language, room, &*self.state)?;
        due.map_or(Ok(()), |packet| self.send(&packet).map(drop))
    }

    /// Sends the next answer; whether there was one.
    fn answer(&mut self) -> Result<bool> {
        let (language, now) = (self.language(), self.now());
        let room = Room { largest: self.port.largest(), cost: &|length| self.port.cost(length) };
        let Some(answer) = self.downlink.answer(now, clock::now(), &language, room)? else { return Ok(false) };
        self.send(&answer)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
