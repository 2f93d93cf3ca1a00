//! SplitMix64 (Steele et al. 2014): the same stream of numbers on every machine and with every version of every library.

/// What the state grows by from one number to the next: an odd number near 2⁶⁴ over the golden ratio.
pub(crate) const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A stream of pseudo-random numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own for each list of numbers: seed, purpose, epoch, step.
    pub fn keyed(parts: &[u64]) -> Self {
        let mut random = Self(0x5EED);
        for &part in parts {
            random.0 ^= part;
            random.0 = random.bits();
        }
        random
    }

    /// 64 uniform bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        scramble(self.0)
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f32 {
        unit(self.bits())
    }

    /// Uniform in [low, high).
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Uniform in 0..n; 0 for n = 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Uniform from low to high, both included.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// One of the items, all equally likely.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// Puts the items in a random order (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// A normal number with mean 0 and deviation 1 (Box–Muller).
    pub fn normal(&mut self) -> f32 {
        let (radius, angle) = (1.0 - f64::from(self.unit()), core::f64::consts::TAU * f64::from(self.unit()));
        (libm::sqrt(-2.0 * libm::log(radius)) * libm::cos(angle)) as f32
    }

    /// A bell-shaped number with mean 0 and a standard deviation near 1: the sum of four uniform ones.
    pub fn bell(&mut self) -> f32 {
        let bits = self.bits();
        let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xffff).sum();
        (sum as f32 / 65_536.0 - 2.0) * 1.732
    }
}

/// The highest 24 bits as a number from 0 to below 1.
pub(crate) fn unit(bits: u64) -> f32 {
    (bits >> 40) as f32 / (1u64 << 24) as f32
}

/// Scrambles 64 bits, so that neighbouring inputs give unrelated outputs.
pub fn scramble(value: u64) -> u64 {
    let first = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let second = (first ^ (first >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    second ^ (second >> 31)
}
