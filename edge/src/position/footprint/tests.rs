//! Footprints against numbers by hand.

use super::*;
use std::f64::consts::FRAC_PI_2;

/// A place at 48.2085° north, where a degree of latitude has 111,194.3 m and one of longitude 74,324.1 m (by the series in cosines of
/// multiples of the latitude, which are not this module's formulas).
const LATITUDE: f64 = 48.2085;
const NORTH: f64 = 111_194.3;
const EAST: f64 = 74_324.1;
const LONGITUDE: f64 = 16.37;

fn pose(height: f64, attitude: DQuat) -> Option<Pose> {
    Position::new(LATITUDE, LONGITUDE).map(|position| Pose { position, height, height_error: 10.0, attitude })
}

/// tan 30°: a horizontal field of view of 60°.
const HALF_WIDTH: f64 = 0.577_350_269;

/// An image of 4 : 3.
const WHOLE: Extent = Extent { across: (-1.0, 1.0), down: (-0.75, 0.75) };

fn seen(height: f64, yaw: f64, pitch: f64, roll: f64) -> Result<Footprint, Unseen> {
    let attitude = attitude(yaw.to_radians(), pitch.to_radians(), roll.to_radians());
    let pose = pose(height, attitude).ok_or(Unseen::Position)?;
    footprint(&pose, &WHOLE, HALF_WIDTH)
}

/// Metres to the north and east of the camera.
fn metres(place: Position) -> (f64, f64) {
    let (latitude, longitude) = place.degrees();
    ((latitude - LATITUDE) * NORTH, (longitude - LONGITUDE) * EAST)
}

/// Whether a place is where it should be to a hundredth of the way there, and to two centimetres: a unit of positions.
fn is_near(found: Position, north: f64, east: f64) -> bool {
    let (found_north, found_east) = metres(found);
    (found_north - north).hypot(found_east - east) <= 0.02 + 0.01 * north.hypot(east)
}

fn corners_are(found: &Footprint, expected: [(f64, f64); 4]) -> bool {
    found.corners.iter().zip(expected).all(|(&corner, (north, east))| is_near(corner, north, east))
}

/// From 100 m straight down, 60° across, 4 : 3: 100 tan 30° = 57.74 m to each side, three quarters of it, 43.30 m, up and down.
#[test]
fn a_nadir_frame_lies_below_the_camera() -> Result<(), Unseen> {
    let found = seen(100.0, 0.0, -90.0, 0.0)?;
    assert!(corners_are(&found, [(43.30, -57.74), (43.30, 57.74), (-43.30, 57.74), (-43.30, -57.74)]), "{found:?}");
    assert!(is_near(found.centre, 0.0, 0.0));
    // 8 m of the receiver, and 100 m · 2° · π / 180 = 3.49 m of the tilt; height and yaw move nothing below the camera.
    assert!((found.accuracy - 11.49).abs() < 0.01, "{}", found.accuracy);
    // Its top to the east.
    let east = seen(100.0, 90.0, -90.0, 0.0)?;
    assert!(corners_are(&east, [(57.74, 43.30), (-57.74, 43.30), (-57.74, -43.30), (57.74, -43.30)]), "{east:?}");
    Ok(())
}

/// 45° down to the east: the upper edge looks atan(0.75 tan 30°) = 23.41° higher, 100 tan 68.41° = 252.7 m away, where it is
/// 2 · 57.74 / (cos 45° − 0.433 sin 45°) / 100 · 100 = 288.0 m wide; the lower edge 100 tan 21.59° = 39.57 m, 114.0 m wide.
#[test]
fn an_oblique_frame_lies_where_it_looks() -> Result<(), Unseen> {
    let found = seen(100.0, 90.0, -45.0, 0.0)?;
    let expected = [(144.0, 252.7), (-144.0, 252.7), (-56.98, 39.57), (56.98, 39.57)];
    assert!(corners_are(&found, expected), "{:?}", found.corners.map(metres));
    assert!(is_near(found.centre, 0.0, 100.0), "{:?}", metres(found.centre));
    // 8 m; the height's 10 m at 45°; 200 m · 2° · π / 180 = 6.98 m; 100 m · 5° · π / 180 = 8.73 m.
    assert!((found.accuracy - 33.71).abs() < 0.02, "{}", found.accuracy);
    Ok(())
}

/// A vehicle that leans 20° to the right with a camera that looks down out of it: down looks to the left, 100 tan 20° = 36.40 m, its right
/// edge 100 tan 10° = 17.63 m to the right, its left edge 100 tan 50° = 119.2 m to the left.
#[test]
fn a_leaning_vehicle_looks_aside() -> Result<(), Unseen> {
    let held = attitude(0.0, 0.0, 20.0_f64.to_radians()) * attitude(0.0, -FRAC_PI_2, 0.0);
    let pose = pose(100.0, held).ok_or(Unseen::Position)?;
    let found = footprint(&pose, &WHOLE, HALF_WIDTH)?;
    let expected = [(58.34, -119.18), (38.08, 17.63), (-38.08, 17.63), (-58.34, -119.18)];
    assert!(corners_are(&found, expected), "{:?}", found.corners.map(metres));
    assert!(is_near(found.centre, 0.0, -36.40));
    Ok(())
}

#[test]
fn a_tile_is_a_part_of_its_image() -> Result<(), Unseen> {
    let pose = pose(100.0, attitude(0.0, -FRAC_PI_2, 0.0)).ok_or(Unseen::Position)?;
    let right_upper = Extent { across: (0.0, 1.0), down: (-0.75, 0.0) };
    let found = footprint(&pose, &right_upper, HALF_WIDTH)?;
    assert!(corners_are(&found, [(43.30, 0.0), (43.30, 57.74), (0.0, 57.74), (0.0, 0.0)]));
    assert!(is_near(found.centre, 21.65, 28.87));
    Ok(())
}

#[test]
fn what_does_not_meet_the_ground_has_no_footprint() {
    // The upper edge is 23.41° above the axis.
    assert_eq!(seen(100.0, 10.0, -23.0, 0.0), Err(Unseen::Horizon));
    assert_eq!(seen(100.0, 10.0, 0.0, 0.0), Err(Unseen::Horizon));
    assert_eq!(seen(100.0, 10.0, 45.0, 0.0), Err(Unseen::Horizon), "the sky");
    // 100 m see a plane as far as 3,570 m, 1.6° below the horizon; corners lie lower than the edge's middle.
    assert_eq!(seen(100.0, 10.0, -24.4, 0.0), Err(Unseen::Far));
    assert!(seen(100.0, 10.0, -26.0, 0.0).is_ok());
    for height in [0.0, -20.0, 0.9, f64::NAN, f64::INFINITY] {
        assert_eq!(seen(height, 0.0, -90.0, 0.0), Err(Unseen::OnGround), "{height}");
    }
    assert_eq!(seen(100.0, f64::NAN, -90.0, 0.0), Err(Unseen::Horizon));
}

#[test]
fn the_date_line_is_crossed_and_poles_have_none() -> Result<(), Unseen> {
    let down = attitude(0.0, -FRAC_PI_2, 0.0);
    let at = |latitude, longitude| {
        let position = Position::new(latitude, longitude).ok_or(Unseen::Position)?;
        footprint(&Pose { position, height: 100.0, height_error: 10.0, attitude: down }, &WHOLE, HALF_WIDTH)
    };
    let found = at(-17.0, 179.9999)?;
    assert!(found.corners[0].degrees().1 > 179.9 && found.corners[1].degrees().1 < -179.9, "{found:?}");
    assert_eq!(at(85.1, 0.0), Err(Unseen::Pole));
    assert_eq!(at(-89.0, 0.0), Err(Unseen::Pole));
    Ok(())
}
