//! Sums by NCCL in one process, where there are a GPU and the library.

#![cfg(feature = "nccl")]
#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use anyhow::Result;
use tch::{Cuda, Device, Kind, Tensor};
use trainer::ranks::Ranks;

#[test]
fn a_process_alone_sums_its_own() -> Result<()> {
    let ranks = Ranks::alone();
    ranks.join_device(Device::Cpu)?;
    assert!(!ranks.sums_on_gpus());
    if !Cuda::is_available() {
        eprintln!("skipped: no CUDA device is here");
        return Ok(());
    }
    ranks.join_device(Device::Cuda(0))?;
    if !ranks.sums_on_gpus() {
        eprintln!("skipped: libnccl.so is not here");
        return Ok(());
    }
    let tensor = Tensor::arange(1000, (Kind::Float, Device::Cuda(0)));
    assert_eq!(ranks.sum(tensor.copy())?, tensor);
    assert!(ranks.sum(tensor.to_kind(Kind::Double)).is_err());
    Ok(())
}
