//! The command line.

use cssa_captioner::{Choice, Looks, Provider};
use cssa_terminal::{LogOptions, one_of};
use std::path::PathBuf;

/// Captions the tiles of an archive and writes a GeoParquet file a shard; the same command again goes on, or does nothing.
#[derive(Debug, clap::Parser)]
#[command(version, about)]
#[command(after_help = "\
Examples:
  archive --tiles tiles.parquet --out captions/
      Captions all tiles; the same command again does what is missing.
  archive --tiles tiles.parquet --shard 0/8 --plan
      Prints how many tiles the first of eight processes has.")]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) log: LogOptions,
    /// Tiles: a Parquet table (id, source; x, y, width, height or geometry; datetime), or STAC items as JSON. A path,
    /// http(s):// or s3://.
    #[arg(long)]
    pub(crate) tiles: String,
    /// Shard of the tiles: I/N, with I from 0 to N − 1.
    #[arg(long, default_value = "0/1", value_parser = shard)]
    pub(crate) shard: (u32, u32),
    /// Output folder of the shard's file: a path or s3://BUCKET/PREFIX.
    #[arg(long, required_unless_present = "plan")]
    pub(crate) out: Option<String>,
    /// Only print how many tiles the shard has.
    #[arg(long)]
    pub(crate) plan: bool,
    /// STAC: side of a tile in pixels.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(16..=8192))]
    pub(crate) tile_pixels: u32,
    /// STAC: pixels from one tile to the next. Default: the side of a tile.
    #[arg(long, value_parser = clap::value_parser!(u32).range(16..=8192))]
    pub(crate) stride: Option<u32>,
    /// Bundle: a folder or a `.cssa` file. Default: the default bundle.
    #[arg(long)]
    pub(crate) bundle: Option<PathBuf>,
    /// Inference runtime. `auto`: ONNX Runtime (`ort`) if it is found and loads, else tract.
    #[arg(long, default_value = "auto", value_parser = one_of::<Choice>(Choice::NAMES))]
    pub(crate) runtime: Choice,
    /// Execution provider of ONNX Runtime, for the encoder.
    #[arg(long, default_value = "cpu", value_parser = one_of::<Provider>(Provider::NAMES))]
    pub(crate) provider: Provider,
    /// Tiles captioned together. Several are faster on a GPU.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) batch: u8,
    /// Turned and mirrored views of each tile that are captioned.
    #[arg(long, default_value = "1", value_parser = one_of::<Looks>(Looks::NAMES))]
    pub(crate) looks: Looks,
    /// Threads of the model.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) threads: u8,
    /// Threads that read tiles.
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn help_manual_and_documented_commands_are_this_programs() -> anyhow::Result<()> {
        cssa_manual::check(&super::Options::command(), cssa_manual::Kind::Checkout)
    }
}
