//! What the ground's commands do to the queue.

use super::answers::{self, Same, digest_of};
use super::database::{Refusal, unpack};
use super::entry::{QUEUE, Waiting, key_of};
use super::keys::take_number;
use super::{COUNTERS, MISMATCHED, RETIRED, Store, add, commands, footprints};
use crate::error::Result;
use cssa_wire::{MAX_PRIORITY, SelectiveAck, Up, digest};
use redb::ReadableTable;
use std::collections::BTreeMap;

impl Store {
    /// Takes a station's packet by its counter, once under each key: whoever had one that leaked spoils no other's numbers. A new one retires the captions that arrived, where they are what was sent
    /// (`retired` has the digests of those that are gone already); gives the numbers and digests of those that it retired, or nothing
    /// where the counter has been. What a lost store had taken is taken again. A command waits from now on.
    pub fn apply_acknowledgement(
        &self,
        (key, station, counter): (u32, u8, u32),
        body: &Up,
        retired: &BTreeMap<u32, u32>,
    ) -> Result<Option<Vec<(u32, u32)>>> {
        let arrivals: &[SelectiveAck] = if let Up::Acknowledge(arrivals) = body { arrivals } else { &[] };
        self.file.with(|database| {
            let write = database.begin_write()?;
            let (mut gone, number) = (None, (station, counter));
            let asks = !matches!(body, Up::Acknowledge(_));
            let digest = if asks { digest_of(number, body) } else { 0 };
            // Under another key since: it is not done twice, and what another packet had that number is not done at all.
            let same = if asks { answers::within(&write, number, digest)? } else { Same::Unknown };
            if take_number(&write, (key, station, counter))? && same == Same::Unknown {
                answers::note(&write, number, body, digest)?;
                let (mut queue, mut counters) = (write.open_table(QUEUE)?, write.open_table(COUNTERS)?);
                let mut all = Vec::new();
                for arrival in arrivals {
                    match waiting_of(arrival, &queue, retired)? {
                        Some(waiting) => all.extend(waiting),
                        None => add(&mut counters, MISMATCHED, 1)?,
                    }
                }
                // Two arrivals may name the same caption: it came twice.
                let mut count = 0;
                for waiting in &all {
                    count += i64::from(queue.remove(key_of(waiting))?.is_some());
                    footprints::forget(&write, waiting.sequence)?;
                }
                add(&mut counters, RETIRED, count)?;
                commands::take(&write, number, body)?;
                gone = Some(all.iter().map(|waiting| (waiting.sequence, waiting.digest())).collect());
            }
            write.commit()?;
            Ok(gone)
        })
    }
}

impl Waiting {
    fn digest(&self) -> u32 {
        digest(self.sequence, self.caption.time, &self.caption.text)
    }
}

/// The captions of an arrival that still wait; nothing where they are not what arrived, or where one was never sent.
fn waiting_of(
    arrival: &SelectiveAck,
    queue: &redb::Table<'_, (u8, u8, u32), &[u8]>,
    retired: &BTreeMap<u32, u32>,
) -> Result<Option<Vec<Waiting>>, Refusal> {
    let (mut all, mut digests) = (Vec::new(), Vec::new());
    for sequence in arrival.numbers() {
        let mut found = None;
        for less in 0..=MAX_PRIORITY {
            if let Some(bytes) = queue.get((0, less, sequence))? {
                found = Some(unpack::<Waiting>(bytes.value())?);
            }
        }
        match (found, retired.get(&sequence)) {
            (Some(waiting), _) if waiting.tries == 0 => return Ok(None),
            (Some(waiting), _) => {
                digests.push(waiting.digest());
                all.push(waiting);
            }
            (None, Some(&digest)) => digests.push(digest),
            (None, None) => return Ok(None),
        }
    }
    Ok(arrival.is_of(digests).then_some(all))
}
