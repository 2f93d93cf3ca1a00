//! On the ground: packets in, captions out, kept in a GeoPackage.

pub mod archive;
mod contact;
mod database;
mod error;
mod export;
mod geopackage;
mod geoparquet;
pub mod keys;
mod languages;
pub mod map;
mod message;
pub mod packet_file;
pub mod problem_log;
pub mod receive;
mod reception;
mod stac;
pub mod uplink;

pub use database::{DatabaseError, Place};
pub use error::Error;
pub use export::{csv, footprints_geojson, geojson};
pub use geoparquet::{Placed, geoparquet, placed};
pub use message::{Message, Outcome, Taken};
pub use stac::{Links, Stac, stac};
