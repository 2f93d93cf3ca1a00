//! Checkpoint → ONNX graphs → INT8 → verified bundle: the only crate that writes ONNX.

pub mod calibrate;
pub mod decoder;
pub mod encoder;
pub mod export;
pub mod graph;
pub mod quantize;
pub mod verify;
pub mod weights;
