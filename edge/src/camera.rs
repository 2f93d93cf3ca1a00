//! `[camera]` of `edge.toml`: what is known of a camera on the ground already.

use crate::error::Error;
use serde::Deserialize;

/// How a camera sees. Where this section is there, even empty, frames have footprints, and captions the places that the camera looked at.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CameraConfig {
    /// Horizontal field of view of the whole image in degrees, 1 to 170; left out, by the image's FocalLengthIn35mmFilm.
    pub horizontal_field_of_view: Option<f64>,
    /// How a fixed camera is held by its vehicle; left out, it is a gimbal's, whose attitude the image's tags or MAVLink say.
    pub mount: Option<Mount>,
    /// Metres of the ground above the sea, −500 to 9000. With it heights are altitudes less this; left out, those above the start.
    pub ground_elevation: Option<f64>,
}

/// How a fixed camera is held, against the vehicle's forward, right and down, in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// Up; −90 looks down, with the image's top forward.
    pub pitch: f64,
    /// Clockwise from forward.
    #[serde(default)]
    pub yaw: f64,
    /// Clockwise, as seen from behind the camera.
    #[serde(default)]
    pub roll: f64,
}

impl CameraConfig {
    /// An error for each value that cannot be, by its key.
    pub(crate) fn problems(&self) -> Vec<Error> {
        let within = |field: &'static str, value: Option<f64>, least: f64, most: f64| {
            let value = value.filter(|value| !(least..=most).contains(value))?;
            Some(Error::setting(field, value, format_args!("{least} to {most}")))
        };
        let mount = |angle: fn(Mount) -> f64| self.mount.map(angle);
        [
            within("camera.horizontal_field_of_view", self.horizontal_field_of_view, 1.0, 170.0),
            within("camera.ground_elevation", self.ground_elevation, -500.0, 9000.0),
            within("camera.mount.pitch", mount(|mount| mount.pitch), -180.0, 180.0),
            within("camera.mount.yaw", mount(|mount| mount.yaw), -360.0, 360.0),
            within("camera.mount.roll", mount(|mount| mount.roll), -180.0, 180.0),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
