//! Without NCCL, GPUs do not sum: the hosts do.
#![expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as with NCCL, where each of these may fail")]

use super::share::Share;
use crate::error::Result;
use tch::{Device, Tensor};

/// GPUs that never join.
#[derive(Debug, Default)]
pub(super) struct Gpus {}

impl Gpus {
    /// None.
    pub(super) fn number(_: Device) -> Option<usize> {
        None
    }

    /// There is none.
    pub(super) fn can_join() -> bool {
        false
    }

    /// Nothing.
    pub(super) fn key() -> Result<Vec<i8>> {
        Ok(Vec::new())
    }

    /// Does nothing.
    pub(super) fn join(&self, _: &[i8], _: Share, _: usize) -> Result<()> {
        Ok(())
    }

    /// They have not.
    pub(super) fn are_joined(&self) -> bool {
        false
    }

    /// None.
    pub(super) fn sum(&self, _: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }
}
