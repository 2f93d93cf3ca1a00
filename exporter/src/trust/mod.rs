//! How far a bundle's captions can be believed, fitted and measured on the graphs that fly.
//!
//! [`fit`] makes the statistics that [`cssa::trust`] computes with; [`measure`] shows what they are worth on images that they have not
//! seen.

mod cholesky;
mod fit;
mod gaussian;
mod lines;
mod measure;
mod observation;
mod outside;
mod page;
mod regression;
mod stated;
mod table;

pub(crate) use fit::{MIN_HELD_OUT, MIN_OF_A_KIND};
pub use fit::{Prepared, Request, add_to, files, fit, prepare};
pub use measure::{Measured, Measurement, Report, Worth, measure};
pub use outside::OutsideFolder;
pub use page::page;
pub use stated::Stated;
