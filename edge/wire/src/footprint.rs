//! Where captions' images lie on the ground: four corners each, as steps from the place that the caption was sent with.

use crate::error::{WireError, bounded};
use crate::limits::{MAX_FOOTPRINT_STEP, MAX_FOOTPRINTS};
use crate::position::Position;
use alloc::vec::Vec;
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

/// Steps to a corner at most; −128 is none.
const MOST: i8 = i8::MAX;
/// The furthest corner is at least so many steps away where these are longer than the shortest: else a shorter step would do.
const LEAST: u8 = 63;
/// Nearer to a pole than this, in degrees, meridians meet.
const POLE: f64 = 1.0;
/// Units of a degree.
const UNITS: f64 = 1e7;

/// What the image of a caption shows of the ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Footprint {
    /// The caption's number. In a packet, what it is more than the one before.
    pub number: u32,
    /// How far off the caption's place may be in metres, at least 1; 65535 also stands for more.
    pub accuracy: u16,
    /// Length of a step in 10⁻⁷ degrees of latitude.
    pub step: u32,
    /// Steps to the north and to the east of upper left, upper right, lower right and lower left corner: seen from above they lie clockwise
    /// around a convex quadrangle. A step to the east is as long as one to the north: 10⁻⁷ · step / cos(latitude) degrees of longitude.
    pub corners: [Corner; 4],
}

/// A corner, as steps from the caption's place, −127 to 127.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Corner {
    /// To the north.
    pub north: i8,
    /// To the east.
    pub east: i8,
}

impl Footprint {
    /// The footprint of a caption that is sent with the place `centre`, by the places of its corners; none where steps do not tell it from a
    /// line, or it lies at a pole. A corner is moved by a 254th of the way to the furthest one at most.
    #[must_use]
    pub fn new(number: u32, accuracy: f64, centre: Position, corners: [Position; 4]) -> Option<Self> {
        let shrink = shrink(centre)?;
        let (latitude, longitude) = centre.degrees();
        let units = corners.map(|corner| {
            let (north, east) = corner.degrees();
            let turn = remainder(east - longitude);
            [(north - latitude) * UNITS, turn * UNITS * shrink]
        });
        let furthest = units.iter().flatten().fold(0.0, |most: f64, unit| most.max(unit.abs()));
        let step = libm::ceil(furthest / f64::from(MOST)).max(1.0);
        let steps = |steps: f64| libm::round(steps) as i8;
        let corners = units.map(|[north, east]| Corner { north: steps(north / step), east: steps(east / step) });
        let accuracy = libm::ceil(accuracy).clamp(1.0, f64::from(u16::MAX)) as u16;
        let footprint = Self { number, accuracy, step: step as u32, corners };
        footprint.check().ok().map(|()| footprint)
    }

    /// The places of its corners around the caption's; none where they are no places on earth.
    #[must_use]
    pub fn places(&self, centre: Position) -> Option<[Position; 4]> {
        let shrink = shrink(centre)?;
        let (latitude, longitude) = centre.degrees();
        let mut places = [centre; 4];
        for (place, Corner { north, east }) in places.iter_mut().zip(self.corners) {
            let degrees = |steps: i8| f64::from(steps) * f64::from(self.step) / UNITS;
            *place = Position::new(latitude + degrees(north), remainder(longitude + degrees(east) / shrink))?;
        }
        Some(places)
    }

    /// Refuses what is no footprint.
    fn check(&self) -> Result<(), WireError> {
        bounded("accuracy", self.accuracy, "1 metre or more", self.accuracy >= 1)?;
        let is_step = (1..=MAX_FOOTPRINT_STEP).contains(&self.step);
        bounded("a footprint's step", self.step, "1 to 500000", is_step)?;
        let furthest =
            self.corners.iter().flat_map(|corner| [corner.north, corner.east]).map(i8::unsigned_abs).max().unwrap_or(0);
        let is_furthest = furthest <= MOST.unsigned_abs() && (self.step == 1 || furthest >= LEAST);
        bounded("steps to the furthest corner", furthest, "63 to 127, or fewer of the shortest", is_furthest)?;
        let corner = |n: usize| [self.corners[n % 4].north, self.corners[n % 4].east].map(i32::from);
        let turns_right = |n: usize| {
            let ([north, east], [next_north, next_east], [last_north, last_east]) =
                (corner(n), corner(n + 1), corner(n + 2));
            (next_north - north) * (last_east - next_east) > (next_east - east) * (last_north - next_north)
        };
        let turns = (0..4).filter(|&n| turns_right(n)).count();
        bounded("corners that turn right", turns, "4: a convex quadrangle, clockwise", turns == 4)
    }
}

/// Degrees of latitude in one of longitude.
fn shrink(centre: Position) -> Option<f64> {
    let latitude = centre.degrees().0;
    (libm::fabs(latitude) <= 90.0 - POLE).then(|| libm::cos(latitude.to_radians()))
}

/// Degrees of longitude, −180 to 180.
fn remainder(degrees: f64) -> f64 {
    if degrees > 180.0 {
        degrees - 360.0
    } else if degrees < -180.0 {
        degrees + 360.0
    } else {
        degrees
    }
}

/// The body: one after the other, as postcard has them.
pub(crate) fn content(footprints: &[Footprint]) -> Result<Vec<u8>, WireError> {
    let expected = "1 to 64";
    bounded("footprints", footprints.len(), expected, (1..=MAX_FOOTPRINTS).contains(&footprints.len()))?;
    let (mut content, mut before) = (Vec::new(), None);
    for footprint in footprints {
        footprint.check()?;
        let number = footprint.number;
        let is_more = before.is_none_or(|before| number > before);
        bounded("a footprint's number", number, "more than the one before", is_more)?;
        let more = Footprint { number: number - before.unwrap_or(0), ..*footprint };
        content = postcard::to_extend(&more, content).map_err(|_| WireError::Malformed)?;
        before = Some(number);
    }
    Ok(content)
}

/// What a body holds, which gives exactly these bytes when it is written again.
pub(crate) fn footprints(body: &[u8]) -> Result<Vec<Footprint>, WireError> {
    let (mut found, mut rest) = (Vec::new(), body);
    while !rest.is_empty() {
        bounded("footprints", found.len() + 1, "1 to 64", found.len() < MAX_FOOTPRINTS)?;
        let (footprint, behind) = postcard::take_from_bytes::<Footprint>(rest).map_err(|_| WireError::Malformed)?;
        let before = found.last().map_or(0, |before: &Footprint| before.number);
        let number = before.checked_add(footprint.number).ok_or(WireError::Malformed)?;
        found.push(Footprint { number, ..footprint });
        rest = behind;
    }
    if content(&found)? != body {
        return Err(WireError::Malformed);
    }
    Ok(found)
}
