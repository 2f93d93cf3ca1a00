//! Multi-head attention with an additive term before the softmax: Ω in MGA, the causal mask in the decoders.

use super::{Linear, Store};
use anyhow::Result;
use tch::{Kind, Tensor};

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

    /// `x: [b, m, d]` attends to `keys`; `term` is broadcast to `[b, h, m, n]`. Gives `[b, m, d]`.
    pub fn forward(&self, x: &Tensor, keys: &Keys, term: Option<&Tensor>) -> Tensor {
        let attention = self.weights(x, keys, term).to_kind(keys.values.kind());
        let heads = attention.matmul(&keys.values);
        let (b, m) = (heads.size()[0], heads.size()[2]);
        self.output.forward(&heads.transpose(1, 2).reshape([b, m, -1]))
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
