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

    fn activations(&self, vector: &[i8]) -> Vec<Quad> {
        let mut activations = vec![[MIDDLE as u8; QUAD]; self.quads];
        for (activation, &value) in activations.as_flattened_mut().iter_mut().zip(vector) {
            *activation = (i32::from(value) + MIDDLE) as u8;
        }
        activations
    }

    /// The product of `vector` with that of every image, Σ a · b.
    pub(crate) fn products(&self, cpu: Dispatch, vector: &[i8]) -> Vec<i32> {
        let activations = self.activations(vector);
        let mut products = Vec::with_capacity(self.sums.len());
        cpu.run(Multiply { panels: self, activations: &activations, products: &mut products });
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
    use cssa_kernel::Portable;

    /// As NEON has it: 128 is taken from what is multiplied.
    #[derive(Clone, Copy)]
    struct Offset;

    impl Kernel for Offset {
        const OFFSET: i32 = 128;
        const FUSED: bool = false;

        fn run(self, work: impl Work) {
            work.with(self);
        }

        fn panel<const R: usize>(self, activations: [&[Quad]; R], weights: &[Weights], sums: &mut [[i32; WIDTH]; R]) {
            Portable.panel(activations, weights, sums);
            for (n, sum) in sums.iter_mut().flat_map(|sums| sums.iter_mut().enumerate()) {
                let column = weights.iter().flat_map(|panel| &panel.0[QUAD * n..][..QUAD]);
                *sum -= Self::OFFSET * column.map(|&weight| i32::from(weight)).sum::<i32>();
            }
        }
    }

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
                for cpu in [Dispatch::of_this_cpu(), Dispatch::Portable(Portable)] {
                    assert_eq!(panels.products(cpu, &vector), expected, "{images} images of {width}, {}", cpu.name());
                }
                let (activations, mut products) = (panels.activations(&vector), Vec::new());
                Offset.run(Multiply { panels: &panels, activations: &activations, products: &mut products });
                assert_eq!(products, expected, "{images} images of {width}");
            }
        }
        Ok(())
    }
}
