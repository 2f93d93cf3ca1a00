//! Linear, LayerNorm and the feed-forward network.

use super::precision::Precision;
use super::store::Store;
use crate::error::Result;
use cssa::model::LAYER_NORM_EPSILON;
use tch::{Device, Tensor};

/// Whether dropout is active.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Training, with this share of activations dropped.
    Train(f64),
    /// Evaluation.
    Evaluate,
}

/// Drops activations in training.
pub fn dropout(x: Tensor, mode: Mode) -> Tensor {
    match mode {
        Mode::Train(rate) if rate > 0.0 => x.dropout(rate, true),
        _ => x,
    }
}

/// Values from which on libtorch convolves with oneDNN (`use_mkldnn` of its `ConvParams`).
const LEAST_CONVOLVED: usize = 20_480;

/// x W^T + b.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
    precision: Precision,
}

impl Linear {
    /// The layer `name` of the store.
    pub fn new(store: &Store, name: &str) -> Result<Self> {
        Ok(Self {
            weight: store.operand(&format!("{name}.weight"))?,
            bias: store.operand(&format!("{name}.bias"))?,
            precision: store.precision(),
        })
    }

    /// `[…, inputs]` → `[…, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        if self.precision == Precision::Float && x.device() == Device::Cpu && x.numel() > LEAST_CONVOLVED {
            return self.convolved(x);
        }
        self.precision.cast(x).linear(&self.weight, Some(&self.bias))
    }

    /// The same product as a 1 × 1 convolution. libtorch gives FP32 matrix products to MKL, which on AMD's processors does
    /// without AVX-512, and convolutions to oneDNN, which uses what is there: forward and backward take half the time.
    /// Rows stand for the places of images in channels-last layout, so nothing is copied. A single thread convolves with oneDNN
    /// from 16 images on only, so there are 16 where the rows can be dealt out to so many; elsewhere it takes as long as MKL.
    fn convolved(&self, x: &Tensor) -> Tensor {
        let [outputs, inputs] = [0, 1].map(|dimension| self.weight.size()[dimension]);
        let images = if (x.numel() as i64 / inputs) % 16 == 0 { 16 } else { 1 };
        let images = x.reshape([images, -1, 1, inputs]).permute([0, 3, 1, 2]);
        let kernel = self.weight.view([outputs, inputs, 1, 1]);
        let out = images.conv2d(&kernel, Some(&self.bias), 1, 0, 1, 1).permute([0, 2, 3, 1]);
        let mut shape = x.size();
        shape.pop();
        shape.push(outputs);
        out.reshape(shape)
    }
}

/// LayerNorm over the last dimension.
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    /// The layer `name` of the store.
    pub fn new(store: &Store, name: &str) -> Result<Self> {
        Ok(Self { weight: store.get(&format!("{name}.weight"))?, bias: store.get(&format!("{name}.bias"))? })
    }

    /// `[…, d]` → `[…, d]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), f64::from(LAYER_NORM_EPSILON), false)
    }
}

/// down(ReLU(up(x))).
#[derive(Debug)]
pub struct FeedForward {
    up: Linear,
    down: Linear,
}

impl FeedForward {
    /// The network `name` of the store.
    pub fn new(store: &Store, name: &str) -> Result<Self> {
        Ok(Self { up: Linear::new(store, &format!("{name}.up"))?, down: Linear::new(store, &format!("{name}.down"))? })
    }

    /// `[…, d]` → `[…, d]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.down.forward(&self.up.forward(x).relu_())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cssa::model::Model;
    use tch::Kind;

    #[test]
    fn a_convolution_is_the_same_layer() -> Result<()> {
        let model = crate::config::Config::default().model(50);
        let model = Model { width: 64, heads: 2, feed_forward: 32, decoder_layers: 1, ..model };
        let store = Store::new(&model, 4, Device::Cpu);
        let layer = Linear::new(&store, "decoder.layers.0.feed_forward.up")?;
        for length in [200, 201] {
            let x = Tensor::randn([2, 3, length, 64], (Kind::Float, Device::Cpu));
            assert!(x.numel() > LEAST_CONVOLVED);
            let expected = x.linear(&layer.weight, Some(&layer.bias));
            let (found, strided) = (layer.forward(&x), layer.forward(&x.transpose(1, 2)).transpose(1, 2));
            assert_eq!(found.size(), [2, 3, length, 32]);
            for found in [found, strided] {
                assert!((found - &expected).abs().max().double_value(&[]) < 1e-5);
            }
        }
        Ok(())
    }
}
