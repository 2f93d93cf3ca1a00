//! Image files as the world writes them: 8-bit RGB pixels, the same for training, export and flight; place and time by their own
//! tags.

mod decode;
mod embedded;
mod folders;
pub mod georeference;
mod ifd;
mod place;
mod problem;
pub mod tags;

pub use decode::{decode, read, to_rgb8};
pub use embedded::embedded;
pub use folders::{EXTENSIONS, images};
pub use place::Place;
pub use problem::Problem;
