//! Position and time of Exif 2.32. A position is believed where all of its tags say the same, their values lie apart from all
//! others, the directory's other numbers are of their type and count, and the receiver does not say that it has no fix.

use super::clock;
use super::degrees::{EAST_WEST, NORTH_SOUTH, Rational, degrees, is_negative, is_void, is_wgs84};
use super::{Aim, Said, When};
use crate::Place;
use crate::ifd::{Directories, Directory, Entry, Value};
use crate::problem::Problem;
use chrono::NaiveDateTime;
use std::io::{Read, Seek};
use std::ops::Range;

mod aim;

const EXIF_POINTER: Name = Name(0x8769, "ExifIFD");
const GPS_POINTER: Name = Name(0x8825, "GPSInfo");
const INTEROPERABILITY_POINTER: Name = Name(0xA005, "Interoperability");
const MAKE: u16 = 0x010F;
const MODEL: u16 = 0x0110;
const THUMBNAIL: Name = Name(0x0201, "thumbnail");
const THUMBNAIL_LENGTH: Name = Name(0x0202, "thumbnail's length");
const LATITUDE_REF: Name = Name(1, "GPSLatitudeRef");
const LATITUDE: Name = Name(2, "GPSLatitude");
const LONGITUDE_REF: Name = Name(3, "GPSLongitudeRef");
const LONGITUDE: Name = Name(4, "GPSLongitude");
const TIME: Name = Name(7, "GPSTimeStamp");
const STATUS: Name = Name(9, "GPSStatus");
const DATUM: Name = Name(0x12, "GPSMapDatum");
const DATE: Name = Name(0x1D, "GPSDateStamp");
/// The receiver's tags whose values are rational numbers, and how many (Exif 2.32, table 15). Of another type or count an entry does
/// not tell which bytes are its own, and a coordinate may lie in them.
const RATIONALS: [(Name, u64); 12] = [
    (LATITUDE, 3),
    (LONGITUDE, 3),
    (Name(6, "GPSAltitude"), 1),
    (TIME, 3),
    (Name(0x0B, "GPSDOP"), 1),
    (Name(0x0D, "GPSSpeed"), 1),
    (Name(0x0F, "GPSTrack"), 1),
    (Name(0x11, "GPSImgDirection"), 1),
    (Name(0x14, "GPSDestLatitude"), 3),
    (Name(0x16, "GPSDestLongitude"), 3),
    (Name(0x18, "GPSDestBearing"), 1),
    (Name(0x1A, "GPSDestDistance"), 1),
];
/// A camera's times, each with its zone: when it was taken, when it was stored.
const TIMES: [(Name, Name); 2] = [
    (Name(0x9003, "DateTimeOriginal"), Name(0x9011, "OffsetTimeOriginal")),
    (Name(0x9004, "DateTimeDigitized"), Name(0x9012, "OffsetTimeDigitized")),
];
/// When the file was changed last, or, where a camera wrote nothing else, made.
const CHANGED: (Name, Name) = (Name(0x0132, "DateTime"), Name(0x9010, "OffsetTime"));

/// Most directories that are looked at one after the other.
const MAX_CHAIN: usize = 8;

/// A tag and what it is called.
#[derive(Clone, Copy)]
struct Name(u16, &'static str);

/// A block of Exif.
struct Block<R> {
    directories: Directories<R>,
    first: Directory,
    exif: Directory,
    gps: Directory,
    /// Bytes that directories take, and values apart from them.
    taken: Vec<Taken>,
}

/// Bytes that something takes.
struct Taken {
    bytes: Range<u64>,
    /// Whether an entry of the GPS directory has its value there.
    gps: bool,
    /// Whether it is a run of bytes that may be longer than its writer thought.
    loose: bool,
}

/// Reads a block of Exif; `now` is the computer's clock.
pub(super) fn read(input: impl Read + Seek, now: u32) -> Said {
    let (mut block, mut other) = match Block::open(input) {
        Ok(opened) => opened,
        Err(problem) => {
            let (place, time) = (Err(problem.clone()), Err(problem));
            return Said { place, time, other: Vec::new(), void: None, aim: Aim::default() };
        }
    };
    let time = block.time(now, &mut other);
    Said { place: block.place(), time, other, void: block.void(), aim: block.aim() }
}

impl<R: Read + Seek> Block<R> {
    fn open(input: R) -> Result<(Self, Vec<Problem>), Problem> {
        let (mut directories, at) = Directories::open(input)?;
        let first = directories.directory("first directory", at);
        let none = Directory::default;
        let mut block = Self { directories, first: none(), exif: none(), gps: none(), taken: Vec::new() };
        let mut problems: Vec<Problem> = first.problem.clone().into_iter().collect();
        block.take(&first, false);
        block.exif = block.child(&first, EXIF_POINTER, &mut problems);
        block.gps = block.child(&first, GPS_POINTER, &mut problems);
        let (exif, gps) = (block.exif.clone(), block.gps.clone());
        block.take(&exif, false);
        block.take(&gps, true);
        let interoperability = block.child(&exif, INTEROPERABILITY_POINTER, &mut Vec::new());
        block.take(&interoperability, false);
        block.take_others(&first);
        block.first = first;
        Ok((block, problems))
    }

    /// The directory that an entry points to; none where there is no such entry.
    fn child(&mut self, parent: &Directory, name: Name, problems: &mut Vec<Problem>) -> Directory {
        let at = match self.get(parent, name) {
            Ok(Some(Value::Integers(at))) if at.len() == 1 && at[0] > 0 => at[0] as u64,
            Ok(None) => return Directory::default(),
            Ok(Some(_)) => {
                problems.push(Problem::value(name.1, "no offset", "the offset of a directory"));
                return Directory::default();
            }
            Err(problem) => {
                problems.push(problem);
                return Directory::default();
            }
        };
        let child = self.directories.directory(name.1, at);
        problems.extend(child.problem.clone());
        child
    }

    /// The value of a tag that stands in a directory once, or more than once with the same value.
    fn get(&mut self, directory: &Directory, name: Name) -> Result<Option<Value>, Problem> {
        let mut found: Option<Value> = None;
        for entry in directory.entries.iter().filter(|entry| entry.tag == name.0) {
            let value = self.directories.value(name.1, entry)?;
            if found.as_ref().is_some_and(|found| *found != value) {
                return Err(Problem::value(name.1, "there twice with different values", "one value"));
            }
            found = Some(value);
        }
        Ok(found)
    }

    /// Takes down which bytes a directory and its values lie in.
    fn take(&mut self, directory: &Directory, gps: bool) {
        self.taken.push(Taken { bytes: directory.bytes.clone(), gps: false, loose: false });
        for entry in directory.entries.iter().filter(|entry| entry.apart) {
            if self.directories.holds(entry) {
                let loose = matches!(entry.kind, 1 | 2 | 6 | 7) && !gps;
                self.taken.push(Taken { bytes: entry.bytes.clone(), gps, loose });
            }
        }
    }

    /// The directories behind the first one, and the thumbnail.
    fn take_others(&mut self, first: &Directory) {
        let mut before = first.clone();
        for _ in 0..MAX_CHAIN {
            let Some(at) = self.directories.next(&before) else { return };
            let directory = self.directories.directory("next directory", at);
            if self.taken.iter().any(|taken| taken.bytes == directory.bytes) {
                return;
            }
            self.take(&directory, false);
            let number = |value: Result<Option<Value>, Problem>| match value {
                Ok(Some(Value::Integers(values))) => values.first().and_then(|&value| u64::try_from(value).ok()),
                _ => None,
            };
            let begin = number(self.get(&directory, THUMBNAIL));
            if let (Some(begin), Some(length)) = (begin, number(self.get(&directory, THUMBNAIL_LENGTH))) {
                self.taken.push(Taken { bytes: begin..begin.saturating_add(length), gps: false, loose: true });
            }
            before = directory;
        }
    }

    /// The value of a tag of the GPS directory, where its bytes are its own.
    fn own(&mut self, name: Name) -> Result<Option<Value>, Problem> {
        let gps = self.gps.clone();
        let value = self.get(&gps, name)?;
        for entry in gps.entries.iter().filter(|entry| entry.tag == name.0 && entry.apart) {
            if let Some(other) = self.overlapping(entry) {
                let found = format!("at bytes {} to {}, where", entry.bytes.start, entry.bytes.end);
                let found = format!("{found} bytes {} to {} are something else's", other.start, other.end);
                return Err(Problem::value(name.1, found, "bytes of its own"));
            }
        }
        Ok(value)
    }

    /// Refuses a directory of which an entry that Exif gives rational numbers is of another type or count, or has no bytes of its own.
    fn check_rationals(&mut self) -> Result<(), Problem> {
        const RATIONAL: [u16; 2] = [5, 10];
        let gps = self.gps.clone();
        for entry in &gps.entries {
            let Some((name, count)) = RATIONALS.iter().find(|(name, _)| name.0 == entry.tag) else { continue };
            let length = entry.bytes.end.saturating_sub(entry.bytes.start);
            if !RATIONAL.contains(&entry.kind) || length != count * 8 {
                let found = format!("of type {} and {length} bytes", entry.kind);
                let expected = if *count == 1 { "one rational number" } else { "three rational numbers" };
                return Err(Problem::value(name.1, found, expected));
            }
            self.own(*name)?;
        }
        Ok(())
    }

    /// What else lies in an entry's bytes. A run of bytes that lies over several values of the GPS directory is longer than it
    /// should be, and not they at fault.
    fn overlapping(&self, entry: &Entry) -> Option<Range<u64>> {
        let meet = |a: &Range<u64>, b: &Range<u64>| a.start < b.end && b.start < a.end;
        // The offset of the next directory stands behind one, unless its writer has left it out and values follow at once.
        let directories = [&self.first, &self.exif, &self.gps].map(|directory| directory.bytes.end);
        for end in directories.into_iter().filter(|&end| end != 0 && end != entry.bytes.start) {
            if meet(&(end..end + 4), &entry.bytes) {
                return Some(end..end + 4);
            }
        }
        let mut itself = 0;
        let found = self.taken.iter().find(|taken| {
            if taken.gps && taken.bytes == entry.bytes {
                itself += 1;
                return itself > 1;
            }
            let over = || self.taken.iter().filter(|gps| gps.gps && meet(&gps.bytes, &taken.bytes)).count() > 1;
            meet(&taken.bytes, &entry.bytes) && !(taken.loose && over())
        });
        found.map(|taken| taken.bytes.clone())
    }

    fn place(&mut self) -> Result<Place, Problem> {
        let gps = self.gps.clone();
        if gps.entries.iter().all(|entry| !(1..=4).contains(&entry.tag)) {
            return Err(gps.problem.unwrap_or(Problem::Absent("position")));
        }
        self.check_rationals()?;
        let text = |value: Option<Value>| value.as_ref().and_then(Value::text);
        self.own(STATUS)?;
        if let Some(problem) = self.void() {
            return Err(problem);
        }
        if let Some(datum) = text(self.own(DATUM)?).filter(|datum| !is_wgs84(datum)) {
            return Err(Problem::System(format!("GPSMapDatum {datum:?}")));
        }
        let latitude = self.coordinate(LATITUDE, LATITUDE_REF, NORTH_SOUTH, 90.0)?;
        let longitude = self.coordinate(LONGITUDE, LONGITUDE_REF, EAST_WEST, 180.0)?;
        Place::fix(latitude, longitude)
    }

    /// Why the receiver says of itself that it has no fix.
    fn void(&mut self) -> Option<Problem> {
        let status = self.own(STATUS).ok().flatten()?.text()?;
        is_void(&status).then(|| Problem::NoFix("GPSStatus is V".into()))
    }

    fn coordinate(&mut self, name: Name, side: Name, names: [&str; 2], most: f64) -> Result<f64, Problem> {
        let parts = self.rationals(name)?;
        let expected = "degrees, minutes and seconds";
        let degrees = degrees(&parts, most).map_err(|found| Problem::value(name.1, found, expected))?;
        let value = self.own(side)?.ok_or(Problem::value(side.1, "not there", "the hemisphere"))?;
        let text = value.text().unwrap_or_default();
        let expected = if names == NORTH_SOUTH { "N or S" } else { "E or W" };
        match is_negative(&text, names) {
            Some(negative) => Ok(if negative { -degrees } else { degrees }),
            None => Err(Problem::value(side.1, format!("{text:?}"), expected)),
        }
    }

    fn rationals(&mut self, name: Name) -> Result<Vec<Rational>, Problem> {
        match self.own(name)? {
            Some(Value::Rationals(values)) => Ok(values),
            Some(_) => Err(Problem::value(name.1, "of another type", "rational numbers")),
            None => Err(Problem::value(name.1, "not there", "rational numbers")),
        }
    }

    /// When the image was taken. What is said of it and not believed is one of the `other` problems where something else is.
    fn time(&mut self, now: u32, other: &mut Vec<Problem>) -> Result<When, Problem> {
        let camera = self.camera_time(now, other);
        let local = camera.as_ref().ok().map(|&(_, local)| local);
        match (self.gps_time(local, now), camera) {
            (Ok(utc), _) => Ok(When { utc, is_zoneless: false }),
            (Err(Problem::Absent(_)), camera) => camera.map(|(time, _)| time),
            (Err(problem), Ok((time, _))) => {
                other.push(problem);
                Ok(time)
            }
            (Err(problem), Err(_)) => Err(problem),
        }
    }

    fn gps_time(&mut self, camera: Option<NaiveDateTime>, now: u32) -> Result<u32, Problem> {
        let Some(date) = self.own(DATE)? else { return Err(Problem::Absent("time")) };
        let text = date.text().unwrap_or_default();
        let expected = "a date like 2024:05:06";
        let date = clock::date(&text).ok_or_else(|| Problem::value(DATE.1, format!("{text:?}"), expected))?;
        let parts = self.rationals(TIME)?;
        let shown = parts.iter().map(|(up, down)| format!("{up}/{down}")).collect::<Vec<_>>().join(" ");
        let odd = || Problem::value(TIME.1, shown.clone(), "hours, minutes and seconds of UTC");
        let &[(h, a), (m, b), (s, c)] = parts.as_slice() else { return Err(odd()) };
        if a <= 0 || b <= 0 || c <= 0 || h < 0 || m < 0 || s < 0 || h % a != 0 || m % b != 0 {
            return Err(odd());
        }
        let number = |value: i64| u32::try_from(value).unwrap_or(u32::MAX);
        let time = date.and_hms_opt(number(h / a), number(m / b), number(s / c)).ok_or_else(odd)?;
        let right = clock::with_lost_weeks(time, camera).unwrap_or(time);
        clock::believed(DATE.1, right, 0, now)
    }

    /// The camera's own time, by UTC and by its own clock; its clock counts as UTC where it does not say more.
    fn camera_time(&mut self, now: u32, other: &mut Vec<Problem>) -> Result<(When, NaiveDateTime), Problem> {
        let (exif, first) = (self.exif.clone(), self.first.clone());
        let mut problem = Problem::Absent("time");
        let wrote = |tag: u16| first.entries.iter().any(|entry| entry.tag == tag);
        let changed = (wrote(MAKE) || wrote(MODEL)).then_some(CHANGED);
        for (name, zone) in TIMES.into_iter().chain(changed) {
            for directory in [&exif, &first] {
                let found = match self.moment(directory, name) {
                    Ok(None) => continue,
                    Ok(Some(time)) => {
                        let offset = self.zone(&exif, zone, other).or_else(|| self.zone_of_change(&exif, time, other));
                        let utc = clock::believed(name.1, time, offset.unwrap_or(0), now);
                        utc.map(|utc| (When { utc, is_zoneless: offset.is_none() }, time))
                    }
                    Err(found) => Err(found),
                };
                match found {
                    Ok(found) => {
                        other.extend(Some(problem).filter(|problem| !matches!(problem, Problem::Absent(_))));
                        return Ok(found);
                    }
                    Err(found) if matches!(problem, Problem::Absent(_)) => problem = found,
                    Err(_) => {}
                }
            }
        }
        Err(problem)
    }

    /// Seconds of the zone's offset that stands beside the time of the file's last change, where that is no other time: no other program's.
    fn zone_of_change(&mut self, exif: &Directory, time: NaiveDateTime, other: &mut Vec<Problem>) -> Option<i64> {
        let (name, zone) = CHANGED;
        let offset = self.zone(exif, zone, other)?;
        let first = self.first.clone();
        if self.moment(&first, name).ok().flatten().is_none_or(|changed| changed == time) {
            return Some(offset);
        }
        let expected = "one of the time when the image was taken: the clock counts as UTC";
        other.push(Problem::value(zone.1, "the zone of a later change", expected));
        None
    }

    /// Seconds of a zone's offset, where it is said; blanks and colons say that it is not known.
    fn zone(&mut self, exif: &Directory, name: Name, other: &mut Vec<Problem>) -> Option<i64> {
        let text = self.get(exif, name).ok().flatten().and_then(|zone| zone.text()).unwrap_or_default();
        let is_said = text.bytes().any(|byte| !matches!(byte, b' ' | b':'));
        let offset = clock::offset(&text);
        if is_said && offset.is_none() {
            let problem = Problem::value(name.1, format!("{text:?}"), "an offset like +02:00, the clock counts as UTC");
            if !other.contains(&problem) {
                other.push(problem);
            }
        }
        offset
    }

    fn moment(&mut self, directory: &Directory, name: Name) -> Result<Option<NaiveDateTime>, Problem> {
        let Some(value) = self.get(directory, name)? else { return Ok(None) };
        let text = value.text().unwrap_or_default();
        let expected = "a time like 2024:05:06 10:11:12";
        clock::date_time(&text).map(Some).ok_or_else(|| Problem::value(name.1, format!("{text:?}"), expected))
    }
}
