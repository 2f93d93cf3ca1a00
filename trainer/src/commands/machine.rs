//! Where a command computes.

use anyhow::Result;
use std::path::PathBuf;
use trainer::device::{self, DeviceChoice};

/// Where to compute.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum DeviceOption {
    /// CUDA where it is there, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// The first CUDA device, or an error.
    Cuda,
}

/// Device, threads and cache.
#[derive(Debug, clap::Args)]
pub(crate) struct Machine {
    /// Folder of cached features, and of the parses of trainer score.
    #[arg(long, default_value = "target/features")]
    pub(crate) cache: PathBuf,
    /// Where to compute.
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceOption,
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
pub(crate) fn start(device: DeviceOption, threads: u8) -> Result<tch::Device> {
    let choice = match device {
        DeviceOption::Auto => DeviceChoice::Auto,
        DeviceOption::Cpu => DeviceChoice::Cpu,
        DeviceOption::Cuda => DeviceChoice::Cuda,
    };
    device::join_cuda(choice)?;
    if threads > 0 {
        tch::set_num_threads(i32::from(threads));
    }
    Ok(device::choose(choice)?)
}
