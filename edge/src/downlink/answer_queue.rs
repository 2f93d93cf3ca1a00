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
/// So many acknowledgements in a row with numbers that have been are a station's that has lost its count.
const IN_ROW: u32 = 3;

/// Answers to what came from the ground.
#[derive(Debug, Default)]
pub(super) struct Answers {
    due: VecDeque<Due>,
    sends: BTreeMap<Number, u8>,
    /// When a station was told last that a number had been: of what it asked, and of an acknowledgement.
    behind: BTreeMap<(u8, Of), f64>,
    /// By station: acknowledgements in a row whose numbers had been.
    in_row: BTreeMap<u8, u32>,
}

/// An answer that is to go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// That to a packet, from the store.
    Kept(Number),
    /// That a packet's number has been.
    Behind(Answered),
}

/// What a packet was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Of {
    Acknowledgement,
    Request,
}

impl Answers {
    /// The answer to a packet is to go out.
    pub(super) fn ask(&mut self, number: Number) {
        let is_sent_enough = self.sends.get(&number).is_some_and(|sends| *sends >= MAX_SENDS);
        if !is_sent_enough {
            self.push(Due::Kept(number));
        }
    }

    fn push(&mut self, due: Due) {
        if !self.due.contains(&due) && self.due.len() < MAX_KEPT {
            self.due.push_back(due);
        }
    }

    /// The next one that is due.
    pub(super) fn due(&self) -> Option<Due> {
        self.due.front().cloned()
    }

    /// It is not there, or not yet.
    pub(super) fn leave(&mut self) {
        self.due.pop_front();
    }

    /// It goes out now.
    pub(super) fn goes_out(&mut self) {
        let Some(Due::Kept(number)) = self.due.pop_front() else { return };
        *self.sends.entry(number).or_default() += 1;
        while self.sends.len() > MAX_KEPT {
            self.sends.pop_first();
        }
    }

    /// A station's packet has a new number.
    pub(super) fn counts(&mut self, station: u8) {
        self.in_row.remove(&station);
    }

    /// A station's acknowledgement has a number that has been; whether so many have that it has lost its count.
    pub(super) fn goes_back(&mut self, station: u8) -> bool {
        let in_row = self.in_row.entry(station).or_default();
        *in_row = in_row.saturating_add(1);
        *in_row >= IN_ROW
    }

    /// The number of a station's packet has been: the station is to be told, where that was not said lately.
    pub(super) fn say_behind(&mut self, (station, counter): Number, of: Of, highest: u32, now: f64) {
        if self.behind.get(&(station, of)).is_none_or(|last| now - last >= BEHIND_AGAIN) {
            let result = CommandResult::Refused(BEHIND);
            self.push(Due::Behind(Answered::with_value((station, counter), result, &highest.to_le_bytes())));
            self.behind.insert((station, of), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a slow link, too, each packet is said to be behind by its own answer; acknowledgements that somebody repeats keep off none of them.
    #[test]
    fn what_is_said_to_be_behind_is_each_packets_own() {
        let mut answers = Answers::default();
        answers.say_behind((1, 40), Of::Acknowledgement, 90, 0.0);
        answers.say_behind((1, 50), Of::Request, 90, 0.1);
        answers.say_behind((1, 51), Of::Request, 91, 5.0);
        answers.say_behind((1, 52), Of::Request, 92, 12.0);
        answers.say_behind((2, 50), Of::Request, 93, 12.0);
        let mut said = Vec::new();
        while let Some(due) = answers.due() {
            let Due::Behind(answer) = due else { panic!("{due:?}") };
            said.push(answer.number);
            answers.goes_out();
        }
        assert_eq!(said, [(1, 40), (1, 50), (1, 52), (2, 50)]);
    }
}
