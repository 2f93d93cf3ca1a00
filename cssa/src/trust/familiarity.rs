//! How much an image is like what the model was trained on: the Mahalanobis distance of its mean memory from that of the train
//! images (Lee et al. 2018, "A simple unified framework for detecting out-of-distribution samples", with one class).

use alloc::vec::Vec;

/// The train images' mean memories as a Gaussian, and the dev images' distances from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Familiarity {
    /// `[d]`.
    mean: Vec<f32>,
    /// W with WᵀW = Σ⁻¹, `[d, d]`, lower triangular, row-major.
    whitening: Vec<f32>,
    /// Distances of dev images, ascending.
    distances: Vec<f32>,
    /// Images further away are outside.
    limit: f32,
}

/// Statistics that are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("familiarity: {problem}")]
pub struct FamiliarityError {
    /// What is wrong.
    pub problem: &'static str,
}

impl Familiarity {
    /// From its parts: a whitening that is lower triangular with more than 0 on its diagonal, so that every direction counts, and
    /// distances of 0 or more, ascending and at least one; every number finite.
    pub fn new(mean: Vec<f32>, whitening: Vec<f32>, distances: Vec<f32>, limit: f32) -> Result<Self, FamiliarityError> {
        let wrong = |problem| Err(FamiliarityError { problem });
        if whitening.len() != mean.len() * mean.len() || mean.is_empty() {
            return wrong("the whitening is not as wide and as high as the mean is long");
        }
        let is_finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        for (values, problem) in [
            (&mean, "the mean has a number that is not finite"),
            (&whitening, "the whitening has a number that is not finite"),
            (&distances, "the distances have a number that is not finite"),
            (&alloc::vec![limit], "the limit is not finite"),
        ] {
            if !is_finite(values) {
                return wrong(problem);
            }
        }
        for (row, values) in whitening.chunks_exact(mean.len()).enumerate() {
            if values[row] <= 0.0 {
                return wrong("the whitening has no more than 0 on its diagonal");
            }
            if values[row + 1..].iter().any(|&value| value != 0.0) {
                return wrong("the whitening is not lower triangular");
            }
        }
        if distances.is_empty() || !distances.is_sorted() || distances[0] < 0.0 {
            return wrong("the distances are none, below 0 or not ascending");
        }
        Ok(Self { mean, whitening, distances, limit })
    }

    /// The mean memory of an image, `[d]`, of its memory `[N, d]`.
    #[must_use]
    pub fn mean_memory(memory: &[f32], width: usize) -> Vec<f32> {
        let mut mean = alloc::vec![0.0; width];
        for cell in memory.chunks_exact(width.max(1)) {
            for (sum, value) in mean.iter_mut().zip(cell) {
                *sum += value;
            }
        }
        let cells = (memory.len() / width.max(1)).max(1) as f32;
        mean.iter_mut().for_each(|sum| *sum /= cells);
        mean
    }

    /// W (m − μ): a mean memory as its distance is the length of.
    #[must_use]
    pub fn whitened(&self, mean_memory: &[f32]) -> Vec<f32> {
        let centred: Vec<f32> = mean_memory.iter().zip(&self.mean).map(|(value, mean)| value - mean).collect();
        let rows = self.whitening.chunks_exact(self.mean.len()).enumerate();
        rows.map(|(row, whitening)| whitening[..=row].iter().zip(&centred).map(|(w, x)| w * x).sum()).collect()
    }

    /// Mahalanobis distance of a whitened mean memory, over √d: 1 is what a train image has.
    #[must_use]
    pub fn distance(whitened: &[f32]) -> f32 {
        libm::sqrtf(whitened.iter().map(|value| value * value).sum::<f32>() / whitened.len().max(1) as f32)
    }

    /// The train images' mean, `[d]`.
    #[must_use]
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// W, `[d, d]`, row-major.
    #[must_use]
    pub fn whitening(&self) -> &[f32] {
        &self.whitening
    }

    /// Distances of dev images, ascending.
    #[must_use]
    pub fn distances(&self) -> &[f32] {
        &self.distances
    }

    /// The share of dev images that are less familiar, 0 to 1.
    #[must_use]
    pub fn share(&self, distance: f32) -> f32 {
        let nearer = self.distances.partition_point(|&other| other <= distance);
        (self.distances.len() - nearer) as f32 / self.distances.len() as f32
    }

    /// Whether an image at this distance is outside; so is one whose distance is no number.
    #[must_use]
    pub fn is_outside(&self, distance: f32) -> bool {
        distance.is_nan() || distance > self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_is_measured_in_the_train_images_own_spread() {
        // Σ = diag(4, 9): W = diag(1/2, 1/3).
        let whitening = alloc::vec![0.5, 0.0, 0.0, 1.0 / 3.0];
        let found = Familiarity::new(alloc::vec![1.0, 2.0], whitening, alloc::vec![0.5, 1.0, 1.5, 2.0], 1.5);
        let Ok(familiarity) = found else { unreachable!("it is sound") };
        let distance = |mean: [f32; 2]| Familiarity::distance(&familiarity.whitened(&mean));
        assert_eq!(distance([1.0, 2.0]), 0.0);
        assert!((distance([3.0, 5.0]) - 1.0).abs() < 1e-6);
        assert_eq!([0.0, 0.7, 1.5, 9.0].map(|distance| familiarity.share(distance)), [1.0, 0.75, 0.25, 0.0]);
        assert_eq!([1.5, 1.6, f32::NAN].map(|distance| familiarity.is_outside(distance)), [false, true, true]);
        assert_eq!(Familiarity::mean_memory(&[1.0, 2.0, 3.0, 6.0], 2), [2.0, 4.0]);
    }

    #[test]
    fn statistics_that_are_none_are_refused() {
        let new = |mean: &[f32], whitening: &[f32], distances: &[f32]| {
            Familiarity::new(mean.to_vec(), whitening.to_vec(), distances.to_vec(), 1.0)
        };
        assert!(new(&[0.0], &[1.0], &[1.0]).is_ok());
        assert!(new(&[0.0], &[1.0, 1.0], &[1.0]).is_err() && new(&[], &[], &[1.0]).is_err());
        assert!(new(&[f32::NAN], &[1.0], &[1.0]).is_err());
        assert!(new(&[0.0], &[1.0], &[]).is_err() && new(&[0.0], &[1.0], &[2.0, 1.0]).is_err());
        assert!(new(&[0.0], &[0.0], &[1.0]).is_err(), "nothing is far from anything");
        assert!(new(&[0.0; 2], &[1.0, 0.0, 2.0, 1.0], &[1.0]).is_ok());
        assert!(new(&[0.0; 2], &[1.0, 2.0, 0.0, 1.0], &[1.0]).is_err(), "it is transposed");
        assert!(new(&[0.0], &[1.0], &[-1.0, 1.0]).is_err());
    }
}
