//! Logistic regression by Newton's method, with a ridge on standardized inputs.

use super::cholesky;
use crate::error::{Error, Result};
use ndarray::{Array1, Array2, Axis};

/// Newton's steps: it converges in ten.
const STEPS: usize = 30;
/// Weight of the ridge, that of one observation.
const RIDGE: f64 = 1.0;

/// Bias and a weight for each input: P(label) = 1 / (1 + exp(−(bias + Σ weight · input))).
pub(super) fn logistic<const N: usize>(rows: &[([f64; N], bool)]) -> Result<Vec<f64>> {
    let count = rows.len().max(1) as f64;
    let mean: [f64; N] = std::array::from_fn(|n| rows.iter().map(|(row, _)| row[n]).sum::<f64>() / count);
    let spread: [f64; N] = std::array::from_fn(|n| {
        let variance = rows.iter().map(|(row, _)| (row[n] - mean[n]).powi(2)).sum::<f64>() / count;
        if variance > 1e-12 { variance.sqrt() } else { 1.0 }
    });
    let input = |row: &[f64; N]| {
        std::iter::once(1.0).chain((0..N).map(|n| (row[n] - mean[n]) / spread[n])).collect::<Array1<f64>>()
    };
    let mut weights = Array1::<f64>::zeros(N + 1);
    for _ in 0..STEPS {
        let mut gradient = Array1::<f64>::zeros(N + 1);
        let mut hessian = Array2::<f64>::zeros((N + 1, N + 1));
        for (row, label) in rows {
            let x = input(row);
            let p = 1.0 / (1.0 + (-weights.dot(&x)).exp());
            gradient.scaled_add(f64::from(u8::from(*label)) - p, &x);
            let outer = x.view().insert_axis(Axis(1)).dot(&x.view().insert_axis(Axis(0)));
            hessian.scaled_add(p * (1.0 - p), &outer);
        }
        for n in 0..=N {
            // The bias is pulled only as far as keeps it finite where all labels are alike.
            let ridge = if n == 0 { RIDGE * 1e-3 } else { RIDGE };
            gradient[n] -= ridge * weights[n];
            hessian[(n, n)] += ridge;
        }
        let step = cholesky::solve(&cholesky::lower(&hessian).ok_or(Error::NotFitted("confidence"))?, &gradient);
        weights += &step;
        if step.dot(&step) < 1e-18 {
            break;
        }
    }
    let mut found: Vec<f64> = (0..N).map(|n| weights[n + 1] / spread[n]).collect();
    let bias = weights[0] - found.iter().zip(mean).map(|(weight, mean)| weight * mean).sum::<f64>();
    found.insert(0, bias);
    if found.iter().all(|weight| weight.is_finite()) { Ok(found) } else { Err(Error::NotFitted("confidence")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_law_is_found_again() -> Result<()> {
        let law = |x: f64, y: f64| 1.0 / (1.0 + (-(0.5 + 2.0 * x - y)).exp());
        let mut random = cssa::random::Random::new(5);
        let rows: Vec<([f64; 2], bool)> = (0..20_000)
            .map(|_| {
                let (x, y) = (f64::from(random.range(-2.0, 2.0)), f64::from(random.range(-4.0, 4.0)));
                ([x, y], f64::from(random.unit()) < law(x, y))
            })
            .collect();
        let found = logistic(&rows)?;
        assert!(
            (found[0] - 0.5).abs() < 0.2 && (found[1] - 2.0).abs() < 0.2 && (found[2] + 1.0).abs() < 0.1,
            "{found:?}"
        );
        let alike: Vec<([f64; 2], bool)> = rows.iter().map(|(row, _)| (*row, true)).collect();
        assert!(logistic(&alike)?.iter().all(|weight| weight.is_finite()));
        Ok(())
    }
}
