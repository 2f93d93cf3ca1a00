//! The domain of CSSA Onboard, shared by trainer, exporter and edge: the model's hyper-parameters and the names and
//! shapes of its tensors, the geometry of the DG-former, vocabulary, beam search, and, with the `std` feature, images,
//! datasets, metrics and the formats of `run/` and `bundle/`.
//!
//! Nothing here touches hardware, a model runtime or the network. Without `std` the crate is `no_std` + `alloc`.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod backbone;
pub mod errors;
pub mod geometry;
pub mod language_model;
pub mod model;
pub mod objects;
pub mod parameters;
pub mod random;
pub mod search;
mod spread;
pub mod tf_idf;
pub mod trust;
mod varint;
pub mod vector_math;
pub mod vocabulary;

#[cfg(feature = "std")]
pub mod bundle;
#[cfg(feature = "std")]
pub mod checkpoint;
#[cfg(feature = "std")]
pub mod clock;
#[cfg(feature = "std")]
pub mod dataset;
#[cfg(feature = "std")]
pub mod files;
#[cfg(feature = "std")]
pub mod metrics;
#[cfg(feature = "std")]
pub mod page;
#[cfg(feature = "std")]
pub mod preprocess;
#[cfg(feature = "std")]
pub mod process;
#[cfg(feature = "std")]
pub mod tensors;

/// How far two computations of the same model may differ, by name. Every parity check in the project uses one of these.
pub mod tolerance;

pub use spread::spread;
