//! A checkpoint's tensors in the forms that the graphs take them.

use crate::error::{Error, Result};
use cssa::backbone::{BatchNorm, Convolution};
use cssa::checkpoint::Checkpoint;
use cssa::geometry;
use cssa::model::{Decay, Model};
use cssa::parameters::BACKBONE;
use cssa::tensors::Array;
use std::collections::BTreeMap;

/// The tensors of a checkpoint by name.
#[derive(Debug)]
pub struct Weights<'a> {
    arrays: BTreeMap<&'a str, &'a Array>,
    /// Hyper-parameters.
    pub model: &'a Model,
}

/// A linear layer as ONNX wants it: `[inputs, outputs]` row-major, and a bias.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// `[inputs, outputs]`.
    pub shape: [usize; 2],
    /// Row-major.
    pub weight: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
}

impl<'a> Weights<'a> {
    /// The tensors of `checkpoint`.
    #[must_use]
    pub fn new(checkpoint: &'a Checkpoint) -> Self {
        let arrays = checkpoint.tensors.iter().map(|(name, array)| (name.as_str(), array)).collect();
        Self { arrays, model: &checkpoint.description.model }
    }

    /// A tensor by name.
    pub fn get(&self, name: &str) -> Result<&'a Array> {
        self.arrays.get(name).copied().ok_or_else(|| Error::TensorMissing(name.into()))
    }

    /// The linear layer `name`, transposed, all values times `scale`.
    pub fn dense(&self, name: &str, scale: f32) -> Result<Dense> {
        let (weight, bias) = (self.get(&format!("{name}.weight"))?, self.get(&format!("{name}.bias"))?);
        let (outputs, inputs) = (weight.shape[0], weight.shape[1]);
        let mut transposed = vec![0.0; inputs * outputs];
        for output in 0..outputs {
            for input in 0..inputs {
                transposed[input * outputs + output] = weight.data[output * inputs + input] * scale;
            }
        }
        let bias = bias.data.iter().map(|x| x * scale).collect();
        Ok(Dense { shape: [inputs, outputs], weight: transposed, bias })
    }

    /// Several layers with the same input as one, outputs side by side.
    pub fn side_by_side(&self, layers: &[(String, f32)]) -> Result<Dense> {
        let parts: Vec<Dense> = layers.iter().map(|(name, scale)| self.dense(name, *scale)).collect::<Result<_>>()?;
        let inputs = parts[0].shape[0];
        let outputs = parts.iter().map(|part| part.shape[1]).sum();
        let mut weight = Vec::with_capacity(inputs * outputs);
        for input in 0..inputs {
            for part in &parts {
                let width = part.shape[1];
                weight.extend(&part.weight[input * width..(input + 1) * width]);
            }
        }
        let bias = parts.iter().flat_map(|part| part.bias.clone()).collect();
        Ok(Dense { shape: [inputs, outputs], weight, bias })
    }

    /// Query, key and value of the attention `name` as one layer. The queries carry the 1 / √d_k of the paper's formula.
    pub fn query_key_value(&self, name: &str) -> Result<Dense> {
        let scale = 1.0 / (self.model.head_width() as f32).sqrt();
        let part = |part: &str, scale| (format!("{name}.{part}"), scale);
        self.side_by_side(&[part("query", scale), part("key", 1.0), part("value", 1.0)])
    }

    /// A convolution with its BatchNorm folded in: weight and bias.
    pub fn folded(&self, layer: &Convolution) -> Result<(Array, Vec<f32>)> {
        let mut folded = self.get(&format!("{BACKBONE}{}.weight", layer.name))?.clone();
        let norm = |part: &str| Ok::<_, Error>(&self.get(&format!("{BACKBONE}{}.{part}", layer.norm))?.data);
        let [gain, shift, mean, variance] =
            [norm("weight")?, norm("bias")?, norm("running_mean")?, norm("running_var")?];
        let bias = BatchNorm { gain, shift, mean, variance }.fold(&mut folded.data, self.model.backbone.epsilon());
        Ok((folded, bias))
    }

    /// Ω^l for every layer of the DG-former, `[h, N, N]` each; `None` where the model has no geometry term. The geometry
    /// of a grid does not depend on the image, so a trained model's Ω is a constant (paper 3.2).
    pub fn omega(&self) -> Result<Option<Vec<Vec<f32>>>> {
        let model = self.model;
        if model.dgp.decay == Decay::None {
            return Ok(None);
        }
        let (high, low) = (self.dense("encoder.dgp.high", 1.0)?, self.dense("encoder.dgp.low", 1.0)?);
        let pairs = model.cells() * model.cells();
        let mut geometry = vec![0.0; model.heads * pairs];
        for (pair, r) in geometry::relative_positions(model.grid()).chunks_exact(2).enumerate() {
            for (head, value) in relu_layer(&low, &relu_layer(&high, r)).into_iter().enumerate() {
                geometry[head * pairs + pair] = value;
            }
        }
        let s = if model.dgp.decay == Decay::Exponential { self.get("encoder.dgp.s")?.data[0] } else { 0.0 };
        let layers = (0..model.encoder_layers).map(|layer| {
            let decay = geometry::decay(model.dgp.decay, layer, model.encoder_layers, s);
            geometry.iter().map(|g| g * decay).collect()
        });
        Ok(Some(layers.collect()))
    }
}

fn relu_layer(layer: &Dense, x: &[f32]) -> Vec<f32> {
    let outputs = layer.shape[1];
    let sum = |output: usize| {
        let products = x.iter().enumerate().map(|(input, x)| x * layer.weight[input * outputs + output]);
        (products.sum::<f32>() + layer.bias[output]).max(0.0)
    };
    (0..outputs).map(sum).collect()
}
