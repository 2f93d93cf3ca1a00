//! The captions that arrived, in a GeoPackage: an SQLite file that QGIS and GDAL open, with full-text search.

mod bounded;
mod commands;
mod extent;
mod footprints;
mod lateness;
mod messages;
mod migration;
mod open;
mod pictures;
mod postgis;
mod shared;
mod undecoded;
mod vehicles;

pub use bounded::Stored;
pub use commands::ArchivedCommand;
pub(crate) use commands::{OpenCommand, SentCommand};
pub use footprints::{ArchivedFootprint, Bound};
pub use messages::{ArchivedMessage, ArchivedReport, Provenance};
pub use pictures::{ArchivedPicture, Brought};
pub(crate) use pictures::{OpenPicture, SentAsk};
pub(crate) use shared::{Highest, SHARED};
pub use undecoded::Undecoded;
pub(crate) use vehicles::is_late;
pub use vehicles::{ArchivedHousekeeping, Growth, Status, Vehicle};

use crate::database::{Database, DatabaseError, Place, Row};
use crate::error::{Error, Result};
use crate::geopackage::{datetime, point};
use bounded::Bounds;
use cssa::trust::Reason;
use cssa_wire::{Caption, CaptionPacket, Time};
use rusqlite::{ToSql, params};
use serde::Serialize;
use std::fmt;

/// The columns of [`Archived`], in its order.
const FIELDS: &str =
    "c.sender, c.vehicle, c.sequence, c.time, c.caption, c.confidence, c.outside, c.priority, c.bundle,
     c.latitude, c.longitude, c.received, c.after_start";

/// An open archive.
#[derive(Debug)]
pub struct Archive {
    database: Database,
    place: Place,
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
        let refused = self.refused();
        let keeping = self.database.write().map_err(&refused)?;
        let mut kept = Kept::default();
        for caption in &packet.captions {
            if keep_again(&keeping, sender, packet, caption).map_err(&refused)? {
                kept.again += 1;
            } else {
                insert(&keeping, sender, packet, caption).map_err(&refused)?;
                kept.new += 1;
            }
        }
        let places = packet.captions.iter().filter_map(|caption| caption.position.map(cssa_wire::Position::degrees));
        let places = places.map(|(latitude, longitude)| [longitude, latitude]);
        extent::widen(&keeping, "captions", places).map_err(&refused)?;
        keeping.commit().map_err(&refused)?;
        Ok(kept)
    }

    /// The captions by time, or by when they came where that is not known, only those with all of `words` where there are some.
    pub fn captions(&self, words: Option<&str>) -> Result<Vec<Archived>> {
        let (condition, parameters) = match words.filter(|words| !words.trim().is_empty()) {
            Some(words) => self.database.dialect().words(words),
            None => ("true".to_owned(), Vec::new()),
        };
        let sql = format!(
            "SELECT {FIELDS} FROM captions c WHERE {condition} ORDER BY coalesce(c.time, c.received), c.sender, c.sequence"
        );
        let parameters: Vec<&dyn ToSql> = parameters.iter().map(|part| part as &dyn ToSql).collect();
        self.rows(&sql, &parameters, archived)
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
              FROM (SELECT DISTINCT sequence FROM captions WHERE vehicle = ?1 AND (vehicle > 0 OR sender = ?2)) AS numbers)
             AS neighbours WHERE sequence > previous + 1";
        let (vehicle, sender) = of.columns();
        self.rows(asked, params![vehicle, sender], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// The first counter of a station that never was.
    pub(super) fn counter(&self, station: u8) -> Result<u32> {
        let asked = "SELECT max(reserved) FROM ground_stations WHERE station = ?1";
        let kept = self.database.first(asked, params![station], |row| row.get::<Option<i64>>(0));
        Ok(as_counter(kept.map_err(self.refused())?.flatten().unwrap_or(0)))
    }

    /// Sets `count` counters of a station aside for the caller, which no other program gets: from `from` on, or from where those end
    /// that were set aside before. Gives the first one, and the one after the last.
    pub(super) fn reserve_counters(&mut self, station: u8, from: u32, count: u32) -> Result<(u32, u32)> {
        let keep = "INSERT INTO ground_stations (station, reserved) VALUES (?1, ?2)
             ON CONFLICT (station) DO UPDATE SET reserved =
             CASE WHEN ground_stations.reserved > ?3 THEN ground_stations.reserved + ?4 ELSE ?2 END RETURNING reserved";
        let values = params![station, i64::from(from) + i64::from(count), from, count];
        let reserved = self.database.first(keep, values, |row| row.get::<i64>(0)).map_err(self.refused())?;
        let end = reserved.unwrap_or_default();
        Ok((as_counter(end - i64::from(count)), as_counter(end)))
    }

    /// Everybody whose captions were decoded.
    pub fn origins(&self) -> Result<Vec<Origin>> {
        let asked = "SELECT DISTINCT vehicle, CASE WHEN vehicle > 0 THEN '' ELSE sender END AS address FROM captions ORDER BY vehicle, address";
        self.rows(asked, &[], |row| Ok(Origin::of(row.get(0)?, row.get(1)?)))
    }

    /// How often a caption came.
    pub fn times_received(&self, sender: &str, sequence: u32) -> Result<u32> {
        let asked = "SELECT times_received FROM captions WHERE sender = ?1 AND sequence = ?2";
        let found = self.database.first(asked, params![sender, sequence], |row| row.get(0));
        Ok(found.map_err(self.refused())?.unwrap_or(0))
    }

    /// What a query finds.
    fn rows<T>(
        &self,
        query: &str,
        parameters: &[&dyn ToSql],
        row: impl FnMut(&Row) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        self.database.query(query, parameters, row).map_err(self.refused())
    }

    /// The database's error with the archive's name.
    fn refused(&self) -> impl Fn(DatabaseError) -> Error + use<> {
        let archive = self.place.clone();
        move |cause| Error::Archive { archive: archive.clone(), cause }
    }
}

/// Counts a caption that is there already; a vehicle that has a number is known by it, whatever address its packets come from.
fn keep_again(
    keeping: &Database,
    sender: &str,
    packet: &CaptionPacket,
    caption: &Caption,
) -> Result<bool, DatabaseError> {
    let time = Time::from(caption.time);
    let again = "UPDATE captions SET times_received = times_received + 1 WHERE vehicle = ?1 AND sequence = ?2
         AND time IS NOT DISTINCT FROM ?3 AND caption = ?4 AND (sender = ?5 OR vehicle > 0) AND after_start IS NOT DISTINCT FROM ?6";
    let (after_start, time) = (time.after_start(), time.utc().map(datetime));
    let values = params![packet.vehicle, caption.sequence, time, caption.text, sender, after_start];
    Ok(keeping.execute(again, values)? > 0)
}

fn insert(keeping: &Database, sender: &str, packet: &CaptionPacket, caption: &Caption) -> Result<(), DatabaseError> {
    let time = Time::from(caption.time);
    let place = caption.position.map(cssa_wire::Position::degrees);
    let Caption { sequence, confidence, outside, priority, text, .. } = caption;
    let insert = format!(
        "INSERT INTO captions (geom, sender, vehicle, sequence, time, caption, confidence, outside, priority, bundle, latitude,
         longitude, received, after_start) VALUES ({}, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        keeping.dialect().geometry("?1")
    );
    let values = params![
        place.map(|(latitude, longitude)| point(latitude, longitude)),
        sender,
        packet.vehicle,
        sequence,
        time.utc().map(datetime),
        text,
        confidence.map(|confidence| f64::from(confidence.thousandths()) / 1000.0),
        outside.map(Reason::name),
        priority,
        format!("{:04x}", packet.bundle),
        place.map(|place| place.0),
        place.map(|place| place.1),
        now(),
        time.after_start(),
    ];
    keeping.execute(&insert, values).map(drop)
}

fn archived(row: &Row) -> rusqlite::Result<Archived> {
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

/// After the last number there is none: what is set aside beyond it is nobody's.
fn as_counter(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
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
