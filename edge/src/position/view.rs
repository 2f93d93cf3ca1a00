//! What is known of how a frame was taken: by its own tags, by `[camera]` of `edge.toml`, by the receiver.

use super::footprint::{Extent, Pose, Unseen, attitude, footprint};
use super::receiver::Receiver;
use crate::camera::{CameraConfig, Mount};
use crate::footprint::Footprint;
use cssa_image::tags::{Aim, Along, Attitude, Height, Tags};
use cssa_wire::Position;
use glam::DQuat;
use std::time::Instant;

/// Half the diagonal of 35 mm film, in millimetres: focal lengths "in 35 mm film" see as much from corner to corner (CIPA DCG-001).
const HALF_DIAGONAL: f64 = 21.633_307_652_783_94;
/// How wrong a height is that tags or the autopilot say to be above the start: the ground below is another.
const START_ERROR: f64 = 10.0;
/// How wrong one is that was measured above the ground.
const GROUND_ERROR: f64 = 5.0;
/// How wrong a receiver's altitude is.
const ALTITUDE_ERROR: f64 = 20.0;

/// How a frame was taken, and which part of its camera's image it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// By the image's tags.
    aim: Box<Aim>,
    /// Height of the whole image as a share of its width.
    aspect: f64,
    /// None where it is not known, or the image is georeferenced.
    extent: Option<Extent>,
}

impl View {
    /// Of a whole image of so many columns and rows.
    #[must_use]
    pub fn whole(tags: &Tags, size: (f64, f64)) -> Self {
        Self::part(tags, size, ((0.0, 0.0), size))
    }

    /// Of the part between two opposite corners of an image of so many columns and rows, both as the file has them.
    #[must_use]
    pub fn part(tags: &Tags, (width, height): (f64, f64), (one, other): ((f64, f64), (f64, f64))) -> Self {
        let is_an_image = width >= 1.0 && height >= 1.0 && !tags.is_georeferenced();
        let across = |x: f64| (2.0 * x - width) / width;
        let down = |y: f64| (2.0 * y - height) / width;
        let between = |a: f64, b: f64| (a.min(b), a.max(b));
        let extent = is_an_image.then(|| Extent {
            across: between(across(one.0), across(other.0)),
            down: between(down(one.1), down(other.1)),
        });
        let mut aim = Box::new(tags.aim.clone());
        // What was cut out of an image sees less than the lens did; how much less nobody says.
        aim.film_focal_length = aim.film_focal_length.filter(|_| aim.is_whole((width, height)));
        Self { aim, aspect: height / width, extent }
    }

    /// What an image shows of the ground by its own tags alone, and where it was taken.
    #[must_use]
    pub fn by_tags(tags: &Tags, size: (f64, f64)) -> (Option<Position>, Option<Footprint>) {
        let place = tags.place((size.0 / 2.0, size.1 / 2.0));
        let position = place.and_then(|place| Position::new(place.latitude, place.longitude));
        let (camera, nobody) = (CameraConfig::default(), Receiver::default());
        let footprint = Self::whole(tags, size).footprint(&camera, position, &nobody, None).ok();
        (footprint.map(|footprint| footprint.centre).or(position), footprint)
    }

    /// Why tags were not used.
    #[must_use]
    pub fn problem(&self) -> Option<&cssa_image::Problem> {
        self.aim.problem.as_ref()
    }

    /// What the frame shows of the ground, taken at `position` at a moment.
    ///
    /// # Errors
    /// What is not known of it, or why it shows none.
    pub fn footprint(
        &self,
        camera: &CameraConfig,
        position: Option<Position>,
        receiver: &Receiver,
        at: Option<Instant>,
    ) -> Result<Footprint, Unseen> {
        let extent = self.extent.ok_or(Unseen::Georeferenced)?;
        let position = position.ok_or(Unseen::Position)?;
        let attitude = self.attitude(camera, receiver, at).ok_or(Unseen::Attitude)?;
        let (height, height_error) = self.height(camera, receiver, at).ok_or(Unseen::Height)?;
        let half_width = self.half_width(camera).ok_or(Unseen::FieldOfView)?;
        footprint(&Pose { position, height, height_error, attitude }, &extent, half_width)
    }

    /// By the image's own tags, which may be wrong: then nobody knows. Else that of the vehicle with a fixed camera, or the gimbal's.
    fn attitude(&self, camera: &CameraConfig, receiver: &Receiver, at: Option<Instant>) -> Option<DQuat> {
        match (self.aim.attitude, &self.aim.problem, camera.mount) {
            (_, Some(_), _) => None,
            (Some(held), None, _) => Some(by_tags(held)),
            (None, None, Some(mount)) => Some(receiver.attitude(at?)? * of_mount(mount)),
            (None, None, None) => receiver.gimbal(at?),
        }
    }

    /// Metres above the ground, and how wrong they may be. Where the ground's elevation is known, altitudes say more than a height above the
    /// start does.
    fn height(&self, camera: &CameraConfig, receiver: &Receiver, at: Option<Instant>) -> Option<(f64, f64)> {
        if self.aim.problem.is_some() {
            return None;
        }
        let heard = at.and_then(|at| receiver.heights(at));
        if let Some(ground) = camera.ground_elevation {
            let altitude = self.aim.altitude.or(heard.map(|heard| heard.altitude));
            return altitude.map(|altitude| (altitude - ground, ALTITUDE_ERROR));
        }
        match self.aim.height {
            Some(Height::AboveGround(metres)) => Some((metres, GROUND_ERROR)),
            Some(Height::AboveStart(metres)) => Some((metres, START_ERROR)),
            None => heard.map(|heard| (heard.above_start, START_ERROR)),
        }
    }

    /// The tangent of half the horizontal field of view.
    fn half_width(&self, camera: &CameraConfig) -> Option<f64> {
        let configured = camera.horizontal_field_of_view.map(|degrees| (degrees / 2.0).to_radians().tan());
        let by_tags = || self.aim.film_focal_length.map(|length| HALF_DIAGONAL / length / self.aspect.hypot(1.0));
        configured.or_else(by_tags)
    }
}

/// The attitude of the optical axis against the vehicle.
fn of_mount(mount: Mount) -> DQuat {
    attitude(mount.yaw.to_radians(), mount.pitch.to_radians(), mount.roll.to_radians())
}

fn by_tags(held: Attitude) -> DQuat {
    let turned = attitude(held.yaw.to_radians(), held.pitch.to_radians(), held.roll.to_radians());
    match held.along {
        Along::Forward => turned,
        Along::Down => turned * attitude(0.0, -std::f64::consts::FRAC_PI_2, 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cssa_image::tags::Aim;

    /// Its focal length is the whole image's: no footprint is better than one that is too large.
    #[test]
    fn what_was_cut_out_of_an_image_has_no_footprint() {
        let aim = Aim {
            attitude: Some(Attitude { yaw: 0.0, pitch: -90.0, roll: 0.0, along: Along::Forward }),
            height: Some(Height::AboveGround(100.0)),
            film_focal_length: Some(24.0),
            written_size: Some([4000, 3000]),
            ..Aim::default()
        };
        let mut tags = Tags::default();
        tags.aim = aim;
        let position = Position::new(48.2, 16.4);
        let (configured, nobody) =
            (CameraConfig { horizontal_field_of_view: Some(70.0), ..CameraConfig::default() }, Receiver::default());
        let seen = |size, camera: &CameraConfig| View::whole(&tags, size).footprint(camera, position, &nobody, None);
        let by_tags = CameraConfig::default();
        assert!(seen((4000.0, 3000.0), &by_tags).is_ok() && seen((800.0, 600.0), &by_tags).is_ok());
        assert_eq!(seen((3000.0, 3000.0), &by_tags).err(), Some(Unseen::FieldOfView));
        assert!(seen((3000.0, 3000.0), &configured).is_ok(), "who cuts images says what they see");
    }
}
