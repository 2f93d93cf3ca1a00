//! Position and time from an image's own tags: Exif of JPEG, PNG and TIFF, XMP where Exif has none, and GeoTIFF. What is damaged
//! loses itself and says why; what is there is read strictly, since a false place is worse than none.

mod aim;
mod clock;
mod container;
mod degrees;
mod exif;
#[cfg(test)]
mod tests;
mod xmp;

pub use aim::{Aim, Along, Attitude, Height};

use crate::Place;
use crate::georeference::Georeference;
use crate::problem::Problem;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::Path;

/// What the tags say.
#[derive(Clone, Debug)]
pub struct Tags {
    /// Where the camera was.
    camera: Result<Place, Problem>,
    /// How the pixels lie on the earth.
    georeference: Result<Georeference, Problem>,
    /// When the image was taken, in seconds since 1970; the camera's clock counts as UTC where it does not say more.
    pub time: Option<u32>,
    /// The time is that of the camera's clock, and no tag says in which zone.
    pub is_zoneless: bool,
    /// How the camera was held and how wide it saw.
    pub aim: Aim,
    /// What could not be used.
    problems: Vec<Problem>,
}

/// A time.
#[derive(Clone, Copy, Debug)]
struct When {
    /// In seconds since 1970.
    utc: u32,
    /// No tag says its zone: it is taken for UTC.
    is_zoneless: bool,
}

/// What one kind of tags says: each thing, or why not.
#[derive(Debug)]
struct Said {
    place: Result<Place, Problem>,
    time: Result<When, Problem>,
    /// Problems of the container, and of what something else took the place of.
    other: Vec<Problem>,
    /// Why the receiver says that no position is one.
    void: Option<Problem>,
    /// How the camera was held.
    aim: Aim,
}

impl Default for Tags {
    fn default() -> Self {
        let (camera, georeference) = (Err(Problem::Absent("position")), Err(Problem::Absent("georeference")));
        Self { camera, georeference, time: None, is_zoneless: false, aim: Aim::default(), problems: Vec::new() }
    }
}

impl Tags {
    /// The place of a point of the image, in pixels: by its georeference, else the camera's.
    #[must_use]
    pub fn place(&self, point: (f64, f64)) -> Option<Place> {
        let ground = self.georeference.as_ref().ok().and_then(|georeference| georeference.locate(point).ok());
        ground.or(self.camera.as_ref().ok().copied())
    }

    /// Whether the image itself says how its pixels lie on the earth.
    #[must_use]
    pub fn is_georeferenced(&self) -> bool {
        !matches!(self.georeference, Err(Problem::Absent(_)))
    }

    /// The tags of an image of which only the georeference was read.
    #[must_use]
    pub fn of_georeference(georeference: Result<Georeference, Problem>) -> Self {
        let said = georeference.as_ref().err().filter(|problem| !matches!(problem, Problem::Absent(_)));
        let problems = said.cloned().into_iter().collect();
        Self { georeference, problems, ..Self::default() }
    }

    /// Whether tags speak of a place of a point and give none: it is not known then, rather than not said.
    #[must_use]
    pub fn refuse_place(&self, point: (f64, f64)) -> bool {
        let is_said = |problem: &Problem| !matches!(problem, Problem::Absent(_));
        let ground = match &self.georeference {
            Ok(georeference) => georeference.locate(point).is_err(),
            Err(problem) => is_said(problem),
        };
        self.place(point).is_none() && (ground || self.camera.as_ref().is_err_and(is_said))
    }

    /// Why tags that are there were not used: of the place of a point, of the time.
    #[must_use]
    pub fn problems(&self, point: (f64, f64)) -> Vec<Problem> {
        let ground = self.georeference.as_ref().ok().and_then(|georeference| georeference.locate(point).err());
        self.problems.iter().cloned().chain(ground).collect()
    }
}

/// Reads the tags of an image in memory. A time that is past the computer's clock is not believed.
#[must_use]
pub fn read(bytes: &[u8]) -> Tags {
    read_at(Cursor::new(bytes), cssa::clock::now())
}

/// Reads the tags of an image file, and of the file only what holds them; one that cannot be opened has none.
#[must_use]
pub fn read_file(path: &Path) -> Tags {
    // A pipe would be waited for.
    let opened = if path.is_file() { File::open(path).ok() } else { None };
    opened.map(|file| read_at(BufReader::new(file), cssa::clock::now())).unwrap_or_default()
}

/// As [`read`], by another clock than the computer's: `now` is in seconds since 1970.
#[must_use]
pub fn read_at(mut input: impl Read + Seek, now: u32) -> Tags {
    let found = container::open(&mut input);
    let mut problems = found.problems;
    let mut keep = |problem: Problem| {
        if !matches!(problem, Problem::Absent(_)) && !problems.contains(&problem) {
            problems.push(problem);
        }
    };
    let georeference = match found.is_tiff {
        true => Georeference::read(&mut input),
        false => Err(Problem::Absent("georeference")),
    };
    if let Err(problem) = &georeference {
        keep(problem.clone());
    }
    let exif = match found.exif {
        Some(block) => Some(exif::read(Cursor::new(block), now)),
        None => found.is_tiff.then(|| exif::read(&mut input, now)),
    };
    let xmp = found.xmp.map(|packet| xmp::read(&packet, now));
    let void = [&exif, &xmp].into_iter().flatten().find_map(|said| said.void.clone());
    let said = [exif, xmp].into_iter().flatten();
    let (mut camera, mut time) = (Err(Problem::Absent("position")), Err(Problem::Absent("time")));
    let mut aim = Aim::default();
    for Said { place, time: when, other, aim: said, .. } in said {
        aim = aim.or(said);
        other.into_iter().for_each(&mut keep);
        if camera.is_err() && !matches!(camera, Err(Problem::NoFix(_))) {
            camera = first(camera, place, &mut keep);
        }
        if time.is_err() {
            time = first(time, when, &mut keep);
        }
    }
    // A receiver that has no fix has none in other words either.
    if let Some(problem) = void {
        camera = Err(problem);
    }
    if let Err(problem) = &camera {
        keep(problem.clone());
    }
    if let Err(problem) = &time {
        keep(problem.clone());
    }
    let (is_zoneless, time) = (time.as_ref().is_ok_and(|time| time.is_zoneless), time.ok().map(|time| time.utc));
    Tags { camera, georeference, time, is_zoneless, aim, problems }
}

/// What another kind of tags says in place of what was not there.
fn first<T>(before: Result<T, Problem>, now: Result<T, Problem>, keep: &mut impl FnMut(Problem)) -> Result<T, Problem> {
    match (before, now) {
        (Err(before), Err(Problem::Absent(_))) => Err(before),
        (Err(before), now) => {
            keep(before);
            now
        }
        (before, _) => before,
    }
}
