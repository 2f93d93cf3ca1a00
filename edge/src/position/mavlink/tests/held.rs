//! How a vehicle and its gimbal are held, and what a frame shows, over a real socket.

use super::*;
use crate::camera::{CameraConfig, Mount};
use crate::position::{Unseen, View};
use cssa_image::tags::Tags;
use mavlink::dialects::common::{
    ATTITUDE_DATA, GIMBAL_DEVICE_ATTITUDE_STATUS_DATA, GimbalDeviceErrorFlags, GimbalDeviceFlags,
};

const FIELD_OF_VIEW: Option<f64> = Some(60.0);

fn high(relative_alt: i32, alt: i32) -> MavMessage {
    let (lat, lon) = (482_085_000, 163_700_000);
    let place = GLOBAL_POSITION_INT_DATA { lat, lon, relative_alt, alt, ..GLOBAL_POSITION_INT_DATA::default() };
    MavMessage::GLOBAL_POSITION_INT(place)
}

fn attitude(yaw: f32, pitch: f32, roll: f32) -> MavMessage {
    let [yaw, pitch, roll] = [yaw, pitch, roll].map(f32::to_radians);
    MavMessage::ATTITUDE(ATTITUDE_DATA { yaw, pitch, roll, ..ATTITUDE_DATA::default() })
}

/// A gimbal whose quaternion is that of a pitch alone.
fn gimbal(pitch: f32, flags: GimbalDeviceFlags, failure_flags: GimbalDeviceErrorFlags) -> MavMessage {
    let half = (pitch / 2.0).to_radians();
    let q = [half.cos(), 0.0, half.sin(), 0.0];
    let status = GIMBAL_DEVICE_ATTITUDE_STATUS_DATA::default();
    MavMessage::GIMBAL_DEVICE_ATTITUDE_STATUS(GIMBAL_DEVICE_ATTITUDE_STATUS_DATA { q, flags, failure_flags, ..status })
}

fn fixed(pitch: f64) -> CameraConfig {
    let mount = Some(Mount { pitch, yaw: 0.0, roll: 0.0 });
    CameraConfig { horizontal_field_of_view: FIELD_OF_VIEW, mount, ground_elevation: None }
}

fn on_gimbal() -> CameraConfig {
    CameraConfig { mount: None, ..fixed(0.0) }
}

/// Metres from the camera to the middle of what a frame of 4 : 3 shows that is taken now.
fn middle(camera: &CameraConfig, receiver: &Receiver) -> Result<(f64, f64), Unseen> {
    let at = Instant::now();
    let view = View::whole(&Tags::default(), (400.0, 300.0));
    let found = view.footprint(camera, receiver.position(at), receiver, Some(at))?;
    let (north, east) = found.centre.degrees();
    Ok(((north - 48.2085) * 111_194.3, (east - 16.37) * 74_324.1))
}

fn is_near(found: Result<(f64, f64), Unseen>, north: f64, east: f64) -> bool {
    found.is_ok_and(|found| (found.0 - north).hypot(found.1 - east) < 1.0)
}

/// What is sent until a camera sees so.
fn sees(
    line: &mut Line,
    receiver: &Receiver,
    messages: &[(u8, u8, MavMessage)],
    camera: &CameraConfig,
    is_right: impl Fn(Result<(f64, f64), Unseen>) -> bool,
) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        for (system_id, component_id, message) in messages {
            let header = MavHeader { system_id: u32::from(*system_id), component_id: *component_id, sequence: 0 };
            let mut bytes = Vec::new();
            mavlink::write_versioned_msg(&mut bytes, V2, header, message)?;
            line.send(&bytes)?;
        }
        let found = middle(camera, receiver);
        if is_right(found) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "{camera:?}: {found:?}");
    }
}

#[test]
fn a_fixed_camera_looks_where_its_vehicle_does() -> Result<()> {
    let receiver = Receiver::default();
    let mut line = Line::udp(&receiver)?;
    let own = |message| (1, 1, message);
    let high = || own(high(100_000, 271_000));
    sees(&mut line, &receiver, &[high()], &fixed(-90.0), |found| found == Err(Unseen::Attitude))?;
    // Another component's, and another vehicle's, are of them.
    let others = [high(), (1, 154, attitude(0.0, 0.0, 0.0)), (2, 1, attitude(0.0, 0.0, 0.0))];
    sees(&mut line, &receiver, &others, &fixed(-90.0), |found| found == Err(Unseen::Attitude))?;
    let level = [high(), own(attitude(90.0, 0.0, 0.0))];
    sees(&mut line, &receiver, &level, &fixed(-90.0), |found| is_near(found, 0.0, 0.0))?;
    sees(&mut line, &receiver, &level, &fixed(-45.0), |found| is_near(found, 0.0, 100.0))?;
    sees(&mut line, &receiver, &level, &fixed(0.0), |found| found == Err(Unseen::Horizon))?;
    // 20° nose up, heading south: 100 tan 20° = 36.4 m ahead; 20° to the right, left of it.
    let climbing = [high(), own(attitude(180.0, 20.0, 0.0))];
    sees(&mut line, &receiver, &climbing, &fixed(-90.0), |found| is_near(found, -36.4, 0.0))?;
    let leaning = [high(), own(attitude(0.0, 0.0, 20.0))];
    sees(&mut line, &receiver, &leaning, &fixed(-90.0), |found| is_near(found, 0.0, -36.4))?;
    let nonsense = [high(), own(attitude(f32::NAN, 0.0, 0.0))];
    sees(&mut line, &receiver, &nonsense, &fixed(-90.0), |found| found == Err(Unseen::Attitude))?;
    // 271 m above the sea, 71 m above a hill.
    let hill = CameraConfig { ground_elevation: Some(200.0), ..fixed(-45.0) };
    sees(&mut line, &receiver, &level, &hill, |found| is_near(found, 0.0, 71.0))?;
    sees(&mut line, &receiver, &level, &on_gimbal(), |found| found == Err(Unseen::Attitude))?;
    let landed = [own(super::held::high(0, 171_000)), own(attitude(0.0, 0.0, 0.0))];
    sees(&mut line, &receiver, &landed, &fixed(-90.0), |found| found == Err(Unseen::OnGround))
}

#[test]
fn a_gimbal_looks_where_it_says() -> Result<()> {
    let receiver = Receiver::default();
    let mut line = Line::udp(&receiver)?;
    let (flags, healthy) = (GimbalDeviceFlags::empty(), GimbalDeviceErrorFlags::empty());
    let locked = GimbalDeviceFlags::GIMBAL_DEVICE_FLAGS_YAW_LOCK;
    let all = |component, message| {
        [(1, 1, high(100_000, 271_000)), (1, 1, attitude(90.0, 10.0, -5.0)), (1, component, message)]
    };
    let camera = on_gimbal();
    let failing = GimbalDeviceErrorFlags::GIMBAL_DEVICE_ERROR_FLAGS_ENCODER_ERROR;
    sees(&mut line, &receiver, &all(154, gimbal(-45.0, locked, failing)), &camera, |found| {
        found == Err(Unseen::Attitude)
    })?;
    sees(&mut line, &receiver, &all(154, gimbal(-45.0, locked, healthy)), &camera, |found| is_near(found, 100.0, 0.0))?;
    std::thread::sleep(Duration::from_millis(300));
    sees(&mut line, &receiver, &all(154, gimbal(-45.0, flags, healthy)), &camera, |found| is_near(found, 0.0, 100.0))?;
    // A second gimbal, and the older message, are not heard beside it.
    std::thread::sleep(Duration::from_millis(300));
    sees(&mut line, &receiver, &all(171, gimbal(-90.0, flags, healthy)), &camera, |found| {
        found == Err(Unseen::Attitude)
    })
}

/// Degrees, and a yaw from north that is not a number where the gimbal has no compass.
#[test]
fn an_older_gimbal_is_heard_too() -> Result<()> {
    #[expect(deprecated, reason = "still sent")]
    fn older(pitch: f32, yaw: f32, yaw_absolute: f32) -> MavMessage {
        use mavlink::dialects::common::MOUNT_ORIENTATION_DATA;
        let mount = MOUNT_ORIENTATION_DATA { pitch, yaw, yaw_absolute, ..MOUNT_ORIENTATION_DATA::default() };
        MavMessage::MOUNT_ORIENTATION(mount)
    }
    let receiver = Receiver::default();
    let mut line = Line::udp(&receiver)?;
    let all = |message| [(1, 1, high(100_000, 271_000)), (1, 1, attitude(90.0, 0.0, 0.0)), (1, 154, message)];
    sees(&mut line, &receiver, &all(older(-45.0, 7.0, 180.0)), &on_gimbal(), |found| is_near(found, -100.0, 0.0))?;
    std::thread::sleep(Duration::from_millis(300));
    sees(&mut line, &receiver, &all(older(-45.0, 90.0, f32::NAN)), &on_gimbal(), |found| is_near(found, -100.0, 0.0))
}
