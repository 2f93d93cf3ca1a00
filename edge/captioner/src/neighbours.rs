//! A picture's products with all neighbours, in the instructions that the CPU has for it: between two captions the network has taken the
//! caches, so that the neighbours' vectors are read from memory, and in order.

use cssa::trust::Neighbours;
use cssa_kernel::{Dispatch, Kernel, QUAD, Quad, WIDTH, Weights, Work};

/// Vectors have numbers from −127 to 127, kernels multiply 0 to 255.
const MIDDLE: i32 = 128;

/// The neighbours' vectors as a kernel reads them.
pub(crate) struct Panels {
    /// Of [`WIDTH`] images each, one after the other, `quads` of them a panel.
    weights: Vec<Weights>,
    quads: usize,
    /// Of every image, Σ of its vector.
    sums: Vec<i32>,
}

impl Panels {
    /// Of vectors of `width` numbers.
    pub(crate) fn of(neighbours: &Neighbours, width: usize) -> Self {
        let quads = width.div_ceil(QUAD);
        let vectors: Vec<&[i8]> = neighbours.vectors().chunks_exact(width).collect();
        let mut weights = Vec::with_capacity(vectors.len().div_ceil(WIDTH) * quads);
        for images in vectors.chunks(WIDTH) {
            for quad in 0..quads {
                let mut panel = Weights([0; QUAD * WIDTH]);
                for (column, vector) in panel.0.as_chunks_mut::<QUAD>().0.iter_mut().zip(images) {
                    let part = &vector[quad * QUAD..width.min((quad + 1) * QUAD)];
                    column[..part.len()].copy_from_slice(part);
                }
                weights.push(panel);
            }
        }
        let sums = vectors.iter().map(|vector| vector.iter().map(|&value| i32::from(value)).sum()).collect();
        Self { weights, quads, sums }
    }

    /// The product of `vector` with that of every image, Σ a · b.
    pub(crate) fn products(&self, vector: &[i8]) -> Vec<i32> {
        let mut activations = vec![[MIDDLE as u8; QUAD]; self.quads];
        for (activation, &value) in activations.as_flattened_mut().iter_mut().zip(vector) {
            *activation = (i32::from(value) + MIDDLE) as u8;
        }
        let mut products = Vec::with_capacity(self.sums.len());
        Dispatch::of_this_cpu().run(Multiply { panels: self, activations: &activations, products: &mut products });
        products
    }
}

struct Multiply<'a> {
    panels: &'a Panels,
    activations: &'a [Quad],
    products: &'a mut Vec<i32>,
}

impl Work for Multiply<'_> {
    #[inline(always)]
    fn with<K: Kernel>(self, kernel: K) {
        let Panels { weights, quads, sums } = self.panels;
        for (panel, of_images) in weights.chunks_exact((*quads).max(1)).zip(sums.chunks(WIDTH)) {
            let mut found = [[0; WIDTH]];
            kernel.panel([self.activations], panel, &mut found);
            // The kernel has taken OFFSET from what is MIDDLE too much.
            let product = |(found, sum): (&i32, &i32)| found - (MIDDLE - K::OFFSET) * sum;
            self.products.extend(found[0].iter().zip(of_images).map(product));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_the_vectors() -> anyhow::Result<()> {
        let mut random = fastrand::Rng::with_seed(3);
        for (images, width) in [(40, 4), (64, 8), (200, 256), (129, 30)] {
            let mut bytes = |count: usize| -> Vec<i8> { (0..count).map(|_| random.i8(-127..)).collect() };
            let (vectors, extreme) = (bytes(images * width), vec![-127; width]);
            let neighbours = Neighbours::new(width, vectors.clone(), 8, vec![0; images]);
            let neighbours = neighbours.ok_or_else(|| anyhow::anyhow!("they do not fit together"))?;
            let panels = Panels::of(&neighbours, width);
            for vector in [bytes(width), extreme] {
                let dot = |other: &[i8]| vector.iter().zip(other).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
                let expected: Vec<i32> = vectors.chunks_exact(width).map(dot).collect();
                assert_eq!(panels.products(&vector), expected, "{images} images of {width}");
            }
        }
        Ok(())
    }
}
