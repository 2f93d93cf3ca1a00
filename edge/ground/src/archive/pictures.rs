//! Pictures that were asked for: of which caption, under which number each request went out, the parts that are here, and in the end the
//! picture. A request has one packet and one number, whatever program or station sends it.

use super::{Archive, now};
use crate::database::{Database, DatabaseError};
use crate::error::{Error, Result};
use crate::geopackage::datetime;
use crate::message::{Outcome, Part};
use cssa_wire::{Ask, BEHIND, Checksum, CommandResult, Key, LATER, MissingParts, Up, UpPacket, digest};
use rusqlite::params;
use serde::Serialize;

/// Requests without an outcome at most, and requests in all: then the oldest with an outcome go out, with their pictures.
const MAX_OPEN: u32 = 1000;
const MAX_PICTURES: u32 = 10_000;
/// A request is asked for where it is one of these.
const IS_OPEN: &str = "state IN ('waiting', 'sent', 'coming')";
/// When a caption's image was taken: as a date, or since a start.
type Taken = (Option<String>, Option<u32>);

/// The columns of [`ArchivedPicture`], in its order.
const FIELDS: &str = "p.id, c.vehicle, c.sequence, c.caption, p.pixels, p.crop, p.made, p.state, p.parts,
    (SELECT count(*) FROM picture_parts q WHERE q.picture = p.id), p.reason, p.answered, c.fid, p.width, p.height";

/// A picture that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArchivedPicture {
    /// Its row.
    pub id: i64,
    /// Who is asked; 0: a vehicle without a number.
    pub vehicle: u16,
    /// The number of its caption.
    pub sequence: u32,
    /// Its caption.
    pub caption: String,
    /// Its longer side in pixels at most.
    pub pixels: u16,
    /// A part of the frame: left, top, width, height.
    pub crop: Option<[u16; 4]>,
    /// When it was asked for, UTC, as RFC 3339 has it.
    pub made: String,
    /// `waiting`, `sent`, `coming`, `here`, `not kept`, `refused` or `unanswered`.
    pub state: String,
    /// Of how many parts it is made, once one has come.
    pub parts: Option<u16>,
    /// How many are here.
    pub parts_here: u16,
    /// What there is to say of its outcome.
    pub reason: Option<String>,
    /// When its outcome came, UTC, as RFC 3339 has it.
    pub answered: Option<String>,
    /// The row of its caption.
    pub row: i64,
    /// Width and height of the whole frame as it is kept aboard, by whose pixels crops go, once the vehicle has said so.
    pub frame: Option<[u16; 2]>,
}

/// A request without an outcome.
#[derive(Clone, Debug)]
pub(crate) struct OpenPicture {
    pub(crate) id: i64,
    pub(crate) sequence: u32,
    pub(crate) pixels: u16,
    pub(crate) crop: Option<[u16; 4]>,
    /// The vehicle has said that it comes.
    pub(crate) is_coming: bool,
    /// What went out, where it has.
    pub(crate) sent: Option<SentAsk>,
}

/// A request that has gone out.
#[derive(Clone, Debug)]
pub(crate) struct SentAsk {
    pub(crate) station: u8,
    pub(crate) ask: u16,
    pub(crate) counter: u32,
    pub(crate) packet: Vec<u8>,
}

/// What a part brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
    /// Nobody asked for it.
    Unasked,
    /// More of this picture.
    More(i64),
    /// A part of this picture that was here already.
    Again(i64),
    /// This picture is here now, under this number of its request: its vehicle is to be told.
    Whole(i64, u16),
    /// The same, and it was here before.
    Here(i64, u16),
    /// All parts of this one are not what their CRC says: it begins anew.
    Damaged(i64),
}

impl Archive {
    /// Asks for the picture of the caption of a row, for a station to send; gives its row.
    ///
    /// # Errors
    /// There is no such caption, or no packet can hold the request.
    pub fn ask_picture(&mut self, caption: i64, pixels: u16, crop: Option<[u16; 4]>) -> Result<i64> {
        let body = Up::Ask(Ask { ask: u16::MAX, caption: u32::MAX, pixels, crop });
        let packet = UpPacket { vehicle: u16::MAX, station: u8::MAX, counter: u32::MAX, body };
        packet.encode(&Key::new([0; 32]), Checksum::Crc32)?;
        let refused = self.refused();
        let asking = self.database.write().map_err(&refused)?;
        let count =
            |sql: &str| -> Result<u32> { Ok(asking.first(sql, &[], |row| row.get(0)).map_err(&refused)?.unwrap_or(0)) };
        if count(&format!("SELECT count(*) FROM pictures WHERE {IS_OPEN}"))? >= MAX_OPEN {
            return Err(Error::PicturesFull { archive: self.place.clone(), most: MAX_OPEN });
        }
        if count("SELECT count(*) FROM pictures")? >= MAX_PICTURES {
            let oldest = format!(
                "DELETE FROM pictures WHERE id IN (SELECT id FROM pictures WHERE NOT {IS_OPEN} ORDER BY id LIMIT 100)"
            );
            asking.execute(&oldest, &[]).map_err(&refused)?;
        }
        let insert = "INSERT INTO pictures (caption, vehicle, sender, sequence, pixels, crop, made)
             SELECT fid, vehicle, sender, sequence, ?2, ?3, ?4 FROM captions WHERE fid = ?1 RETURNING id";
        let crop = crop.map(|crop| crop.map(|number| number.to_string()).join(","));
        let id = asking.first(insert, params![caption, pixels, crop, now()], |row| row.get(0)).map_err(&refused)?;
        let id = id.ok_or_else(|| Error::NoCaption { archive: self.place.clone(), row: caption })?;
        asking.commit().map_err(&refused)?;
        Ok(id)
    }

    /// The row of the caption of a number that came last from a vehicle, or from an address where the vehicle has no number.
    pub fn caption_row(&self, vehicle: u16, sequence: u32) -> Result<Option<i64>> {
        let asked = "SELECT max(fid) FROM captions WHERE vehicle = ?1 AND sequence = ?2";
        Ok(self.rows(asked, params![vehicle, sequence], |row| row.get(0))?.into_iter().next().flatten())
    }

    /// The last `most` pictures that were asked for, the newest first.
    pub fn pictures(&self, most: u32) -> Result<Vec<ArchivedPicture>> {
        let asked =
            format!("SELECT {FIELDS} FROM pictures p JOIN captions c ON c.fid = p.caption ORDER BY p.id DESC LIMIT ?1");
        self.rows(&asked, params![most], |row| {
            Ok(ArchivedPicture {
                id: row.get(0)?,
                vehicle: row.get(1)?,
                sequence: row.get(2)?,
                caption: row.get(3)?,
                pixels: row.get(4)?,
                crop: row.get::<Option<String>>(5)?.and_then(|crop| crop_of(&crop)),
                made: row.get(6)?,
                state: row.get(7)?,
                parts: row.get(8)?,
                parts_here: row.get(9)?,
                reason: row.get(10)?,
                answered: row.get(11)?,
                row: row.get(12)?,
                frame: row.get::<Option<u16>>(13)?.zip(row.get(14)?).map(|(width, height)| [width, height]),
            })
        })
    }

    /// The bytes of a picture, once it is here.
    pub fn picture(&self, id: i64) -> Result<Option<Vec<u8>>> {
        let asked = "SELECT picture FROM pictures WHERE id = ?1 AND state = 'here'";
        Ok(self.rows(asked, params![id], |row| row.get(0))?.into_iter().next())
    }

    /// The oldest requests to a vehicle without an outcome, those that have gone out first. A vehicle without a number is known by the
    /// address that its caption came from.
    pub(crate) fn open_pictures(&self, vehicle: u16, sender: &str, most: u32) -> Result<Vec<OpenPicture>> {
        let asked = format!(
            "SELECT id, sequence, pixels, crop, state, station, ask, packet, counter FROM pictures
             WHERE vehicle = ?1 AND {IS_OPEN} AND (vehicle > 0 OR sender = ?2)
             ORDER BY CASE WHEN state = 'waiting' THEN 1 ELSE 0 END, id LIMIT ?3"
        );
        self.rows(&asked, params![vehicle, sender, most], |row| {
            let sent = match row.get(5)? {
                None => None,
                Some(station) => Some(SentAsk { station, ask: row.get(6)?, packet: row.get(7)?, counter: row.get(8)? }),
            };
            Ok(OpenPicture {
                id: row.get(0)?,
                sequence: row.get(1)?,
                pixels: row.get(2)?,
                crop: row.get::<Option<String>>(3)?.and_then(|crop| crop_of(&crop)),
                is_coming: row.get::<String>(4)? == "coming",
                sent,
            })
        })
    }

    /// The number of a station's next request: its own first byte, and a second one that no open request has. Parts name no station.
    pub(crate) fn ask_number(&self, station: u8) -> Result<Option<u16>> {
        let asked = format!(
            "SELECT ask FROM pictures WHERE station = ?1 AND {IS_OPEN}
             UNION ALL SELECT -ask FROM pictures WHERE id = (SELECT max(id) FROM pictures WHERE station = ?1 AND sent =
             (SELECT max(sent) FROM pictures WHERE station = ?1))"
        );
        let (mut taken, mut last) = (Vec::new(), 0);
        for number in self.rows(&asked, params![station], |row| row.get::<i64>(0))? {
            if number < 0 { last = -number } else { taken.push(number) }
        }
        let first = i64::from(station) << 8;
        let free = (1..=256).map(|n| first | (last + n) & 0xff).find(|number| !taken.contains(number));
        Ok(free.and_then(|number| u16::try_from(number).ok()))
    }

    /// A station takes a request under a number, and goes on to send it; `false` where another one has taken it.
    pub(crate) fn take_ask(&mut self, id: i64, ask: &SentAsk) -> Result<bool> {
        let take = "UPDATE pictures SET state = 'sent', station = ?2, ask = ?3, counter = ?4, packet = ?5, sent = ?6
             WHERE id = ?1 AND state = 'waiting'";
        let SentAsk { station, ask, counter, packet } = ask;
        let values = params![id, station, ask, counter, packet, now()];
        Ok(self.database.execute(take, values).map_err(self.refused())? == 1)
    }

    /// A request begins anew: its vehicle does not know it any more, or its packet is too old to be taken.
    pub(crate) fn ask_anew(&mut self, id: i64) -> Result<()> {
        let anew = format!(
            "UPDATE pictures SET state = 'waiting', station = NULL, counter = NULL, packet = NULL WHERE id = ?1 AND {IS_OPEN}"
        );
        self.database.execute(&anew, params![id]).map(drop).map_err(self.refused())
    }

    /// A request has an outcome that is no picture.
    pub(crate) fn end_picture(&mut self, id: i64, state: &str, reason: &str) -> Result<()> {
        let refused = self.refused();
        let ending = self.database.write().map_err(&refused)?;
        let end = format!(
            "UPDATE pictures SET state = ?2, reason = nullif(?3, ''), answered = ?4 WHERE id = ?1 AND {IS_OPEN}"
        );
        if ending.execute(&end, params![id, state, reason, now()]).map_err(&refused)? > 0 {
            ending.execute("DELETE FROM picture_parts WHERE picture = ?1", params![id]).map_err(&refused)?;
        }
        ending.commit().map_err(&refused)
    }

    /// A vehicle has answered a request: the picture comes, where it is that caption's, or why it does not. The row of the
    /// request, where that waited for its answer.
    pub(crate) fn keep_promise(&mut self, vehicle: u16, outcome: &Outcome) -> Result<Option<i64>> {
        let Outcome { station, counter, result, value } = outcome;
        let asked = "SELECT p.id, c.sequence, c.caption, c.time, c.after_start FROM pictures p JOIN captions c ON c.fid = p.caption
             WHERE p.vehicle = ?1 AND p.station = ?2 AND p.counter = ?3 AND p.state = 'sent'";
        let found = self.rows(asked, params![vehicle, station, counter], |row| {
            Ok((row.get::<i64>(0)?, row.get::<u32>(1)?, row.get::<String>(2)?, (row.get(3)?, row.get(4)?)))
        })?;
        let Some((id, sequence, caption, taken)) = found.into_iter().next() else { return Ok(None) };
        match result {
            CommandResult::Done => match promised(value, sequence, &caption, &taken) {
                Some((crc, size)) => {
                    let coming = "UPDATE pictures SET state = 'coming', promised = ?2, width = nullif(?3, 0), height = nullif(?4, 0)
                         WHERE id = ?1 AND state = 'sent'";
                    let refused = self.refused();
                    let promising = self.database.write().map_err(&refused)?;
                    promising.execute(coming, params![id, crc, size & 0xffff, size >> 16]).map_err(&refused)?;
                    complete(&promising, id).map_err(&refused)?;
                    promising.commit().map_err(&refused)
                }
                None => self.end_picture(
                    id,
                    "not kept",
                    "the vehicle has another caption under this number now, or does not know when this one was taken",
                ),
            },
            CommandResult::NotKept => self.end_picture(id, "not kept", &outcome.detail()),
            CommandResult::Refused(LATER | BEHIND) => self.ask_anew(id),
            CommandResult::Refused(_) => self.end_picture(id, "refused", &outcome.detail()),
        }?;
        Ok(Some(id))
    }

    /// Keeps parts of vehicles' pictures, as one change, and makes the pictures of which all parts are here; says of each part what it brought.
    pub(crate) fn keep_parts(&mut self, parts: &[(u16, &Part)]) -> Result<Vec<Brought>> {
        let refused = self.refused();
        let keeping = self.database.write().map_err(&refused)?;
        let kept = parts.iter().map(|(vehicle, part)| {
            let brought = keep(&keeping, *vehicle, part)?;
            if let Brought::More(id) = brought { complete(&keeping, id) } else { Ok(brought) }
        });
        let kept = kept.collect::<Result<_, DatabaseError>>().map_err(&refused)?;
        keeping.commit().map_err(&refused)?;
        Ok(kept)
    }

    /// The parts of a picture that are missing, as many as a packet names.
    pub(crate) fn missing_parts(&self, id: i64, ask: u16) -> Result<MissingParts> {
        let parts =
            self.rows("SELECT parts FROM pictures WHERE id = ?1", params![id], |row| row.get::<Option<u16>>(0))?;
        let Some(parts) = parts.into_iter().next().flatten() else { return Ok(MissingParts::all(ask)) };
        let here = "SELECT part FROM picture_parts WHERE picture = ?1";
        let here: std::collections::BTreeSet<u16> =
            self.rows(here, params![id], |row| row.get(0))?.into_iter().collect();
        Ok(MissingParts::of(ask, (0..parts).filter(|part| !here.contains(part))))
    }
}

/// Keeps a part.
fn keep(keeping: &Database, vehicle: u16, part: &Part) -> Result<Brought, DatabaseError> {
    let asked =
        "SELECT id, state, parts FROM pictures WHERE vehicle = ?1 AND ask = ?2 AND state IN ('sent', 'coming', 'here')
         ORDER BY id DESC LIMIT 1";
    let found = keeping.first(asked, params![vehicle, part.ask], |row| {
        Ok((row.get::<i64>(0)?, row.get::<String>(1)?, row.get::<Option<u16>>(2)?))
    })?;
    let Some((id, state, parts)) = found else { return Ok(Brought::Unasked) };
    if state == "here" {
        return Ok(Brought::Here(id, part.ask));
    }
    if parts != Some(part.parts) {
        // Cut otherwise than before: nothing of that fits.
        keeping.execute("DELETE FROM picture_parts WHERE picture = ?1", params![id])?;
        keeping.execute("UPDATE pictures SET parts = ?2, crc = NULL WHERE id = ?1", params![id, part.parts])?;
    }
    let insert = "INSERT INTO picture_parts (picture, part, bytes) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    let is_new = keeping.execute(insert, params![id, part.part, part.bytes])? > 0;
    if let Some(crc) = part.crc {
        keeping.execute("UPDATE pictures SET crc = ?2 WHERE id = ?1", params![id, crc])?;
    }
    Ok(if is_new { Brought::More(id) } else { Brought::Again(id) })
}

/// Makes a picture of its parts, where all are here and its vehicle has said whose it is.
fn complete(completing: &Database, id: i64) -> Result<Brought, DatabaseError> {
    let asked = "SELECT p.parts, p.crc, p.ask, p.state, (SELECT count(*) FROM picture_parts q WHERE q.picture = p.id), p.promised FROM pictures p
         WHERE p.id = ?1";
    let found = completing.first(asked, params![id], |row| {
        let (state, here, promised) = (row.get::<String>(3)?, row.get::<i64>(4)?, row.get::<Option<u32>>(5)?);
        Ok((row.get::<Option<u16>>(0)?, row.get::<Option<u32>>(1)?, row.get(2)?, state, here, promised))
    })?;
    let Some((Some(parts), Some(crc), ask, state, here, promised)) = found else { return Ok(Brought::More(id)) };
    if here < i64::from(parts) || state != "coming" {
        return Ok(Brought::More(id));
    }
    let all = "SELECT bytes FROM picture_parts WHERE picture = ?1 ORDER BY part";
    let picture = completing.query(all, params![id], |row| row.get::<Vec<u8>>(0))?.concat();
    completing.execute("DELETE FROM picture_parts WHERE picture = ?1", params![id])?;
    if crc32fast::hash(&picture) == crc && promised == Some(crc) {
        let here = "UPDATE pictures SET state = 'here', picture = ?2, answered = ?3 WHERE id = ?1";
        completing.execute(here, params![id, picture, now()])?;
        return Ok(Brought::Whole(id, ask));
    }
    // Nothing of it is believed.
    completing.execute("UPDATE pictures SET parts = NULL, crc = NULL WHERE id = ?1", params![id])?;
    Ok(Brought::Damaged(id))
}

/// CRC-32 of the picture, and width and height of the whole frame in 16 bits each, where an answer says that it is this caption's: by number, words and time. A time that only one of both knows
/// tells nothing, and then nor does the answer: another flight may have said the same.
fn promised(value: &[u8], sequence: u32, caption: &str, taken: &Taken) -> Option<(u32, u32)> {
    let (words, []) = value.as_chunks::<4>() else { return None };
    let &[digest_of, time, crc, size] = words else { return None };
    let [digest_of, time, crc, size] = [digest_of, time, crc, size].map(u32::from_le_bytes);
    let time = cssa_wire::Time::from(time);
    let is_same = (time.utc().map(datetime), time.after_start()) == (taken.0.clone(), taken.1);
    (digest_of == digest(sequence, 0, caption) && is_same).then_some((crc, size))
}

fn crop_of(text: &str) -> Option<[u16; 4]> {
    let numbers: Option<Vec<u16>> = text.split(',').map(|number| number.parse().ok()).collect();
    numbers?.try_into().ok()
}

#[cfg(test)]
mod tests;
