//! Where a command computes.

use anyhow::Result;
use std::path::PathBuf;
use trainer::device::{self, DeviceChoice};

/// Device, threads and cache.
#[derive(Debug, clap::Args)]
pub(crate) struct Machine {
    /// Folder of cached features, and of the parses of trainer score.
    #[arg(long, default_value = "target/features")]
    pub(crate) cache: PathBuf,
    /// Where to compute.
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceChoice,
    /// Threads of libtorch on the CPU; 0 leaves it to libtorch.
    #[arg(long, default_value_t = 0)]
    threads: u8,
}

impl Machine {
    pub(crate) fn start(&self) -> Result<tch::Device> {
        start(self.device, self.threads)
    }
}

/// The device to compute on.
pub(crate) fn start(choice: DeviceChoice, threads: u8) -> Result<tch::Device> {
    device::join_cuda(choice)?;
    if threads > 0 {
        tch::set_num_threads(i32::from(threads));
    }
    device::choose(choice)
}
