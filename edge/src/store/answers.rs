//! What the ground is told became of its packets: the last answers, over starts.

use super::Store;
use super::database::{Refusal, pack, unpack};
use crate::error::Result;
use cssa_wire::{Answer, CommandResult, Down, MAX_VALUE};
use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

/// Answers, as they were made.
pub(super) const ANSWERS: TableDefinition<u64, &[u8]> = TableDefinition::new("answers");
/// Those that are remembered at most.
const MAX_ANSWERS: u64 = 64;

/// A packet from the ground: its station and that one's number.
pub type Number = (u8, u32);

/// What became of a command or a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The packet that it came with.
    pub number: Number,
    /// What became of it.
    pub result: CommandResult,
    value: Vec<u8>,
}

impl Answered {
    /// An answer, and what is to be said beside it: as much as a packet holds.
    #[must_use]
    pub fn new(number: Number, result: CommandResult, said: &str) -> Self {
        Self::with_value(number, result, &said.as_bytes()[..said.floor_char_boundary(MAX_VALUE)])
    }

    /// An answer, and a value beside it.
    #[must_use]
    pub fn with_value(number: Number, result: CommandResult, value: &[u8]) -> Self {
        Self { number, result, value: value.to_vec() }
    }

    /// What a packet holds.
    #[must_use]
    pub fn body(&self) -> Down<'_> {
        let ((station, counter), value) = (self.number, self.value.as_slice());
        Down::Answer(Answer { station, counter, result: self.result, value })
    }
}

impl Store {
    /// The answer to what came with a packet, where there is one by now.
    pub fn answer_to(&self, number: Number) -> Result<Option<Answered>> {
        self.file.with(|database| {
            for entry in database.begin_read()?.open_table(ANSWERS)?.iter()?.rev() {
                let answered = unpack::<Answered>(entry?.1.value())?;
                if answered.number == number {
                    return Ok(Some(answered));
                }
            }
            Ok(None)
        })
    }
}

/// Keeps an answer, within the transaction that makes it true.
pub(super) fn keep(write: &WriteTransaction, answered: &Answered) -> Result<(), Refusal> {
    let mut answers = write.open_table(ANSWERS)?;
    let place = answers.last()?.map_or(0, |(place, _)| place.value() + 1);
    answers.insert(place, pack(answered)?.as_slice())?;
    while answers.len()? > MAX_ANSWERS {
        answers.pop_first()?;
    }
    Ok(())
}
