//! A tensor of libtorch as NCCL takes it.

use cudarc::driver::safe::{DevicePtrMut, DeviceSlice, SyncOnDrop};
use cudarc::driver::sys::CUdeviceptr;
use cudarc::driver::{CudaStream, safe::DevicePtr};
use std::sync::Arc;
use tch::Tensor;

/// The values of a contiguous tensor of FP32 on a CUDA device, for one call. It is used on the stream on which libtorch computes and
/// gives memory free, so nothing need wait for it.
pub(crate) struct View<'a> {
    tensor: &'a mut Tensor,
    stream: &'a Arc<CudaStream>,
}

impl<'a> View<'a> {
    pub(crate) fn new(tensor: &'a mut Tensor, stream: &'a Arc<CudaStream>) -> Self {
        Self { tensor, stream }
    }
}

impl DeviceSlice<f32> for View<'_> {
    fn len(&self) -> usize {
        self.tensor.numel()
    }

    fn stream(&self) -> &Arc<CudaStream> {
        self.stream
    }
}

impl DevicePtr<f32> for View<'_> {
    fn device_ptr<'a>(&'a self, _: &'a CudaStream) -> (CUdeviceptr, SyncOnDrop<'a>) {
        (self.tensor.data_ptr() as CUdeviceptr, SyncOnDrop::Sync(None))
    }
}

impl DevicePtrMut<f32> for View<'_> {
    fn device_ptr_mut<'a>(&'a mut self, _: &'a CudaStream) -> (CUdeviceptr, SyncOnDrop<'a>) {
        (self.tensor.data_ptr() as CUdeviceptr, SyncOnDrop::Sync(None))
    }
}
