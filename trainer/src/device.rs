//! CPU or CUDA, chosen at start from one binary.
//!
//! The program links the CPU part of libtorch alone. CUDA registers itself with libtorch as soon as `libtorch_cuda.so`
//! is in the process; where that library lies beside the libtorch in use, the program starts itself once more with it
//! preloaded (loading it later would need `unsafe`, which the workspace forbids).

use crate::error::{Error, RanksError, Result, ensure};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use tch::{Cuda, Device};

/// What the user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// CUDA where it is there, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// A CUDA device, or an error: the first one, or of several ranks on a host each its own.
    Cuda,
}

const LIBRARY: &str = "libtorch_cuda.so";
const PRELOADED: &str = "CSSA_CUDA_PRELOADED";

/// Replaces this process by one with `libtorch_cuda.so` preloaded, where that makes a difference. Call it first.
pub fn join_cuda(choice: DeviceChoice) -> Result<()> {
    if choice == DeviceChoice::Cpu || std::env::var_os(PRELOADED).is_some() || Cuda::is_available() {
        return Ok(());
    }
    let Some(library) = find_library() else { return Ok(()) };
    let program = std::env::current_exe().map_err(Error::OwnPath)?;
    let mut preload = library.clone().into_os_string();
    if let Some(others) = std::env::var_os("LD_PRELOAD") {
        preload.push(":");
        preload.push(others);
    }
    let source = std::process::Command::new(&program)
        .args(std::env::args_os().skip(1))
        .env("LD_PRELOAD", preload)
        .env(PRELOADED, "1")
        .exec();
    Err(Error::Restart { program, library, source })
}

/// The device that the choice stands for on this machine, for number `process` of its processes that train together.
pub fn choose(choice: DeviceChoice, process: usize) -> Result<Device> {
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Auto if !Cuda::is_available() => Ok(Device::Cpu),
        DeviceChoice::Cuda if !Cuda::is_available() => Err(Error::NoCuda { library: LIBRARY }),
        DeviceChoice::Auto | DeviceChoice::Cuda => {
            let devices = Cuda::device_count();
            // Slurm may show each process its own device alone.
            let shown = std::env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default();
            let process = if devices == 1 && !shown.is_empty() { 0 } else { process };
            ensure!((process as i64) < devices, RanksError::NoDeviceLeft { devices, process: process + 1 }.into());
            Ok(Device::Cuda(process))
        }
    }
}

/// The first `libtorch_cuda.so` on `LD_LIBRARY_PATH` or in `LIBTORCH/lib`.
fn find_library() -> Option<PathBuf> {
    let paths = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let libtorch = std::env::var_os("LIBTORCH").map(|folder| PathBuf::from(folder).join("lib"));
    std::env::split_paths(&paths).chain(libtorch).map(|folder| folder.join(LIBRARY)).find(|path| path.is_file())
}
