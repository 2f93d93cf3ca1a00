//! The self-attention caches of `decoder.onnx`: grown and reordered here, read by the graph.

use crate::error::{Result, ensure, unexpected};
use cssa::model::Model;
use ndarray::{Array4, ArrayView4, Axis, concatenate};

/// The keys and values of every layer's self-attention.
#[derive(Debug)]
pub(crate) struct Caches {
    heads: usize,
    width: usize,
    longest: usize,
    rows: usize,
    past: usize,
    tensors: Vec<Cache>,
}

#[derive(Debug)]
struct Cache {
    /// `[rows, h, past, d_k]`.
    values: Array4<f32>,
    /// The last step's keys or values, `[rows, h, 1, d_k]`, not yet among `values`.
    new: Option<Array4<f32>>,
}

impl Caches {
    /// Empty caches for the layers of `model`; keys and values take turns.
    pub(crate) fn new(model: &Model) -> Self {
        let (heads, width, longest) = (model.heads, model.head_width(), model.max_tokens);
        let empty = || Cache { values: Array4::zeros((0, heads, 0, width)), new: None };
        let tensors = std::iter::repeat_with(empty).take(2 * model.decoder_layers).collect();
        Self { heads, width, longest, rows: 0, past: 0, tensors }
    }

    /// Forgets the last caption.
    pub(crate) fn clear(&mut self) {
        self.past = 0;
        for cache in &mut self.tensors {
            *cache = Cache { values: Array4::zeros((self.rows, self.heads, 0, self.width)), new: None };
        }
    }

    /// Makes ready for the token at `position`: row `i` continues row `parents[i]` of the step before.
    pub(crate) fn reorder(&mut self, position: usize, parents: &[usize]) -> Result<()> {
        let Self { rows, longest, .. } = *self;
        ensure!(position < longest, "position {position} is behind the longest caption, {longest} tokens");
        if position == 0 {
            self.rows = parents.len();
            self.clear();
            return Ok(());
        }
        ensure!(parents.iter().all(|&parent| parent < rows), "a parent is not among {rows} captions: {parents:?}");
        let known = self.past + usize::from(self.tensors.iter().all(|cache| cache.new.is_some()));
        ensure!(position == known, "position {position} follows position {}", known as i64 - 1);
        self.rows = parents.len();
        for Cache { values, new } in &mut self.tensors {
            let Some(new) = new.take() else { continue };
            let grown = concatenate(Axis(2), &[values.view(), new.view()]).map_err(|error| unexpected!("{error}"))?;
            *values = grown.select(Axis(0), parents).as_standard_layout().into_owned();
        }
        self.past = position;
        Ok(())
    }

    /// A layer's keys or values, `[rows, h, past, d_k]`: `2 * layer` or `2 * layer + 1`.
    pub(crate) fn values(&self, tensor: usize) -> ArrayView4<'_, f32> {
        self.tensors[tensor].values.view()
    }

    /// Takes what the step gave for a layer's keys or values, `[rows, h, 1, d_k]`.
    pub(crate) fn grow(&mut self, tensor: usize, new: &[f32]) -> Result<()> {
        let shape = (self.rows, self.heads, 1, self.width);
        let expected = self.rows * self.heads * self.width;
        let found = new.len();
        let new = Array4::from_shape_vec(shape, new.to_vec());
        self.tensors[tensor].new =
            Some(new.map_err(|_| unexpected!("{found} new keys or values, expected {expected}"))?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;
    use cssa::model::Model;

    /// One layer, two heads of width 2: every row's history of tokens can be read off its keys.
    fn caches() -> Result<Caches> {
        let model: Model = toml::from_str(
            "backbone = \"resnet50\"\nimage_size = 224\nwidth = 4\nheads = 2\nfeed_forward = 4\nencoder_layers = 1\n\
             decoder_layers = 1\ncontrast_width = 4\nvocabulary = 9\nmax_tokens = 3\n\
             [dgp]\nhidden = 4\ndecay = \"none\"\ninitial_s = 1.0\n",
        )?;
        Ok(Caches::new(&model))
    }

    #[test]
    fn rows_follow_their_parents() -> Result<()> {
        let mut caches = caches()?;
        caches.reorder(0, &[0, 0])?;
        assert_eq!(caches.values(0).shape(), [2, 2, 0, 2]);
        let step = |caches: &mut Caches, values: [f32; 8]| (0..2).try_for_each(|tensor| caches.grow(tensor, &values));
        step(&mut caches, [1., 2., 3., 4., 5., 6., 7., 8.])?;
        caches.reorder(1, &[1, 1])?;
        assert_eq!(caches.values(1).iter().copied().collect::<Vec<_>>(), [5f32, 6., 7., 8., 5., 6., 7., 8.]);
        step(&mut caches, [11., 12., 13., 14., 15., 16., 17., 18.])?;
        caches.reorder(2, &[1, 0])?;
        assert_eq!(caches.values(0).shape(), [2, 2, 2, 2]);
        let [first, second] = [[5., 6., 15., 16., 7., 8., 17., 18.], [5., 6., 11., 12., 7., 8., 13., 14.]];
        assert_eq!(caches.values(0).as_slice(), Some([first, second].concat().as_slice()));
        assert!(caches.reorder(3, &[0, 0]).is_err_and(|error| error.to_string().contains("longest caption, 3 tokens")));
        caches.reorder(0, &[0, 0])?;
        assert!(caches.values(0).is_empty());
        Ok(())
    }

    #[test]
    fn steps_out_of_turn_are_refused() -> Result<()> {
        let mut caches = caches()?;
        caches.reorder(0, &[0, 0])?;
        assert!(caches.reorder(1, &[0, 0]).is_err_and(|error| error.to_string().contains("follows position -1")));
        caches.reorder(0, &[0, 0])?;
        assert!(caches.grow(0, &[0.0; 7]).is_err_and(|error| error.to_string().contains("expected 8")));
        (0..2).try_for_each(|tensor| caches.grow(tensor, &[0.0; 8]))?;
        assert!(caches.reorder(1, &[0, 2]).is_err_and(|error| error.to_string().contains("not among 2 captions")));
        assert!(caches.reorder(2, &[0, 0]).is_err());
        Ok(caches.reorder(1, &[0, 1])?)
    }
}
