//! Image files as the world writes them: 8-bit RGB pixels, the same for training, export and flight; place and time by their own
//! tags.

mod caught;
mod decode;
mod embedded;
mod error;
mod folders;
pub mod georeference;
mod ifd;
mod jpeg_file;
mod jpeg_restarts;
mod jpeg_scan;
mod memory;
mod orientation;
mod picture;
mod place;
mod png_file;
mod problem;
mod raster;
mod reduce;
mod scaling;
pub mod tags;

pub use decode::{decode, picture, read, read_picture, scaled_to_rgb8, to_rgb8};
pub use embedded::embedded;
pub use error::DecodeError;
pub use folders::{EXTENSIONS, found, images};
pub use memory::{Samples, check_pixels, rgb8};
pub use picture::{Kept, Picture};
pub use place::Place;
pub use problem::Problem;
pub use raster::{Raster, is_tiff_file};
pub use scaling::Scaling;

/// A rectangle of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

impl Window {
    pub(crate) fn of((width, height): (u32, u32)) -> Self {
        Self { x: 0, y: 0, width, height }
    }
}
