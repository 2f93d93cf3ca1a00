//! The symbols of a packet's message: one description for writing and reading.

use crate::coder::Coder;
use crate::error::WireError;
use crate::limits::{MAX_CAPTIONS, MAX_SCORE};
use crate::text;
use alloc::string::String;
use alloc::vec::Vec;
use cssa::language_model::LanguageModel;
use serde::{Deserialize, Serialize};

/// Most decimals of a degree.
pub(crate) const MAX_DECIMALS: u8 = 7;
/// Units of [`Position`] in a degree, as MAVLink has them.
const UNITS: f64 = 1e7;

/// A caption on its way to the ground.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caption {
    /// Counts the sender's captions: two with the same number are the same caption.
    pub sequence: u32,
    /// Seconds since 1970-01-01 UTC.
    pub time: u32,
    /// Where the image was taken, rounded to the packet's decimals.
    pub position: Option<Position>,
    /// How sure the model is, 0 to [`MAX_SCORE`] for 0 to 1.
    pub score: u8,
    /// How much it matters, 0 to [`MAX_PRIORITY`](crate::MAX_PRIORITY).
    pub priority: u8,
    /// It may have been sent before.
    pub repeat: bool,
    /// Its words.
    pub text: String,
}

/// A probability as a caption's score.
#[must_use]
pub fn score(probability: f32) -> u8 {
    let scaled = probability.clamp(0.0, 1.0) * f32::from(MAX_SCORE) + 0.5;
    scaled as u8
}

/// Lengths in bits, 0 to 33, by weight.
type Lengths = [u32; 34];
/// A count of captions.
const FEW: Lengths = falling(0, 2);
/// Any number of 32 bits.
const ANY: Lengths = [1; 34];
/// A number that is nearly always 0.
const SMALL: Lengths = falling(0, 4);
/// A difference in time or place.
const SPREAD: Lengths = falling(7, 1);

/// Weights that are highest at `peak` and fall by a factor of 2^(steps / 2) a bit on both sides, never below 1.
const fn falling(peak: usize, steps: usize) -> Lengths {
    let mut weights = [1; 34];
    let mut n = 0;
    while n < weights.len() {
        let halvings = n.abs_diff(peak) * steps;
        // 2^12 falling by halves; for an odd number of half steps three quarters stand for 1/√2.
        let whole = if halvings / 2 < 12 { 4096 >> (halvings / 2) } else { 1 };
        let share = if halvings % 2 == 1 { whole * 3 / 4 } else { whole };
        weights[n] = if share == 0 { 1 } else { share };
        n += 1;
    }
    weights
}

/// A place on the earth (WGS 84).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Degrees north × 10^7.
    latitude: i32,
    /// Degrees east × 10^7.
    longitude: i32,
}

impl Position {
    /// A place by degrees north and east; `None` where they are no place on earth.
    #[must_use]
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
            return None;
        }
        let units = |degrees: f64| libm::round(degrees * UNITS) as i32;
        Some(Self { latitude: units(latitude), longitude: units(longitude) })
    }

    /// Degrees north and east.
    #[must_use]
    pub fn degrees(self) -> (f64, f64) {
        (f64::from(self.latitude) / UNITS, f64::from(self.longitude) / UNITS)
    }

    /// The place with `decimals` decimals of a degree.
    #[must_use]
    pub fn rounded(self, decimals: u8) -> Self {
        let step = step(decimals);
        let round = |value: i32| (i64::from(value) + i64::from(value.signum()) * step / 2) / step * step;
        Self { latitude: round(self.latitude) as i32, longitude: round(self.longitude) as i32 }
    }

    /// Whole steps from the south pole and from 180° west.
    fn steps(self, decimals: u8) -> (i64, i64) {
        let (place, step) = (self.rounded(decimals), step(decimals));
        (
            i64::from(place.latitude) / step + 90 * per_degree(decimals),
            i64::from(place.longitude) / step + 180 * per_degree(decimals),
        )
    }

    /// The place of [`Position::steps`].
    fn of_steps((north, east): (i64, i64), decimals: u8) -> Result<Self, WireError> {
        let (one, step) = (per_degree(decimals), step(decimals));
        if !(0..=180 * one).contains(&north) || !(0..=360 * one).contains(&east) {
            return Err(WireError::Malformed);
        }
        Ok(Self { latitude: ((north - 90 * one) * step) as i32, longitude: ((east - 180 * one) * step) as i32 })
    }
}

fn per_degree(decimals: u8) -> i64 {
    10i64.pow(u32::from(decimals.min(MAX_DECIMALS)))
}

/// Units of a step.
fn step(decimals: u8) -> i64 {
    10i64.pow(u32::from(MAX_DECIMALS - decimals.min(MAX_DECIMALS)))
}

/// Writes captions, or reads a message's decimals and captions.
pub(crate) fn code<C: Coder>(
    coder: &mut C,
    model: &LanguageModel,
    decimals: u8,
    captions: &[Caption],
) -> Result<(u8, Vec<Caption>), WireError> {
    let count = number(coder, &FEW, (captions.len() as u64).saturating_sub(1)) as usize;
    if count >= MAX_CAPTIONS {
        return Err(WireError::Malformed);
    }
    let decimals = coder.uniform(8, u32::from(decimals)) as u8;
    let nothing =
        Caption { sequence: 0, time: 0, position: None, score: 0, priority: 0, repeat: false, text: String::new() };
    let mut found: Vec<Caption> = Vec::new();
    let mut last_place = None;
    for n in 0..=count {
        let given = captions.get(n).unwrap_or(&nothing);
        let before = found.last();
        let sequence = match before {
            None => number(coder, &ANY, u64::from(given.sequence)) as u32,
            Some(before) => {
                let step = given.sequence.wrapping_sub(before.sequence).wrapping_sub(1);
                before.sequence.wrapping_add(number(coder, &SMALL, u64::from(step)) as u32).wrapping_add(1)
            }
        };
        let time = match before {
            None => {
                let high = coder.uniform(1 << 16, given.time >> 16);
                high << 16 | coder.uniform(1 << 16, given.time & 0xffff)
            }
            Some(before) => {
                let step = signed(coder, i64::from(given.time) - i64::from(before.time));
                u32::try_from(i64::from(before.time) + step).map_err(|_| WireError::Malformed)?
            }
        };
        let has_place = match before {
            None => coder.choose(&[1, 1], usize::from(given.position.is_some())) == 1,
            Some(before) => {
                let differs = usize::from(before.position.is_some() != given.position.is_some());
                (coder.choose(&[15, 1], differs) == 1) != before.position.is_some()
            }
        };
        let position = has_place.then(|| place(coder, decimals, given.position, &mut last_place)).transpose()?;
        found.push(Caption {
            sequence,
            time,
            position,
            score: coder.uniform(u32::from(MAX_SCORE) + 1, u32::from(given.score)) as u8,
            priority: coder.choose(&[60, 2, 1, 1], usize::from(given.priority)) as u8,
            repeat: coder.choose(&[15, 1], usize::from(given.repeat)) == 1,
            text: text::code(coder, model, &given.text)?,
        });
    }
    Ok((decimals, found))
}

/// A place: the first as it is, others as the difference to the last one.
fn place<C: Coder>(
    coder: &mut C,
    decimals: u8,
    given: Option<Position>,
    last: &mut Option<(i64, i64)>,
) -> Result<Position, WireError> {
    let (north, east) = given.map_or((0, 0), |given| given.steps(decimals));
    let steps = match *last {
        None => {
            let total = |degrees: i64| (degrees * per_degree(decimals) + 1) as u32;
            let north = coder.uniform(total(180), north as u32);
            (i64::from(north), i64::from(coder.uniform(total(360), east as u32)))
        }
        Some((last_north, last_east)) => {
            let north = signed(coder, north - last_north);
            (last_north + north, last_east + signed(coder, east - last_east))
        }
    };
    *last = Some(steps);
    Position::of_steps(steps, decimals)
}

/// `number W`; values have at most 33 bits.
fn number<C: Coder>(coder: &mut C, lengths: &Lengths, value: u64) -> u64 {
    let length = coder.choose(lengths, (u64::BITS - value.leading_zeros()) as usize);
    if length <= 1 {
        return length as u64;
    }
    let below = length - 1;
    let low_bits = below.min(16);
    let low = coder.uniform(1 << low_bits, (value & ((1 << low_bits) - 1)) as u32);
    let rest = below - low_bits;
    let high = if rest > 0 { coder.uniform(1 << rest, ((value >> low_bits) & ((1 << rest) - 1)) as u32) } else { 0 };
    1 << below | u64::from(high) << low_bits | u64::from(low)
}

/// `signed SPREAD`.
fn signed<C: Coder>(coder: &mut C, value: i64) -> i64 {
    let interleaved = number(coder, &SPREAD, (value << 1 ^ value >> 63) as u64);
    (interleaved >> 1) as i64 ^ -((interleaved & 1) as i64)
}
