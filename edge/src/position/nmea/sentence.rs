//! What a sentence says.

use chrono::NaiveDate;
use cssa_image::Place;

/// A horizontal dilution of precision from here on says nothing of the place.
const MAX_DILUTION: f64 = 50.0;

/// What a sentence says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// A position, the second of the day and the date as the receiver counts it, and whether the sentence says by its status that the
    /// receiver stands for positions.
    Fix { place: Place, clock: Option<u32>, date: Option<NaiveDate>, has_status: bool },
    /// A date and the second of the day.
    Date { clock: u32, date: NaiveDate },
    /// There is no position, and why; and whether that is a status, which speaks for the sentences without one, too.
    NoFix { reason: String, has_status: bool },
    /// Positions from here on are on another datum than WGS 84, of this name, or on WGS 84.
    Datum(Option<String>),
    /// Something else.
    Other,
}

/// Reads a sentence, from its address to before its checksum. Any talker is heard.
pub(super) fn read(sentence: &str) -> Said {
    let fields: Vec<&str> = sentence.split(',').map(str::trim).collect();
    let address = fields[0];
    if address.len() != 5 || address.starts_with('P') {
        return Said::Other;
    }
    let field = |n: usize| fields.get(n).copied().unwrap_or_default();
    let (validity, place, clock, date) = match &address[2..] {
        "RMC" => {
            // Some receivers leave out the side of the magnetic variation, which stands before the mode.
            let is_short = field(10).is_empty() && fields.len() == 12 || !matches!(field(11), "" | "E" | "W");
            let at = if is_short { 11 } else { 12 };
            let validity = status(field(2)).and_then(|()| mode(field(at))).and_then(|()| safety(field(at + 1)));
            (validity, &[field(3), field(4), field(5), field(6)], field(1), field(9))
        }
        "GGA" => (
            quality(field(6)).and_then(|()| seen(field(6) == "6", field(7), field(8))),
            &[field(2), field(3), field(4), field(5)],
            field(1),
            "",
        ),
        "GNS" => {
            let is_estimate = !field(6).contains(['A', 'D', 'F', 'P', 'R']);
            let seen = || seen(is_estimate, field(7), field(8));
            (
                modes(field(6)).and_then(|()| safety(field(13))).and_then(|()| seen()),
                &[field(2), field(3), field(4), field(5)],
                field(1),
                "",
            )
        }
        "GLL" => {
            (status(field(6)).and_then(|()| mode(field(7))), &[field(1), field(2), field(3), field(4)], field(5), "")
        }
        "DTM" => {
            let is_known = matches!(field(1), "" | "W84" | "P90");
            return Said::Datum((!is_known).then(|| field(1).to_owned()));
        }
        "ZDA" => return zda(field(1), [field(2), field(3), field(4)]),
        _ => return Said::Other,
    };
    let said = |reason: String| format!("{address}: {reason}");
    let has_status = matches!(&address[2..], "RMC" | "GLL");
    if let Err(reason) = validity {
        return Said::NoFix { reason: said(reason), has_status };
    }
    match at(place) {
        Ok(place) => Said::Fix { place, clock: second_of_day(clock), date: day(date), has_status },
        Err(reason) => Said::NoFix { reason: said(reason), has_status: false },
    }
}

type Validity = Result<(), String>;

fn status(field: &str) -> Validity {
    if field == "A" { Ok(()) } else { Err(format!("status {field}")) }
}

/// The mode of NMEA 2.3; older receivers leave it out. What a simulator or an operator says is no fix.
fn mode(field: &str) -> Validity {
    if matches!(field, "" | "A" | "D" | "E" | "F" | "P" | "R") { Ok(()) } else { Err(format!("mode {field}")) }
}

/// The navigational status of NMEA 4.1; V says that the receiver has no opinion of it.
fn safety(field: &str) -> Validity {
    if field == "U" { Err("unsafe (navigational status U)".into()) } else { Ok(()) }
}

fn quality(field: &str) -> Validity {
    if matches!(field, "1" | "2" | "3" | "4" | "5" | "6" | "9") { Ok(()) } else { Err(format!("quality {field}")) }
}

/// A position that is computed from satellites needs some, and a dilution of precision of 50 or more (receivers write 99.99 for none) leaves
/// nothing of it. Dead reckoning has none of both.
fn seen(is_estimate: bool, satellites: &str, dilution: &str) -> Validity {
    if is_estimate {
        return Ok(());
    }
    if satellites.parse() == Ok(0u32) {
        return Err("0 satellites".into());
    }
    let is_useless = dilution.parse().is_ok_and(|dilution: f64| dilution >= MAX_DILUTION);
    if is_useless { Err(format!("a dilution of precision of {dilution}")) } else { Ok(()) }
}

/// A mode for each constellation.
fn modes(field: &str) -> Validity {
    let stands = |mode: char| "ADEFPR".contains(mode);
    let is_fix = field.chars().any(stands) && field.chars().all(|mode| stands(mode) || mode == 'N');
    if is_fix { Ok(()) } else { Err(format!("mode {field}")) }
}

fn at([latitude, north, longitude, east]: &[&str; 4]) -> Result<Place, String> {
    if latitude.is_empty() || longitude.is_empty() {
        return Err("no position".into());
    }
    let odd = || format!("position {latitude},{north},{longitude},{east}");
    let latitude = signed(latitude, north, ["N", "S"]).ok_or_else(odd)?;
    let longitude = signed(longitude, east, ["E", "W"]).ok_or_else(odd)?;
    Place::fix(latitude, longitude).map_err(|problem| problem.to_string())
}

/// Degrees of `dddmm.mmmm`; some leave out zeros that lead, but two digits before the point are decimal degrees.
fn signed(text: &str, side: &str, sides: [&str; 2]) -> Option<f64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let has_minutes = text.split('.').next().is_some_and(|whole| whole.len() > 2);
    let value: f64 = text.parse().ok().filter(|_| is_number && has_minutes)?;
    let (degrees, minutes) = ((value / 100.0).trunc(), value % 100.0);
    let degrees = (minutes < 60.0).then_some(degrees + minutes / 60.0)?;
    match side {
        _ if side == sides[0] => Some(degrees),
        _ if side == sides[1] => Some(-degrees),
        _ => None,
    }
}

/// The second of the day of `hhmmss.ss`; a leap second is the next day's first.
fn second_of_day(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 6 || !are_digits(whole) || !(fraction.is_empty() || are_digits(fraction)) {
        return None;
    }
    let number: u32 = whole.parse().ok()?;
    let (hours, minutes, seconds) = (number / 10_000, number / 100 % 100, number % 100);
    (hours < 24 && minutes < 60 && seconds <= 60).then_some(hours * 3600 + minutes * 60 + seconds)
}

/// The date of `ddmmyy`, years from 1980, or `ddmmyyyy`.
fn day(text: &str) -> Option<NaiveDate> {
    if !matches!(text.len(), 6 | 8) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| text[range].parse::<u32>().ok();
    let year = match number(4..text.len())? {
        year @ 80..=99 => 1900 + year,
        year @ 0..=79 => 2000 + year,
        year => year,
    };
    NaiveDate::from_ymd_opt(year as i32, number(2..4)?, number(0..2)?)
}

fn zda(clock: &str, [day_, month, year]: [&str; 3]) -> Said {
    let date =
        if (day_.len(), month.len(), year.len()) == (2, 2, 4) { day(&format!("{day_}{month}{year}")) } else { None };
    match (second_of_day(clock), date) {
        (Some(clock), Some(date)) => Said::Date { clock, date },
        _ => Said::Other,
    }
}
