//! Two-stage CSSA training, adaptation and evaluation with libtorch (paper 3.4): the only crate that links it.

pub mod ablate;
pub mod adapt;
pub mod average;
pub mod bench;
pub mod caption;
pub mod check;
pub mod config;
pub mod data;
pub mod device;
mod error;
pub mod evaluate;
pub mod events;
mod held_out;
pub mod log;
pub mod net;
pub mod progress;
pub mod ranks;
pub mod report;
pub mod run;
pub mod score;
pub mod show;
pub mod stages;
pub mod trained;
pub mod tune;
pub mod weights;

pub use error::{Error, RanksError, StateDictError};
