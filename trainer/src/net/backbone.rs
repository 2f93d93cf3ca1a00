//! A frozen backbone: its plan of layers run with libtorch, BatchNorm folded into the convolutions.

use super::store::from_array;
use anyhow::{Context, Result};
use cssa::backbone::{Activation, BatchNorm, Convolution, Layer, Shortcut};
use cssa::model::Model;
use cssa::parameters;
use cssa::tensors::{Array, Tensors};
use std::collections::BTreeMap;
use std::path::Path;
use tch::{Device, Tensor};

/// Images `[b, 3, s, s]` → grid features `[b, C, g, g]`.
#[derive(Debug)]
pub struct BackboneNet {
    plan: Vec<Layer>,
    folded: BTreeMap<String, (Tensor, Tensor)>,
    raw: Vec<(String, Array)>,
}

impl BackboneNet {
    /// Reads the weights file; the first tensor that is missing or has another shape is named.
    pub fn load(model: &Model, weights: &Path, device: Device) -> Result<Self> {
        let raw = Tensors::read(weights)?.take(&parameters::backbone(model), parameters::BACKBONE)?;
        Self::new(model, raw, device)
    }

    /// From tensors that carry their checkpoint names.
    pub fn new(model: &Model, raw: Vec<(String, Array)>, device: Device) -> Result<Self> {
        let arrays: BTreeMap<&str, &Array> = raw.iter().map(|(name, array)| (name.as_str(), array)).collect();
        let get = |name: String| {
            let name = format!("{}{name}", parameters::BACKBONE);
            arrays.get(name.as_str()).copied().with_context(|| format!("tensor {name} is missing"))
        };
        let mut folded = BTreeMap::new();
        for layer in model.backbone.convolutions(model.image_size) {
            let norm = |part: &str| Ok::<_, anyhow::Error>(&get(format!("{}.{part}", layer.norm))?.data);
            let [gain, shift, mean, variance] =
                [norm("weight")?, norm("bias")?, norm("running_mean")?, norm("running_var")?];
            let mut kernel = get(format!("{}.weight", layer.name))?.clone();
            let bias = BatchNorm { gain, shift, mean, variance }.fold(&mut kernel.data, model.backbone.epsilon());
            let bias = Tensor::from_slice(&bias).to_device(device);
            folded.insert(layer.name.clone(), (channels_last(&from_array(&kernel, device)), bias));
        }
        Ok(Self { plan: model.backbone.plan(model.image_size), folded, raw })
    }

    /// The tensors as they were read, for the checkpoint.
    pub fn raw(&self) -> &[(String, Array)] {
        &self.raw
    }

    /// Grid features of a batch of normalized images.
    pub fn forward(&self, images: &Tensor) -> Tensor {
        let images = channels_last(images);
        tch::no_grad(|| self.plan.iter().fold(images, |x, layer| self.layer(&x, layer)))
    }

    fn layer(&self, x: &Tensor, layer: &Layer) -> Tensor {
        match layer {
            Layer::Convolution(convolution) => self.convolution(x, convolution),
            Layer::MaxPool => x.max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false),
            Layer::Block { body, shortcut, activation } => {
                let output = body.iter().fold(x.shallow_clone(), |x, convolution| self.convolution(&x, convolution));
                let sum = match shortcut {
                    Shortcut::None => output,
                    Shortcut::Identity => output + x,
                    Shortcut::Projection(convolution) => output + self.convolution(x, convolution),
                };
                activate(sum, *activation)
            }
        }
    }

    fn convolution(&self, x: &Tensor, layer: &Convolution) -> Tensor {
        let (weight, bias) = &self.folded[&layer.name];
        let (before, after) = (layer.padding.0 as i64, layer.padding.1 as i64);
        let (stride, groups) = (layer.stride as i64, layer.groups as i64);
        let output = if before == after {
            x.conv2d(weight, Some(bias), [stride, stride], [before, before], [1, 1], groups)
        } else {
            let padded = x.constant_pad_nd([before, after, before, after]);
            padded.conv2d(weight, Some(bias), [stride, stride], [0, 0], [1, 1], groups)
        };
        activate(output, layer.activation)
    }
}

/// The same values with the channels next to each other in memory, which depthwise convolutions need to be fast.
fn channels_last(x: &Tensor) -> Tensor {
    x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}

fn activate(mut x: Tensor, activation: Activation) -> Tensor {
    match activation {
        Activation::Linear => x,
        Activation::Relu => x.relu_(),
        Activation::Relu6 => x.clamp_(0.0, 6.0),
    }
}
