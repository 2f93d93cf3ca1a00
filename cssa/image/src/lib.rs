//! Image files as the world writes them: 8-bit RGB pixels, the same for training, export and flight; place and time by their own
//! tags.

mod decode;
mod embedded;
mod folders;
pub mod georeference;
pub mod tags;

pub use decode::{decode, read, to_rgb8};
pub use embedded::embedded;
pub use folders::{EXTENSIONS, images};

/// A place on the earth (WGS 84), in degrees north and east.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// −90 to 90.
    pub latitude: f64,
    /// −180 to 180.
    pub longitude: f64,
}

impl Place {
    /// `None` where the degrees are no place on earth.
    #[must_use]
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let on_earth = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        on_earth.then_some(Self { latitude, longitude })
    }
}
