//! How a camera was held, how high, and how wide it saw, by an image's tags: what a footprint on the ground is made of.

use crate::problem::Problem;

/// How a camera was held and what it saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aim {
    /// Where it looked.
    pub attitude: Option<Attitude>,
    /// Its height in metres, and above what.
    pub height: Option<Height>,
    /// Its height above the sea in metres, where tags say it.
    pub altitude: Option<f64>,
    /// Focal length of a lens on 35 mm film that sees as much from corner to corner, in millimetres.
    pub film_focal_length: Option<f64>,
    /// Columns and rows of the image that the camera wrote, of which the focal length is said: another program may have cut it since.
    pub written_size: Option<[u32; 2]>,
    /// Why tags of it that are there were not used.
    pub problem: Option<Problem>,
}

/// The attitude of a camera against north, east and down: turned by yaw about down, then by pitch about its right, then by roll about
/// its forward axis. In degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attitude {
    /// Clockwise from north.
    pub yaw: f64,
    /// Up.
    pub pitch: f64,
    /// Clockwise, as seen from behind.
    pub roll: f64,
    /// Which axis of what is turned so the camera looks along.
    pub along: Along,
}

/// Along what a camera looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Along {
    /// The forward axis: a pitch of −90° looks down (DJI, Parrot).
    Forward,
    /// The downward axis, the image's top forward: a pitch of 0° looks down (Pix4D).
    Down,
}

/// A height in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Height {
    /// Above where the vehicle took off.
    AboveStart(f64),
    /// Above the ground below.
    AboveGround(f64),
}

impl Aim {
    /// Whether an image of so many columns and rows can be the whole one that the camera wrote, made smaller or not: as far as its shape
    /// tells, to a pixel.
    #[must_use]
    pub fn is_whole(&self, (width, height): (f64, f64)) -> bool {
        self.written_size.map(|size| size.map(f64::from)).is_none_or(|[columns, rows]| {
            (height - width * rows / columns).abs() <= 1.0 || (width - height * columns / rows).abs() <= 1.0
        })
    }

    /// What one kind of tags says, and another where that says nothing.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            attitude: self.attitude.or(other.attitude),
            height: self.height.or(other.height),
            altitude: self.altitude.or(other.altitude),
            film_focal_length: self.film_focal_length.or(other.film_focal_length),
            written_size: self.written_size.or(other.written_size),
            problem: self.problem.or(other.problem),
        }
    }
}
