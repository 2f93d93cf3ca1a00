//! Archives in PostgreSQL with PostGIS, on a server that the tests start.

mod archive;
mod cluster;
mod fleet;
#[path = "../vehicle/mod.rs"]
mod vehicle;
