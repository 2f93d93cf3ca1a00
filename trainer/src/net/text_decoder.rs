//! The two text decoders (paper 3.3): MCCL's one-way decoder, text only, and RSIC's with cross-attention.

use super::attention::causal_mask;
use super::{Allowed, Attention, FeedForward, Keys, LayerNorm, Linear, Mode, Precision, Store, dropout};
use crate::error::Result;
use cssa::model::{self, Model};
use tch::{Kind, Tensor};

/// Word embedding, scaled by √d, plus the sinusoidal position encoding.
#[derive(Debug)]
struct Embedding {
    weight: Tensor,
    positions: Tensor,
    scale: f64,
}

impl Embedding {
    fn new(store: &Store, name: &str, model: &Model) -> Result<Self> {
        let table = model::positions(model.max_tokens, model.width);
        let shape = [model.max_tokens as i64, model.width as i64];
        Ok(Self {
            weight: store.get(name)?,
            positions: Tensor::from_slice(&table).view(shape).to_device(store.device()),
            scale: f64::from(model.embedding_scale()),
        })
    }

    /// `tokens: [b, t]` that start at `position` → `[b, t, d]`.
    fn forward(&self, tokens: &Tensor, position: i64) -> Tensor {
        let places = self.positions.narrow(0, position, tokens.size()[1]);
        Tensor::embedding(&self.weight, tokens, -1, false, false) * self.scale + places
    }
}

/// Masked self-attention, where `cross` is there cross-attention, and feed-forward network, each with Add & Norm.
#[derive(Debug)]
struct Layer {
    self_attention: Attention,
    self_norm: LayerNorm,
    cross: Option<(Attention, LayerNorm)>,
    feed_forward: FeedForward,
    feed_forward_norm: LayerNorm,
    precision: Precision,
}

impl Layer {
    fn new(store: &Store, name: &str, heads: usize, crossed: bool) -> Result<Self> {
        let cross = if crossed {
            let attention = Attention::new(store, &format!("{name}.cross_attention"), heads)?;
            Some((attention, LayerNorm::new(store, &format!("{name}.cross_norm"))?))
        } else {
            None
        };
        Ok(Self {
            self_attention: Attention::new(store, &format!("{name}.self_attention"), heads)?,
            self_norm: LayerNorm::new(store, &format!("{name}.self_norm"))?,
            cross,
            feed_forward: FeedForward::new(store, &format!("{name}.feed_forward"))?,
            feed_forward_norm: LayerNorm::new(store, &format!("{name}.feed_forward_norm"))?,
            precision: store.precision(),
        })
    }

    /// Keys and values of the layer's own input.
    fn keys(&self, x: &Tensor) -> Keys {
        self.self_attention.keys(&self.precision.cast(x))
    }

    fn forward(&self, x: Tensor, own: &Keys, allowed: Allowed<'_>, memory: Option<&Keys>, mode: Mode) -> Tensor {
        let attended = self.self_attention.forward(&self.precision.cast(&x), own, allowed);
        let mut x = self.self_norm.forward(&(x + dropout(attended, mode)));
        if let (Some((attention, norm)), Some(memory)) = (&self.cross, memory) {
            let attended = attention.forward(&x, memory, Allowed::All);
            x = norm.forward(&(x + dropout(attended, mode)));
        }
        let fed = self.feed_forward.forward(&x);
        self.feed_forward_norm.forward(&(x + dropout(fed, mode)))
    }
}

/// MCCL's text side: sentences → features in the shared space, normalized.
#[derive(Debug)]
pub struct SentenceEncoder {
    embedding: Embedding,
    layers: Vec<Layer>,
    text_projection: Tensor,
}

impl SentenceEncoder {
    /// The MCCL decoder of the store.
    pub fn new(store: &Store, model: &Model) -> Result<Self> {
        let layer = |l: usize| Layer::new(store, &format!("mccl.layers.{l}"), model.heads, false);
        Ok(Self {
            embedding: Embedding::new(store, "mccl.embedding.weight", model)?,
            layers: (0..model.decoder_layers).map(layer).collect::<Result<_>>()?,
            text_projection: store.get("mccl.text_projection.weight")?,
        })
    }

    /// `tokens: [b, t]`, each row a sentence with start and end; `last: [b]` is the place of its end, whose state has
    /// seen the whole sentence. Gives `[b, p]`. Only the end's state leaves the last layer, so no other is computed there.
    pub fn forward(&self, tokens: &Tensor, last: &Tensor, mode: Mode) -> Tensor {
        let (length, width) = (tokens.size()[1], self.embedding.weight.size()[1]);
        let mask = causal_mask(length, tokens.device());
        let mut x = dropout(self.embedding.forward(tokens, 0), mode);
        let place = last.view([-1, 1, 1]).expand([-1, 1, width], false);
        for (n, layer) in self.layers.iter().enumerate() {
            let own = layer.keys(&x);
            if n + 1 < self.layers.len() {
                x = layer.forward(x, &own, Allowed::Before, None, mode);
            } else {
                let seen = mask.index_select(0, last).view([-1, 1, 1, length]);
                x = layer.forward(x.gather(1, &place, false), &own, Allowed::With(&seen), None, mode);
            }
        }
        normalize(&x.squeeze_dim(1).linear(&self.text_projection, None::<&Tensor>))
    }
}

/// Rows scaled to length 1.
pub(crate) fn normalize(x: &Tensor) -> Tensor {
    x / (x * x).sum_dim_intlist(-1, true, Kind::Float).clamp_min(1e-12).sqrt()
}

/// RSIC's decoder: `p(s_t | I, s_0 … s_{t−1})`.
#[derive(Debug)]
pub struct RsicDecoder {
    embedding: Embedding,
    layers: Vec<Layer>,
    output: Linear,
}

/// What a decoder keeps between steps: keys and values of every layer for the beam's captions so far.
#[derive(Debug, Default)]
pub struct StepCache {
    layers: Vec<Keys>,
}

impl RsicDecoder {
    /// The RSIC decoder of the store.
    pub fn new(store: &Store, model: &Model) -> Result<Self> {
        let layer = |l: usize| Layer::new(store, &format!("decoder.layers.{l}"), model.heads, true);
        Ok(Self {
            embedding: Embedding::new(store, "decoder.embedding.weight", model)?,
            layers: (0..model.decoder_layers).map(layer).collect::<Result<_>>()?,
            output: Linear::new(store, "decoder.output")?,
        })
    }

    /// Cross-attention keys and values of every layer for `memory: [b, N, d]`.
    pub fn memory_keys(&self, memory: &Tensor) -> Vec<Keys> {
        self.layers.iter().filter_map(|layer| Some(layer.cross.as_ref()?.0.keys(memory))).collect()
    }

    /// Logits `[b, t, V]` of whole captions `tokens: [b, t]`, every place seeing itself and what stands before.
    pub fn forward(&self, tokens: &Tensor, memory: &[Keys], mode: Mode) -> Tensor {
        let mut x = dropout(self.embedding.forward(tokens, 0), mode);
        for (layer, memory) in self.layers.iter().zip(memory) {
            let own = layer.keys(&x);
            x = layer.forward(x, &own, Allowed::Before, Some(memory), mode);
        }
        self.output.forward(&x)
    }

    /// What each place of whole captions `[b, t]` attends to among the cells, mean over heads and layers: `[b, t, N]`.
    pub fn attended(&self, tokens: &Tensor, memory: &[Keys]) -> Tensor {
        let mut x = self.embedding.forward(tokens, 0);
        let mut seen = Vec::with_capacity(self.layers.len());
        for (layer, memory) in self.layers.iter().zip(memory) {
            let own = layer.keys(&x);
            if let Some((attention, _)) = &layer.cross {
                let asking = layer.self_norm.forward(&(&x + layer.self_attention.forward(&x, &own, Allowed::Before)));
                seen.push(attention.weights(&asking, memory, None).mean_dim(1, false, Kind::Float));
            }
            x = layer.forward(x, &own, Allowed::Before, Some(memory), Mode::Evaluate);
        }
        Tensor::stack(&seen, 0).mean_dim(0, false, Kind::Float)
    }

    /// Logits `[b, V]` of one further token a row, `tokens: [b]`; the cache is first reordered by `parents: [b]`.
    pub fn step(
        &self,
        tokens: &Tensor,
        position: i64,
        parents: &Tensor,
        cache: &mut StepCache,
        memory: &[Keys],
    ) -> Tensor {
        let mut x = self.embedding.forward(&tokens.unsqueeze(1), position);
        let mut layers = Vec::with_capacity(self.layers.len());
        for (l, (layer, memory)) in self.layers.iter().zip(memory).enumerate() {
            let new = layer.keys(&x);
            let own = match cache.layers.get(l) {
                Some(old) => {
                    let old = old.select(parents);
                    let join = |old: Tensor, new: &Tensor| Tensor::cat(&[old, new.shallow_clone()], 2);
                    Keys { keys: join(old.keys, &new.keys), values: join(old.values, &new.values) }
                }
                None => new,
            };
            x = layer.forward(x, &own, Allowed::All, Some(memory), Mode::Evaluate);
            layers.push(own);
        }
        cache.layers = layers;
        self.output.forward(&x.squeeze_dim(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    #[test]
    fn a_sentence_is_the_same_however_far_it_is_padded() -> Result<()> {
        let model = crate::config::Config::default().model(50);
        let model = Model { width: 16, heads: 2, feed_forward: 32, decoder_layers: 2, ..model };
        let store = Store::new(&model, 4, Device::Cpu);
        let sentences = SentenceEncoder::new(&store, &model)?;
        let encode = |tokens: &[i64], last: i64| {
            let tokens = Tensor::from_slice(tokens).view([1, -1]);
            sentences.forward(&tokens, &Tensor::from_slice(&[last]), Mode::Evaluate)
        };
        let (short, long, other) = (encode(&[1, 7, 9, 2], 3), encode(&[1, 7, 9, 2, 0, 0], 3), encode(&[1, 9, 7, 2], 3));
        let apart = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]);
        assert!(apart(&short, &long) < 1e-6 && apart(&short, &other) > 1e-3);
        Ok(())
    }
}
