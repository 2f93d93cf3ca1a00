//! The flight program: frames in, captions out, for months. Source → tiler → caption → policy → queue → link, each bounded.
//!
//! [`run::run`] joins the stages that [`config::Config`] names; to [`run::run_with`] a program gives a source or a port of its own. What a simulation or the ground's tests need of them is public:
//! [`downlink::Downlink`] decides what goes out when, [`store::Store`] keeps what waits.

pub mod at_work;
pub mod bench;
pub mod camera;
pub mod check;
pub mod choose;
pub mod commands;
pub mod config;
mod config_file;
mod control;
pub mod doctor;
pub mod downlink;
mod error;
pub mod footprint;
mod frame_pipeline;
mod frame_queue;
pub mod health;
mod leftovers;
pub mod model;
pub mod orders;
pub mod outcome;
pub mod outside_run;
mod own;
pub mod packets;
mod patient;
pub mod peripherals;
mod picture_maker;
pub mod pictures;
pub mod policy;
pub mod position;
mod reader;
pub mod run;
mod silence;
pub mod slots;
pub mod sources;
pub mod started_as;
pub mod store;
mod validation;
pub mod vitals;
pub mod watch_list;

pub use control::{Control, Fault};
pub use error::{Cause, Error};
