//! The onboard program: captions images with ONNX Runtime or tract, packs captions into a few bytes for a thin downlink,
//! and unpacks them on the ground.
//!
//! [`wire`] is all that crosses the link; without the `std` feature it is all there is, `no_std` + `alloc`.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod wire;

#[cfg(feature = "std")]
pub mod bench;
#[cfg(feature = "std")]
pub mod captioner;
#[cfg(feature = "std")]
pub mod ground;
#[cfg(feature = "std")]
pub mod link;
#[cfg(feature = "std")]
pub mod onboard;
#[cfg(feature = "std")]
pub mod packets;
#[cfg(feature = "std")]
pub mod runtime;
#[cfg(feature = "std")]
pub mod simulation;
#[cfg(feature = "std")]
pub mod sources;
#[cfg(feature = "std")]
pub mod threshold;
