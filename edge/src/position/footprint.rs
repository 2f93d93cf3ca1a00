//! What a camera saw of the ground: rays through the image's corners meet a plane at the height of the ground.
//!
//! With the attitude **R** of the optical axis against north, east and down (turned by yaw about down, pitch about right, roll about
//! forward: McGlone, *Manual of Photogrammetry*, 6th ed., ch. 2), the ray through a point of the image that lies *x* half widths to the
//! right of its middle and *y* half widths below it is **d** = **R** (1, x t, y t), t the tangent of half the horizontal field of view. From a height
//! *h* it meets the ground at h d_north / d_down to the north, h d_east / d_down to the east; where d_down ≤ 0, never. Metres become
//! degrees by the radii of curvature of WGS 84 (Snyder, *Map Projections: A Working Manual*, USGS 1395, eq. 4-18 and 4-20).
//!
//! The ground is a plane. What the earth's curve takes away from it, d² / 2R at a distance *d*, is a hundredth of the height at most,
//! and so the way along the ground is right to a hundredth; further away there is no footprint. Lenses have no distortion here.
//!
//! Errors of the middle's place are added up as if all went the same way: of the position; of the height, by d / h; of the tilt, by
//! (h² + d²) / h; of the yaw, by d; and of the earth's curve.

use crate::footprint::Footprint;
use cssa_wire::Position;
use glam::{DQuat, DVec3, EulerRot};

/// Error in metres of a receiver without corrections (GPS SPS Performance Standard 2020: 8 m horizontally, 95 %).
const POSITION_ERROR: f64 = 8.0;
/// Error in degrees of roll and pitch of an autopilot or a gimbal in flight.
const TILT_ERROR: f64 = 2.0;
/// Error in degrees of a yaw by magnetometer.
const YAW_ERROR: f64 = 5.0;

/// Share of the height that the ground may lie below the plane, for the earth is round.
const CURVE: f64 = 0.01;
/// The earth's mean radius, and WGS 84's larger one and squared eccentricity.
const RADIUS: f64 = 6_371_009.0;
const EQUATOR: f64 = 6_378_137.0;
const ECCENTRICITY: f64 = 0.006_694_379_990_14;
/// Further to the north or south meridians converge within a footprint.
const MAX_LATITUDE: f64 = 85.0;
/// Least height: on the ground, and at the start.
const MIN_HEIGHT: f64 = 1.0;

/// Why a frame has no footprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unseen {
    /// Its own coordinates say where it lies.
    #[error("the image is georeferenced")]
    Georeferenced,
    /// Nobody says where the camera was.
    #[error("where the camera was is not known")]
    Position,
    /// Nobody says where it looked.
    #[error("where the camera looked is not known")]
    Attitude,
    /// Nobody says how high it was.
    #[error("the height above the ground is not known")]
    Height,
    /// Nobody says how wide it saw.
    #[error("the field of view is not known")]
    FieldOfView,
    /// It was on the ground.
    #[error("the camera is less than a metre above the ground")]
    OnGround,
    /// A part of the image looks at the horizon or above.
    #[error("a part of the image is at the horizon or above")]
    Horizon,
    /// A part of the image looks so far away that the earth is no plane.
    #[error("a part of the image is so far away that the ground is no plane")]
    Far,
    /// Meridians meet near it.
    #[error("a pole is near")]
    Pole,
}

impl Unseen {
    /// The counter of frames that have none for this.
    #[must_use]
    pub fn counter(self) -> &'static str {
        match self {
            Self::Georeferenced => "footprints_georeferenced",
            Self::Position => "footprints_without_position",
            Self::Attitude => "footprints_without_attitude",
            Self::Height => "footprints_without_height",
            Self::FieldOfView => "footprints_without_field_of_view",
            Self::OnGround => "footprints_on_ground",
            Self::Horizon => "footprints_horizon",
            Self::Far => "footprints_far",
            Self::Pole => "footprints_pole",
        }
    }
}

/// Where a camera was, and how it was held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pose {
    /// Where.
    pub(super) position: Position,
    /// Metres above the ground.
    pub(super) height: f64,
    /// How wrong that may be, in metres.
    pub(super) height_error: f64,
    /// From forward, right, down of the optical axis to north, east, down.
    pub(super) attitude: DQuat,
}

/// A rectangle of an image, in half widths of the whole image from its middle: to the right, and down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Extent {
    /// Left and right edge.
    pub(super) across: (f64, f64),
    /// Upper and lower edge.
    pub(super) down: (f64, f64),
}

impl Extent {
    /// Upper left, upper right, lower right, lower left.
    fn corners(&self) -> [(f64, f64); 4] {
        let ((left, right), (top, bottom)) = (self.across, self.down);
        [(left, top), (right, top), (right, bottom), (left, bottom)]
    }

    fn middle(&self) -> (f64, f64) {
        (f64::midpoint(self.across.0, self.across.1), f64::midpoint(self.down.0, self.down.1))
    }
}

/// An attitude: yaw clockwise from north, pitch up, roll clockwise as seen from behind, in radians.
#[must_use]
pub(super) fn attitude(yaw: f64, pitch: f64, roll: f64) -> DQuat {
    DQuat::from_euler(EulerRot::ZYX, yaw, pitch, roll)
}

/// What a camera sees in a rectangle of its image; `half_width` is the tangent of half its horizontal field of view.
///
/// # Errors
/// A rectangle of which a part does not meet the plane of the ground within reach.
pub(super) fn footprint(pose: &Pose, extent: &Extent, half_width: f64) -> Result<Footprint, Unseen> {
    if !pose.height.is_finite() || pose.height < MIN_HEIGHT {
        return Err(Unseen::OnGround);
    }
    if pose.position.degrees().0.abs() > MAX_LATITUDE {
        return Err(Unseen::Pole);
    }
    let meet = |(x, y): (f64, f64)| -> Result<(f64, f64), Unseen> {
        let ray = pose.attitude * DVec3::new(1.0, x * half_width, y * half_width);
        // Not a number is not down either.
        if ray.z.is_nan() || ray.z <= 0.0 {
            return Err(Unseen::Horizon);
        }
        let (north, east) = (pose.height * ray.x / ray.z, pose.height * ray.y / ray.z);
        if north.hypot(east).powi(2) / (2.0 * RADIUS) > CURVE * pose.height {
            return Err(Unseen::Far);
        }
        Ok((north, east))
    };
    let place = |offset| moved(pose.position, offset).ok_or(Unseen::Pole);
    let mut corners = [pose.position; 4];
    for (corner, point) in corners.iter_mut().zip(extent.corners()) {
        *corner = place(meet(point)?)?;
    }
    let middle = meet(extent.middle())?;
    Ok(Footprint { centre: place(middle)?, accuracy: error(pose, middle.0.hypot(middle.1)), corners })
}

/// How far off the place at a distance along the ground may be, in metres.
fn error(pose: &Pose, distance: f64) -> f64 {
    let height = pose.height;
    let by_height = distance / height * pose.height_error;
    let by_tilt = (height + distance * distance / height) * TILT_ERROR.to_radians();
    let by_curve = distance.powi(3) / (2.0 * RADIUS * height);
    POSITION_ERROR + by_height + by_tilt + distance * YAW_ERROR.to_radians() + by_curve
}

/// A place some metres to the north and east of another.
fn moved(from: Position, (north, east): (f64, f64)) -> Option<Position> {
    let (latitude, longitude) = from.degrees();
    let sine = latitude.to_radians().sin();
    let bend = 1.0 - ECCENTRICITY * sine * sine;
    let across = EQUATOR / bend.sqrt();
    let along = across * (1.0 - ECCENTRICITY) / bend;
    let latitude = latitude + (north / along).to_degrees();
    let longitude = longitude + (east / (across * from.degrees().0.to_radians().cos())).to_degrees();
    Position::new(latitude, (longitude + 540.0).rem_euclid(360.0) - 180.0)
}

#[cfg(test)]
mod tests;
