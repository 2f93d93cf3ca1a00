//! How a vehicle and its gimbal are held, by MAVLink: ATTITUDE (30), GIMBAL_DEVICE_ATTITUDE_STATUS (285), and MOUNT_ORIENTATION (265) of
//! gimbals that do not have that.
#![expect(deprecated, reason = "MOUNT_ORIENTATION is superseded, and still sent")]

use crate::position::fix::FRESH;
use crate::position::footprint::attitude;
use crate::position::held::Gimbal;
use crate::position::receiver::Receiver;
use glam::DQuat;
use mavlink::MavHeader;
use mavlink::dialects::common::{
    ATTITUDE_DATA, GIMBAL_DEVICE_ATTITUDE_STATUS_DATA, GimbalDeviceErrorFlags, GimbalDeviceFlags,
    MOUNT_ORIENTATION_DATA, MavMessage,
};
use std::time::Instant;

/// MAV_COMP_ID_AUTOPILOT1: what other components say of an attitude is of them.
const AUTOPILOT: u8 = 1;
/// How far from 1 the length of a quaternion of single precision is at the most.
const NORM: std::ops::RangeInclusive<f64> = 0.99..=1.01;

/// Which gimbal is heard: of two only the first is.
#[derive(Debug, Default)]
pub(super) struct Gimbals {
    /// Its component, whether it sends the newer message, and when that was heard.
    heard: Option<(u8, bool, Instant)>,
}

impl Gimbals {
    /// Takes what a message of the own vehicle says of attitudes.
    pub(super) fn hear(&mut self, header: &MavHeader, message: &MavMessage, receiver: &Receiver) {
        let now = Instant::now();
        let component = header.component_id;
        match message {
            MavMessage::ATTITUDE(held) if component == AUTOPILOT => {
                if let Some(held) = vehicle(held) {
                    receiver.heard().held.vehicle.say(now, held);
                }
            }
            MavMessage::GIMBAL_DEVICE_ATTITUDE_STATUS(held) if self.is_heard(component, true, now) => {
                self.say(gimbal(held), (component, true, now), receiver);
            }
            MavMessage::MOUNT_ORIENTATION(held) if self.is_heard(component, false, now) => {
                self.say(mount(held), (component, false, now), receiver);
            }
            _ => {}
        }
    }

    fn is_heard(&self, component: u8, is_newer: bool, now: Instant) -> bool {
        self.heard.is_none_or(|(heard, newer, at)| {
            now.saturating_duration_since(at) > FRESH || (is_newer, component) == (newer, heard) || (is_newer && !newer)
        })
    }

    fn say(&mut self, held: Option<Gimbal>, heard: (u8, bool, Instant), receiver: &Receiver) {
        self.heard = Some(heard);
        if let Some(held) = held {
            receiver.heard().held.gimbal.say(heard.2, held);
        }
    }
}

fn vehicle(held: &ATTITUDE_DATA) -> Option<DQuat> {
    let angles = [held.yaw, held.pitch, held.roll].map(f64::from);
    let is_angle = |angle: &f64| angle.abs() <= std::f64::consts::TAU;
    angles.iter().all(is_angle).then(|| attitude(angles[0], angles[1], angles[2]))
}

/// Without flags of its frame, the yaw is from north where it is locked (the message's own specification).
fn gimbal(held: &GIMBAL_DEVICE_ATTITUDE_STATUS_DATA) -> Option<Gimbal> {
    let limits = GimbalDeviceErrorFlags::GIMBAL_DEVICE_ERROR_FLAGS_AT_ROLL_LIMIT
        | GimbalDeviceErrorFlags::GIMBAL_DEVICE_ERROR_FLAGS_AT_PITCH_LIMIT
        | GimbalDeviceErrorFlags::GIMBAL_DEVICE_ERROR_FLAGS_AT_YAW_LIMIT
        | GimbalDeviceErrorFlags::GIMBAL_DEVICE_ERROR_FLAGS_NO_MANAGER;
    let fails = !limits.contains(held.failure_flags);
    if fails || held.flags.contains(GimbalDeviceFlags::GIMBAL_DEVICE_FLAGS_RETRACT) {
        return None;
    }
    let of_earth = held.flags.contains(GimbalDeviceFlags::GIMBAL_DEVICE_FLAGS_YAW_IN_EARTH_FRAME);
    let of_vehicle = held.flags.contains(GimbalDeviceFlags::GIMBAL_DEVICE_FLAGS_YAW_IN_VEHICLE_FRAME);
    let is_locked = held.flags.contains(GimbalDeviceFlags::GIMBAL_DEVICE_FLAGS_YAW_LOCK);
    let [w, x, y, z] = held.q.map(f64::from);
    let attitude = DQuat::from_xyzw(x, y, z, w);
    NORM.contains(&attitude.length())
        .then(|| Gimbal { attitude: attitude.normalize(), from_heading: of_vehicle || !(of_earth || is_locked) })
}

/// In degrees; the yaw from north is not a number where it is not known.
fn mount(held: &MOUNT_ORIENTATION_DATA) -> Option<Gimbal> {
    let from_heading = held.yaw_absolute.is_nan();
    let yaw = if from_heading { held.yaw } else { held.yaw_absolute };
    let angles = [yaw, held.pitch, held.roll].map(f64::from);
    let is_angle = |angle: &f64| angle.abs() <= 360.0;
    let [yaw, pitch, roll] = angles.map(f64::to_radians);
    angles.iter().all(is_angle).then(|| Gimbal { attitude: attitude(yaw, pitch, roll), from_heading })
}
