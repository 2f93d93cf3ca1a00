//! The trained tensors of a model by name.

use super::Precision;
use anyhow::{Context, Result, anyhow, ensure};
use cssa::model::Model;
use cssa::parameters::{self, Parameter, Start};
use cssa::tensors::Array;
use std::cell::RefCell;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// The tensors that are trained, FP32, each with a gradient: all outside the backbone, and the backbone's own where it is
/// fine-tuned.
///
/// In bfloat16 a layer that multiplies takes its tensors as [`Store::operand`]s: copies in that arithmetic, which are made once
/// a step, not at every use, and get the gradients in the tensors' place.
#[derive(Debug)]
pub struct Store {
    tensors: BTreeMap<String, Tensor>,
    operands: RefCell<BTreeMap<String, Tensor>>,
    device: Device,
    precision: Precision,
}

impl Store {
    /// Before the names of tensors that only training has.
    pub const AUXILIARY: &str = "auxiliary.";

    /// Fresh tensors: the same `seed` gives the same values.
    pub fn new(model: &Model, seed: i64, device: Device) -> Self {
        tch::manual_seed(seed);
        let fresh = |parameter: &Parameter| {
            let tensor = start(parameter).to_device(device).set_requires_grad(true);
            (parameter.name.clone(), tensor)
        };
        let tensors = parameters::trained(model).iter().map(fresh).collect();
        Self { tensors, operands: RefCell::default(), device, precision: Precision::Float }
    }

    /// The same with other arithmetic for the layers built on it.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// What arithmetic the layers use.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Adds a tensor that starts with these values, and gives it.
    pub fn insert(&mut self, name: String, values: &Tensor) -> Tensor {
        let tensor = values.detach().copy().to_device(self.device).set_requires_grad(true);
        let shared = tensor.shallow_clone();
        self.tensors.insert(name, tensor);
        shared
    }

    /// Where the tensors are.
    pub fn device(&self) -> Device {
        self.device
    }

    /// A tensor of the model; it shares its memory with the store.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        self.tensors.get(name).map(Tensor::shallow_clone).ok_or_else(|| anyhow!("the model has no tensor {name}"))
    }

    /// A tensor of the model in the arithmetic of the layers, the same for everybody who asks. In FP32 it is the tensor itself.
    pub fn operand(&self, name: &str) -> Result<Tensor> {
        let tensor = self.get(name)?;
        if self.precision == Precision::Float {
            return Ok(tensor);
        }
        let mut operands = self.operands.borrow_mut();
        let operand = operands
            .entry(name.to_owned())
            .or_insert_with(|| self.precision.cast(&tensor.detach()).set_requires_grad(true));
        Ok(operand.shallow_clone())
    }

    /// The operand that somebody asked for under this name, where it is another tensor.
    pub fn asked_operand(&self, name: &str) -> Option<Tensor> {
        self.operands.borrow().get(name).map(Tensor::shallow_clone)
    }

    /// All tensors, by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Overwrites a tensor's values.
    pub fn set(&self, name: &str, values: &Tensor) -> Result<()> {
        let mut tensor = self.get(name)?;
        ensure!(
            tensor.size() == values.size(),
            "tensor {name} has shape {:?}, expected {:?}",
            values.size(),
            tensor.size()
        );
        let copied = tch::no_grad(|| {
            tensor.f_copy_(values)?;
            self.asked_operand(name).map_or(Ok(()), |mut operand| operand.f_copy_(values))
        });
        copied.with_context(|| format!("tensor {name}"))
    }

    /// Copies of the model's values outside the backbone, on the CPU.
    pub fn arrays(&self) -> Result<Vec<(String, Array)>> {
        let others = [parameters::BACKBONE, Self::AUXILIARY];
        let own = self.tensors().filter(|(name, _)| !others.iter().any(|prefix| name.starts_with(prefix)));
        own.map(|(name, tensor)| Ok((name.to_owned(), to_array(tensor)?))).collect()
    }
}

/// A tensor's values on the CPU, FP32.
pub fn to_array(tensor: &Tensor) -> Result<Array> {
    let shape: Vec<usize> = tensor.size().iter().map(|&extent| extent as usize).collect();
    let flat = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous().view(-1);
    Ok(Array { shape, data: Vec::<f32>::try_from(&flat)? })
}

/// A tensor with an array's values.
pub fn from_array(array: &Array, device: Device) -> Tensor {
    let shape: Vec<i64> = array.shape.iter().map(|&extent| extent as i64).collect();
    Tensor::from_slice(&array.data).view(shape.as_slice()).to_device(device)
}

fn start(parameter: &Parameter) -> Tensor {
    let shape: Vec<i64> = parameter.shape.iter().map(|&extent| extent as i64).collect();
    let options = (Kind::Float, Device::Cpu);
    match parameter.start {
        Start::Constant(value) => Tensor::full(shape.as_slice(), f64::from(value), options),
        Start::Normal(deviation) => Tensor::randn(shape.as_slice(), options) * f64::from(deviation),
        Start::Glorot | Start::Backbone => {
            let bound = (6.0 / shape.iter().take(2).sum::<i64>() as f64).sqrt();
            Tensor::empty(shape.as_slice(), options).uniform_(-bound, bound)
        }
    }
}
