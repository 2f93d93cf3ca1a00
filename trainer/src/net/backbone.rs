//! The backbone: its plan of layers run with libtorch, BatchNorm folded into the convolutions. The first layers are
//! frozen; from a chosen one on they may be trained with the rest (BatchNorm's statistics stay those of the weights file).

use super::store::{from_array, to_array};
use super::{Precision, Store};
use crate::error::{Error, Result, ensure};
use cssa::backbone::{Activation, BatchNorm, Convolution, Layer, Shortcut};
use cssa::files::FileError;
use cssa::model::Model;
use cssa::parameters;
use cssa::tensors::Array;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// Images `[b, 3, s, s]` → output of the frozen layers → grid features, both `[b, N, C]`.
#[derive(Debug)]
pub struct BackboneNet {
    plan: Vec<Layer>,
    convolutions: BTreeMap<String, Folded>,
    raw: Vec<(String, Array)>,
    /// How many layers of the plan are frozen.
    frozen: usize,
    /// What the first layer takes.
    input: FeatureShape,
    epsilon: f32,
    precision: Precision,
}

/// The shape of an image's features, `[N, C]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureShape {
    /// N: cells of the grid.
    pub cells: usize,
    /// C: values of a cell.
    pub channels: usize,
}

impl FeatureShape {
    /// Bytes in FP16.
    pub fn bytes(self) -> usize {
        self.cells * self.channels * 2
    }
}

#[derive(Debug)]
struct Folded {
    norm: String,
    weight: Tensor,
    bias: Tensor,
    /// Weight and bias in the arithmetic of the convolutions.
    operands: [Tensor; 2],
}

impl BackboneNet {
    /// From tensors that carry their checkpoint names; all layers are frozen.
    pub fn new(model: &Model, raw: Vec<(String, Array)>, device: Device) -> Result<Self> {
        let epsilon = model.backbone.epsilon();
        let all = model.backbone.convolutions(model.image_size);
        let convolutions = fold(&all, &raw, epsilon, device)?;
        let plan = model.backbone.plan(model.image_size);
        let (frozen, input) = (plan.len(), FeatureShape { cells: model.image_size.pow(2), channels: 3 });
        Ok(Self { plan, convolutions, raw, frozen, input, epsilon, precision: Precision::Float })
    }

    /// A backbone whose output is its input, for measurements on made-up features.
    pub fn without_layers(shape: FeatureShape) -> Self {
        let (plan, convolutions, raw) = (Vec::new(), BTreeMap::new(), Vec::new());
        let (input, precision) = (shape, Precision::Float);
        Self { plan, convolutions, raw, frozen: 0, input, epsilon: 0.0, precision }
    }

    /// The same with convolutions in another arithmetic.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        for folded in self.convolutions.values_mut() {
            folded.operands = [&folded.weight, &folded.bias].map(|tensor| precision.cast(tensor));
        }
        self
    }

    /// What arithmetic the convolutions use.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Trains the layers from the first one on whose name starts with `first`, as tensors of `store`.
    pub fn unfreeze(&mut self, first: &str, store: &mut Store) -> Result<()> {
        let named = |layer: &Layer| convolutions(layer).iter().any(|c| is_part(&c.name, first));
        let found = self.plan.iter().position(named);
        self.frozen = found.ok_or_else(|| Error::NoLayer { found: first.into(), example: self.example() })?;
        for layer in self.plan[self.frozen..].iter().flat_map(convolutions) {
            let folded = self.convolutions.get_mut(&layer.name).ok_or(Error::Broken("a layer without weights"))?;
            let parts = [("weight", &mut folded.weight), ("bias", &mut folded.bias)];
            for ((part, tensor), operand) in parts.into_iter().zip(&mut folded.operands) {
                let name = format!("{}{}.{part}", parameters::BACKBONE, layer.name);
                *tensor = store.insert(name.clone(), tensor);
                *operand = store.operand(&name)?;
            }
        }
        Ok(())
    }

    fn example(&self) -> String {
        let last = self.plan.iter().rev().flat_map(convolutions).map(|c| c.name.clone()).next();
        last.unwrap_or_default()
    }

    /// Cells and channels of what the frozen layers give.
    pub fn frozen_output(&self) -> FeatureShape {
        if self.frozen == 0 {
            return self.input;
        }
        let (mut side, mut channels) = (self.input.cells.isqrt(), self.input.channels);
        for layer in &self.plan[..self.frozen] {
            let through = match layer {
                Layer::Convolution(convolution) => std::slice::from_ref(convolution),
                Layer::Block { body, .. } => body.as_slice(),
                Layer::MaxPool => {
                    side = side.div_ceil(2);
                    continue;
                }
            };
            for c in through {
                side = (side + c.padding.0 + c.padding.1 - c.kernel) / c.stride + 1;
                channels = c.outputs;
            }
        }
        FeatureShape { cells: side * side, channels }
    }

    /// Names the frozen layers and all their weights.
    pub fn frozen_hash(&self) -> String {
        let mut hash = Sha256::new();
        let frozen: Vec<Convolution> = self.plan[..self.frozen].iter().flat_map(convolutions).collect();
        for (name, array) in &self.raw {
            let own = name.strip_prefix(parameters::BACKBONE).unwrap_or(name);
            if frozen.iter().any(|c| is_part(own, &c.name) || is_part(own, &c.norm)) {
                hash.update(name);
                array.data.iter().for_each(|x| hash.update(x.to_le_bytes()));
            }
        }
        cssa::bundle::hexadecimal(&hash.finalize())
    }

    /// The tensors for the checkpoint: as they were read, trained layers as they are now. A trained convolution holds its
    /// BatchNorm already, so that BatchNorm's tensors become those that change nothing but add the bias.
    pub fn tensors(&self) -> Result<Vec<(String, Array)>> {
        let mut all: BTreeMap<String, Array> = self.raw.iter().cloned().collect();
        for layer in self.plan[self.frozen..].iter().flat_map(convolutions) {
            let Folded { norm, weight, bias, .. } = &self.convolutions[&layer.name];
            let own = |name: String| format!("{}{name}", parameters::BACKBONE);
            let constant = |value: f32| Array { shape: vec![layer.outputs], data: vec![value; layer.outputs] };
            all.insert(own(format!("{}.weight", layer.name)), to_array(weight)?);
            all.insert(own(format!("{norm}.weight")), constant((1.0 + self.epsilon).sqrt()));
            all.insert(own(format!("{norm}.bias")), to_array(bias)?);
            all.insert(own(format!("{norm}.running_mean")), constant(0.0));
            all.insert(own(format!("{norm}.running_var")), constant(1.0));
        }
        let in_order = self.raw.iter().map(|(name, _)| name);
        in_order.map(|name| Ok((name.clone(), all.remove(name).ok_or(Error::Broken("a tensor twice"))?))).collect()
    }

    /// Puts a checkpoint's values into the layers that are trained.
    pub fn restore(&self, tensors: &[(String, Array)]) -> Result<()> {
        let trained: Vec<Convolution> = self.plan[self.frozen..].iter().flat_map(convolutions).collect();
        let device = self.convolutions.values().next().map_or(Device::Cpu, |folded| folded.bias.device());
        for (name, Folded { weight, bias, .. }) in fold(&trained, tensors, self.epsilon, device)? {
            let own = &self.convolutions[&name];
            tch::no_grad(|| {
                for (values, [own, operand]) in
                    [(&weight, [&own.weight, &own.operands[0]]), (&bias, [&own.bias, &own.operands[1]])]
                {
                    own.shallow_clone().copy_(values);
                    operand.shallow_clone().copy_(values);
                }
            });
        }
        Ok(())
    }

    /// Output of the frozen layers for normalized images, `[b, N, C]`.
    pub fn frozen(&self, images: &Tensor) -> Tensor {
        let images = channels_last(images);
        tch::no_grad(|| rows(&self.plan[..self.frozen].iter().fold(images, |x, layer| self.layer(&x, layer))))
    }

    /// Grid features from what [`BackboneNet::frozen`] gives; gradients flow to the layers that are trained.
    pub fn trained(&self, x: &Tensor) -> Tensor {
        if self.frozen == self.plan.len() {
            return x.shallow_clone();
        }
        let (b, n, c) = (x.size()[0], x.size()[1], x.size()[2]);
        let side = (n as f64).sqrt().round() as i64;
        let x = x.view([b, side, side, c]).permute([0, 3, 1, 2]);
        rows(&self.plan[self.frozen..].iter().fold(x, |x, layer| self.layer(&x, layer)))
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
        let [weight, bias] = &self.convolutions[&layer.name].operands;
        let x = self.precision.cast(x);
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

/// The convolutions with their BatchNorm folded in, by name.
fn fold(
    layers: &[Convolution],
    tensors: &[(String, Array)],
    epsilon: f32,
    device: Device,
) -> Result<BTreeMap<String, Folded>> {
    let arrays: BTreeMap<&str, &Array> = tensors.iter().map(|(name, array)| (name.as_str(), array)).collect();
    let get = |name: String| {
        let name = format!("{}{name}", parameters::BACKBONE);
        arrays.get(name.as_str()).copied().ok_or(Error::TensorMissing(name))
    };
    let mut folded = BTreeMap::new();
    for layer in layers {
        let norm = |part: &str| Ok::<_, Error>(&get(format!("{}.{part}", layer.norm))?.data);
        let [gain, shift, mean, variance] =
            [norm("weight")?, norm("bias")?, norm("running_mean")?, norm("running_var")?];
        let mut kernel = get(format!("{}.weight", layer.name))?.clone();
        let bias = BatchNorm { gain, shift, mean, variance }.fold(&mut kernel.data, epsilon);
        let bias = Tensor::from_slice(&bias).to_device(device);
        let weight = channels_last(&from_array(&kernel, device));
        let operands = [&weight, &bias].map(Tensor::shallow_clone);
        folded.insert(layer.name.clone(), Folded { norm: layer.norm.clone(), weight, bias, operands });
    }
    Ok(folded)
}

/// `[b, C, g, g]` → `[b, N, C]` in FP32.
fn rows(map: &Tensor) -> Tensor {
    map.to_kind(Kind::Float).flatten(2, 3).transpose(1, 2).contiguous()
}

/// The same values with the channels next to each other in memory, which depthwise convolutions need to be fast.
fn channels_last(x: &Tensor) -> Tensor {
    x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}

fn activate(mut x: Tensor, activation: Activation) -> Tensor {
    match activation {
        Activation::Linear => x,
        Activation::Relu => x.relu_(),
        Activation::Relu6 => x.relu6_(),
    }
}

/// Whether `name` is `whole` or a part of it: `layer4.0.conv1` of `layer4`, not of `layer`.
fn is_part(name: &str, whole: &str) -> bool {
    name.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn convolutions(layer: &Layer) -> Vec<Convolution> {
    match layer {
        Layer::Convolution(convolution) => vec![convolution.clone()],
        Layer::MaxPool => Vec::new(),
        Layer::Block { body, shortcut, .. } => {
            let mut all = body.clone();
            if let Shortcut::Projection(convolution) = shortcut {
                all.push(convolution.clone());
            }
            all
        }
    }
}

/// Reads a backbone's weights file; the first tensor that is missing or has another shape is named. `say` is told of a prefix that all
/// names have and that is taken off.
pub fn read_weights(model: &Model, path: &std::path::Path, say: &mut dyn FnMut(&str)) -> Result<Vec<(String, Array)>> {
    let wanted = parameters::backbone(model);
    let name = |parameter: &parameters::Parameter| {
        parameter.name.strip_prefix(parameters::BACKBONE).unwrap_or(&parameter.name).to_owned()
    };
    let names: Vec<String> = wanted.iter().map(name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (tensors, prefix) = crate::weights::without_prefix(crate::weights::read(path)?, &names)?;
    if let Some(prefix) = prefix {
        say(&format!("{}: the names of its tensors begin with {prefix}, which is taken off", path.display()));
    }
    let found = tensors.take(&wanted, parameters::BACKBONE)?;
    ensure!(!found.is_empty(), FileError::content(path, "no tensors").into());
    Ok(found)
}
