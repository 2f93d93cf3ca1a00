//! Captions an archive: windows of GeoTIFFs, from disks, HTTP servers and S3 buckets, become rows of GeoParquet, a file a shard.
//!
//! [`Plan::read`] reads a table of tiles or STAC items (its columns stand at [`plan`]), [`Plan::shard`] gives a process its share,
//! [`Reader::tile`] reads a tile's pixels and footprint, [`Row`]s are written and read by [`output`], [`Job`] joins all that, and a
//! [`Session`] does one job after another with one model.
//!
//! ```no_run
//! use archive::{Cut, Plan, Reader, Stores};
//! use std::sync::Arc;
//!
//! let stores = Arc::new(Stores::new()?);
//! let plan = Plan::read("s3://bucket/tiles.parquet", &stores, Cut { pixels: 512, stride: 384 })?;
//! let reader = Reader::new(Arc::clone(&stores));
//! for tile in plan.shard(0, 8)? {
//!     let seen = reader.tile(tile)?;
//!     assert!(seen.pixels.width() > 0);
//! }
//! # Ok::<_, archive::Error>(())
//! ```

mod error;
mod job;
pub mod output;
mod pipeline;
pub mod plan;
mod ranges;
mod reader;
mod session;
mod stac;
mod store;
mod table;
mod tile;

pub use error::{Error, Result};
pub use job::{Job, Outcome};
pub use output::Row;
pub use pipeline::Pace;
pub use plan::Plan;
pub use reader::{Reader, Seen};
pub use session::Session;
pub use stac::Cut;
pub use store::Stores;
pub use tile::{Part, Tile};
