//! How a camera was held, by the tags of drones' makers: `drone-dji:GimbalPitchDegree="-90.00"` and `drone-dji:RelativeAltitude`,
//! `drone-parrot:CameraPitchDegree`, and `Camera:Pitch` of Pix4D's XMP specification, in which a pitch of 0 looks down. An attitude is all
//! of its three angles, or none: of a set that lost one the others are not believed either.

use super::Property;
use crate::problem::Problem;
use crate::tags::aim::{Aim, Along, Attitude, Height};

/// Most digits before a number's point.
const MAX_WHOLE: usize = 5;
/// Most digits behind it.
const MAX_FRACTION: usize = 15;
/// Highest that aircraft fly, and deepest land, in metres.
const ALTITUDES: std::ops::RangeInclusive<f64> = -500.0..=40_000.0;

/// The names of an attitude.
struct Set {
    prefix: &'static str,
    /// Yaw, pitch, roll.
    names: [&'static str; 3],
    along: Along,
    /// What its prefix stands for, where other programs have another meaning for it.
    space: Option<&'static str>,
}

const SETS: [Set; 3] = [
    Set {
        prefix: "drone-dji",
        names: ["gimbalyawdegree", "gimbalpitchdegree", "gimbalrolldegree"],
        along: Along::Forward,
        space: None,
    },
    Set {
        prefix: "drone-parrot",
        names: ["camerayawdegree", "camerapitchdegree", "camerarolldegree"],
        along: Along::Forward,
        space: None,
    },
    // senseFly's has the same names and another sense of roll.
    Set { prefix: "camera", names: ["yaw", "pitch", "roll"], along: Along::Down, space: Some("pix4d.com/camera") },
];

/// Reads an aim of a packet that could be read to its end: all that is there, or nothing and why.
pub(super) fn read(properties: &[Property]) -> Aim {
    all(properties).unwrap_or_else(|problem| Aim { problem: Some(problem), ..Aim::default() })
}

fn all(properties: &[Property]) -> Result<Aim, Problem> {
    let attitude = attitude(properties)?;
    let above_ground = metres(properties, "camera", "abovegroundaltitude", "XMP's AboveGroundAltitude")?;
    let above_start = metres(properties, "drone-dji", "relativealtitude", "XMP's RelativeAltitude")?;
    let altitude = metres(properties, "drone-dji", "absolutealtitude", "XMP's AbsoluteAltitude")?;
    if above_start.is_some() != altitude.is_some() {
        let expected = "both, as they are always written";
        return Err(Problem::value("XMP's altitudes", "AbsoluteAltitude or RelativeAltitude alone", expected));
    }
    let height = above_ground.map(Height::AboveGround).or(above_start.map(Height::AboveStart));
    Ok(Aim { attitude, height, altitude, ..Aim::default() })
}

/// The first kind of attitude of which anything is there.
fn attitude(properties: &[Property]) -> Result<Option<Attitude>, Problem> {
    const TAG: &str = "XMP's attitude of the camera";
    for Set { prefix, names, along, space } in SETS {
        let mut values = [None; 3];
        for (value, name) in values.iter_mut().zip(names) {
            *value = one(properties, prefix, name, TAG)?;
        }
        if values.iter().all(Option::is_none) {
            continue;
        }
        let shown = || {
            let shown = |value: Option<&str>| value.unwrap_or("none").to_owned();
            format!("yaw {}, pitch {}, roll {}", shown(values[0]), shown(values[1]), shown(values[2]))
        };
        let is_known = |space: &str| {
            one(properties, "xmlns", prefix, TAG).is_ok_and(|uri| uri.is_some_and(|uri| uri.contains(space)))
        };
        if !space.is_none_or(is_known) {
            return Err(Problem::value(TAG, "of an unknown namespace", "http://pix4d.com/camera/1.0"));
        }
        let within = |value: Option<&str>, most: f64| value.and_then(number).filter(|value| value.abs() <= most);
        // Gimbals go a little beyond straight down.
        let angles = within(values[0], 360.0).zip(within(values[1], 120.0)).zip(within(values[2], 180.0));
        let ((yaw, pitch), roll) =
            angles.ok_or_else(|| Problem::value(TAG, shown(), "yaw, pitch and roll in degrees"))?;
        return Ok(Some(Attitude { yaw, pitch, roll, along }));
    }
    Ok(None)
}

fn metres(properties: &[Property], prefix: &str, name: &str, tag: &'static str) -> Result<Option<f64>, Problem> {
    let Some(text) = one(properties, prefix, name, tag)? else { return Ok(None) };
    let metres = number(text).filter(|metres| ALTITUDES.contains(metres));
    metres.map(Some).ok_or_else(|| Problem::value(tag, format!("{text:?}"), "metres"))
}

/// The value of a property that stands there once, or more than once with the same value.
fn one<'a>(
    properties: &'a [Property],
    prefix: &str,
    name: &str,
    tag: &'static str,
) -> Result<Option<&'a str>, Problem> {
    let mut all = properties.iter().filter(|property| property.prefix == prefix && property.name == name);
    let Some(first) = all.next() else { return Ok(None) };
    match all.find(|other| other.value != first.value) {
        Some(_) => Err(Problem::value(tag, "there twice with different values", "one value")),
        None => Ok(Some(&first.value)),
    }
}

/// A number with a sign or without, like -90.00: no exponent, no name.
fn number(text: &str) -> Option<f64> {
    let plain = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, "0"));
    let is_digits =
        |part: &str, most| (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    (is_digits(whole, MAX_WHOLE) && is_digits(fraction, MAX_FRACTION)).then(|| text.parse().ok())?
}
