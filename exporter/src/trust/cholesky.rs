//! Σ = L Lᵀ (Cholesky): all the linear algebra that fitting statistics takes.

use ndarray::{Array1, Array2};

/// The lower triangular L of a symmetric matrix; `None` where it is not positive definite.
pub(super) fn lower(matrix: &Array2<f64>) -> Option<Array2<f64>> {
    let width = matrix.nrows();
    let mut lower = Array2::<f64>::zeros((width, width));
    for row in 0..width {
        for column in 0..=row {
            let sum: f64 = (0..column).map(|k| lower[(row, k)] * lower[(column, k)]).sum();
            let left = matrix[(row, column)] - sum;
            lower[(row, column)] = if row == column { left.sqrt() } else { left / lower[(column, column)] };
        }
        // NaN, too: the square root of a negative number.
        if lower[(row, row)].is_nan() || lower[(row, row)] <= 0.0 {
            return None;
        }
    }
    Some(lower)
}

/// L⁻¹.
pub(super) fn inverse(lower: &Array2<f64>) -> Array2<f64> {
    let width = lower.nrows();
    let mut inverse = Array2::<f64>::eye(width);
    for row in 0..width {
        for before in 0..row {
            let (done, mut rest) = inverse.view_mut().split_at(ndarray::Axis(0), row);
            rest.row_mut(0).scaled_add(-lower[(row, before)], &done.row(before));
        }
        inverse.row_mut(row).mapv_inplace(|value| value / lower[(row, row)]);
    }
    inverse
}

/// x with L Lᵀ x = `right`.
pub(super) fn solve(lower: &Array2<f64>, right: &Array1<f64>) -> Array1<f64> {
    let inverse = inverse(lower);
    inverse.t().dot(&inverse.dot(right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_matrix_is_its_factors_and_a_system_is_solved() {
        let matrix = array![[4.0, 2.0, -2.0], [2.0, 10.0, 2.0], [-2.0, 2.0, 6.0]];
        let Some(factor) = lower(&matrix) else { unreachable!("it is positive definite") };
        let close = |a: &Array2<f64>, b: &Array2<f64>| (a - b).iter().all(|difference| difference.abs() < 1e-12);
        assert!(close(&factor.dot(&factor.t()), &matrix));
        assert!(close(&inverse(&factor).dot(&factor), &Array2::eye(3)));
        let x = solve(&factor, &array![4.0, 14.0, 6.0]);
        assert!((matrix.dot(&x) - array![4.0, 14.0, 6.0]).iter().all(|difference| difference.abs() < 1e-12));
        assert_eq!(lower(&array![[1.0, 2.0], [2.0, 1.0]]), None);
    }
}
