//! Where a frame was taken: a place, nothing said, or something that is no place.

use cssa_image::Place;
use cssa_image::tags::Tags;
use cssa_wire::Position;

/// Where a frame was taken, by its own tags.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Whereabouts {
    /// They say nothing of it: it was taken where the vehicle is.
    #[default]
    Unsaid,
    /// Here.
    At(Position),
    /// They say something that is no place: it is not known, and not the vehicle's.
    Unknown,
}

impl Whereabouts {
    /// The place, where it is known by the tags, else `vehicle`'s, where they say nothing.
    #[must_use]
    pub fn or(self, vehicle: Option<Position>) -> Option<Position> {
        match self {
            Self::Unsaid => vehicle,
            Self::At(position) => Some(position),
            Self::Unknown => None,
        }
    }
}

impl Whereabouts {
    /// Where the tags of an image say that a point of it is.
    #[must_use]
    pub fn of_image(tags: &Tags, point: (f64, f64)) -> Self {
        match tags.place(point).and_then(position) {
            Some(position) => Self::At(position),
            None if tags.refuse_place(point) => Self::Unknown,
            None => Self::Unsaid,
        }
    }

    /// Where a camera says that it is. One without a fix of its own is where the vehicle is.
    #[must_use]
    pub fn of_camera(tags: &Tags) -> Self {
        tags.place((0.0, 0.0)).and_then(position).map_or(Self::Unsaid, Self::At)
    }
}

/// A place as packets have it.
fn position(place: Place) -> Option<Position> {
    Position::new(place.latitude, place.longitude)
}
