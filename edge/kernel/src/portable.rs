//! Loops, for CPUs that have nothing better.

use crate::{Kernel, QUAD, WIDTH, Weights, Work};

/// No particular instructions.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

impl Kernel for Portable {
    const OFFSET: i32 = 0;

    fn run(self, work: impl Work) {
        work.with(self);
    }

    #[inline(always)]
    fn panel<const R: usize>(self, activations: &[[u32; R]], weights: &[Weights], sums: &mut [[i32; WIDTH]; R]) {
        *sums = [[0; WIDTH]; R];
        for (rows, weights) in activations.iter().zip(weights) {
            for (row, sums) in rows.iter().zip(&mut *sums) {
                let row = row.to_le_bytes().map(i32::from);
                for (sum, weights) in sums.iter_mut().zip(weights.as_chunks::<QUAD>().0) {
                    *sum += (0..QUAD).map(|k| row[k] * i32::from(weights[k])).sum::<i32>();
                }
            }
        }
    }
}
