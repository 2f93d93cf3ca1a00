//! Position and time of an XMP packet: `exif:GPSLatitude="48,12.51N"` (XMP specification part 2), and decimal degrees as drones'
//! makers write them, `drone-dji:GpsLatitude="+48.2085"`; as attributes or elements of the packet's own description. What is said
//! of other places (a location that is shown) stands deeper and is left alone.

use super::clock;
use super::degrees::{EAST_WEST, NORTH_SOUTH, Rational, degrees, is_negative, is_void, is_wgs84};
use super::{Aim, Said, When};
use crate::Place;
use crate::problem::Problem;
use chrono::NaiveDateTime;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

mod aim;

/// Deepest element that is read.
const MAX_DEPTH: usize = 64;
/// Most properties that are read.
const MAX_PROPERTIES: usize = 4096;
/// Most digits of a number.
const MAX_DIGITS: usize = 15;

/// What a time is called in messages.
const TIME: &str = "XMP's time";

/// A property with its prefix, and its value.
#[derive(Debug)]
struct Property {
    prefix: String,
    name: String,
    value: String,
}

/// Reads a packet; `now` is the computer's clock.
pub(super) fn read(packet: &[u8], now: u32) -> Said {
    let (properties, problem) = properties(packet);
    let place = place(&properties);
    let time = time(&properties, now);
    // Of a packet that is damaged nobody knows what else it said.
    let aim = match &problem {
        None => aim::read(&properties),
        Some(problem) => Aim { problem: Some(problem.clone()), ..Aim::default() },
    };
    let absent = |problem: &Problem| matches!(problem, Problem::Absent(_));
    let lost = |found: Problem| problem.clone().filter(|_| absent(&found)).unwrap_or(found);
    Said { place: place.map_err(lost), time: time.map_err(lost), other: Vec::new(), void: void(&properties), aim }
}

/// The packet's properties as far as it can be read, and what is wrong with it.
fn properties(packet: &[u8]) -> (Vec<Property>, Option<Problem>) {
    let mut reader = Reader::from_reader(packet);
    let (mut found, mut path) = (Vec::new(), Vec::new());
    let problem = |found: String| Some(Problem::structure("XMP packet", found));
    let mut odd = None;
    while found.len() < MAX_PROPERTIES && path.len() < MAX_DEPTH {
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                odd = odd.or(begin(&element, &path, &mut found));
                path.push(String::from_utf8_lossy(element.name().as_ref()).into_owned());
            }
            Ok(Event::Empty(element)) => odd = odd.or(begin(&element, &path, &mut found)),
            Ok(Event::End(_)) => {
                path.pop();
            }
            Ok(Event::Text(text)) if is_property(&path) => {
                if let (Some(name), Ok(text)) = (path.last(), text.decode())
                    && !text.trim().is_empty()
                {
                    found.extend(property(name, text.trim()));
                }
            }
            Ok(Event::Eof) => return (found, odd.and_then(problem)),
            Ok(_) => {}
            Err(error) => return (found, problem(error.to_string())),
        }
    }
    (found, problem("too deep or too long".into()))
}

/// The attributes of a description; what is wrong with the first that is none.
fn begin(element: &BytesStart<'_>, path: &[String], found: &mut Vec<Property>) -> Option<String> {
    if local(&String::from_utf8_lossy(element.name().as_ref())) != "Description" || !is_top(path) {
        return None;
    }
    let mut odd = None;
    for attribute in element.attributes().take(MAX_PROPERTIES) {
        let attribute = match attribute {
            Ok(attribute) => attribute,
            Err(error) => {
                odd.get_or_insert(error.to_string());
                continue;
            }
        };
        let name = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
        if let Ok(value) = attribute.normalized_value(XmlVersion::Implicit1_0) {
            found.extend(property(&name, value.trim()));
        }
    }
    odd
}

/// Whether what stands under a path is a description of the file itself.
fn is_top(path: &[String]) -> bool {
    path.last().is_some_and(|name| local(name) == "RDF")
}

fn is_property(path: &[String]) -> bool {
    path.split_last()
        .and_then(|(_, above)| above.split_last())
        .is_some_and(|(description, above)| local(description) == "Description" && is_top(above))
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

fn property(name: &str, value: &str) -> Option<Property> {
    let (prefix, name) = name.split_once(':')?;
    Some(Property { prefix: prefix.to_ascii_lowercase(), name: name.to_ascii_lowercase(), value: value.to_owned() })
}

/// A property by its name; Exif's own before a maker's.
fn get<'a>(properties: &'a [Property], names: &[&str]) -> Option<&'a Property> {
    let named = || properties.iter().filter(|property| names.contains(&property.name.as_str()));
    named().find(|property| property.prefix == "exif").or_else(|| named().next())
}

/// Why the receiver says of itself that it has no fix.
fn void(properties: &[Property]) -> Option<Problem> {
    let is_void = get(properties, &["gpsstatus"]).is_some_and(|status| is_void(&status.value));
    is_void.then(|| Problem::NoFix("XMP's GPSStatus is V".into()))
}

fn place(properties: &[Property]) -> Result<Place, Problem> {
    if let Some(problem) = void(properties) {
        return Err(problem);
    }
    if let Some(datum) = get(properties, &["gpsmapdatum"]).filter(|datum| !is_wgs84(&datum.value)) {
        return Err(Problem::System(format!("XMP's GPSMapDatum {:?}", datum.value)));
    }
    let latitude = get(properties, &["gpslatitude"]);
    // DJI spells it so in some of its cameras.
    let longitude = get(properties, &["gpslongitude", "gpslongtitude"]);
    let (Some(latitude), Some(longitude)) = (latitude, longitude) else {
        return Err(match (latitude, longitude) {
            (None, None) => Problem::Absent("position"),
            (None, _) => Problem::value("XMP's GPSLatitude", "not there", "degrees"),
            (_, None) | (Some(_), Some(_)) => Problem::value("XMP's GPSLongitude", "not there", "degrees"),
        });
    };
    let side = |name: &str| get(properties, &[name]).map(|side| side.value.as_str());
    let odd = |tag: &'static str, property: &Property| {
        Problem::value(tag, format!("{:?}", property.value), "degrees like 48,12.51N or +48.2085")
    };
    let north = coordinate(latitude, side("gpslatituderef"), NORTH_SOUTH, 90.0);
    let north = north.ok_or_else(|| odd("XMP's GPSLatitude", latitude))?;
    let east = coordinate(longitude, side("gpslongituderef"), EAST_WEST, 180.0);
    Place::fix(north, east.ok_or_else(|| odd("XMP's GPSLongitude", longitude))?)
}

fn coordinate(property: &Property, side: Option<&str>, names: [&str; 2], most: f64) -> Option<f64> {
    let text = property.value.as_str();
    let letter = text.chars().last().filter(char::is_ascii_alphabetic);
    let (text, side) = match letter {
        Some(letter) => (text[..text.len() - 1].trim_end(), Some(letter.to_string())),
        None => (text, side.map(str::to_owned)),
    };
    let (sign, plain) = match text.as_bytes().first()? {
        b'+' => (Some(false), &text[1..]),
        b'-' => (Some(true), &text[1..]),
        _ => (None, text),
    };
    let negative = match (side, sign) {
        (Some(_), Some(_)) => return None,
        (Some(side), None) => is_negative(&side, names)?,
        (None, Some(sign)) => sign,
        // Exif's own has a letter: without one its side is not known. Makers write a sign only where it is negative.
        (None, None) if property.prefix == "exif" => return None,
        (None, None) => false,
    };
    let parts: Vec<Rational> = plain.split(',').map(|part| rational(part.trim())).collect::<Option<_>>()?;
    let degrees = match parts.as_slice() {
        // One number is of degrees, whole or not.
        &[whole] => degrees(&[whole, (0, 1), (0, 1)], most),
        // Two are degrees and minutes: XMP leaves the seconds out.
        &[whole, minutes] => degrees(&[whole, minutes, (0, 1)], most),
        parts => degrees(parts, most),
    };
    degrees.ok().map(|degrees| if negative { -degrees } else { degrees })
}

/// A number like 12, 12.51 or 1251/100.
fn rational(text: &str) -> Option<Rational> {
    let whole = |text: &str| {
        let plain = !text.is_empty() && text.len() <= MAX_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse::<i64>().ok())?
    };
    if let Some((up, down)) = text.split_once('/') {
        return Some((whole(up)?, whole(down)?));
    }
    let Some((before, after)) = text.split_once('.') else { return Some((whole(text)?, 1)) };
    let after = &after[..after.len().min(MAX_DIGITS - before.len().min(MAX_DIGITS))];
    if after.is_empty() {
        return Some((whole(before)?, 1));
    }
    Some((whole(&format!("{before}{after}"))?, 10_i64.checked_pow(after.len() as u32)?))
}

fn time(properties: &[Property], now: u32) -> Result<When, Problem> {
    let names = ["gpstimestamp", "datetimeoriginal", "datetimedigitized", "datecreated", "createdate"];
    let mut problem = Problem::Absent("time");
    for property in names.iter().filter_map(|&name| get(properties, &[name])) {
        let found = moment(&property.value).ok_or_else(|| {
            let found = format!("{}:{} {:?}", property.prefix, property.name, property.value);
            Problem::value(TIME, found, "a time like 2024-05-06T10:11:12Z")
        });
        let believed = found.and_then(|(time, offset)| {
            let utc = clock::believed(TIME, time, offset.unwrap_or(0), now)?;
            Ok(When { utc, is_zoneless: offset.is_none() })
        });
        match believed {
            Ok(when) => return Ok(when),
            Err(found) if matches!(problem, Problem::Absent(_)) => problem = found,
            Err(_) => {}
        }
    }
    Err(problem)
}

/// A time, and the offset of its zone in seconds, where it is said.
fn moment(text: &str) -> Option<(NaiveDateTime, Option<i64>)> {
    if !text.is_ascii() {
        return None;
    }
    let (time, zone) = match text.get(19..)?.find(['Z', '+', '-']) {
        Some(at) => text.split_at(19 + at),
        None => (text, ""),
    };
    let offset = if zone.is_empty() { None } else { Some(clock::offset(zone)?) };
    Some((clock::date_time(time)?, offset))
}
