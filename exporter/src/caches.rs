//! The self-attention caches of `decoder.onnx`: grown and reordered here, read by the graph.

use crate::error::{Result, ensure};
use cssa::model::Model;

/// The keys and values of every layer's self-attention, `[rows, h, past, d_k]` each.
#[derive(Debug)]
pub(crate) struct Caches {
    heads: usize,
    width: usize,
    longest: usize,
    rows: usize,
    past: usize,
    tensors: Vec<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    values: Vec<f32>,
    /// Where the next step's values are put together.
    spare: Vec<f32>,
    /// The last step's keys or values, `[rows, h, d_k]`, not yet among `values`.
    new: Vec<f32>,
}

impl Caches {
    /// Empty caches for the layers of `model`; keys and values take turns.
    pub(crate) fn new(model: &Model) -> Self {
        let (heads, width, longest) = (model.heads, model.head_width(), model.max_tokens);
        let tensors = std::iter::repeat_with(Cache::default).take(2 * model.decoder_layers).collect();
        Self { heads, width, longest, rows: 0, past: 0, tensors }
    }

    /// Forgets the last caption.
    pub(crate) fn clear(&mut self) {
        self.past = 0;
        for cache in &mut self.tensors {
            cache.values.clear();
            cache.new.clear();
        }
    }

    /// Makes ready for the token at `position`: row `i` continues row `parents[i]` of the step before.
    pub(crate) fn reorder(&mut self, position: usize, parents: &[usize]) -> Result<()> {
        let Self { rows, heads, width, longest, .. } = *self;
        ensure!(position < longest, "position {position} is behind the longest caption, {longest} tokens");
        self.rows = parents.len();
        if position == 0 {
            self.clear();
            return Ok(());
        }
        ensure!(parents.iter().all(|&parent| parent < rows), "a parent is not among {rows} captions: {parents:?}");
        let known = self.past + usize::from(self.tensors.iter().all(|cache| !cache.new.is_empty()));
        ensure!(position == known, "position {position} follows position {}", known as i64 - 1);
        let past = self.past * width;
        for Cache { values, spare, new } in &mut self.tensors {
            spare.clear();
            for row in parents.iter().flat_map(|&parent| (0..heads).map(move |head| parent * heads + head)) {
                spare.extend_from_slice(&values[row * past..(row + 1) * past]);
                spare.extend_from_slice(&new[row * width..(row + 1) * width]);
            }
            new.clear();
            std::mem::swap(values, spare);
        }
        self.past = position;
        Ok(())
    }

    /// The shape of every cache.
    pub(crate) fn shape(&self) -> [usize; 4] {
        [self.rows, self.heads, self.past, self.width]
    }

    /// The values of a layer's keys or values: `2 * layer` or `2 * layer + 1`.
    pub(crate) fn values(&self, tensor: usize) -> &[f32] {
        &self.tensors[tensor].values
    }

    /// Takes what the step gave for a layer's keys or values, `[rows, h, 1, d_k]`.
    pub(crate) fn grow(&mut self, tensor: usize, new: &[f32]) -> Result<()> {
        let expected = self.rows * self.heads * self.width;
        ensure!(new.len() == expected, "{} new keys or values, expected {expected}", new.len());
        self.tensors[tensor].new.clear();
        self.tensors[tensor].new.extend_from_slice(new);
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
        assert_eq!((caches.shape(), caches.values(0).len()), ([2, 2, 0, 2], 0));
        let step = |caches: &mut Caches, values: [f32; 8]| (0..2).try_for_each(|tensor| caches.grow(tensor, &values));
        step(&mut caches, [1., 2., 3., 4., 5., 6., 7., 8.])?;
        caches.reorder(1, &[1, 1])?;
        assert_eq!(caches.values(1), [5f32, 6., 7., 8., 5., 6., 7., 8.]);
        step(&mut caches, [11., 12., 13., 14., 15., 16., 17., 18.])?;
        caches.reorder(2, &[1, 0])?;
        assert_eq!(caches.shape(), [2, 2, 2, 2]);
        let [first, second] = [[5., 6., 15., 16., 7., 8., 17., 18.], [5., 6., 11., 12., 7., 8., 13., 14.]];
        assert_eq!(caches.values(0).to_vec(), [first, second].concat());
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
