//! Products of a few rows of 8-bit activations with panels of 8-bit weights: the inner loop of the decoder's steps, in the
//! instructions that a CPU has for it.
//!
//! A step reads every weight once and does little with it. With AVX-512 VNNI this loop takes them as fast as the cache gives
//! them (110 GB/s on one core of an EPYC), which matrix products made for many rows do not (ONNX Runtime 40, rten-gemm 55).
//!
//! Of what flies, this crate alone has `unsafe` code: the instructions themselves and the loads and stores between memory and registers.

#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
pub use neon::{Dot, Neon};
pub use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Vnni};

/// Columns of a panel.
pub const WIDTH: usize = 64;
/// Activations, and weights of a column, that are multiplied and summed at once.
pub const QUAD: usize = 4;
/// Rows at most that a panel meets at once.
pub const ROWS: usize = 4;

/// The activations of four inputs of a row.
pub type Quad = [u8; QUAD];

/// The weights of four inputs for all columns of a panel: those of the first column, of the second, and so on. They begin where
/// a line of the cache does: loads that straddle two lines take twice the time.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Weights(pub [i8; QUAD * WIDTH]);

/// Vector instructions. Everything that runs inside [`Kernel::run`] is compiled for them.
pub trait Kernel: Copy {
    /// What is taken from activations (0 to 255) before they are multiplied.
    const OFFSET: i32;

    /// Whether `a · b + c` of floats is one instruction, which rounds once.
    const FUSED: bool;

    /// Runs `work` where these instructions may be used.
    fn run(self, work: impl Work);

    /// `Σ (activation − OFFSET) · weight` for `R` rows, each of as many quads as there are weights or more, and all columns.
    fn panel<const R: usize>(self, activations: [&[Quad]; R], weights: &[Weights], sums: &mut [[i32; WIDTH]; R]);
}

/// `a · b + c`, rounded once where the kernel can: the same on all CPUs that are named here.
#[inline(always)]
#[must_use]
pub fn multiply_add<K: Kernel>(a: f32, b: f32, c: f32) -> f32 {
    if K::FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// What is to run on a kernel.
pub trait Work {
    /// Does it.
    fn with<K: Kernel>(self, kernel: K);
}

/// The best kernel of this CPU.
#[derive(Clone, Copy, Debug)]
pub enum Dispatch {
    /// 512-bit products and sums of bytes.
    #[cfg(target_arch = "x86_64")]
    Vnni(x86::Vnni),
    /// 256-bit products of 16-bit numbers.
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::Avx2),
    /// 128-bit products and sums of bytes.
    #[cfg(target_arch = "aarch64")]
    Dot(neon::Dot),
    /// 128-bit products of bytes.
    #[cfg(target_arch = "aarch64")]
    Neon(neon::Neon),
    /// What the compiler makes of loops.
    Portable(Portable),
}

impl Dispatch {
    /// Looks at the CPU.
    pub fn of_this_cpu() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(kernel) = x86::Vnni::try_new() {
                return Self::Vnni(kernel);
            }
            if let Some(kernel) = x86::Avx2::try_new() {
                return Self::Avx2(kernel);
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            if let Some(kernel) = neon::Dot::try_new() {
                return Self::Dot(kernel);
            }
            if let Some(kernel) = neon::Neon::try_new() {
                return Self::Neon(kernel);
            }
        }
        Self::Portable(Portable)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Vnni(_) => "avx512-vnni",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            #[cfg(target_arch = "aarch64")]
            Self::Dot(_) => "neon-dotprod",
            #[cfg(target_arch = "aarch64")]
            Self::Neon(_) => "neon",
            Self::Portable(_) => "portable",
        }
    }

    /// Its [`Kernel::OFFSET`].
    pub fn offset(self) -> i32 {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Vnni(_) => x86::Vnni::OFFSET,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => x86::Avx2::OFFSET,
            #[cfg(target_arch = "aarch64")]
            Self::Dot(_) => neon::Dot::OFFSET,
            #[cfg(target_arch = "aarch64")]
            Self::Neon(_) => neon::Neon::OFFSET,
            Self::Portable(_) => Portable::OFFSET,
        }
    }

    /// Runs `work` on it.
    pub fn run(self, work: impl Work) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Vnni(kernel) => kernel.run(work),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(kernel) => kernel.run(work),
            #[cfg(target_arch = "aarch64")]
            Self::Dot(kernel) => kernel.run(work),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(kernel) => kernel.run(work),
            Self::Portable(kernel) => kernel.run(work),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Extreme and pseudo-random numbers, by every kernel that this CPU has, as plain 64-bit sums.
    struct Check<const R: usize> {
        inputs: usize,
    }

    impl<const R: usize> Work for Check<R> {
        #[inline(always)]
        fn with<K: Kernel>(self, kernel: K) {
            let mut random = fastrand::Rng::with_seed(7);
            let quads = self.inputs.div_ceil(QUAD);
            for extreme in [true, false] {
                let byte = |random: &mut fastrand::Rng| if extreme { 255 } else { random.u8(..) };
                let weight = |random: &mut fastrand::Rng| if extreme { -127 } else { random.i8(-127..) };
                let activations: [Vec<Quad>; R] =
                    core::array::from_fn(|_| (0..quads).map(|_| core::array::from_fn(|_| byte(&mut random))).collect());
                let weights: Vec<Weights> =
                    (0..quads).map(|_| Weights([(); QUAD * WIDTH].map(|()| weight(&mut random)))).collect();
                let mut sums = [[0; WIDTH]; R];
                kernel.panel(activations.each_ref().map(Vec::as_slice), &weights, &mut sums);
                for (row, sums) in sums.iter().enumerate() {
                    for (column, &sum) in sums.iter().enumerate() {
                        let term = |quad: usize, k: usize| {
                            (i64::from(activations[row][quad][k]) - i64::from(K::OFFSET))
                                * i64::from(weights[quad].0[QUAD * column + k])
                        };
                        let expected: i64 = (0..quads).flat_map(|quad| (0..QUAD).map(move |k| term(quad, k))).sum();
                        assert_eq!(i64::from(sum), expected, "row {row}, column {column}");
                    }
                }
            }
        }
    }

    fn check(run: impl Fn(usize)) {
        [4, 8, 512, 2048].into_iter().for_each(run);
    }

    #[test]
    fn every_kernel_multiplies_exactly() {
        let kernels: Vec<Dispatch> = [
            #[cfg(target_arch = "x86_64")]
            x86::Vnni::try_new().map(Dispatch::Vnni),
            #[cfg(target_arch = "x86_64")]
            x86::Avx2::try_new().map(Dispatch::Avx2),
            #[cfg(target_arch = "aarch64")]
            neon::Dot::try_new().map(Dispatch::Dot),
            #[cfg(target_arch = "aarch64")]
            neon::Neon::try_new().map(Dispatch::Neon),
            Some(Dispatch::Portable(Portable)),
        ]
        .into_iter()
        .flatten()
        .collect();
        assert_eq!(kernels[0].name(), Dispatch::of_this_cpu().name());
        for kernel in kernels {
            check(|inputs| kernel.run(Check::<1> { inputs }));
            check(|inputs| kernel.run(Check::<2> { inputs }));
            check(|inputs| kernel.run(Check::<3> { inputs }));
            check(|inputs| kernel.run(Check::<4> { inputs }));
        }
    }
}
