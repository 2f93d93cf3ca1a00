//! Which answers are to go out: an answer may be lost, and then its command comes again.

use crate::store::{Answered, Number};
use cssa_wire::{BEHIND, CommandResult};
use std::collections::{BTreeMap, VecDeque};

/// Numbers that are remembered.
const MAX_KEPT: usize = 64;
/// An answer goes out so many times at most: whoever records a command and repeats it must not spend the link.
const MAX_SENDS: u8 = 32;
/// Seconds after which a station is told again that a number is behind; and after which it is told so of another one.
const BEHIND_AGAIN: f64 = 10.0;
const BEHIND_NEXT: f64 = 1.0;
/// So many acknowledgements in a row with numbers that have been are a station's that has lost its count.
const IN_ROW: u32 = 3;

/// Answers to what came from the ground.
#[derive(Debug, Default)]
pub(super) struct Answers {
    due: VecDeque<Due>,
    sends: Last<Number, u8>,
    /// When it was said last that a number is behind.
    behind: Last<Number, f64>,
    /// When a station was told last that one of its numbers is, by what had the number.
    told: BTreeMap<(u8, Of), f64>,
    /// By station: acknowledgements in a row whose numbers had been.
    in_row: BTreeMap<u8, u32>,
}

/// What is known of the last few: the one that was set longest ago goes.
#[derive(Debug)]
struct Last<K, V>(VecDeque<(K, V)>);

impl<K, V> Default for Last<K, V> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<K: PartialEq, V: Copy> Last<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        self.0.iter().find(|(kept, _)| kept == key).map(|(_, value)| *value)
    }

    fn set(&mut self, key: K, value: V) {
        self.0.retain(|(kept, _)| *kept != key);
        self.0.push_back((key, value));
        if self.0.len() > MAX_KEPT {
            self.0.pop_front();
        }
    }
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
    /// For a picture, of which many are forgotten soon.
    Request,
    Command,
}

impl Answers {
    /// The answer to a packet is to go out.
    pub(super) fn ask(&mut self, number: Number) {
        match self.sends.get(&number) {
            // It stays remembered while somebody asks for it.
            Some(sends) if sends >= MAX_SENDS => self.sends.set(number, sends),
            _ => self.push(Due::Kept(number)),
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
        self.sends.set(number, self.sends.get(&number).unwrap_or(0).saturating_add(1));
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

    /// The number of a station's packet has been: the station is to be told, where that was not said of it lately. Whoever repeats a packet
    /// that is behind keeps the station from hearing of no other one.
    pub(super) fn say_behind(&mut self, number: Number, of: Of, highest: u32, now: f64) {
        let is_ago = |last: Option<f64>, seconds| last.is_none_or(|last| now - last >= seconds);
        let told = self.told.get(&(number.0, of)).copied();
        if is_ago(self.behind.get(&number), BEHIND_AGAIN) && is_ago(told, BEHIND_NEXT) {
            let result = CommandResult::Refused(BEHIND);
            self.push(Due::Behind(Answered::with_value(number, result, &highest.to_le_bytes())));
            self.behind.set(number, now);
            self.told.insert((number.0, of), now);
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
        answers.say_behind((1, 51), Of::Request, 91, 0.9);
        answers.say_behind((1, 52), Of::Request, 92, 2.0);
        answers.say_behind((1, 60), Of::Command, 92, 2.0);
        answers.say_behind((2, 50), Of::Request, 93, 2.0);
        let mut said = Vec::new();
        while let Some(due) = answers.due() {
            let Due::Behind(answer) = due else { panic!("{due:?}") };
            said.push(answer.number);
            answers.goes_out();
        }
        assert_eq!(said, [(1, 40), (1, 50), (1, 52), (1, 60), (2, 50)]);
    }

    /// Each is said once in ten seconds, and by how much others come between them is all the same.
    #[test]
    fn one_that_is_repeated_hides_no_other() {
        let mut answers = Answers::default();
        let mut said = Vec::new();
        for tenths in 0..120 {
            let now = f64::from(tenths) / 10.0;
            answers.say_behind((1, 40), Of::Command, 90, now);
            if tenths % 50 == 25 {
                answers.say_behind((1, 70), Of::Command, 90, now);
            }
            while let Some(Due::Behind(answer)) = answers.due() {
                said.push((answer.number.1, tenths));
                answers.goes_out();
            }
        }
        assert_eq!(said, [(40, 0), (70, 25), (40, 100)]);
    }

    /// Neither a low number nor many others have an answer go out more often.
    #[test]
    fn sends_are_bounded_whatever_the_number() {
        let mut answers = Answers::default();
        let mut sent = 0;
        for n in 0..1000 {
            for number in [(1, 5), (1, 100 + n)] {
                answers.ask(number);
                while let Some(due) = answers.due() {
                    sent += u32::from(due == Due::Kept((1, 5)));
                    answers.goes_out();
                }
            }
        }
        assert_eq!(sent, u32::from(MAX_SENDS));
    }
}
