//! The command line.

use cssa_captioner::{Choice, Looks, Provider};
use cssa_terminal::{LogOptions, one_of};
use std::path::PathBuf;

/// Captions the tiles of an archive and writes a GeoParquet file a shard; the same command again goes on, or does nothing.
#[derive(Debug, clap::Parser)]
#[command(version, about)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) log: LogOptions,
    /// A Parquet table (id, source; x, y, width, height or geometry; datetime), or STAC items as JSON: a path, http(s):// or s3://.
    #[arg(long)]
    pub(crate) tiles: String,
    /// Which share of the tiles: I/N, I from 0.
    #[arg(long, default_value = "0/1", value_parser = shard)]
    pub(crate) shard: (u32, u32),
    /// Where the shard's file goes: a folder or s3://BUCKET/PREFIX.
    #[arg(long, required_unless_present = "plan")]
    pub(crate) out: Option<String>,
    /// Only plan: say how many tiles the shard has.
    #[arg(long)]
    pub(crate) plan: bool,
    /// STAC: pixels of a tile's side.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(16..=8192))]
    pub(crate) tile_pixels: u32,
    /// STAC: pixels from one tile to the next; left out, as many as a tile has.
    #[arg(long, value_parser = clap::value_parser!(u32).range(16..=8192))]
    pub(crate) stride: Option<u32>,
    /// The bundle, a folder or a `.cssa` file; left out, the default bundle.
    #[arg(long)]
    pub(crate) bundle: Option<PathBuf>,
    /// Which program runs the model.
    #[arg(long, default_value = "auto", value_parser = one_of::<Choice>(Choice::NAMES))]
    pub(crate) runtime: Choice,
    /// Where ONNX Runtime computes.
    #[arg(long, default_value = "cpu", value_parser = one_of::<Provider>(Provider::NAMES))]
    pub(crate) provider: Provider,
    /// Tiles that are captioned together: a GPU is faster with several, a CPU is not.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) batch: u8,
    /// How many of a tile's turned and mirrored views are captioned.
    #[arg(long, default_value = "1", value_parser = one_of::<Looks>(Looks::NAMES))]
    pub(crate) looks: Looks,
    /// Threads of the model.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) threads: u8,
    /// Threads that read tiles meanwhile.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) readers: u8,
}

fn shard(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once('/').and_then(|(shard, shards)| Some((shard.parse().ok()?, shards.parse().ok()?)));
    match parts {
        Some((shard, shards)) if shard < shards => Ok((shard, shards)),
        _ => Err("expected I/N with I from 0 to N − 1, such as 0/8".into()),
    }
}
