//! Checkpoint → ONNX graphs → INT8 → verified bundle: the only crate that writes ONNX.

mod caches;
pub mod calibrate;
pub mod choose;
pub mod decoder;
pub mod delta;
pub mod drawing;
pub mod encoder;
mod error;
pub mod evaluator;
pub mod export;
pub mod graph;
pub mod inspect;
pub mod metadata;
pub mod model_card;
pub mod openssf;
pub mod ort_graphs;
pub mod parity;
pub mod quantize;
pub mod report;
pub mod request;
pub mod sign;
pub mod stac_item;
pub mod trust;
pub mod verification;
pub mod weights;

pub use error::Error;
