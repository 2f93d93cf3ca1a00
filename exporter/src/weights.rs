//! A checkpoint's tensors in the forms that the graphs take them.

use crate::error::{Error, Result, unexpected};
use cssa::backbone::{BatchNorm, Convolution};
use cssa::checkpoint::Checkpoint;
use cssa::geometry;
use cssa::model::{Decay, Model};
use cssa::parameters::BACKBONE;
use cssa::tensors::Array;
use ndarray::{Array1, Array2, Array3, ArrayRef1, ArrayView2, Axis, aview1, concatenate};
use std::collections::BTreeMap;

/// The tensors of a checkpoint by name.
#[derive(Debug)]
pub struct Weights<'a> {
    arrays: BTreeMap<&'a str, &'a Array>,
    /// Hyper-parameters.
    pub model: &'a Model,
}

/// A linear layer as ONNX wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// `[inputs, outputs]`.
    pub weight: Array2<f32>,
    /// `[outputs]`.
    pub bias: Array1<f32>,
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
        let shape = (weight.shape[0], weight.shape[1]);
        let weight = ArrayView2::from_shape(shape, &weight.data).map_err(|error| unexpected!("{name}: {error}"))?;
        Ok(Dense { weight: weight.t().mapv(|x| x * scale), bias: bias.data.iter().map(|x| x * scale).collect() })
    }

    /// Several layers with the same input as one, outputs side by side.
    pub fn side_by_side(&self, layers: &[(String, f32)]) -> Result<Dense> {
        let parts: Vec<Dense> = layers.iter().map(|(name, scale)| self.dense(name, *scale)).collect::<Result<_>>()?;
        let weights: Vec<_> = parts.iter().map(|part| part.weight.view()).collect();
        let weight = concatenate(Axis(1), &weights).map_err(|error| unexpected!("{}: {error}", layers[0].0))?;
        Ok(Dense { weight, bias: parts.iter().flat_map(|part| part.bias.iter().copied()).collect() })
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
    pub fn omega(&self) -> Result<Option<Vec<Array3<f32>>>> {
        let model = self.model;
        if model.dgp.decay == Decay::None {
            return Ok(None);
        }
        let (high, low) = (self.dense("encoder.dgp.high", 1.0)?, self.dense("encoder.dgp.low", 1.0)?);
        let cells = model.cells();
        let mut geometry = Array3::zeros((model.heads, cells, cells));
        let positions = geometry::relative_positions(model.grid());
        let pairs = geometry.lanes_mut(Axis(0)).into_iter();
        for (mut heads, r) in pairs.zip(positions.chunks_exact(2)) {
            heads.assign(&relu_layer(&low, &relu_layer(&high, &aview1(r))));
        }
        let s = if model.dgp.decay == Decay::Exponential { self.get("encoder.dgp.s")?.data[0] } else { 0.0 };
        let layers = (0..model.encoder_layers).map(|layer| {
            let decay = geometry::decay(model.dgp.decay, layer, model.encoder_layers, s);
            &geometry * decay
        });
        Ok(Some(layers.collect()))
    }
}

fn relu_layer(layer: &Dense, x: &ArrayRef1<f32>) -> Array1<f32> {
    let outputs = layer.weight.columns().into_iter().zip(&layer.bias);
    outputs.map(|(weight, bias)| (x.iter().zip(weight).map(|(x, w)| x * w).sum::<f32>() + bias).max(0.0)).collect()
}
