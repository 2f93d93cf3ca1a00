//! Position and time of Exif 2.32. A position is believed where all of its tags say the same, their values lie apart from all
//! others, and the receiver does not say that it has no fix.

use super::Said;
use super::clock;
use super::degrees::{EAST_WEST, NORTH_SOUTH, Rational, degrees, is_negative, is_wgs84};
use crate::Place;
use crate::ifd::{Directories, Directory, Entry, Value};
use crate::problem::Problem;
use chrono::NaiveDateTime;
use std::io::Cursor;
use std::ops::Range;

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
struct Block<'a> {
    directories: Directories<Cursor<&'a [u8]>>,
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

/// Reads a block of Exif.
pub(super) fn read(bytes: &[u8]) -> Said {
    let (mut block, other) = match Block::open(bytes) {
        Ok(opened) => opened,
        Err(problem) => {
            return Said { place: Err(problem.clone()), time: Err(problem), other: Vec::new() };
        }
    };
    Said { place: block.place(), time: block.time(), other }
}

impl<'a> Block<'a> {
    fn open(bytes: &'a [u8]) -> Result<(Self, Vec<Problem>), Problem> {
        let (mut directories, at) = Directories::open(Cursor::new(bytes))?;
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
        let text = |value: Option<Value>| value.as_ref().and_then(Value::text);
        if text(self.own(STATUS)?).is_some_and(|status| status.eq_ignore_ascii_case("V")) {
            return Err(Problem::NoFix("GPSStatus is V".into()));
        }
        if let Some(datum) = text(self.own(DATUM)?).filter(|datum| !is_wgs84(datum)) {
            return Err(Problem::System(format!("GPSMapDatum {datum:?}")));
        }
        let latitude = self.coordinate(LATITUDE, LATITUDE_REF, NORTH_SOUTH, 90.0)?;
        let longitude = self.coordinate(LONGITUDE, LONGITUDE_REF, EAST_WEST, 180.0)?;
        Place::fix(latitude, longitude)
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

    fn time(&mut self) -> Result<u32, Problem> {
        let camera = self.camera_time();
        let local = camera.as_ref().ok().map(|&(time, _)| time);
        match (self.gps_time(local), camera) {
            (Ok(time), _) => Ok(time),
            (Err(Problem::Absent(_)), Ok((time, offset))) => {
                clock::seconds(time, offset).ok_or(Problem::value(TIMES[0].0.1, time.to_string(), "1970 to 2106"))
            }
            (Err(_), Ok((time, offset))) => clock::seconds(time, offset).ok_or(Problem::Absent("time")),
            (Err(Problem::Absent(_)), Err(problem)) => Err(problem),
            (Err(problem), Err(_)) => Err(problem),
        }
    }

    fn gps_time(&mut self, camera: Option<NaiveDateTime>) -> Result<u32, Problem> {
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
        let right = clock::with_lost_weeks(time, camera).ok_or_else(|| {
            Problem::value(
                DATE.1,
                text.clone(),
                "2010 or later, or the camera's own date: receivers lose count of weeks",
            )
        })?;
        clock::seconds(right, 0).ok_or_else(odd)
    }

    /// The camera's own time and its zone's offset; UTC counts where it does not say more.
    fn camera_time(&mut self) -> Result<(NaiveDateTime, i64), Problem> {
        let (exif, first) = (self.exif.clone(), self.first.clone());
        let mut problem = Problem::Absent("time");
        let wrote = |tag: u16| first.entries.iter().any(|entry| entry.tag == tag);
        let changed = (wrote(MAKE) || wrote(MODEL)).then_some(CHANGED);
        for (name, zone) in TIMES.into_iter().chain(changed) {
            for directory in [&exif, &first] {
                match self.moment(directory, name) {
                    Ok(Some(time)) => {
                        let zone = self.get(&exif, zone).ok().flatten().and_then(|zone| zone.text());
                        return Ok((time, zone.and_then(|zone| clock::offset(&zone)).unwrap_or(0)));
                    }
                    Ok(None) => {}
                    Err(found) if matches!(problem, Problem::Absent(_)) => problem = found,
                    Err(_) => {}
                }
            }
        }
        Err(problem)
    }

    fn moment(&mut self, directory: &Directory, name: Name) -> Result<Option<NaiveDateTime>, Problem> {
        let Some(value) = self.get(directory, name)? else { return Ok(None) };
        let text = value.text().unwrap_or_default();
        let expected = "a time like 2024:05:06 10:11:12";
        clock::date_time(&text).map(Some).ok_or_else(|| Problem::value(name.1, format!("{text:?}"), expected))
    }
}
