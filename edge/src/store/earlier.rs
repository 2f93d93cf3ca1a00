//! What a store of an earlier program holds: its captions go on waiting, and what it has done is not done again.

use super::answers::{Answered, Number, Same, adopt as adopt_answer, digest_of, note, within};
use super::commands::PENDING;
use super::database::{Refusal, pack, unpack};
use super::entry::{Caption, QUEUE, Waiting, key_of};
use cssa_wire::{Command, Position, Up};
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

/// The queue of programs that sent wire version 2.
const EARLIER_QUEUE: TableDefinition<(u8, u8, u32), &[u8]> = TableDefinition::new("queue");
/// Which commands those had taken: numbers that mean nothing now.
const EARLIER_WINDOW: TableDefinition<(), &[u8]> = TableDefinition::new("window");

/// Which packets were taken by programs of version 3 that had one key only: of no use without its name.
const WINDOWS_OF_ONE_KEY: TableDefinition<u8, &[u8]> = TableDefinition::new("windows");

/// The last answers of programs that kept them apart from their packets.
const ANSWERS: TableDefinition<u64, &[u8]> = TableDefinition::new("answers");

/// An entry of that queue.
#[derive(Serialize, Deserialize)]
struct EarlierWaiting {
    sequence: u32,
    tries: u8,
    sent: u8,
    caption: EarlierCaption,
}

/// A caption with the score that version 2 sent.
#[derive(Serialize, Deserialize)]
struct EarlierCaption {
    time: u32,
    score: u8,
    priority: u8,
    position: Option<Position>,
    text: String,
}

/// Moves what waits in an earlier program's queue into this one's.
pub(super) fn adopt(write: &WriteTransaction) -> Result<(), Refusal> {
    {
        let (earlier, mut queue) = (write.open_table(EARLIER_QUEUE)?, write.open_table(QUEUE)?);
        for entry in earlier.iter()? {
            let EarlierWaiting { sequence, tries, sent, caption } = unpack(entry?.1.value())?;
            let EarlierCaption { time, priority, position, text, .. } = caption;
            let caption = Caption { time, priority, position, text, ..Caption::default() };
            let waiting = Waiting { sequence, tries, sent, caption };
            queue.insert(key_of(&waiting), pack(&waiting)?.as_slice())?;
        }
    }
    write.delete_table(EARLIER_QUEUE)?;
    write.delete_table(EARLIER_WINDOW)?;
    write.delete_table(WINDOWS_OF_ONE_KEY)?;
    adopt_commands(write)
}

/// What was taken and waits, or was answered, is known again where it comes again.
fn adopt_commands(write: &WriteTransaction) -> Result<(), Refusal> {
    for entry in write.open_table(PENDING)?.iter()? {
        let (number, command): (Number, Command) = unpack(entry?.1.value())?;
        let body = Up::Command(command);
        let digest = digest_of(number, &body);
        if within(write, number, digest)? == Same::Unknown {
            note(write, number, &body, digest)?;
        }
    }
    for entry in write.open_table(ANSWERS)?.iter()? {
        adopt_answer(write, &unpack::<Answered>(entry?.1.value())?)?;
    }
    write.delete_table(ANSWERS)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use anyhow::Result;
    use cssa_wire::{Ask, CommandResult};

    #[test]
    fn captions_of_an_earlier_program_go_on_waiting() -> Result<()> {
        let folder = tempfile::tempdir()?;
        {
            let database = redb::Database::create(folder.path().join("store.redb"))?;
            let write = database.begin_write()?;
            {
                let mut queue = write.open_table(EARLIER_QUEUE)?;
                for (sequence, priority) in [(4, 0), (5, 2)] {
                    let caption =
                        EarlierCaption { time: 7, score: 31, priority, position: None, text: "a river".into() };
                    let waiting = EarlierWaiting { sequence, tries: 1, sent: 0, caption };
                    queue.insert((0, 3 - priority, sequence), postcard::to_allocvec(&waiting)?.as_slice())?;
                }
                write.open_table(EARLIER_WINDOW)?.insert((), &[1, 2][..])?;
            }
            write.commit()?;
        }
        for _ in 0..2 {
            let waiting = Store::open(folder.path(), 10)?.peek(9, |_| true)?;
            assert_eq!(waiting.iter().map(|waiting| waiting.sequence).collect::<Vec<_>>(), [5, 4]);
            let expected = Caption { time: 7, priority: 2, text: "a river".into(), ..Caption::default() };
            assert_eq!((&waiting[0].caption, waiting[0].tries), (&expected, 1));
        }
        Ok(())
    }

    /// A command that was done, or waits, has its answer, and is not done once more; what asked for a picture may be asked again.
    #[test]
    fn commands_of_an_earlier_program_are_not_done_again() -> Result<()> {
        let folder = tempfile::tempdir()?;
        {
            let database = redb::Database::create(folder.path().join("store.redb"))?;
            let write = database.begin_write()?;
            {
                let mut answers = write.open_table(ANSWERS)?;
                let kept = [(5, CommandResult::Done), (6, CommandResult::NotKept)];
                for (place, (counter, result)) in (0..).zip(kept) {
                    let answered = Answered::new((1, counter), result, "");
                    answers.insert(place, postcard::to_allocvec(&answered)?.as_slice())?;
                }
                let waits: (Number, Command) = ((1, 7), Command::Resume);
                write.open_table(PENDING)?.insert(0, postcard::to_allocvec(&waits)?.as_slice())?;
            }
            write.commit()?;
        }
        for _ in 0..2 {
            let store = Store::open(folder.path(), 10)?;
            let known = |counter, body: &Up| store.taken((1, counter), digest_of((1, counter), body));
            let ask = Up::Ask(Ask { ask: 1, caption: 1, pixels: 160, crop: None });
            let resume = Up::Command(Command::Resume);
            assert_eq!((known(5, &resume)?, known(6, &ask)?), (Same::Yes, Same::Unknown));
            assert_eq!((known(7, &resume)?, known(7, &Up::Command(Command::Pause))?), (Same::Yes, Same::No));
            let done = Some(Answered::new((1, 5), CommandResult::Done, ""));
            assert_eq!((store.answer_to((1, 5))?, store.answer_to((1, 7))?), (done, None));
        }
        Ok(())
    }
}
