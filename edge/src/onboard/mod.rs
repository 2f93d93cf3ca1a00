//! `edge run`: frames in, captions out, for months. Source → tiler → caption → policy → queue → link, each bounded.

pub mod config;
pub mod downlink;
mod flight;
pub mod health;
pub mod model;
pub mod outcome;
pub mod peripherals;
pub mod policy;
pub mod position;
mod reader;
pub mod run;
pub mod slots;
pub mod sources;
pub mod store;
