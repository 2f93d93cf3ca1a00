//! GeoTIFF 1.1 georeferencing: from a pixel to degrees. The coordinate system is read, not assumed: by its EPSG code, or by the
//! keys of a system that the file defines itself; what is not known here has no place and is named.

mod affine;
mod epsg;
mod keys;
mod projection;
mod system;
#[cfg(test)]
mod tests;

use crate::Place;
use crate::ifd::Directories;
use crate::problem::Problem;
use affine::Affine;
use keys::Keys;
use std::io::{Read, Seek};
use system::System;

/// How an image lies on the earth.
#[derive(Clone, Debug)]
pub struct Georeference {
    affine: Affine,
    system: System,
}

impl Georeference {
    /// From the directory of a TIFF's or BigTIFF's first image that is no thumbnail: the one whose pixels are read.
    ///
    /// # Errors
    /// `Absent` where the file has no georeference; else what is wrong with it, or the coordinate system that is not known here.
    pub fn read<R: Read + Seek>(input: &mut R) -> Result<Self, Problem> {
        let (mut directories, first) = Directories::open(input)?;
        let directory = directories.of_image(first);
        let keys = Keys::read(&mut directories, &directory).map_err(|problem| match problem {
            Problem::Absent(_) if Affine::is_there(&directory) => {
                Problem::System("none, the file only says how large its pixels are".into())
            }
            other => other,
        })?;
        let system = System::read(&keys)?;
        Ok(Self { affine: Affine::read(&mut directories, &directory, &keys)?, system })
    }

    /// The place of a point of the image, in pixels from its upper left corner.
    ///
    /// # Errors
    /// The point lies where the coordinate system has no place, or no shift to WGS 84 is known.
    pub fn locate(&self, point: (f64, f64)) -> Result<Place, Problem> {
        self.system.locate(self.affine.apply(point))
    }
}
