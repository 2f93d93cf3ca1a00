//! The convolutional networks that give the grid features, each as a plan of layers: the trainer runs the plan with
//! libtorch, the exporter writes it as ONNX, and the parameter names come from it.
//!
//! ResNet-50/101/152: He et al. 2016, torchvision's names. EfficientNet-Lite2: Tan & Le 2019 without squeeze-excite and
//! swish, `efficientnet_lite_pytorch`'s names, TensorFlow's "same" padding computed for each layer's own input size.

use alloc::{format, string::String, vec, vec::Vec};
use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

/// A backbone by name: `resnet50`, `resnet101`, `resnet152` (stride in the 3×3 convolution, as torchvision has it), the
/// same with `-v1` (stride in the first 1×1 convolution, as published), or `efficientnet-lite2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Backbone {
    /// A bottleneck ResNet.
    ResNet(Depth, Stride),
    /// EfficientNet-Lite2.
    EfficientNetLite2,
}

/// Layers of a ResNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// 3, 4, 6, 3 blocks.
    D50,
    /// 3, 4, 23, 3 blocks.
    D101,
    /// 3, 8, 36, 3 blocks.
    D152,
}

/// Where a downsampling bottleneck block has its stride.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stride {
    /// In its first 1×1 convolution ("v1").
    First,
    /// In its 3×3 convolution ("v1.5", torchvision).
    Middle,
}

/// A name that is no backbone's.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown backbone {0:?}, expected resnet50, resnet101, resnet152 (each also with -v1) or efficientnet-lite2")]
pub struct UnknownBackbone(String);

const NAMES: [(&str, Backbone); 7] = [
    ("resnet50", Backbone::ResNet(Depth::D50, Stride::Middle)),
    ("resnet101", Backbone::ResNet(Depth::D101, Stride::Middle)),
    ("resnet152", Backbone::ResNet(Depth::D152, Stride::Middle)),
    ("resnet50-v1", Backbone::ResNet(Depth::D50, Stride::First)),
    ("resnet101-v1", Backbone::ResNet(Depth::D101, Stride::First)),
    ("resnet152-v1", Backbone::ResNet(Depth::D152, Stride::First)),
    ("efficientnet-lite2", Backbone::EfficientNetLite2),
];

impl fmt::Display for Backbone {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, backbone)| backbone == self).map_or("", |(name, _)| name);
        out.write_str(name)
    }
}

impl FromStr for Backbone {
    type Err = UnknownBackbone;

    fn from_str(name: &str) -> Result<Self, UnknownBackbone> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, backbone)| *backbone).ok_or_else(|| UnknownBackbone(name.into()))
    }
}

impl TryFrom<String> for Backbone {
    type Error = UnknownBackbone;

    fn try_from(name: String) -> Result<Self, UnknownBackbone> {
        name.parse()
    }
}

impl From<Backbone> for String {
    fn from(backbone: Backbone) -> Self {
        format!("{backbone}")
    }
}

/// The non-linearity after a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// None.
    Linear,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
}

/// A square convolution without bias, then BatchNorm, then an activation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Prefix of the convolution's tensor: `{name}.weight`.
    pub name: String,
    /// Prefix of BatchNorm's tensors: `{norm}.weight`, `.bias`, `.running_mean`, `.running_var`.
    pub norm: String,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Stride in both directions.
    pub stride: usize,
    /// Groups: 1, or `inputs` for a depthwise convolution.
    pub groups: usize,
    /// Zeros added before (top and left) and after (bottom and right).
    pub padding: (usize, usize),
    /// What follows BatchNorm.
    pub activation: Activation,
}

/// One step of a backbone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// A single convolution.
    Convolution(Convolution),
    /// Maximum over 3×3 with stride 2 and padding 1.
    MaxPool,
    /// Several convolutions, with what is added to their output, and the activation after the sum.
    Block {
        /// Applied one after the other.
        body: Vec<Convolution>,
        /// The other summand.
        shortcut: Shortcut,
        /// After the sum.
        activation: Activation,
    },
}

/// What a block adds to its output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// Nothing.
    None,
    /// The block's input.
    Identity,
    /// The block's input through a convolution.
    Projection(Convolution),
}

/// How pixels 0..255 become the network's input: `(pixel − mean) / deviation`, one value a channel (R, G, B).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalization {
    /// Subtracted first.
    pub mean: [f32; 3],
    /// Divided by then.
    pub deviation: [f32; 3],
}

impl Backbone {
    /// Channels of the feature map.
    #[must_use]
    pub fn channels(self) -> usize {
        match self {
            Self::ResNet(..) => 2048,
            Self::EfficientNetLite2 => 1280,
        }
    }

    /// Side of the feature map for a square input of `size` pixels: five halvings, each rounded up.
    #[must_use]
    pub fn grid(self, size: usize) -> usize {
        (0..5).fold(size, |side, _| side.div_ceil(2))
    }

    /// ε of every BatchNorm.
    #[must_use]
    pub fn epsilon(self) -> f32 {
        match self {
            Self::ResNet(..) => 1e-5,
            Self::EfficientNetLite2 => 1e-3,
        }
    }

    /// The input's normalization (torchvision's ImageNet statistics; (x − 127) / 128 for EfficientNet-Lite).
    #[must_use]
    pub fn normalization(self) -> Normalization {
        match self {
            Self::ResNet(..) => Normalization {
                mean: [0.485 * 255.0, 0.456 * 255.0, 0.406 * 255.0],
                deviation: [0.229 * 255.0, 0.224 * 255.0, 0.225 * 255.0],
            },
            Self::EfficientNetLite2 => Normalization { mean: [127.0; 3], deviation: [128.0; 3] },
        }
    }

    /// The layers for a square input of `size` pixels, first to last.
    #[must_use]
    pub fn plan(self, size: usize) -> Vec<Layer> {
        match self {
            Self::ResNet(depth, stride) => resnet(depth, stride),
            Self::EfficientNetLite2 => efficientnet_lite2(size),
        }
    }

    /// All convolutions of the plan, in order of execution.
    #[must_use]
    pub fn convolutions(self, size: usize) -> Vec<Convolution> {
        let mut all = Vec::new();
        for layer in self.plan(size) {
            match layer {
                Layer::Convolution(convolution) => all.push(convolution),
                Layer::MaxPool => {}
                Layer::Block { body, shortcut, .. } => {
                    all.extend(body);
                    if let Shortcut::Projection(convolution) = shortcut {
                        all.push(convolution);
                    }
                }
            }
        }
        all
    }
}

/// BatchNorm's four vectors, one value a channel.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm<'a> {
    /// `weight`.
    pub gain: &'a [f32],
    /// `bias`.
    pub shift: &'a [f32],
    /// `running_mean`.
    pub mean: &'a [f32],
    /// `running_var`.
    pub variance: &'a [f32],
}

impl BatchNorm<'_> {
    /// Makes this BatchNorm part of the convolution before it: scales `kernel`, `[channels, …]`, and gives the bias.
    #[must_use]
    pub fn fold(&self, kernel: &mut [f32], epsilon: f32) -> Vec<f32> {
        let each = kernel.len() / self.gain.len().max(1);
        let mut bias = Vec::with_capacity(self.gain.len());
        for (channel, weights) in kernel.chunks_exact_mut(each.max(1)).enumerate() {
            let scale = self.gain[channel] / libm::sqrtf(self.variance[channel] + epsilon);
            for weight in weights {
                *weight *= scale;
            }
            bias.push(self.shift[channel] - self.mean[channel] * scale);
        }
        bias
    }
}

fn resnet(depth: Depth, stride_at: Stride) -> Vec<Layer> {
    let blocks = match depth {
        Depth::D50 => [3, 4, 6, 3],
        Depth::D101 => [3, 4, 23, 3],
        Depth::D152 => [3, 8, 36, 3],
    };
    let convolution = |name: String, norm: String, inputs, outputs, kernel, stride, activation| Convolution {
        name,
        norm,
        inputs,
        outputs,
        kernel,
        stride,
        groups: 1,
        padding: (kernel / 2, kernel / 2),
        activation,
    };
    let stem = convolution("conv1".into(), "bn1".into(), 3, 64, 7, 2, Activation::Relu);
    let mut layers = vec![Layer::Convolution(stem), Layer::MaxPool];
    let mut inputs = 64;
    for (stage, &count) in blocks.iter().enumerate() {
        let width = 64 << stage;
        for block in 0..count {
            let here = format!("layer{}.{block}", stage + 1);
            let stride = if block == 0 && stage > 0 { 2 } else { 1 };
            let (first, middle) = if stride_at == Stride::First { (stride, 1) } else { (1, stride) };
            let part = |n, inputs, outputs, kernel, stride, activation| {
                convolution(
                    format!("{here}.conv{n}"),
                    format!("{here}.bn{n}"),
                    inputs,
                    outputs,
                    kernel,
                    stride,
                    activation,
                )
            };
            let body = vec![
                part(1, inputs, width, 1, first, Activation::Relu),
                part(2, width, width, 3, middle, Activation::Relu),
                part(3, width, 4 * width, 1, 1, Activation::Linear),
            ];
            let shortcut = if block > 0 {
                Shortcut::Identity
            } else {
                let (name, norm) = (format!("{here}.downsample.0"), format!("{here}.downsample.1"));
                Shortcut::Projection(convolution(name, norm, inputs, 4 * width, 1, stride, Activation::Linear))
            };
            layers.push(Layer::Block { body, shortcut, activation: Activation::Relu });
            inputs = 4 * width;
        }
    }
    layers
}

/// Kernel, stride, expansion, output channels and repetitions of each stage, scaled for Lite2 (width 1.1, depth 1.2,
/// channels rounded to multiples of 8; the first and last stages keep their depth).
const LITE2_STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 3),
    (5, 2, 6, 48, 3),
    (3, 2, 6, 88, 4),
    (5, 1, 6, 120, 4),
    (5, 2, 6, 208, 5),
    (3, 1, 6, 352, 1),
];

fn efficientnet_lite2(size: usize) -> Vec<Layer> {
    let mut side = size;
    let mut same = |kernel: usize, stride: usize| {
        let output = side.div_ceil(stride);
        let total = ((output - 1) * stride + kernel).saturating_sub(side);
        side = output;
        (total / 2, total - total / 2)
    };
    let dense = |name: String, norm: String, inputs, outputs, activation| Convolution {
        name,
        norm,
        inputs,
        outputs,
        kernel: 1,
        stride: 1,
        groups: 1,
        padding: (0, 0),
        activation,
    };
    let stem = dense("_conv_stem".into(), "_bn0".into(), 3, 32, Activation::Relu6);
    let mut layers = vec![Layer::Convolution(Convolution { kernel: 3, stride: 2, padding: same(3, 2), ..stem })];
    let (mut inputs, mut index) = (32, 0);
    for (kernel, first_stride, expansion, outputs, repetitions) in LITE2_STAGES {
        for repetition in 0..repetitions {
            let stride = if repetition == 0 { first_stride } else { 1 };
            let (here, hidden) = (format!("_blocks.{index}"), inputs * expansion);
            let mut body = Vec::with_capacity(3);
            if expansion > 1 {
                let (name, norm) = (format!("{here}._expand_conv"), format!("{here}._bn0"));
                body.push(dense(name, norm, inputs, hidden, Activation::Relu6));
            }
            let (name, norm) = (format!("{here}._depthwise_conv"), format!("{here}._bn1"));
            let depthwise = dense(name, norm, hidden, hidden, Activation::Relu6);
            body.push(Convolution { kernel, stride, groups: hidden, padding: same(kernel, stride), ..depthwise });
            let (name, norm) = (format!("{here}._project_conv"), format!("{here}._bn2"));
            body.push(dense(name, norm, hidden, outputs, Activation::Linear));
            let shortcut = if stride == 1 && inputs == outputs { Shortcut::Identity } else { Shortcut::None };
            layers.push(Layer::Block { body, shortcut, activation: Activation::Linear });
            inputs = outputs;
            index += 1;
        }
    }
    layers.push(Layer::Convolution(dense("_conv_head".into(), "_bn1".into(), inputs, 1280, Activation::Relu6)));
    layers
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn names_round_trip() {
        for (name, backbone) in NAMES {
            assert_eq!(name.parse(), Ok(backbone));
            assert_eq!(backbone.to_string(), name);
        }
        assert!("resnet18".parse::<Backbone>().is_err());
    }

    #[test]
    fn depths_are_those_of_the_names() {
        for (backbone, convolutions) in [("resnet50", 49), ("resnet101", 100), ("resnet152", 151)] {
            let backbone: Backbone = backbone.parse().expect("a name");
            let all = backbone.convolutions(224);
            assert_eq!(all.iter().filter(|c| !c.name.contains("downsample")).count(), convolutions);
        }
        assert_eq!(Backbone::EfficientNetLite2.grid(260), 9);
    }
}
