//! The trained tensors of a model by name.

use super::precision::Precision;
use crate::error::{Error, Result, ensure};
use cssa::model::Model;
use cssa::parameters::{self, Init, Parameter};
use cssa::random::Random;
use cssa::tensors::Array;
use sha2::{Digest, Sha256};
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

    /// Fresh tensors. Each one's values follow from its name and `seed` alone, so models of the same seed start alike in
    /// all that they share, on every device.
    pub fn new(model: &Model, seed: i64, device: Device) -> Self {
        let fresh = |parameter: &Parameter| {
            let tensor = start(parameter, seed as u64).to_device(device).set_requires_grad(true);
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

    /// Takes a checkpoint's trained tensors.
    pub fn restore(&self, tensors: &[(String, Array)]) -> Result<()> {
        let trained = tensors.iter().filter(|(name, _)| !name.starts_with(parameters::BACKBONE));
        for (name, array) in trained {
            self.set(name, &from_array(array, self.device))?;
        }
        Ok(())
    }

    /// Where the tensors are.
    pub fn device(&self) -> Device {
        self.device
    }

    /// A tensor of the model; it shares its memory with the store.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        self.tensors.get(name).map(Tensor::shallow_clone).ok_or_else(|| Error::NoTensor(name.into()))
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
        let (found, expected) = (values.size(), tensor.size());
        ensure!(found == expected, Error::Shape { tensor: name.into(), found, expected });
        let copied = tch::no_grad(|| {
            tensor.f_copy_(values)?;
            self.asked_operand(name).map_or(Ok(()), |mut operand| operand.f_copy_(values))
        });
        copied.map_err(|source| Error::Tensor { tensor: name.into(), source })
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

fn start(parameter: &Parameter, seed: u64) -> Tensor {
    let shape: Vec<i64> = parameter.shape.iter().map(|&extent| extent as i64).collect();
    let count = parameter.shape.iter().product();
    let mut random = named_stream(&parameter.name, seed);
    let values: Vec<f32> = match parameter.start {
        Init::Constant(value) => vec![value; count],
        Init::Normal(deviation) => (0..count).map(|_| deviation * random.normal()).collect(),
        Init::Glorot | Init::Backbone => {
            let bound = (6.0 / parameter.shape.iter().take(2).sum::<usize>() as f32).sqrt();
            (0..count).map(|_| random.range(-bound, bound)).collect()
        }
    };
    Tensor::from_slice(&values).view(shape.as_slice())
}

/// The random numbers of the tensor `name` in a run with `seed`.
fn named_stream(name: &str, seed: u64) -> Random {
    let hash = Sha256::digest(name.as_bytes()).iter().take(8).fold(0, |hash, &byte| hash << 8 | u64::from(byte));
    Random::keyed(&[seed, hash])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use cssa::model::Decay;

    fn arrays(config: &Config, seed: i64) -> Result<BTreeMap<String, Array>> {
        Ok(Store::new(&config.model(20), seed, Device::Cpu).arrays()?.into_iter().collect())
    }

    #[test]
    fn tensors_start_alike_whatever_else_the_model_has() -> Result<()> {
        let mut config = Config::default();
        (config.network.width, config.network.feed_forward) = (64, 64);
        let full = arrays(&config, 3)?;
        config.network.decay = Decay::None;
        config.network.contrast_width = 8;
        let less = arrays(&config, 3)?;
        assert!(full.contains_key("encoder.dgp.low.weight") && !less.contains_key("encoder.dgp.low.weight"));
        let of_another_shape = |name: &str| name.starts_with("mccl.") && name.contains("projection");
        for (name, array) in less.iter().filter(|(name, _)| !of_another_shape(name)) {
            assert_eq!(array, &full[name], "{name}");
        }
        let name = "encoder.layers.0.attention.query.weight";
        assert_ne!(full[name], full["encoder.layers.0.attention.key.weight"]);
        assert_ne!(full[name], arrays(&Config { network: config.network, ..Config::default() }, 4)?[name]);
        Ok(())
    }

    #[test]
    fn starts_are_spread_as_they_say() {
        let spread = |start: Init, shape: [usize; 2]| {
            let values = super::start(&Parameter { name: "x".into(), shape: shape.to_vec(), start }, 1);
            (values.mean(Kind::Float).double_value(&[]), values.std(true).double_value(&[]))
        };
        for (start, shape, deviation) in
            [(Init::Normal(0.5), [300, 100], 0.5), (Init::Glorot, [300, 100], (2.0f64 / 400.0).sqrt())]
        {
            let (mean, found) = spread(start, shape);
            assert!(
                mean.abs() < 0.02 * deviation && (found / deviation - 1.0).abs() < 0.02,
                "{start:?} {mean} {found}"
            );
        }
    }
}
