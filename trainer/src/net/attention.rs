//! Multi-head attention with an additive term before the softmax: Ω in MGA, the causal mask in the decoders.

use super::{Linear, Store};
use crate::error::Result;
use tch::{Device, Kind, Tensor};

/// Softmax(φ(x)ᵀ ψ(y) / √d_k + Ω) δ(y), heads concatenated, then W.
#[derive(Debug)]
pub struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    heads: i64,
}

/// Keys and values of one attention, split into heads: `[b, h, n, d_k]` each.
#[derive(Debug)]
pub struct Keys {
    /// ψ(y).
    pub keys: Tensor,
    /// δ(y).
    pub values: Tensor,
}

/// What a row may attend to, and what is added to its scores.
#[derive(Clone, Copy, Debug)]
pub enum Allowed<'a> {
    /// Every key.
    All,
    /// Itself and the keys before it: as many keys as rows.
    Before,
    /// Every key, with a term added to its score: Ω, or −∞ where a key is not to be seen.
    With(&'a Tensor),
}

/// `[t, t]`: 0 where a row may look (itself and before), −∞ elsewhere.
pub(super) fn causal_mask(length: i64, device: Device) -> Tensor {
    Tensor::full([length, length], f64::NEG_INFINITY, (Kind::Float, device)).triu_(1)
}

impl Keys {
    /// The rows `index` of the batch.
    pub fn select(&self, index: &Tensor) -> Self {
        Self { keys: self.keys.index_select(0, index), values: self.values.index_select(0, index) }
    }
}

impl Attention {
    /// The block `name` of the store.
    pub fn new(store: &Store, name: &str, heads: usize) -> Result<Self> {
        let part = |part: &str| Linear::new(store, &format!("{name}.{part}"));
        Ok(Self {
            query: part("query")?,
            key: part("key")?,
            value: part("value")?,
            output: part("output")?,
            heads: heads as i64,
        })
    }

    /// Keys and values of `y: [b, n, d]`.
    pub fn keys(&self, y: &Tensor) -> Keys {
        Keys { keys: self.split(&self.key.forward(y)), values: self.split(&self.value.forward(y)) }
    }

    /// `x: [b, m, d]` attends to `keys`; what `allowed` adds is broadcast to `[b, h, m, n]`. Gives `[b, m, d]`.
    pub fn forward(&self, x: &Tensor, keys: &Keys, allowed: Allowed<'_>) -> Tensor {
        let heads = if x.device().is_cuda() { self.fused(x, keys, allowed) } else { self.plain(x, keys, allowed) };
        let (b, m) = (heads.size()[0], heads.size()[2]);
        self.output.forward(&heads.transpose(1, 2).reshape([b, m, -1]))
    }

    fn plain(&self, x: &Tensor, keys: &Keys, allowed: Allowed<'_>) -> Tensor {
        let mask;
        let term = match allowed {
            Allowed::All => None,
            Allowed::Before => {
                mask = causal_mask(x.size()[1], x.device());
                Some(&mask)
            }
            Allowed::With(term) => Some(term),
        };
        self.weights(x, keys, term).to_kind(keys.values.kind()).matmul(&keys.values)
    }

    /// One kernel instead of six: a GPU waits for launches here, not for arithmetic. Captions differ in length and number from
    /// batch to batch, so the kernel must be one that is not compiled for each shape, as cuDNN's is, which libtorch prefers
    /// on Hopper.
    fn fused(&self, x: &Tensor, keys: &Keys, allowed: Allowed<'_>) -> Tensor {
        let (queries, Keys { keys, values }) = (self.split(&self.query.forward(x)), keys);
        let any_shape = |before| {
            let none = None::<&Tensor>;
            let train = queries.requires_grad() || keys.requires_grad() || values.requires_grad();
            Tensor::internal_scaled_dot_product_efficient_attention(
                &queries, keys, values, none, train, 0.0, before, None,
            )
            .0
        };
        match allowed {
            Allowed::All => any_shape(false),
            Allowed::Before => any_shape(true),
            Allowed::With(term) => {
                let term = Some(term.to_kind(queries.kind()));
                Tensor::scaled_dot_product_attention(&queries, keys, values, term, 0.0, false, None, false)
            }
        }
    }

    /// How much each row of `x` attends to each key: `[b, h, m, n]`, sums of 1.
    pub fn weights(&self, x: &Tensor, keys: &Keys, term: Option<&Tensor>) -> Tensor {
        let queries = self.split(&self.query.forward(x));
        let scale = 1.0 / (queries.size()[3] as f64).sqrt();
        let mut scores = (queries * scale).matmul(&keys.keys.transpose(2, 3));
        if let Some(term) = term {
            scores += term;
        }
        scores.softmax(-1, Kind::Float)
    }

    fn split(&self, x: &Tensor) -> Tensor {
        let (b, n) = (x.size()[0], x.size()[1]);
        x.view([b, n, self.heads, -1]).transpose(1, 2)
    }
}
