//! Loops, for CPUs that have nothing better.

use crate::{Kernel, QUAD, Quad, WIDTH, Weights, Work};

/// No particular instructions.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

impl Kernel for Portable {
    const OFFSET: i32 = 0;
    const FUSED: bool = false;

    fn run(self, work: impl Work) {
        work.with(self);
    }

    #[inline(always)]
    fn panel<const R: usize>(self, activations: [&[Quad]; R], weights: &[Weights], sums: &mut [[i32; WIDTH]; R]) {
        *sums = [[0; WIDTH]; R];
        for (k, weights) in weights.iter().enumerate() {
            for (row, sums) in activations.iter().zip(&mut *sums) {
                let row = row[k].map(i32::from);
                for (sum, weights) in sums.iter_mut().zip(weights.0.as_chunks::<QUAD>().0) {
                    *sum += (0..QUAD).map(|n| row[n] * i32::from(weights[n])).sum::<i32>();
                }
            }
        }
    }
}
