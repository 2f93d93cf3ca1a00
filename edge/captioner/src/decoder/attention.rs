//! What a step does between its linear layers: attention, sums and LayerNorm.

use cssa::model::Model;
use cssa::vector_math::{LANES, exp, sum};
use cssa_kernel::{Kernel, multiply_add};

/// Σ a · b.
#[inline(always)]
fn dot<K: Kernel>(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut totals = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for n in 0..LANES {
            totals[n] = multiply_add::<K>(a[n], b[n], totals[n]);
        }
    }
    let mut total = sum(totals);
    for (&a, &b) in a_rest.iter().zip(b_rest) {
        total = multiply_add::<K>(a, b, total);
    }
    total
}

/// `outputs[r] = Σ weights[r][n] · rows[n]`; every output is `width` long, rows are that or longer.
#[inline(always)]
fn mix<'a, K: Kernel, const R: usize>(
    outputs: [&mut [f32]; R],
    weights: [&[f32]; R],
    rows: impl Iterator<Item = &'a [f32]> + Clone,
) {
    /// Sums of a row that are under way at once: one alone waits for itself.
    const WIDE: usize = 4 * LANES;
    let (mut outputs, mut first) = (outputs, 0);
    let width = outputs.iter().map(|output| output.len()).min().unwrap_or(0);
    while first + WIDE <= width {
        chunk::<K, R, WIDE>(&mut outputs, weights, first, rows.clone());
        first += WIDE;
    }
    while first + LANES <= width {
        chunk::<K, R, LANES>(&mut outputs, weights, first, rows.clone());
        first += LANES;
    }
    while first < width {
        chunk::<K, R, 1>(&mut outputs, weights, first, rows.clone());
        first += 1;
    }
}

#[inline(always)]
fn chunk<'a, K: Kernel, const R: usize, const N: usize>(
    outputs: &mut [&mut [f32]; R],
    weights: [&[f32]; R],
    first: usize,
    rows: impl Iterator<Item = &'a [f32]>,
) {
    let count = weights.iter().map(|weights| weights.len()).min().unwrap_or(0);
    let weights = weights.map(|weights| &weights[..count]);
    let mut totals = [[0.0; N]; R];
    for (n, row) in (0..count).zip(rows) {
        let row = &row[first..first + N];
        for (totals, weights) in totals.iter_mut().zip(&weights) {
            let weight = weights[n];
            for (total, &value) in totals.iter_mut().zip(row) {
                *total = multiply_add::<K>(weight, value, *total);
            }
        }
    }
    for (output, totals) in outputs.iter_mut().zip(&totals) {
        output[first..first + N].copy_from_slice(totals);
    }
}

/// Softmax of a row whose length is a multiple of [`LANES`]; what is behind the first `count` becomes 0.
#[inline(always)]
fn softmax(row: &mut [f32], count: usize) {
    row[count..].fill(f32::NEG_INFINITY);
    let mut largest = [f32::NEG_INFINITY; LANES];
    for chunk in row.as_chunks::<LANES>().0 {
        for n in 0..LANES {
            largest[n] = if chunk[n] > largest[n] { chunk[n] } else { largest[n] };
        }
    }
    let largest = largest.into_iter().fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
    let mut totals = [0.0; LANES];
    for x in row.iter_mut() {
        *x = exp(*x - largest);
    }
    row[count..].fill(0.0);
    for chunk in row.as_chunks::<LANES>().0 {
        for n in 0..LANES {
            totals[n] += chunk[n];
        }
    }
    let total = sum(totals);
    for x in row {
        *x /= total;
    }
}

/// Keys `[h, d_k, N]`, N filled up to a multiple of [`LANES`], and values `[h, N, d_k]` of a layer's cross-attention.
#[derive(Debug, Default)]
pub(super) struct Cross {
    pub(super) keys: Vec<f32>,
    pub(super) values: Vec<f32>,
}

/// The newest token of a caption looks at all its tokens; `ancestors` are their rows.
#[inline(always)]
pub(super) fn self_attention<K: Kernel>(
    model: &Model,
    tokens: &[Vec<f32>],
    ancestors: &[u16],
    row: usize,
    attended: &mut [f32],
    scores: &mut [f32],
) {
    let (width, head) = (model.width, model.head_width());
    let position = ancestors.len() - 1;
    // Part 0 is the query, 1 the key, 2 the value.
    let part = |position: usize, row: usize, part: usize, first: usize| {
        &tokens[position][row * 3 * width + part * width + first..][..head]
    };
    let scores = &mut scores[..ancestors.len().next_multiple_of(LANES)];
    for (attended, first) in attended.chunks_exact_mut(head).zip((0..width).step_by(head)) {
        let query = part(position, row, 0, first);
        for (place, (score, &ancestor)) in scores.iter_mut().zip(ancestors).enumerate() {
            *score = dot::<K>(query, part(place, usize::from(ancestor), 1, first));
        }
        softmax(scores, ancestors.len());
        let values = ancestors.iter().enumerate().map(|(place, &row)| part(place, usize::from(row), 2, first));
        mix::<K, 1>([attended], [&scores[..ancestors.len()]], values);
    }
}

/// `R` captions look at the cells of their image, which is read once for all.
#[inline(always)]
pub(super) fn cross_attention<K: Kernel, const R: usize>(
    model: &Model,
    cross: &Cross,
    queries: &[f32],
    attended: &mut [f32],
    scores: &mut [f32],
) {
    let (width, cells, head) = (model.width, model.cells(), model.head_width());
    let padded = cells.next_multiple_of(LANES);
    let heads = cross.keys.chunks_exact(head * padded).zip(cross.values.chunks_exact(head * cells));
    for ((keys, values), first) in heads.zip((0..).step_by(head)) {
        let queries = std::array::from_fn(|row| &queries[row * width + first..][..head]);
        mix::<K, R>(split(scores, padded), queries, keys.chunks_exact(padded));
        for scores in scores.chunks_exact_mut(padded).take(R) {
            softmax(scores, cells);
        }
        let scores = std::array::from_fn(|row| &scores[row * padded..][..cells]);
        let attended = split(attended, width).map(|row| &mut row[first..first + head]);
        mix::<K, R>(attended, scores, values.chunks_exact(head));
    }
}

/// The first `R` rows of some width.
#[inline(always)]
fn split<const R: usize>(values: &mut [f32], width: usize) -> [&mut [f32]; R] {
    let mut rows = values.chunks_exact_mut(width);
    std::array::from_fn(|_| rows.next().unwrap_or_default())
}

/// LayerNorm's parameters.
#[derive(Debug)]
pub(super) struct Norm {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) epsilon: f32,
}

impl Norm {
    /// `x = LayerNorm(x + y)` for all rows.
    #[inline(always)]
    pub(super) fn add(&self, x: &mut [f32], y: &[f32]) {
        let width = self.weight.len();
        for (x, y) in x.chunks_exact_mut(width).zip(y.chunks_exact(width)) {
            for (x, y) in x.iter_mut().zip(y) {
                *x += y;
            }
            let mean = total(x, |x| x) / width as f32;
            let variance = total(x, |x| (x - mean) * (x - mean)) / width as f32;
            let factor = 1.0 / (variance + self.epsilon).sqrt();
            for ((x, weight), bias) in x.iter_mut().zip(&self.weight).zip(&self.bias) {
                *x = (*x - mean) * factor * weight + bias;
            }
        }
    }
}

/// Σ f(x).
#[inline(always)]
fn total(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = row.as_chunks::<LANES>();
    let mut totals = [0.0; LANES];
    for chunk in chunks {
        for n in 0..LANES {
            totals[n] += f(chunk[n]);
        }
    }
    sum(totals) + rest.iter().map(|&x| f(x)).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cssa_kernel::Portable;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_of_any_length_are_summed(row in proptest::collection::vec(-3f32..3.0, 1..70)) {
            let expected: f64 = row.iter().map(|x| f64::from(x * x)).sum();
            prop_assert!((f64::from(dot::<Portable>(&row, &row)) - expected).abs() < 1e-3);
            let (mut mixed, mut half) = (vec![0.0; row.len()], vec![0.0; row.len()]);
            let rows = std::iter::repeat(row.as_slice());
            mix::<Portable, 2>([&mut mixed, &mut half], [&[0.25, 0.5], &[0.5, 0.0]], rows);
            prop_assert!(mixed.iter().zip(&row).all(|(mixed, x)| (mixed - 0.75 * x).abs() < 1e-6));
            prop_assert!(half.iter().zip(&row).all(|(half, x)| (half - 0.5 * x).abs() < 1e-6));
        }

        #[test]
        fn softmax_is_a_distribution(mut row in proptest::collection::vec(-30f32..30.0, 32), count in 1usize..32) {
            let shares: Vec<f64> = row[..count].iter().map(|x| f64::from(*x).exp()).collect();
            softmax(&mut row, count);
            let total: f64 = shares.iter().sum();
            prop_assert!(row[..count].iter().zip(shares).all(|(x, share)| (f64::from(*x) - share / total).abs() < 1e-6));
            prop_assert!(row[count..].iter().all(|x| *x == 0.0));
        }
    }

    #[test]
    fn a_norm_has_mean_and_deviation_of_its_parameters() {
        let norm = Norm { weight: vec![2.0; 20], bias: vec![1.0; 20], epsilon: 1e-5 };
        let mut x: Vec<f32> = (0..20).map(|n| (n * n) as f32).collect();
        norm.add(&mut x, &[5.0; 20]);
        let mean = x.iter().sum::<f32>() / 20.0;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / 20.0;
        assert!((mean - 1.0).abs() < 1e-5 && (variance - 4.0).abs() < 1e-4, "{mean} {variance}");
    }
}
