//! All ranks, seen from one of them.

use super::alone::Alone;
#[cfg(feature = "nccl")]
use super::gpus::Gpus;
use super::launch;
#[cfg(not(feature = "nccl"))]
use super::no_gpus::Gpus;
use super::share::Share;
use super::transport::Transport;
use crate::error::{RanksError, Result};
use crate::progress::Progress;
use cssa::errors::chain;
use serde::{Serialize, de::DeserializeOwned};
use std::cell::RefCell;
use std::time::Duration;
use tch::{Device, Kind, Tensor};

/// All ranks, seen from one of them.
#[derive(Debug)]
pub struct Ranks {
    transport: Box<dyn Transport>,
    /// What is summed and its sum: as large as all weights, and needed in every step.
    buffers: RefCell<[Vec<f32>; 2]>,
    gpus: Gpus,
}

/// A rank that fails waits so long for rank 0 to fail of the same and say it: a wrong recipe is told once, not by every rank.
const FIRST_SPEAKS: Duration = Duration::from_millis(500);

impl Ranks {
    /// One process.
    #[must_use]
    pub fn alone() -> Self {
        Self::over(Box::new(Alone))
    }

    /// The ranks that `mpirun` or `srun` started, or one process. To be called once, when [`crate::device::join_cuda`] is done.
    pub fn start() -> Result<Self> {
        launch::start().map(Self::over)
    }

    fn over(transport: Box<dyn Transport>) -> Self {
        Self { transport, buffers: RefCell::default(), gpus: Gpus::default() }
    }

    /// Does `work`; where a rank fails that is not alone, it says why and ends all.
    pub fn together<T, E>(self, work: impl FnOnce(&Self) -> Result<T, E>) -> Result<T, E>
    where
        E: AsRef<dyn std::error::Error>,
    {
        let done = work(&self);
        if let Err(error) = &done
            && self.size() > 1
        {
            if !self.is_first() {
                std::thread::sleep(FIRST_SPEAKS);
            }
            Progress::Shown.say(&format!("error: {self}: {}", chain(error.as_ref())));
            self.transport.abort();
        }
        done
    }

    /// How many ranks there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.transport.size()
    }

    /// Whether this is rank 0, which writes what all have made.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.transport.rank() == 0
    }

    /// The number of this rank among those of its host: which of the host's devices it has.
    #[must_use]
    pub fn node_rank(&self) -> usize {
        self.transport.node_rank()
    }

    /// Which part of every batch is this rank's.
    #[must_use]
    pub fn share(&self) -> Share {
        Share { rank: self.transport.rank(), of: self.size() }
    }

    /// Rank 0 tells how far all are.
    #[must_use]
    pub fn progress(&self) -> Progress {
        if self.is_first() { Progress::Shown } else { Progress::Silent }
    }

    /// From here on tensors on `device` are summed from GPU to GPU, where it is one and that can be.
    pub fn join_device(&self, device: Device) -> Result<()> {
        let Some(number) = Gpus::number(device) else { return Ok(()) };
        let lacking = self.gather(vec![(!Gpus::can_join()).then(|| self.to_string())])?;
        if let Some(rank) = lacking.into_iter().flatten().next() {
            let warning = "finds no libnccl.so: gradients are summed by way of the hosts' memory";
            self.progress().say(&format!("warning: {rank} {warning}"));
            return Ok(());
        }
        let key = self.agree(Gpus::key)?;
        self.gpus.join(&key, self.share(), number)
    }

    /// Whether tensors on GPUs are summed there.
    #[must_use]
    pub fn sums_on_gpus(&self) -> bool {
        self.gpus.are_joined()
    }

    /// The sum of all ranks' tensors, FP32; their values may be overwritten.
    pub fn sum(&self, tensor: Tensor) -> Result<Tensor> {
        if let Some(sum) = self.gpus.sum(&tensor)? {
            return Ok(sum);
        }
        if self.size() == 1 {
            return Ok(tensor);
        }
        let [values, sums] = &mut *self.buffers.borrow_mut();
        let count = tensor.numel();
        values.resize(count.max(values.len()), 0.0);
        sums.resize(count.max(sums.len()), 0.0);
        tensor.to_device(Device::Cpu).f_copy_data(&mut values[..count], count)?;
        self.transport.sum_f32(&values[..count], &mut sums[..count]);
        Ok(Tensor::from_slice(&sums[..count]).view(tensor.size().as_slice()).to_device(tensor.device()))
    }

    /// Rank 0's tensor, FP32 and small, on all.
    pub fn first(&self, tensor: Tensor) -> Result<Tensor> {
        match self.size() {
            1 => Ok(tensor),
            // A sum with zeros: no GPU is waited for.
            _ if self.is_first() => self.sum(tensor),
            _ => self.sum(tensor.zeros_like()),
        }
    }

    /// The sum of all ranks' values.
    #[must_use]
    pub fn sum_of(&self, value: f64) -> f64 {
        let mut sums = [0.0];
        self.transport.sum_f64(&[value], &mut sums);
        sums[0]
    }

    /// Overwrites a tensor, FP32, with rank 0's.
    pub fn broadcast(&self, tensor: &Tensor) -> Result<()> {
        if self.size() > 1 {
            let mut bytes = to_bytes(tensor)?;
            self.transport.broadcast(&mut bytes);
            if !self.is_first() {
                let values = from_bytes(&bytes).view(tensor.size().as_slice());
                tch::no_grad(|| tensor.shallow_clone().copy_(&values));
            }
        }
        Ok(())
    }

    /// The rows of all ranks' matrices `[…, width]`, FP32, those of rank 0 first. They carry no gradient.
    pub fn gather_rows(&self, own: &Tensor) -> Result<Tensor> {
        if self.size() == 1 {
            return Ok(own.detach());
        }
        let all = self.transport.gather(&to_bytes(own)?).concat();
        Ok(from_bytes(&all).view([-1, own.size()[1]]).to_device(own.device()))
    }

    /// What all ranks have, that of rank 0 first.
    pub fn gather<T: Serialize + DeserializeOwned>(&self, own: Vec<T>) -> Result<Vec<T>> {
        if self.size() == 1 {
            return Ok(own);
        }
        let parts = self.transport.gather(&serde_json::to_vec(&own)?);
        let parts = parts.iter().map(|bytes| serde_json::from_slice::<Vec<T>>(bytes));
        Ok(parts.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// What `value` gives on rank 0, which alone asks it.
    pub fn agree<T: Serialize + DeserializeOwned>(&self, value: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.size() == 1 {
            return value();
        }
        let mut bytes = if self.is_first() { serde_json::to_vec(&value()?)? } else { Vec::new() };
        let mut length = (bytes.len() as u64).to_le_bytes();
        self.transport.broadcast(&mut length);
        bytes.resize(u64::from_le_bytes(length) as usize, 0);
        self.transport.broadcast(&mut bytes);
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// What `yes` says on rank 0.
    pub fn decide(&self, yes: impl FnOnce() -> bool) -> bool {
        let mut answer = [u8::from(self.is_first() && yes())];
        self.transport.broadcast(&mut answer);
        answer[0] == 1
    }

    /// Makes files that all ranks read: rank 0 first, then the first of each other host, where they are not yet there unless the hosts
    /// share a folder, then the others.
    pub fn in_turn<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let turn = if self.is_first() { 0 } else { 1 + usize::from(self.node_rank() > 0) };
        (0..turn).for_each(|_| self.transport.barrier());
        let made = work()?;
        (turn..2).for_each(|_| self.transport.barrier());
        Ok(made)
    }

    /// An error where a rank's tensor, FP32, differs from rank 0's in any bit.
    pub fn check_same(&self, tensor: &Tensor, what: &'static str) -> Result<()> {
        // Whole numbers are summed alike in every order, and so on every processor.
        let bits = || tensor.detach().contiguous().view_dtype(Kind::Int).sum(Kind::Int64).int64_value(&[]);
        self.check_equal(bits, what)
    }

    /// An error where a rank has another value than rank 0.
    pub fn check_equal<T>(&self, value: impl FnOnce() -> T, what: &'static str) -> Result<()>
    where
        T: Serialize + DeserializeOwned + PartialEq,
    {
        if self.size() == 1 {
            return Ok(());
        }
        let all = self.gather(vec![(value(), self.to_string())])?;
        match all.iter().find(|(other, _)| *other != all[0].0) {
            Some((_, rank)) => Err(RanksError::Apart { rank: rank.clone(), what }.into()),
            None => Ok(()),
        }
    }
}

impl std::fmt::Display for Ranks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rank {} of {} on {}", self.transport.rank(), self.size(), self.transport.host())
    }
}

fn to_bytes(tensor: &Tensor) -> Result<Vec<u8>> {
    let flat = tensor.detach().to_device(Device::Cpu).contiguous().view(-1);
    Ok(Vec::<u8>::try_from(flat.view_dtype(Kind::Uint8))?)
}

fn from_bytes(bytes: &[u8]) -> Tensor {
    Tensor::from_slice(bytes).view_dtype(Kind::Float)
}
