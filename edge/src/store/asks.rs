//! Pictures that the ground has asked for: from when a request is taken until the picture is said to have arrived, over starts.

use super::Store;
use super::answers::{Answered, Number, keep};
use super::database::{Refusal, pack, unpack};
use crate::error::Result;
use crate::pictures::{NotMade, Picture, Subject};
use cssa_wire::{Ask, CommandResult, FAILED, LATER, MissingParts, Up, WINDOW};
use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata, Table, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Requests, by their station and number.
pub(super) const ASKS: TableDefinition<Asked, &[u8]> = TableDefinition::new("asks");
/// The pictures of those that were made.
pub(super) const PICTURES: TableDefinition<Asked, &[u8]> = TableDefinition::new("asked_pictures");
/// Requests at most: with their pictures all of them take 8 MiB.
const MAX_ASKS: u64 = 32;

/// A request: its station and its number.
pub type Asked = (u8, u16);

/// A request, as it came last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    number: Number,
    caption: u32,
    pixels: u16,
    crop: Option<[u16; 4]>,
    /// What is said of the picture, once it is made.
    made: Option<Made>,
}

/// Whose picture it is, its CRC-32, and width and height of the whole frame.
type Made = (Subject, u32, [u16; 2]);

/// A request whose picture is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenAsk {
    /// Its station and its number.
    pub asked: Asked,
    /// The packet that it came with.
    pub number: Number,
    /// What is wanted.
    pub ask: Ask,
}

impl Store {
    /// A request whose picture is to be made.
    pub fn next_ask(&self) -> Result<Option<OpenAsk>> {
        self.file.with(|database| {
            for entry in database.begin_read()?.open_table(ASKS)?.iter()? {
                let (asked, bytes) = entry?;
                let Kept { number, caption, pixels, crop, made } = unpack(bytes.value())?;
                if made.is_none() {
                    let asked = asked.value();
                    return Ok(Some(OpenAsk { asked, number, ask: Ask { ask: asked.1, caption, pixels, crop } }));
                }
            }
            Ok(None)
        })
    }

    /// The picture of a request was made, or why it was not; with its answer.
    pub fn made(&self, open: &OpenAsk, made: &Result<Picture, NotMade>) -> Result<()> {
        self.file.with(|database| {
            let write = database.begin_write()?;
            {
                let (mut asks, mut pictures) = (write.open_table(ASKS)?, write.open_table(PICTURES)?);
                let kept = asks.get(open.asked)?.map(|bytes| unpack::<Kept>(bytes.value())).transpose()?;
                // One that another has replaced meanwhile is that one's to make.
                let is_same = |kept: &Kept| kept.made.is_none() && kept.number == open.number;
                if let Some(kept) = kept.filter(is_same) {
                    let answered = match made {
                        Ok(picture) => {
                            pictures.insert(open.asked, picture.bytes.as_slice())?;
                            let made = (picture.subject, crc32fast::hash(&picture.bytes), picture.frame);
                            let kept = Kept { made: Some(made), ..kept };
                            asks.insert(open.asked, pack(&kept)?.as_slice())?;
                            done(open.number, made)
                        }
                        Err(why) => {
                            asks.remove(open.asked)?;
                            not_made(open.number, *why)
                        }
                    };
                    keep(&write, &answered, &Up::Ask(open.ask))?;
                }
            }
            Ok(write.commit()?)
        })
    }

    /// Whose picture a packet asked for, where it is made and still to arrive.
    pub fn asked_by(&self, number: Number) -> Result<Option<Asked>> {
        self.file.with(|database| {
            for entry in database.begin_read()?.open_table(ASKS)?.iter()? {
                let (asked, bytes) = entry?;
                let kept = unpack::<Kept>(bytes.value())?;
                if kept.number == number && kept.made.is_some() {
                    return Ok(Some(asked.value()));
                }
            }
            Ok(None)
        })
    }

    /// The picture of a request, where it is made and still to arrive.
    pub fn picture(&self, asked: Asked) -> Result<Option<Vec<u8>>> {
        self.file.with(|database| {
            let picture = database.begin_read()?.open_table(PICTURES)?.get(asked)?;
            Ok(picture.map(|bytes| bytes.value().to_vec()))
        })
    }

    /// A request whose picture is made and still to arrive.
    pub fn first_picture(&self) -> Result<Option<Asked>> {
        self.file
            .with(|database| Ok(database.begin_read()?.open_table(PICTURES)?.first()?.map(|(asked, _)| asked.value())))
    }

    /// Forgets all pictures that were made, and all requests: each of these is answered.
    pub fn forget_pictures(&self) -> Result<()> {
        self.file.with(|database| {
            let write = database.begin_write()?;
            {
                let mut asks = write.open_table(ASKS)?;
                for entry in asks.iter()? {
                    let (asked, bytes) = entry?;
                    let Kept { number, caption, pixels, crop, .. } = unpack(bytes.value())?;
                    let ask = Ask { ask: asked.value().1, caption, pixels, crop };
                    keep(&write, &not_made(number, NotMade::NotKept), &Up::Ask(ask))?;
                }
                asks.retain(|_, _| false)?;
                write.open_table(PICTURES)?.retain(|_, _| false)?;
            }
            Ok(write.commit()?)
        })
    }
}

/// Takes a request: the same one again has the answer of the first, another one under its number takes its place.
pub(super) fn take_ask(write: &WriteTransaction, number: Number, ask: &Ask) -> Result<(), Refusal> {
    let (mut asks, mut pictures) = (write.open_table(ASKS)?, write.open_table(PICTURES)?);
    let asked = (number.0, ask.ask);
    let Ask { caption, pixels, crop, .. } = *ask;
    let before = asks.get(asked)?.map(|bytes| unpack::<Kept>(bytes.value())).transpose()?;
    if before.is_none() && asks.len()? >= MAX_ASKS && !make_room(&mut asks, &mut pictures, number)? {
        let full = Answered::new(number, CommandResult::Refused(LATER), "too many pictures are on their way");
        return keep(write, &full, &Up::Ask(*ask));
    }
    let is_same = |kept: &Kept| (kept.caption, kept.pixels, kept.crop) == (caption, pixels, crop);
    let made = before.filter(is_same).and_then(|kept| kept.made);
    match made {
        Some(made) => keep(write, &done(number, made), &Up::Ask(*ask))?,
        None => drop(pictures.remove(asked)?),
    }
    asks.insert(asked, pack(&Kept { number, caption, pixels, crop, made })?.as_slice())?;
    Ok(())
}

/// What has arrived of a picture: of one that is whole nothing is kept any more; one that is not known is said to be so.
pub(super) fn take_missing(write: &WriteTransaction, number: Number, missing: &MissingParts) -> Result<(), Refusal> {
    let (mut asks, mut pictures) = (write.open_table(ASKS)?, write.open_table(PICTURES)?);
    let asked = (number.0, missing.ask);
    if missing.is_whole() {
        asks.remove(asked)?;
        pictures.remove(asked)?;
    } else if asks.get(asked)?.is_none() {
        return keep(write, &not_made(number, NotMade::NotKept), &Up::Missing(missing.clone()));
    }
    Ok(())
}

/// Makes room for a request of a station, whether it could. A station that has more than its share gives up the oldest picture that was
/// made for it to one that has less; that one is said to be not kept when its missing parts are asked for. A station's own oldest picture
/// makes room for its next one only where it was asked for long ago: that it has arrived was said in vain, or to nobody.
fn make_room(
    asks: &mut Table<'_, Asked, &'static [u8]>,
    pictures: &mut Table<'_, Asked, &'static [u8]>,
    (station, counter): Number,
) -> Result<bool, Refusal> {
    let mut stations: BTreeMap<u8, Held> = BTreeMap::from([(station, Held::default())]);
    for entry in asks.iter()? {
        let (asked, bytes) = entry?;
        let (asked, kept) = (asked.value(), unpack::<Kept>(bytes.value())?);
        let held = stations.entry(asked.0).or_default();
        held.requests += 1;
        if kept.made.is_some() && held.oldest.is_none_or(|(oldest, _)| kept.number.1 < oldest) {
            held.oldest = Some((kept.number.1, asked));
        }
    }
    let share = MAX_ASKS / stations.len() as u64;
    let own = stations.remove(&station).unwrap_or_default();
    let is_old = |(asked_at, _): &(u32, Asked)| counter.saturating_sub(*asked_at) >= WINDOW;
    let largest = stations.into_values().filter(|held| held.requests > share).max_by_key(|held| held.requests);
    let oldest = match largest.filter(|_| own.requests < share) {
        Some(held) => held.oldest,
        None => own.oldest.filter(is_old),
    };
    let Some((_, asked)) = oldest else { return Ok(false) };
    asks.remove(asked)?;
    pictures.remove(asked)?;
    Ok(true)
}

/// What is held for a station.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    requests: u64,
    /// The oldest picture that was made, by the number of the packet that asked for it.
    oldest: Option<(u32, Asked)>,
}

fn done(number: Number, (subject, crc, frame): Made) -> Answered {
    Answered::with_value(number, CommandResult::Done, &subject.to_value(crc, frame))
}

fn not_made(number: Number, why: NotMade) -> Answered {
    let result = match why {
        NotMade::NotKept | NotMade::OnlySmall => CommandResult::NotKept,
        NotMade::Outside(_) | NotMade::TooLarge => CommandResult::Refused(FAILED),
    };
    Answered::new(number, result, &why.said())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, Result};
    use cssa_wire::Down;

    fn said(store: &Store, number: Number) -> Result<Option<(CommandResult, Vec<u8>)>> {
        let answered = store.answer_to(number)?;
        Ok(answered.map(|answered| match answered.body() {
            Down::Answer(answer) => (answer.result, answer.value.to_vec()),
            _ => (CommandResult::Done, Vec::new()),
        }))
    }

    #[test]
    fn a_picture_waits_over_starts_until_it_has_arrived() -> Result<()> {
        let (folder, none) = (tempfile::tempdir()?, BTreeMap::new());
        let ask = |ask, caption| Up::Ask(Ask { ask, caption, pixels: 160, crop: None });
        let store = Store::open(folder.path(), 100)?;
        let take = |store: &Store, counter, body: &Up| store.apply_acknowledgement((7, 1, counter), body, &none);
        take(&store, 1, &ask(300, 9))?;
        take(&store, 2, &ask(300, 9))?;
        drop(store);
        let store = Store::open(folder.path(), 100)?;
        let open = store.next_ask()?.context("a request")?;
        assert_eq!((open.asked, open.number, open.ask.caption), ((1, 300), (1, 2), 9), "the same one came again");
        let subject = Subject { number: 9, time: 1, digest: 0x0403_0201 };
        store.made(&open, &Ok(Picture { subject, bytes: vec![5; 700], frame: [0x0201, 0x0403] }))?;
        assert_eq!(store.next_ask()?, None);
        let value = [&[1, 2, 3, 4, 1, 0, 0, 0][..], &crc32fast::hash(&[5; 700]).to_le_bytes(), &[1, 2, 3, 4]].concat();
        let done = Some((CommandResult::Done, value));
        assert_eq!((said(&store, (1, 2))?, store.asked_by((1, 2))?), (done.clone(), Some((1, 300))));
        take(&store, 3, &ask(300, 9))?;
        assert_eq!((said(&store, (1, 3))?, store.next_ask()?), (done, None), "it is made already");
        take(&store, 4, &Up::Missing(MissingParts::of(300, [1])))?;
        assert_eq!(said(&store, (1, 4))?, None);
        drop(store);
        let store = Store::open(folder.path(), 100)?;
        assert_eq!(store.picture((1, 300))?, Some(vec![5; 700]));
        take(&store, 5, &Up::Missing(MissingParts::of(300, [])))?;
        assert_eq!((store.picture((1, 300))?, store.asked_by((1, 3))?), (None, None));
        take(&store, 6, &Up::Missing(MissingParts::of(300, [1])))?;
        assert_eq!(said(&store, (1, 6))?, Some((CommandResult::NotKept, vec![])));
        // A number that is used for another picture.
        take(&store, 7, &ask(300, 10))?;
        let open = store.next_ask()?.context("a request")?;
        store.made(&open, &Err(NotMade::OnlySmall))?;
        let (result, why) = said(&store, (1, 7))?.context("an answer")?;
        assert!(result == CommandResult::NotKept && why.starts_with(b"only its small picture"), "{why:?}");
        Ok(())
    }

    #[test]
    fn requests_are_bounded_and_forgotten_on_command() -> Result<()> {
        let (folder, none) = (tempfile::tempdir()?, BTreeMap::new());
        let store = Store::open(folder.path(), 100)?;
        for counter in 0..40 {
            let ask = Ask { ask: counter as u16, caption: 1, pixels: 160, crop: None };
            store.apply_acknowledgement((7, 1, counter), &Up::Ask(ask), &none)?;
        }
        let (result, why) = said(&store, (1, 39))?.context("an answer")?;
        assert!(result == CommandResult::Refused(LATER) && why.starts_with(b"too many"), "{why:?}");
        // One that was made long ago and is not known to have arrived makes room, and none that is on its way.
        let open = store.next_ask()?.context("a request")?;
        let subject = Subject { number: 1, time: 1, digest: 1 };
        store.made(&open, &Ok(Picture { subject, bytes: vec![1], frame: [0; 2] }))?;
        for (counter, is_taken) in [(50, false), (50 + WINDOW, true)] {
            let ask = Up::Ask(Ask { ask: 900, caption: 1, pixels: 160, crop: None });
            store.apply_acknowledgement((7, 1, counter), &ask, &none)?;
            let said = said(&store, (1, counter))?.map(|(result, _)| result);
            assert_eq!((store.picture(open.asked)?.is_none(), said.is_none()), (is_taken, is_taken), "{counter}");
        }
        store.forget_pictures()?;
        assert_eq!((store.next_ask()?, said(&store, (1, 31))?), (None, Some((CommandResult::NotKept, vec![]))));
        Ok(())
    }

    /// Neither of two stations takes pictures from the other that are within its half; who has more gives up the oldest.
    #[test]
    fn stations_share_the_room() -> Result<()> {
        let (folder, none) = (tempfile::tempdir()?, BTreeMap::new());
        let store = Store::open(folder.path(), 100)?;
        let ask = |station: u8, counter: u32| -> Result<bool> {
            let ask = Ask { ask: u16::from(station) << 8 | counter as u16, caption: 1, pixels: 160, crop: None };
            store.apply_acknowledgement((7, station, counter), &Up::Ask(ask), &none)?;
            if let Some(open) = store.next_ask()? {
                let subject = Subject { number: 1, time: 1, digest: 1 };
                store.made(&open, &Ok(Picture { subject, bytes: vec![1], frame: [0; 2] }))?;
            }
            Ok(said(&store, (station, counter))?.context("an answer")?.0 == CommandResult::Done)
        };
        let held = |station: u8| -> Result<Vec<u32>> {
            let is_held = |counter: &u32| store.picture((station, u16::from(station) << 8 | *counter as u16));
            let mut all = Vec::new();
            for counter in 0..40 {
                all.extend(is_held(&counter)?.map(|_| counter));
            }
            Ok(all)
        };
        for counter in 0..20 {
            assert!(ask(1, counter)?);
        }
        for counter in 0..20 {
            assert_eq!(ask(2, counter)?, counter < 16, "{counter}");
        }
        assert_eq!((held(1)?, held(2)?), ((4..20).collect(), (0..16).collect()));
        assert!(!ask(1, 20)? && ask(3, 1)?, "a third one's share is ten");
        assert_eq!(held(1)?.len() + held(2)?.len(), 31);
        Ok(())
    }
}
