//! Geometry of the feature grid for DGP (paper 3.2): relative positions r_ij and the decay d(l).

use crate::model::Decay;
use alloc::vec::Vec;

/// The ratio |Δ| / size is clamped to this many cells before the log, so that log 0 never occurs.
pub const MINIMAL_RATIO: f64 = 1e-3;

/// r_ij = (log(|x_i − x_j| / w), log(|y_i − y_j| / h)) for the cells of a `side` × `side` grid, row-major:
/// `[N, N, 2]` with N = side². Cells have width and height 1, so the ratios are whole numbers of cells.
#[must_use]
pub fn relative_positions(side: usize) -> Vec<f32> {
    let log = |a: usize, b: usize| libm::log((a.abs_diff(b) as f64).max(MINIMAL_RATIO)) as f32;
    let cells = side * side;
    let mut table = Vec::with_capacity(cells * cells * 2);
    for i in 0..cells {
        for j in 0..cells {
            table.push(log(i % side, j % side));
            table.push(log(i / side, j / side));
        }
    }
    table
}

/// d(l) for layer `layer` of `layers`, with the trained `s` (used by [`Decay::Exponential`] alone).
///
/// l_max is the number of layers, as the paper has it: neither the logarithmic nor the cosine decay ends at its limit.
#[must_use]
pub fn decay(kind: Decay, layer: usize, layers: usize, s: f32) -> f32 {
    let l = layer as f64;
    let l_max = layers as f64;
    let value = match kind {
        Decay::Exponential => libm::exp(-l * f64::from(s)),
        Decay::Logarithmic => 1.0 - libm::log(l + 1.0) / libm::log(l_max + 1.0),
        Decay::Cosine => libm::cos(l * core::f64::consts::PI / (l_max + 1.0)),
        Decay::Constant => 1.0,
        Decay::None => 0.0,
    };
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_positions_are_logs_of_cells_apart() {
        let r = relative_positions(3);
        let at = |i: usize, j: usize| (r[(i * 9 + j) * 2], r[(i * 9 + j) * 2 + 1]);
        let floor = libm::log(MINIMAL_RATIO) as f32;
        assert_eq!(at(0, 0), (floor, floor));
        assert_eq!(at(0, 1), (0.0, floor));
        assert_eq!(at(0, 8), (libm::log(2.0) as f32, libm::log(2.0) as f32));
        assert_eq!(at(2, 6), at(6, 2));
    }

    #[test]
    fn decays_start_at_one_and_follow_the_paper() {
        for kind in [Decay::Exponential, Decay::Logarithmic, Decay::Cosine, Decay::Constant] {
            assert_eq!(decay(kind, 0, 4, 1.0), 1.0);
        }
        assert!((decay(Decay::Exponential, 2, 4, 0.5) - libm::exp(-1.0) as f32).abs() < 1e-7);
        assert!((decay(Decay::Logarithmic, 3, 4, 1.0) - (1.0 - libm::log(4.0) / libm::log(5.0)) as f32).abs() < 1e-7);
        assert!((decay(Decay::Cosine, 1, 3, 1.0) - libm::sqrt(0.5) as f32).abs() < 1e-7);
        assert_eq!(decay(Decay::None, 0, 4, 1.0), 0.0);
    }
}
