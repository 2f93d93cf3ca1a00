//! Sums that go from GPU to GPU, by NCCL.

use super::share::Share;
use crate::error::{RanksError, Result};
use cssa_nccl::{Group, Key};
use std::cell::OnceCell;
use tch::{Device, Tensor};

/// The GPUs of all ranks, once they have joined.
#[derive(Debug, Default)]
pub(super) struct Gpus(OnceCell<Group>);

impl Gpus {
    /// The number of a device on its host that can join, where there is NCCL.
    pub(super) fn number(device: Device) -> Option<usize> {
        if let Device::Cuda(number) = device { Some(number) } else { None }
    }

    /// Whether there is NCCL.
    pub(super) fn can_join() -> bool {
        cssa_nccl::is_here()
    }

    /// What all ranks have in common, made by the first.
    pub(super) fn key() -> Result<Key> {
        Ok(cssa_nccl::key().map_err(RanksError::Nccl)?)
    }

    /// Joins the others.
    pub(super) fn join(&self, key: &Key, share: Share, number: usize) -> Result<()> {
        let group = Group::join(key, share.rank, share.of, number).map_err(RanksError::Nccl)?;
        self.0.get_or_init(|| group);
        Ok(())
    }

    /// Whether they have joined.
    pub(super) fn are_joined(&self) -> bool {
        self.0.get().is_some()
    }

    /// The sum, where the tensor is on a GPU that has joined.
    pub(super) fn sum(&self, tensor: &Tensor) -> Result<Option<Tensor>> {
        let Some(group) = self.0.get().filter(|_| tensor.device().is_cuda()) else { return Ok(None) };
        let mut sum = tensor.contiguous();
        group.sum(&mut sum).map_err(RanksError::Nccl)?;
        Ok(Some(sum))
    }
}
