//! How the values of one tensor are spread, counted in one pass: the bins double their width when a value falls outside.

/// Bins on each side of zero.
pub(super) const HALF: usize = 2048;

/// Counts of values in `2 · HALF` equal bins over −reach to reach.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Smallest value seen, 0 at most.
    pub low: f32,
    /// Largest value seen, 0 at least.
    pub high: f32,
    /// What the bins cover on each side.
    pub reach: f32,
    /// Bin `HALF + n` counts values from `n · reach / HALF` on; exact zeros are counted apart.
    pub bins: Vec<u64>,
    /// Exact zeros: every range gives them back exactly.
    pub zeros: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { low: 0.0, high: 0.0, reach: 0.0, bins: vec![0; 2 * HALF], zeros: 0 }
    }
}

impl Histogram {
    /// Counts finite values; others are left out.
    pub fn add(&mut self, values: &[f32]) {
        for &value in values.iter().filter(|value| value.is_finite()) {
            self.low = self.low.min(value);
            self.high = self.high.max(value);
        }
        self.widen(self.high.max(-self.low));
        let per_bin = if self.reach > 0.0 { HALF as f32 / self.reach } else { 0.0 };
        for &value in values.iter().filter(|value| value.is_finite()) {
            if value == 0.0 {
                self.zeros += 1;
            } else {
                let bin = (value * per_bin).floor() as i64 + HALF as i64;
                self.bins[bin.clamp(0, 2 * HALF as i64 - 1) as usize] += 1;
            }
        }
    }

    /// The width of a bin.
    #[must_use]
    pub fn width(&self) -> f32 {
        self.reach / HALF as f32
    }

    /// The value in the middle of a bin.
    #[must_use]
    pub fn middle(&self, bin: usize) -> f64 {
        (bin as f64 - HALF as f64 + 0.5) * f64::from(self.width())
    }

    /// All values counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.zeros + self.bins.iter().sum::<u64>()
    }

    /// Makes the bins cover `largest`: a first range fits it, later ones double until they do.
    fn widen(&mut self, largest: f32) {
        if self.reach == 0.0 {
            self.reach = largest;
            return;
        }
        while self.reach < largest {
            let mut doubled = vec![0; 2 * HALF];
            for (bin, count) in self.bins.iter().enumerate() {
                doubled[HALF / 2 + bin / 2] += count;
            }
            self.bins = doubled;
            self.reach *= 2.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_value_is_counted_where_it_lies(parts in proptest::collection::vec(
            proptest::collection::vec(-100.0f32..100.0, 1..40), 1..6))
        {
            let mut histogram = Histogram::default();
            parts.iter().for_each(|part| histogram.add(part));
            let all: Vec<f32> = parts.concat();
            prop_assert_eq!(histogram.total(), all.len() as u64);
            prop_assert_eq!(histogram.high, all.iter().copied().fold(0.0, f32::max));
            let width = f64::from(histogram.width());
            for threshold in [-50.0f64, 0.0, 20.0] {
                let counted: u64 = histogram.bins.iter().enumerate()
                    .filter(|(bin, _)| histogram.middle(*bin) > threshold + width).map(|(_, count)| count).sum();
                let above = all.iter().filter(|x| f64::from(**x) > threshold).count() as u64;
                prop_assert!(counted <= above);
            }
        }
    }

    #[test]
    fn values_that_are_no_numbers_are_left_out() {
        let mut histogram = Histogram::default();
        histogram.add(&[f32::NAN, f32::INFINITY, 0.0, 1.0]);
        assert_eq!((histogram.total(), histogram.zeros, histogram.high), (2, 1, 1.0));
    }
}
