//! What a store of an earlier program holds: its captions go on waiting.

use super::database::{Refusal, pack, unpack};
use super::entry::{Caption, QUEUE, Waiting, key_of};
use cssa_wire::Position;
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

/// The queue of programs that sent wire version 2.
const EARLIER_QUEUE: TableDefinition<(u8, u8, u32), &[u8]> = TableDefinition::new("queue");
/// Which commands those had taken: numbers that mean nothing now.
const EARLIER_WINDOW: TableDefinition<(), &[u8]> = TableDefinition::new("window");

/// Which packets were taken by programs of version 3 that had one key only: of no use without its name.
const WINDOWS_OF_ONE_KEY: TableDefinition<u8, &[u8]> = TableDefinition::new("windows");

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
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use anyhow::Result;

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
}
