//! Which answers are to go out: an answer may be lost, and then its command comes again.

use crate::store::{Answered, Number};
use cssa_wire::{BEHIND, CommandResult};
use std::collections::{BTreeMap, VecDeque};

/// Numbers that are remembered.
const MAX_KEPT: usize = 64;
/// An answer goes out so many times at most: whoever records a command and repeats it must not spend the link.
const MAX_SENDS: u8 = 32;
/// Seconds after which a station is told again that its numbers are behind.
const BEHIND_AGAIN: f64 = 10.0;

/// Answers to what came from the ground, by the numbers of its packets.
#[derive(Debug, Default)]
pub(super) struct Answers {
    due: VecDeque<Number>,
    sends: BTreeMap<Number, u8>,
    /// By station: that a packet's number is behind, and when that was said last.
    behind: BTreeMap<u8, (Answered, f64)>,
}

impl Answers {
    /// The answer to a packet is to go out.
    pub(super) fn ask(&mut self, number: Number) {
        let is_sent_enough = self.sends.get(&number).is_some_and(|sends| *sends >= MAX_SENDS);
        if !is_sent_enough && !self.due.contains(&number) && self.due.len() < MAX_KEPT {
            self.due.push_back(number);
        }
    }

    /// The next one that is due.
    pub(super) fn due(&self) -> Option<Number> {
        self.due.front().copied()
    }

    /// It is not there, or not yet.
    pub(super) fn leave(&mut self) {
        self.due.pop_front();
    }

    /// It goes out now.
    pub(super) fn goes_out(&mut self) {
        let Some(number) = self.due.pop_front() else { return };
        *self.sends.entry(number).or_default() += 1;
        while self.sends.len() > MAX_KEPT {
            self.sends.pop_first();
        }
    }

    /// A station's packet is behind, and is not taken: the station is to be told so, where that was not said lately.
    pub(super) fn say_behind(&mut self, (station, counter): Number, highest: u32, now: f64) {
        if self.behind.get(&station).is_none_or(|(_, last)| now - last >= BEHIND_AGAIN) {
            let result = CommandResult::Refused(BEHIND);
            let answered = Answered::with_value((station, counter), result, &highest.to_le_bytes());
            self.behind.insert(station, (answered, now));
            self.ask((station, counter));
        }
    }

    /// What is said of a packet that is behind.
    pub(super) fn behind(&self, number: Number) -> Option<&Answered> {
        self.behind.get(&number.0).map(|(answer, _)| answer).filter(|answer| answer.number == number)
    }
}
