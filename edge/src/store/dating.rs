//! Times of captions that were made before anything told the time.

use super::database::{pack, unpack};
use super::entry::{Caption, QUEUE, Waiting, key_of};
use super::{SEQUENCE, Store};
use crate::error::Result;
use cssa_wire::Time;
use redb::{ReadableDatabase, ReadableTable};

impl Store {
    /// The number of the next caption.
    pub fn next_number(&self) -> Result<u32> {
        self.file.with(|database| {
            let kept = database.begin_read()?.open_table(SEQUENCE)?.get(())?;
            Ok(kept.map_or(0, |number| number.value()))
        })
    }

    /// Gives captions from number `first` on, whose times count from a start at `start` (seconds since 1970), their times, where nobody
    /// can have heard of them yet.
    pub fn date(&self, first: u32, start: u32) -> Result<()> {
        self.file.with(|database| {
            let write = database.begin_write()?;
            {
                let mut queue = write.open_table(QUEUE)?;
                let mut undated = Vec::new();
                for entry in queue.iter()? {
                    let waiting = unpack::<Waiting>(entry?.1.value())?;
                    let is_of_start = waiting.sequence.wrapping_sub(first) < u32::MAX / 2;
                    if let (true, 0, Some(seconds)) =
                        (is_of_start, waiting.tries, Time::from(waiting.caption.time).after_start())
                    {
                        let time = Time::Utc(start.saturating_add(seconds)).seconds();
                        undated.push(Waiting { caption: Caption { time, ..waiting.caption }, ..waiting });
                    }
                }
                for dated in undated {
                    queue.insert(key_of(&dated), pack(&dated)?.as_slice())?;
                }
            }
            Ok(write.commit()?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ChangeKind, Outcome};
    use anyhow::Result;

    /// Once the clock is set: what was made since the start and never went out has a time; what nobody knows the start of, or may have been
    /// heard of as it was, stays as it is.
    #[test]
    fn captions_get_their_times_when_the_clock_is_set() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let store = Store::open(folder.path(), 100)?;
        let made = |time| {
            store.settle(
                store.change(ChangeKind::Captioned),
                None,
                &Outcome::Queued(Caption { time, text: "a river".into(), ..Caption::default() }),
            )
        };
        made(50)?;
        let first = store.next_number()?;
        made(30)?;
        let sent = store.mark(store.peek(9, |number| number == 1)?)?;
        assert_eq!(sent.len(), 1);
        made(40)?;
        made(1_900_000_000)?;
        store.date(first, 1_800_000_000)?;
        let times: Vec<u32> = store.peek(9, |_| true)?.iter().map(|waiting| waiting.caption.time).collect();
        assert_eq!(times, [50, 30, 1_800_000_040, 1_900_000_000]);
        Ok(())
    }
}
