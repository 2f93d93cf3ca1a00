//! The processes that train one model together, by MPI: each is a rank, with a copy of the weights, a device and a share of every
//! batch.
//!
//! All ranks make the same calls in the same order, and each call waits for the others; what rank 0 alone decides or reads is given
//! to all ([`Ranks::agree`]). A rank that fails says why, with its number and host, and ends all of them; where a process is lost,
//! MPI ends the rest. Nothing is summed while the backward pass still runs: tch gives the gradients of a pass all at once, and has
//! no hooks that would tell of the first ones.

mod all;
mod alone;
#[cfg(feature = "nccl")]
mod gpus;
mod launch;
#[cfg(feature = "mpi")]
mod mpi;
#[cfg(not(feature = "nccl"))]
mod no_gpus;
mod share;
mod transport;

pub use all::Ranks;
pub use launch::check_alone;
pub use share::Share;
