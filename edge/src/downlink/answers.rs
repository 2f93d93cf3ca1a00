//! What becomes of commands and requests, until the ground has heard of it: an answer may be lost, and then the command comes again.

use cssa_wire::{Answer, Command, CommandResult, Down, FAILED, MAX_VALUE, UNSUPPORTED, Up, UpPacket};
use std::collections::VecDeque;

/// Answers that are remembered, for commands that come again.
const MAX_KEPT: usize = 32;
/// An answer goes out so many times at most: whoever records a command and repeats it must not spend the link.
const MAX_SENDS: u8 = 32;

/// Answers to what came from the ground.
#[derive(Debug, Default)]
pub(super) struct Answers {
    kept: VecDeque<Kept>,
    /// Station and counter of the self-tests that are not done yet.
    self_tests: Vec<(u8, u32)>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Kept {
    number: (u8, u32),
    result: CommandResult,
    value: Vec<u8>,
    sends: u8,
    is_due: bool,
}

impl Answers {
    /// A packet from the ground was taken for the first time: what this program does not do is answered at once, a self-test when it
    /// is done.
    pub(super) fn taken(&mut self, packet: &UpPacket) {
        let number = (packet.station, packet.counter);
        match &packet.body {
            Up::Acknowledge(_) => {}
            Up::Command(Command::SelfTest) => {
                self.self_tests.push(number);
                let forgotten = self.self_tests.len().saturating_sub(MAX_KEPT);
                self.self_tests.drain(..forgotten);
            }
            Up::Ask(_) => self.keep(number, CommandResult::NotKept, Vec::new()),
            Up::Command(_) => self.keep(number, CommandResult::Refused(UNSUPPORTED), Vec::new()),
        }
    }

    /// A packet came again: its answer was lost.
    pub(super) fn came_again(&mut self, packet: &UpPacket) {
        let number = (packet.station, packet.counter);
        if let Some(kept) = self.kept.iter_mut().find(|kept| kept.number == number && kept.sends < MAX_SENDS) {
            kept.is_due = true;
        }
    }

    /// A self-test is over: those who asked for one are answered, with what was wrong.
    pub(super) fn self_tested(&mut self, outcome: &Result<(), String>) {
        let (result, why) = match outcome {
            Ok(()) => (CommandResult::Done, ""),
            Err(why) => (CommandResult::Refused(FAILED), why.as_str()),
        };
        let value = &why.as_bytes()[..why.floor_char_boundary(MAX_VALUE)];
        for number in std::mem::take(&mut self.self_tests) {
            self.keep(number, result, value.to_vec());
        }
    }

    /// The next answer that is due.
    pub(super) fn due(&self) -> Option<&Kept> {
        self.kept.iter().find(|kept| kept.is_due)
    }

    /// That one goes out now.
    pub(super) fn goes_out(&mut self) {
        if let Some(kept) = self.kept.iter_mut().find(|kept| kept.is_due) {
            (kept.is_due, kept.sends) = (false, kept.sends + 1);
        }
    }

    fn keep(&mut self, number: (u8, u32), result: CommandResult, value: Vec<u8>) {
        if self.kept.len() == MAX_KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(Kept { number, result, value, sends: 0, is_due: true });
    }
}

impl Kept {
    /// What the packet holds.
    pub(super) fn body(&self) -> Down<'_> {
        let ((station, counter), value) = (self.number, self.value.as_slice());
        Down::Answer(Answer { station, counter, result: self.result, value })
    }
}
