//! The captions that arrived, in a GeoPackage: an SQLite file that QGIS and GDAL open, with full-text search.

mod bounded;
mod commands;
mod footprints;
mod messages;
mod migration;
mod open;
mod undecoded;
mod vehicles;

pub use bounded::Stored;
pub use commands::ArchivedCommand;
pub(crate) use commands::OpenCommand;
pub use footprints::{ArchivedFootprint, Bound};
pub use messages::{ArchivedMessage, ArchivedReport};
pub use undecoded::Undecoded;
pub(crate) use vehicles::is_late;
pub use vehicles::{ArchivedHousekeeping, Growth, Status, Vehicle};

use crate::error::{Error, Result};
use crate::geopackage::{datetime, point};
use bounded::Bounds;
use cssa::trust::Reason;
use cssa_wire::{Caption, CaptionPacket, Time};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// The columns of [`Archived`], in its order.
const FIELDS: &str =
    "c.sender, c.vehicle, c.sequence, c.time, c.caption, c.confidence, c.outside, c.priority, c.bundle,
     c.latitude, c.longitude, c.received, c.after_start";

/// An open archive.
#[derive(Debug)]
pub struct Archive {
    database: Connection,
    path: PathBuf,
    bounds: Bounds,
}

/// Whose captions are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A vehicle that has a number, whatever address its packets come from.
    Vehicle(u16),
    /// An address, for vehicles without a number.
    Address(String),
}

impl Origin {
    /// Whose a packet is that names `vehicle` and came from an address.
    #[must_use]
    pub fn of(vehicle: u16, address: String) -> Self {
        if vehicle > 0 { Self::Vehicle(vehicle) } else { Self::Address(address) }
    }

    /// As the columns `vehicle` and `sender` have it; the address of a vehicle with a number is empty.
    fn columns(&self) -> (u16, &str) {
        match self {
            Self::Vehicle(number) => (*number, ""),
            Self::Address(address) => (0, address),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vehicle(number) => write!(formatter, "vehicle {number}"),
            Self::Address(address) => formatter.write_str(address),
        }
    }
}

/// A caption of the archive.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Archived {
    /// Where its packet came from.
    pub sender: String,
    /// Who sent it; 0: not given.
    pub vehicle: u16,
    /// Its number.
    pub sequence: u32,
    /// When the image was taken, UTC, as RFC 3339 has it; absent where the vehicle did not know the time.
    pub time: Option<String>,
    /// Its words.
    pub caption: String,
    /// Probability that it names nothing that is not there, 0 to 1; absent where its bundle has no statistics for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// The name of the reason why its image is none that the model knows; absent where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outside: Option<String>,
    /// 0 to 3.
    pub priority: u8,
    /// The bundle that made it, in hexadecimal.
    pub bundle: String,
    /// Degrees north, where it is known.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// When it came first, UTC, as RFC 3339 has it.
    pub received: String,
    /// Seconds from the vehicle's start to when the image was taken, where that is all that the vehicle knew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_start: Option<u32>,
}

/// What a packet brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Captions that are new.
    pub new: usize,
    /// Captions that were there already.
    pub again: usize,
}

impl Archive {
    /// Keeps the captions of a packet; those that are there already are counted.
    pub fn keep(&mut self, sender: &str, packet: &CaptionPacket) -> Result<Kept> {
        let refused = |cause| Error::Archive { archive: self.path.clone(), cause };
        let keeping = self.database.transaction().map_err(refused)?;
        let mut kept = Kept::default();
        for caption in &packet.captions {
            let time = Time::from(caption.time);
            let (time, after_start) = (time.utc().map(datetime), time.after_start());
            let place = caption.position.map(cssa_wire::Position::degrees);
            let Caption { sequence, confidence, outside, priority, text, .. } = caption;
            // A vehicle that has a number is known by it, whatever address its packets come from.
            let again = "UPDATE captions SET times_received = times_received + 1 WHERE vehicle = ?1 AND sequence = ?2 AND time IS ?3
                 AND caption = ?4 AND (sender = ?5 OR vehicle > 0) AND after_start IS ?6";
            let again = keeping.execute(again, params![packet.vehicle, sequence, time, text, sender, after_start]);
            if again.map_err(refused)? > 0 {
                kept.again += 1;
                continue;
            }
            let inserted = keeping.execute(
                "INSERT INTO captions (geom, sender, vehicle, sequence, time, caption, confidence, outside, priority, bundle, latitude,
                 longitude, received, after_start) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
                params![
                    place.map(|(latitude, longitude)| point(latitude, longitude)),
                    sender,
                    packet.vehicle,
                    sequence,
                    time,
                    text,
                    confidence.map(|confidence| f64::from(confidence.thousandths()) / 1000.0),
                    outside.map(Reason::name),
                    priority,
                    format!("{:04x}", packet.bundle),
                    place.map(|place| place.0),
                    place.map(|place| place.1),
                    now(),
                    after_start,
                ],
            );
            kept.new += inserted.map_err(refused)?;
        }
        let places = packet.captions.iter().filter_map(|caption| caption.position.map(cssa_wire::Position::degrees));
        for (latitude, longitude) in places {
            let bounds =
                "UPDATE gpkg_contents SET min_x = min(ifnull(min_x, ?1), ?1), max_x = max(ifnull(max_x, ?1), ?1),
                min_y = min(ifnull(min_y, ?2), ?2), max_y = max(ifnull(max_y, ?2), ?2),
                last_change = strftime('%Y-%m-%dT%H:%M:%fZ','now') WHERE table_name = 'captions'";
            keeping.execute(bounds, params![longitude, latitude]).map_err(refused)?;
        }
        keeping.commit().map_err(refused)?;
        Ok(kept)
    }

    /// The captions by time, or by when they came where that is not known, only those with all of `words` where there are some.
    pub fn captions(&self, words: Option<&str>) -> Result<Vec<Archived>> {
        let (condition, query) = match words.filter(|words| !words.trim().is_empty()) {
            // Each word in quotes: what an operator of the search would be is a word, too.
            Some(words) => (
                "JOIN caption_words w ON w.rowid = c.fid WHERE caption_words MATCH ?1",
                words.split_whitespace().map(|word| format!("\"{}\" ", word.replace('"', "\"\""))).collect::<String>(),
            ),
            None => ("WHERE ?1 = ?1", String::new()),
        };
        let sql = format!(
            "SELECT {FIELDS} FROM captions c {condition} ORDER BY ifnull(c.time, c.received), c.sender, c.sequence"
        );
        self.rows(&sql, [query], archived)
    }

    /// The captions that were kept after the row `after`, at most `most`, with their rows.
    pub fn after(&self, after: i64, most: u32) -> Result<Vec<(i64, Archived)>> {
        let sql = format!("SELECT {FIELDS}, c.fid FROM captions c WHERE c.fid > ?1 ORDER BY c.fid LIMIT ?2");
        self.rows(&sql, params![after, most], |row| Ok((row.get(13)?, archived(row)?)))
    }

    /// The numbers that are missing between the first and the last caption of an origin, as ranges.
    pub fn gaps(&self, of: &Origin) -> Result<Vec<(u32, u32)>> {
        let asked = "SELECT previous + 1, sequence - 1 FROM
             (SELECT sequence, lag(sequence) OVER (ORDER BY sequence) AS previous
              FROM (SELECT DISTINCT sequence FROM captions WHERE vehicle = ?1 AND (vehicle > 0 OR sender = ?2)))
             WHERE sequence > previous + 1";
        let (vehicle, sender) = of.columns();
        self.rows(asked, params![vehicle, sender], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// The first counter of a station that never was.
    pub(super) fn counter(&self, station: u8) -> Result<u32> {
        let asked = "SELECT max(reserved) FROM ground_stations WHERE station = ?1";
        let kept = self.database.query_row(asked, [station], |row| row.get::<_, Option<u32>>(0));
        Ok(kept.map_err(self.refused())?.unwrap_or(0))
    }

    /// Counters of a station below `reserved` may have been.
    pub(super) fn reserve_counters(&mut self, station: u8, reserved: u32) -> Result<()> {
        let keep = "INSERT INTO ground_stations (station, reserved) VALUES (?1, ?2)
             ON CONFLICT (station) DO UPDATE SET reserved = ?2";
        self.database.execute(keep, params![station, reserved]).map(drop).map_err(self.refused())
    }

    /// Everybody whose captions were decoded.
    pub fn origins(&self) -> Result<Vec<Origin>> {
        let asked =
            "SELECT DISTINCT vehicle, iif(vehicle > 0, '', sender) AS address FROM captions ORDER BY vehicle, address";
        self.rows(asked, [], |row| Ok(Origin::of(row.get(0)?, row.get(1)?)))
    }

    /// How often a caption came.
    pub fn times_received(&self, sender: &str, sequence: u32) -> Result<u32> {
        let asked = "SELECT times_received FROM captions WHERE sender = ?1 AND sequence = ?2";
        let found = self.database.query_row(asked, params![sender, sequence], |row| row.get(0)).optional();
        Ok(found.map_err(self.refused())?.unwrap_or(0))
    }

    /// What a query finds.
    fn rows<T>(
        &self,
        query: &str,
        parameters: impl Params,
        row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let found =
            || -> rusqlite::Result<Vec<T>> { self.database.prepare(query)?.query_map(parameters, row)?.collect() };
        found().map_err(self.refused())
    }

    /// The database's error with the archive's name.
    fn refused(&self) -> impl Fn(rusqlite::Error) -> Error + use<> {
        let archive = self.path.clone();
        move |cause| Error::Archive { archive: archive.clone(), cause }
    }
}

fn archived(row: &Row<'_>) -> rusqlite::Result<Archived> {
    Ok(Archived {
        sender: row.get(0)?,
        vehicle: row.get(1)?,
        sequence: row.get(2)?,
        time: row.get(3)?,
        caption: row.get(4)?,
        confidence: row.get(5)?,
        outside: row.get(6)?,
        priority: row.get(7)?,
        bundle: row.get(8)?,
        latitude: row.get(9)?,
        longitude: row.get(10)?,
        received: row.get(11)?,
        after_start: row.get(12)?,
    })
}

/// When this is.
fn now() -> String {
    datetime(cssa::clock::now())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;
    use cssa::trust::Confidence;
    use cssa_wire::Position;

    fn packet(sequences: &[u32], text: &str) -> CaptionPacket {
        let caption = |&sequence: &u32| Caption {
            sequence,
            time: 1_763_928_000,
            position: Position::new(48.25, 16.5),
            confidence: Confidence::from_thousandths(903),
            outside: (sequence == 7).then_some(Reason::Foggy),
            priority: 1,
            repeat: false,
            text: text.into(),
        };
        CaptionPacket { vehicle: 12, bundle: 0xbeef, decimals: 5, captions: sequences.iter().map(caption).collect() }
    }

    #[test]
    fn captions_are_kept_once_and_found_by_their_words() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("captions.gpkg");
        let mut archive = Archive::open(&path)?;
        assert_eq!(archive.keep("uav", &packet(&[3, 4], "a bridge over a river"))?, Kept { new: 2, again: 0 });
        assert_eq!(archive.keep("uav", &packet(&[7], "an \"airport\" OR <b>runway</b>"))?, Kept { new: 1, again: 0 });
        assert_eq!(archive.keep("uav", &packet(&[4], "a bridge over a river"))?, Kept { new: 0, again: 1 });
        // Another vehicle's, perhaps: the number alone says nothing.
        assert_eq!(archive.keep("uav", &packet(&[4], "a playground"))?, Kept { new: 1, again: 0 });
        assert_eq!(archive.keep("satellite", &packet(&[4], "a river"))?, Kept { new: 1, again: 0 });
        assert_eq!((archive.gaps(&Origin::Vehicle(12))?, archive.times_received("uav", 4)?), (vec![(5, 6)], 2));
        drop(archive);
        let archive = Archive::open(&path)?;
        assert_eq!(archive.origins()?, [Origin::Vehicle(12)]);
        let found = |words: &str| archive.captions(Some(words)).map(|found| found.len());
        assert_eq!((found("river")?, found("river bridge")?, found("OR")?, found("\"")?), (3, 2, 1, 0));
        assert_eq!((found("")?, found(" ")?), (archive.captions(None)?.len(), archive.captions(None)?.len()));
        let first = &archive.captions(Some("bridge"))?[0];
        assert_eq!((first.time.as_deref(), first.latitude), (Some("2025-11-23T20:00:00.000Z"), Some(48.25)));
        assert_eq!((first.vehicle, first.confidence, &first.outside), (12, Some(0.903), &None));
        assert_eq!(archive.captions(Some("airport"))?[0].outside.as_deref(), Some("foggy"));
        Ok(())
    }

    /// From another address it is the same vehicle's; another vehicle's from the same address is another, and so is that of one without a
    /// number from another address.
    #[test]
    fn a_vehicle_with_a_number_is_known_by_it() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        let of = |vehicle| CaptionPacket { vehicle, ..packet(&[4], "a river") };
        assert_eq!(archive.keep("uav", &of(12))?, Kept { new: 1, again: 0 });
        assert_eq!(archive.keep("relay", &of(12))?, Kept { new: 0, again: 1 });
        for (sender, vehicle) in [("uav", 13), ("uav", 0), ("relay", 0)] {
            assert_eq!(archive.keep(sender, &of(vehicle))?, Kept { new: 1, again: 0 }, "{sender} {vehicle}");
            assert_eq!(archive.keep(sender, &of(vehicle))?, Kept { new: 0, again: 1 }, "{sender} {vehicle}");
        }
        let address = |address: &str| Origin::Address(address.into());
        assert_eq!(archive.origins()?, [address("relay"), address("uav"), Origin::Vehicle(12), Origin::Vehicle(13)]);
        // A number that came over the other address is not missing.
        for (sender, number) in [("uav", 6), ("relay", 5)] {
            archive.keep(sender, &CaptionPacket { vehicle: 12, ..packet(&[number], "a river") })?;
            archive.keep(sender, &CaptionPacket { vehicle: 0, ..packet(&[number], "a river") })?;
        }
        assert_eq!((archive.gaps(&Origin::Vehicle(12))?, archive.gaps(&address("uav"))?), (vec![], vec![(5, 5)]));
        Ok(())
    }

    /// No date stands for a time that the vehicle did not know; it is known again by its seconds after the start.
    #[test]
    fn a_time_that_is_not_known_is_no_date() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        let of = |time| {
            let mut packet = packet(&[4], "a river");
            packet.captions[0].time = time;
            packet
        };
        assert_eq!(archive.keep("uav", &of(40))?, Kept { new: 1, again: 0 });
        assert_eq!(archive.keep("relay", &of(40))?, Kept { new: 0, again: 1 });
        assert_eq!(archive.keep("uav", &of(41))?, Kept { new: 1, again: 0 }, "another start's");
        let found = archive.captions(None)?;
        assert_eq!(
            found.iter().map(|found| (&found.time, found.after_start)).collect::<Vec<_>>(),
            [(&None, Some(40)), (&None, Some(41))]
        );
        assert!(found[0].received.as_str() > "2025-12-", "{found:?}");
        let json = serde_json::to_value(&found[0])?;
        assert_eq!((&json["time"], &json["after_start"]), (&serde_json::Value::Null, &40.into()));
        Ok(())
    }
}
