//! The contract between the exporter, which writes `encoder.onnx` and `decoder.onnx`, and the captioner, which runs them.
//!
//! [`onnx`] has the messages of a file, [`names`] what nodes and tensors are called, [`dequantized`] the float network that
//! an INT8 graph stands for, [`in_whole_numbers`] the float network that computes what the INT8 graph does. No runtime is known here.
//!
//! ```
//! use cssa_graph::{names, onnx::ModelProto};
//! use prost::Message;
//!
//! let decoder = std::fs::read(fixtures::bundle().join("decoder.onnx"))?;
//! let graph = ModelProto::decode(decoder.as_slice())?.graph.unwrap_or_default();
//! assert_eq!(graph.input[0].name, names::TOKENS);
//! assert!(graph.node.iter().any(|node| node.name == names::decoder_layer(0, names::FEED_FORWARD_UP)));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod dequantize;
pub mod names;
pub mod onnx;
mod whole_numbers;

pub use dequantize::{DequantizeError, dequantized};
pub use whole_numbers::in_whole_numbers;
