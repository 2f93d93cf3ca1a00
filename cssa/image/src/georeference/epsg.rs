//! Coordinate systems of the EPSG Dataset as PROJ describes them, and their shifts to WGS 84; `cssa/image/epsg/generate.py` writes
//! them. Left out is what proj4rs does not compute as PROJ does, to 1e-7 of a degree.

use std::io::Read;
use std::sync::OnceLock;

/// The lines of `generate.py`, deflated.
static SYSTEMS: &[u8] = include_bytes!("systems.zz");
/// Most bytes that they take.
const MAX_TEXT: u64 = 1 << 22;

/// A shift to WGS 84: a position vector transformation, and where it is meant for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shift {
    /// Metres, seconds of arc, parts per million, as `+towgs84` has them.
    pub(super) parameters: [f64; 7],
    /// South, west, north, east.
    pub(super) area: [f64; 4],
}

/// A geographic system, or a projected one with that below it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    /// PROJ's words.
    pub(super) words: String,
    /// The most accurate first; none without a grid.
    pub(super) shifts: Vec<Shift>,
}

/// The geographic system of a code.
pub(super) fn geographic(code: u16) -> Option<Known> {
    line("g", |fields| fields[1] == code.to_string())
}

/// The geographic system on a datum's code, with Greenwich as its meridian where there are several.
pub(super) fn on_datum(code: u16) -> Option<Known> {
    line("g", |fields| fields[2] == code.to_string())
}

/// The projected system of a code.
pub(super) fn projected(code: u16) -> Option<Known> {
    line("p", |fields| fields[1] == code.to_string())
}

/// A projected system with a projection of this code.
pub(super) fn with_projection(code: u16) -> Option<Known> {
    line("p", |fields| fields[3] == code.to_string())
}

fn line(kind: &str, is_wanted: impl Fn(&[&str]) -> bool) -> Option<Known> {
    let before = if kind == "g" { 3 } else { 4 };
    text().lines().filter(|line| line.starts_with(kind)).find_map(|line| {
        let fields: Vec<&str> = line.splitn(before + 2, ' ').collect();
        if fields.len() != before + 2 || !is_wanted(&fields) {
            return None;
        }
        let numbers = fields[before].split(',').filter_map(|number| number.parse().ok());
        Some(Known { words: fields[before + 1].to_owned(), shifts: numbers.filter_map(shift).collect() })
    })
}

fn shift(number: usize) -> Option<Shift> {
    let line = text().lines().filter(|line| line.starts_with('s')).nth(number)?;
    let values: Vec<f64> = line.split(' ').skip(1).filter_map(|value| value.parse().ok()).collect();
    let (parameters, rest) = values.split_first_chunk::<7>()?;
    let (_accuracy, area) = rest.split_first()?;
    Some(Shift { parameters: *parameters, area: area.try_into().ok()? })
}

fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let mut text = String::new();
        let inflated = flate2::read::ZlibDecoder::new(SYSTEMS).take(MAX_TEXT).read_to_string(&mut text);
        // It is part of the program: a test reads it.
        if inflated.is_err() { String::new() } else { text }
    })
}
