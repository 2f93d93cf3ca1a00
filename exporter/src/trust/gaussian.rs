//! The train images' mean memories as a Gaussian.

use super::cholesky;
use crate::error::{Error, Result};
use ndarray::Array2;

/// A share of the mean variance that is added to each: directions in which nothing varies would be infinitely far otherwise.
const SHRINKAGE: f64 = 1e-4;

/// Mean `[d]` and the lower triangular whitening `[d, d]` of vectors `[n, d]`.
pub(super) fn gaussian(vectors: &[Vec<f32>]) -> Result<(Vec<f32>, Vec<f32>)> {
    let (count, width) = (vectors.len(), vectors.first().map_or(0, Vec::len));
    let mean: Vec<f64> = (0..width)
        .map(|n| vectors.iter().map(|vector| f64::from(vector[n])).sum::<f64>() / count.max(1) as f64)
        .collect();
    let centred = Array2::from_shape_fn((count, width), |(row, column)| f64::from(vectors[row][column]) - mean[column]);
    let mut covariance = centred.t().dot(&centred) / (count.saturating_sub(1)).max(1) as f64;
    let floor = SHRINKAGE * covariance.diag().sum() / width.max(1) as f64;
    for n in 0..width {
        covariance[(n, n)] += floor;
    }
    let whitening = cholesky::inverse(&cholesky::lower(&covariance).ok_or(Error::NotFitted("familiarity"))?);
    let mean = mean.into_iter().map(|value| value as f32).collect();
    Ok((mean, whitening.iter().map(|&value| value as f32).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cssa::trust::Familiarity;

    #[test]
    fn whitened_vectors_have_unit_variance_in_every_direction() -> Result<()> {
        let mut random = cssa::random::Random::new(3);
        let vectors: Vec<Vec<f32>> = (0..4000)
            .map(|_| {
                let (a, b) = (random.range(-1.0, 1.0), random.range(-1.0, 1.0));
                vec![5.0 + 3.0 * a, 3.0 * a + 2.0 * b]
            })
            .collect();
        let (mean, whitening) = gaussian(&vectors)?;
        let familiarity = Familiarity::new(mean, whitening, vec![1.0], 1.0).map_err(|_| Error::NotFinite)?;
        let whitened: Vec<Vec<f32>> = vectors.iter().map(|vector| familiarity.whitened(vector)).collect();
        let product = |a: usize, b: usize| whitened.iter().map(|v| v[a] * v[b]).sum::<f32>() / whitened.len() as f32;
        assert!((product(0, 0) - 1.0).abs() < 0.02 && (product(1, 1) - 1.0).abs() < 0.05 && product(0, 1).abs() < 0.02);
        Ok(())
    }
}
