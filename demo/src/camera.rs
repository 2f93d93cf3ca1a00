//! The drone's camera: a frame a second into a folder, as JPEG with place and attitude in XMP, as drones of DJI write it.

use crate::course::Course;
use crate::error::{Error, Result};
use crate::terrain::{Look, Terrain};
use cssa::files;
use cssa_image::Window;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Between two frames.
pub(crate) const PACE: Duration = Duration::from_secs(1);
/// Quality of the JPEGs.
pub(crate) const QUALITY: u8 = 85;
/// Degrees that the camera sees from left to right: as many metres as it is high above the ground, 2 atan(1/2).
pub(crate) const FIELD_OF_VIEW: f64 = 53.130_102;
/// Frames that wait to be captioned at most: a slow machine's drone flies slower.
const WAITING: usize = 3;
/// Between two looks at the clock.
const LOOK: Duration = Duration::from_millis(50);
/// Higher than this no camera is, in metres: a frame of a larger piece of the earth has a place only.
const MAX_HEIGHT: f64 = 40_000.0;

/// The camera of a drone on its course.
pub(crate) struct Camera {
    pub(crate) terrain: Terrain,
    pub(crate) course: Course,
    /// Where frames are put.
    pub(crate) folder: PathBuf,
    /// When it lands.
    pub(crate) until: Instant,
}

/// What it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) frames: u64,
    /// Bytes of all of them.
    pub(crate) bytes: u64,
}

impl Camera {
    /// Takes frames until the course or the time is over, or somebody says stop.
    pub(crate) fn run(self, stop: &AtomicBool) -> Result<Taken> {
        let (mut taken, mut due) = (Taken::default(), Instant::now());
        for (number, window) in self.course.frames.iter().enumerate() {
            while Instant::now() < due || self.waiting()? >= WAITING {
                if stop.load(Ordering::Relaxed) || Instant::now() >= self.until {
                    return Ok(taken);
                }
                std::thread::sleep(LOOK);
            }
            due = Instant::now() + PACE;
            let pixels = match self.terrain.frame(*window) {
                Ok(pixels) => pixels,
                Err(problem) => {
                    let Window { x, y, .. } = window;
                    tracing::warn!(
                        "the frame at {x}, {y} cannot be read and is left out: {}",
                        cssa::errors::chain(&problem)
                    );
                    continue;
                }
            };
            let jpeg = jpeg(&pixels)?;
            taken.frames += 1;
            taken.bytes += jpeg.len() as u64;
            files::write(&self.folder.join(format!("{number:06}.jpg")), &tagged(&jpeg, self.terrain.look(*window)))?;
        }
        Ok(taken)
    }

    /// Frames that the flight program has not put away.
    fn waiting(&self) -> Result<usize> {
        let listed = std::fs::read_dir(&self.folder).map_err(Error::system("the camera's folder"))?;
        Ok(listed.flatten().filter(|entry| entry.path().extension().is_some_and(|ending| ending == "jpg")).count())
    }
}

fn jpeg(pixels: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(pixels)?;
    Ok(bytes)
}

/// A JPEG with a segment that says where its camera was and how it looked.
fn tagged(jpeg: &[u8], look: Option<Look>) -> Vec<u8> {
    const NAME: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
    let (Some(look), Some((start, rest))) = (look, jpeg.split_at_checked(2)) else { return jpeg.to_vec() };
    let Look { centre, width: height, yaw } = look;
    let aim = if height <= MAX_HEIGHT {
        format!(
            "drone-dji:AbsoluteAltitude='{height:+.2}' drone-dji:RelativeAltitude='{height:+.2}' drone-dji:GimbalYawDegree='{yaw:+.2}' \
             drone-dji:GimbalPitchDegree='-90.00' drone-dji:GimbalRollDegree='+0.00'"
        )
    } else {
        String::new()
    };
    let packet = format!(
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>\
         <rdf:Description xmlns:drone-dji='http://www.dji.com/drone-dji/1.0/' drone-dji:GpsLatitude='{:.7}' \
         drone-dji:GpsLongitude='{:.7}' {aim}/></rdf:RDF></x:xmpmeta>",
        centre.latitude, centre.longitude
    );
    let length = (NAME.len() + packet.len() + 2) as u16;
    [start, &[0xFF, 0xE1], &length.to_be_bytes(), NAME, packet.as_bytes(), rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cssa_image::Place;
    use cssa_image::tags::{self, Height};

    /// What the flight program reads is what the camera says.
    #[test]
    fn frames_say_where_they_were_taken_and_how() -> Result<()> {
        let jpeg = jpeg(&RgbImage::from_pixel(64, 48, image::Rgb([9, 99, 9])))?;
        let look = Look { centre: Place { latitude: -48.2, longitude: 16.37 }, width: 76.8, yaw: -12.5 };
        let tagged = tagged(&jpeg, Some(look));
        assert_eq!(cssa_image::decode(&tagged).map(|pixels| pixels.dimensions()).ok(), Some((64, 48)));
        let tags = tags::read(&tagged);
        let place = tags.place((32.0, 24.0)).ok_or(Error::Thread("no place"))?;
        assert!((place.latitude + 48.2).abs() < 1e-6 && (place.longitude - 16.37).abs() < 1e-6, "{place:?}");
        let attitude = tags.aim.attitude.ok_or(Error::Thread("no attitude"))?;
        assert_eq!((attitude.yaw, attitude.pitch, attitude.roll), (-12.5, -90.0, 0.0));
        assert_eq!(tags.aim.height, Some(Height::AboveStart(76.8)));
        // From higher than anything flies a frame has a place only.
        let far = super::tagged(&jpeg, Some(Look { width: 1e5, ..look }));
        assert!(tags::read(&far).aim.height.is_none() && tags::read(&far).place((0.0, 0.0)).is_some());
        Ok(())
    }
}
