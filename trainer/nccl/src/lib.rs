//! Sums of tensors over the CUDA devices of several processes, one device a process, by NVIDIA's NCCL.
//!
//! Nothing of CUDA is needed to build this: the driver (`libcuda.so`) and `libnccl.so` are loaded where there are both. PyPI's
//! `nvidia-nccl` has the latter as `libnccl.so.2` alone, which is not looked for: link it under the shorter name.
//!
//! It was compiled and linted, and has run on no device yet.

mod view;

use cudarc::driver::CudaContext;
use cudarc::driver::safe::DriverError;
use cudarc::nccl::result::NcclError;
use cudarc::nccl::{Comm, Id, ReduceOp};
use tch::{Device, Kind, Tensor};
use view::View;

/// Why nothing is summed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tensor is none that NCCL sums here.
    #[error("a tensor on {found:?} of {kind:?} values, expected contiguous FP32 on {expected:?}")]
    Tensor {
        /// Where it is.
        found: Device,
        /// What it has.
        kind: Kind,
        /// Where the others are.
        expected: Device,
    },
    /// CUDA's driver does not give the device.
    #[error("CUDA device {device}: {problem}")]
    Device {
        /// Its number.
        device: usize,
        /// What the driver says.
        problem: DriverError,
    },
    /// NCCL fails.
    #[error("NCCL: {0}; NCCL_DEBUG=WARN says more")]
    Nccl(String),
}

impl From<NcclError> for Error {
    fn from(NcclError(result): NcclError) -> Self {
        Self::Nccl(format!("{result:?}"))
    }
}

/// What the processes that sum together have in common: the first one makes it, and gives it to the others.
pub type Key = Vec<i8>;

/// This process among those that sum together.
#[derive(Debug)]
pub struct Group {
    all: Comm,
    device: Device,
}

/// Whether the driver and NCCL are here.
#[must_use]
pub fn is_here() -> bool {
    // SAFETY: loading NVIDIA's libraries runs their initializers, which ask nothing of the process.
    unsafe { cudarc::driver::sys::is_culib_present() && cudarc::nccl::sys::is_culib_present() }
}

/// A new key.
///
/// # Errors
/// NCCL fails.
pub fn key() -> Result<Key, Error> {
    Ok(Id::new()?.internal().to_vec())
}

impl Group {
    /// Joins as number `rank` of `ranks`, with a CUDA device of its own; waits for the others.
    ///
    /// # Errors
    /// NCCL fails, as it does where two processes have one device, or there is no such device.
    pub fn join(key: &[i8], rank: usize, ranks: usize, device: usize) -> Result<Self, Error> {
        let key = key.try_into().map_err(|_| Error::Nccl(format!("a key of {} bytes, expected 128", key.len())))?;
        let context = CudaContext::new(device).map_err(|problem| Error::Device { device, problem })?;
        // libtorch computes on this stream: what it has queued is done before the sum, and what it queues next after it.
        let all = Comm::from_rank(context.default_stream(), rank, ranks, Id::uninit(key))?;
        Ok(Self { all, device: Device::Cuda(device) })
    }

    /// The values of `tensor` become the sums of those that all processes have in its place.
    ///
    /// # Errors
    /// NCCL fails, or the tensor is elsewhere or of another kind.
    pub fn sum(&self, tensor: &mut Tensor) -> Result<(), Error> {
        let (found, kind) = (tensor.device(), tensor.kind());
        if found != self.device || kind != Kind::Float || !tensor.is_contiguous() {
            return Err(Error::Tensor { found, kind, expected: self.device });
        }
        let stream = self.all.stream();
        self.all.all_reduce_in_place(&mut View::new(tensor, &stream), &ReduceOp::Sum)?;
        Ok(())
    }
}
