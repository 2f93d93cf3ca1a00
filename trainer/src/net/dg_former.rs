//! DG-former (paper 3.1, 3.2): linear projection of the grid features, then layers of MGA and feed-forward network with
//! Add & Norm, Ω^l = G · d(l) added before the softmax.

use super::{Allowed, Attention, FeedForward, LayerNorm, Linear, Mode, Precision, Store, dropout};
use crate::error::Result;
use cssa::geometry;
use cssa::model::{Decay, Model};
use tch::{Kind, Tensor};

/// What of DGP is used: all of it, or less, to see what it does (paper figure 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Geometry {
    /// Ω^l = G · d(l), as the model has it.
    Decaying,
    /// Ω^l = G in every layer.
    Constant,
    /// Ω = 0.
    Absent,
}

/// Grid features `[b, N, C]` → memory `[b, N, d]`.
#[derive(Debug)]
pub struct DgFormer {
    input: Linear,
    dgp: Option<DgpNet>,
    layers: Vec<Layer>,
    precision: Precision,
}

#[derive(Debug)]
struct Layer {
    attention: Attention,
    attention_norm: LayerNorm,
    feed_forward: FeedForward,
    feed_forward_norm: LayerNorm,
}

/// DGP: G = ReLU(low(ReLU(high(r)))), one value a head.
#[derive(Debug)]
struct DgpNet {
    high: Linear,
    low: Linear,
    s: Option<Tensor>,
    decay: Decay,
    layers: usize,
    relative_positions: Tensor,
}

impl DgFormer {
    /// The encoder of the store.
    pub fn new(store: &Store, model: &Model) -> Result<Self> {
        let dgp = if model.dgp.decay == Decay::None { None } else { Some(DgpNet::new(store, model)?) };
        let layer = |layer: usize| {
            let here = format!("encoder.layers.{layer}");
            Ok(Layer {
                attention: Attention::new(store, &format!("{here}.attention"), model.heads)?,
                attention_norm: LayerNorm::new(store, &format!("{here}.attention_norm"))?,
                feed_forward: FeedForward::new(store, &format!("{here}.feed_forward"))?,
                feed_forward_norm: LayerNorm::new(store, &format!("{here}.feed_forward_norm"))?,
            })
        };
        let layers = (0..model.encoder_layers).map(layer).collect::<Result<_>>()?;
        let input = Linear::new(store, "encoder.input")?;
        Ok(Self { input, dgp, layers, precision: store.precision() })
    }

    /// The memory that the decoders attend to.
    pub fn forward(&self, features: &Tensor, mode: Mode) -> Tensor {
        self.run(features, mode, Geometry::Decaying, |_| {})
    }

    /// The memory, and what every cell attends to in each layer, mean over the heads: `[b, N, N]`.
    pub fn observed(&self, features: &Tensor, geometry: Geometry) -> (Tensor, Vec<Tensor>) {
        let mut seen = Vec::with_capacity(self.layers.len());
        let memory = self.run(features, Mode::Evaluate, geometry, |weights| {
            seen.push(weights().mean_dim(1, false, Kind::Float));
        });
        (memory, seen)
    }

    fn run(&self, features: &Tensor, mode: Mode, used: Geometry, mut see: impl FnMut(&dyn Fn() -> Tensor)) -> Tensor {
        let dgp = self.dgp.as_ref().filter(|_| used != Geometry::Absent);
        let geometry = dgp.map(DgpNet::geometry);
        // The residual path is FP32 in every arithmetic.
        let mut x = dropout(self.input.forward(features).to_kind(Kind::Float), mode);
        for (l, layer) in self.layers.iter().enumerate() {
            let omega = dgp.zip(geometry.as_ref()).map(|(dgp, geometry)| match used {
                Geometry::Constant => geometry.shallow_clone(),
                _ => dgp.omega(geometry, l),
            });
            let asking = self.precision.cast(&x);
            let keys = layer.attention.keys(&asking);
            see(&|| layer.attention.weights(&asking, &keys, omega.as_ref()));
            let allowed = omega.as_ref().map_or(Allowed::All, Allowed::With);
            let attended = layer.attention.forward(&asking, &keys, allowed);
            x = layer.attention_norm.forward(&(x + dropout(attended, mode)));
            let fed = layer.feed_forward.forward(&x);
            x = layer.feed_forward_norm.forward(&(x + dropout(fed, mode)));
        }
        x
    }
}

impl DgpNet {
    fn new(store: &Store, model: &Model) -> Result<Self> {
        let cells = model.cells() as i64;
        let table = geometry::relative_positions(model.grid());
        Ok(Self {
            high: Linear::new(store, "encoder.dgp.high")?,
            low: Linear::new(store, "encoder.dgp.low")?,
            s: if model.dgp.decay == Decay::Exponential { Some(store.get("encoder.dgp.s")?) } else { None },
            decay: model.dgp.decay,
            layers: model.encoder_layers,
            relative_positions: Tensor::from_slice(&table).view([cells, cells, 2]).to_device(store.device()),
        })
    }

    /// G: `[h, N, N]`.
    fn geometry(&self) -> Tensor {
        let hidden = self.high.forward(&self.relative_positions).relu();
        self.low.forward(&hidden).to_kind(Kind::Float).relu().permute([2, 0, 1]).contiguous()
    }

    /// Ω^l: `[h, N, N]`.
    fn omega(&self, geometry: &Tensor, layer: usize) -> Tensor {
        match &self.s {
            Some(s) => geometry * (s * -(layer as f64)).exp(),
            None => geometry * f64::from(geometry::decay(self.decay, layer, self.layers, 0.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use tch::Device;

    /// G at the start of a run, `[h, N²]`.
    fn first_geometry(image_size: usize, seed: i64) -> Result<(usize, Tensor)> {
        let mut config = Config::default();
        (config.network.image_size, config.network.width, config.network.feed_forward) = (image_size, 64, 64);
        let model = config.model(4);
        let store = Store::new(&model, seed, Device::Cpu);
        Ok((model.grid(), DgpNet::new(&store, &model)?.geometry().flatten(1, 2)))
    }

    #[test]
    fn no_head_of_dgp_starts_dead() -> Result<()> {
        for (side, image_size) in [(7, 224), (8, 256), (9, 288)] {
            for seed in 0..20 {
                let (grid, geometry) = first_geometry(image_size, seed)?;
                assert_eq!(grid, side);
                let open = geometry.gt(0.0).to_kind(Kind::Float).mean_dim(1, false, Kind::Float);
                let varied = geometry.std_dim(1, true, false);
                for head in 0..geometry.size()[0] {
                    let (open, varied) = (open.double_value(&[head]), varied.double_value(&[head]));
                    assert!(open >= 0.5 && varied > 0.02, "grid {side} seed {seed} head {head}: {open} {varied}");
                    for other in 0..head {
                        let apart = (geometry.get(head) - geometry.get(other)).abs().max().double_value(&[]);
                        assert!(apart > 0.05, "grid {side} seed {seed}: heads {head} and {other} are {apart} apart");
                    }
                }
            }
        }
        Ok(())
    }

    #[test]
    fn every_head_of_dgp_learns_from_the_first_step() -> Result<()> {
        let mut config = Config::default();
        (config.network.width, config.network.feed_forward) = (64, 64);
        let model = config.model(4);
        for seed in 0..5 {
            let store = Store::new(&model, seed, Device::Cpu);
            let net = DgpNet::new(&store, &model)?;
            // What the softmax sees of Ω: a row without its mean.
            let omega = net.omega(&net.geometry(), 1);
            let seen = &omega - omega.mean_dim(-1, true, Kind::Float);
            seen.square().sum(Kind::Float).backward();
            let gradient = store.get("encoder.dgp.low.weight")?.grad().abs().amax(1, false);
            assert!(gradient.min().double_value(&[]) > 0.0, "seed {seed}");
            assert!(store.get("encoder.dgp.high.weight")?.grad().abs().max().double_value(&[]) > 0.0);
            assert!(store.get("encoder.dgp.s")?.grad().abs().max().double_value(&[]) > 0.0);
        }
        Ok(())
    }
}
