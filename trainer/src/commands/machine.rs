//! Where a command computes.

use anyhow::Result;
use std::path::PathBuf;
use trainer::device::{self, DeviceChoice};
use trainer::ranks::{self, Ranks};

/// Device to compute on.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum DeviceOption {
    /// CUDA if present, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// A CUDA device, or an error. The first one; several processes on a host take one each.
    Cuda,
}

/// Device, threads and cache.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Machine {
    /// Folder of cached features and of trainer score's parses.
    #[arg(long, default_value = "target/features")]
    pub(crate) cache: PathBuf,
    /// Device to compute on.
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceOption,
    /// Threads of libtorch on the CPU. 0: libtorch's own choice.
    #[arg(long, default_value_t = 0)]
    threads: u8,
}

impl Machine {
    pub(crate) fn start(&self) -> Result<tch::Device> {
        start(self.device, self.threads)
    }

    pub(crate) fn together(&self, work: impl FnOnce(&Ranks, tch::Device) -> Result<()>) -> Result<()> {
        together(self.device, self.threads, work)
    }
}

/// The device to compute on, for a command that runs in one process.
pub(crate) fn start(device: DeviceOption, threads: u8) -> Result<tch::Device> {
    ranks::check_alone()?;
    let choice = device.join(threads)?;
    Ok(device::choose(choice, 0)?)
}

/// Does `work` in all the processes that the command was started in, each with its device.
pub(crate) fn together(
    device: DeviceOption,
    threads: u8,
    work: impl FnOnce(&Ranks, tch::Device) -> Result<()>,
) -> Result<()> {
    let choice = device.join(threads)?;
    Ranks::start()?.together(|ranks| {
        let device = device::choose(choice, ranks.node_rank())?;
        ranks.join_device(device)?;
        work(ranks, device)
    })
}

impl DeviceOption {
    /// Gets CUDA into the process; to be done before anything else, since it may begin the process anew.
    fn join(self, threads: u8) -> Result<DeviceChoice> {
        let choice = match self {
            Self::Auto => DeviceChoice::Auto,
            Self::Cpu => DeviceChoice::Cpu,
            Self::Cuda => DeviceChoice::Cuda,
        };
        device::join_cuda(choice)?;
        if threads > 0 {
            tch::set_num_threads(i32::from(threads));
        }
        Ok(choice)
    }
}
