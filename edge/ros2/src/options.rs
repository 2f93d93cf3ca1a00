//! The command line beside `--ros-args`.

use crate::ros_arguments::{RosArguments, split};
use clap::Parser;
use cssa_terminal::LogOptions;
use std::ffi::OsString;

const ROS: &str = "\
Examples:
  edge-ros2 --ros-args -r image:=/camera/image_raw -r fix:=/gps/fix -p looks:=4
      Captions a camera's images in four turned views and publishes them on /cssa/caption.

As any node of ROS 2 it takes --ros-args:
  -r image:=/camera/image_raw -r fix:=/gps/fix -r __ns:=/drone -r __node:=eye
  -p looks:=4 -p period:=0.5     --params-file cssa.yaml

Parameters:
  bundle            a folder or a .cssa file; \"\" is the default bundle (CSSA_BUNDLE)
  trust             minisign public key: take only a bundle that is signed with it
  runtime           auto, ort or tract
  provider          cpu, cuda or tensorrt
  threads           1 to 64 (2)
  beam              1 to 16; 0: as the bundle says
  looks             1, 2, 4 or 8 turned and mirrored views of an image are captioned
  transport         both, raw (image) or compressed (image/compressed)
  reliability       of the images: best_effort, which meets every publisher, or reliable
  memory_mib        with more than that in memory the node ends (4096)
  least_confidence  a caption below it is counted, not published (0)
  period            seconds between two captions at least (0)
  place_seconds     so far from a frame's stamp a fix may be (1)
The last three may be set in flight.

Variables: ROS_DOMAIN_ID, ROS_AUTOMATIC_DISCOVERY_RANGE, ROS_LOCALHOST_ONLY, RMW_IMPLEMENTATION (how services are written), ORT_DYLIB_PATH.";

/// A node of ROS 2: camera images in, captions out. It needs no ROS installation.
#[derive(Debug, Parser)]
#[command(name = "edge-ros2", version, after_long_help = ROS, after_help = "--help says what --ros-args takes")]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) log: LogOptions,
}

/// Both halves of a command line.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> (Options, Result<RosArguments, crate::error::Error>) {
    match split(arguments) {
        Ok((own, ros)) => (Options::parse_from(own), Ok(ros)),
        Err(error) => (Options::parse_from(["edge-ros2"]), Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn help_and_documented_commands_are_this_programs() -> anyhow::Result<()> {
        cssa_manual::check_files(&Options::command(), cssa_manual::Kind::Checkout)?;
        for line in cssa_manual::documented("edge-ros2")? {
            let (own, _) = split(line.words.iter().map(OsString::from))?;
            let words = own.into_iter().filter_map(|word| word.into_string().ok()).collect();
            let problem = cssa_manual::Documented { words, ..line }.problem(&Options::command());
            anyhow::ensure!(problem.is_none(), "{problem:?}");
        }
        Ok(())
    }
}
