//! How far a bundle's captions can be believed, fitted and measured on the graphs that fly.
//!
//! [`fit`] makes the statistics that [`cssa::trust`] computes with; [`measure`] shows what they are worth on images that they have not
//! seen.

mod cholesky;
mod fit;
mod gaussian;
mod measure;
mod observation;
mod page;
mod regression;

pub use fit::{Request, add_to, files, fit};
pub use measure::{
    Measured, OutsideFolder, Report, Stated, calibration_error, captioned, folder, measure, read_lines, said,
};
pub use page::page;
