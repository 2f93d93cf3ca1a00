//! From more than 8 bits to 8.

use std::fmt;

/// Values of an unsigned 16-bit number.
pub(crate) const WORDS: usize = 1 << 16;
/// Shares of the valid values below which a value becomes 0, above which 255.
const SHARES: [f64; 2] = [0.02, 0.98];

/// How a file's values of more than 8 bits became 8: one rule for every file, on the ground and in flight.
///
/// The 2nd percentile of the file's valid values and all below become 0, the 98th and all above 255, linearly between, rounded.
/// The percentiles are those of all bands that are used, together, over the whole file and never over a tile of it: value number
/// ⌊0.02·(n − 1)⌋ and ⌈0.98·(n − 1)⌉ of the n sorted ones, from 0. Not valid, and black, is what equals GDAL_NODATA, is not finite, is
/// masked, has alpha 0 or lies in a tile that the file leaves out. Where both percentiles are one value, the smallest and largest
/// value take their place; where these are one too, all of it becomes mid-grey.
///
/// One exception: unsigned 16-bit values that are all multiples of 257 are 8 bits that a program widened, and come back exactly.
/// Files of 8 bits or fewer are not stretched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scaling {
    /// 16-bit values that were 8 bits, widened: divided by 257.
    Widened,
    /// Values up to `low` became 0, from `high` on 255.
    Percentiles {
        /// The 2nd percentile.
        low: f64,
        /// The 98th percentile.
        high: f64,
    },
    /// No value is valid: all is black.
    Empty,
}

impl fmt::Display for Scaling {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Widened => to.write_str("8 bits widened to 16, taken back"),
            Self::Percentiles { low, high } => {
                write!(to, "more than 8 bits, scaled from the 2nd to the 98th percentile, {low} to {high}")
            }
            Self::Empty => to.write_str("more than 8 bits and no valid value, black"),
        }
    }
}

impl Scaling {
    /// From how often each 16-bit word occurs among the valid values; `first` is the value of word 0.
    pub(crate) fn of_counts(counts: &[u64], first: f64, may_be_widened: bool) -> Self {
        let total: u64 = counts.iter().sum();
        if total == 0 {
            return Self::Empty;
        }
        let occurs = |word: &usize| counts[*word] > 0;
        if may_be_widened && (0..counts.len()).filter(occurs).all(|word| word % 257 == 0) {
            return Self::Widened;
        }
        let at = |rank: u64| {
            let mut before = 0;
            let word = counts.iter().position(|count| {
                before += count;
                before > rank
            });
            first + word.unwrap_or_default() as f64
        };
        let [low, high] = ranks(total).map(at);
        Self::between(low, high, (at(0), at(total - 1)))
    }

    /// From passes over all values, of which those that are not finite are left out; each pass gives all of them to the function
    /// that it gets.
    pub(crate) fn of_passes<E>(mut pass: impl FnMut(&mut dyn FnMut(f64)) -> Result<(), E>) -> Result<Self, E> {
        let (mut ends, mut total) = ((f64::INFINITY, f64::NEG_INFINITY), 0u64);
        let mut quantiles = [Quantile::default(), Quantile::default()];
        for digits in 1..=4 {
            let mut counts = [vec![0u64; WORDS], vec![0u64; WORDS]];
            pass(&mut |value| {
                if value.is_finite() {
                    if digits == 1 {
                        ends = (ends.0.min(value), ends.1.max(value));
                        total += 1;
                    }
                    for (quantile, counts) in quantiles.iter().zip(&mut counts) {
                        quantile.count(order(value), counts);
                    }
                }
            })?;
            if total == 0 {
                return Ok(Self::Empty);
            }
            for ((quantile, counts), rank) in quantiles.iter_mut().zip(&counts).zip(ranks(total)) {
                if digits == 1 {
                    quantile.rank = rank;
                }
                quantile.narrow(counts);
            }
            let [(low, above), (high, over)] = quantiles.each_ref().map(Quantile::bounds);
            // A thousandth of a step of the 8 bits: further digits change nothing.
            if (above - low).max(over - high) < (high - low) / 256_000.0 {
                break;
            }
        }
        let [low, high] = quantiles.each_ref().map(|quantile| quantile.bounds().0.clamp(ends.0, ends.1));
        Ok(Self::between(low, high, ends))
    }

    fn between(low: f64, high: f64, (smallest, largest): (f64, f64)) -> Self {
        if low < high { Self::Percentiles { low, high } } else { Self::Percentiles { low: smallest, high: largest } }
    }

    /// Eight bits of a value that is finite.
    pub(crate) fn byte(&self, value: f64) -> u8 {
        match *self {
            Self::Widened => (value / 257.0) as u8,
            Self::Percentiles { low, high } if low < high => ((value - low) / (high - low) * 255.0).round() as u8,
            Self::Percentiles { .. } => 128,
            Self::Empty => 0,
        }
    }

    /// Eight bits of each 16-bit word; `first` is the value of word 0.
    pub(crate) fn table(&self, first: f64) -> Vec<u8> {
        (0..WORDS).map(|word| self.byte(first + word as f64)).collect()
    }
}

fn ranks(total: u64) -> [u64; 2] {
    let last = (total - 1) as f64;
    [(SHARES[0] * last).floor() as u64, ((SHARES[1] * last).ceil() as u64).min(total - 1)]
}

/// One of the sorted values, found 16 bits of its order at a time.
#[derive(Debug, Default)]
struct Quantile {
    /// The digits found so far, and how many.
    found: u64,
    digits: u32,
    /// Its number among the values that begin with these digits.
    rank: u64,
}

impl Quantile {
    fn count(&self, order: u64, counts: &mut [u64]) {
        let rest = 64 - 16 * self.digits;
        if self.digits == 0 || order >> rest == self.found {
            counts[(order >> (rest - 16)) as usize & (WORDS - 1)] += 1;
        }
    }

    fn narrow(&mut self, counts: &[u64]) {
        let mut digit = 0;
        while digit + 1 < counts.len() && self.rank >= counts[digit] {
            self.rank -= counts[digit];
            digit += 1;
        }
        (self.found, self.digits) = (self.found << 16 | digit as u64, self.digits + 1);
    }

    /// The smallest and largest number that begins with the digits found.
    fn bounds(&self) -> (f64, f64) {
        let rest = 64 - 16 * self.digits;
        let first = self.found.checked_shl(rest).unwrap_or_default();
        (value(first), value(first | 1u64.checked_shl(rest).map_or(u64::MAX, |all| all - 1)))
    }
}

/// Numbers in the order of the values: IEEE 754's bits, those of negative values turned.
fn order(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

fn value(order: u64) -> f64 {
    f64::from_bits(if order >> 63 == 1 { order & !(1 << 63) } else { !order })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn of(values: &[f64]) -> Scaling {
        let all = |each: &mut dyn FnMut(f64)| {
            values.iter().for_each(|value| each(*value));
            Ok::<_, Infallible>(())
        };
        Scaling::of_passes(all).unwrap_or(Scaling::Empty)
    }

    fn near(scaling: Scaling, low: f64, high: f64) -> bool {
        let step = (high - low) / 256.0 / 500.0;
        matches!(scaling, Scaling::Percentiles { low: a, high: b } if (a - low).abs() <= step && (b - high).abs() <= step)
    }

    #[test]
    fn percentiles_of_reals_are_those_of_the_sorted_values() {
        for (offset, step) in [(0.0, 1.0), (-500.0, 1.0), (4000.0, 1e-3), (1e9, 1e-4), (-1e-3, 1e-6), (1e30, 1e22)] {
            let values: Vec<f64> = (0..1001).map(|n| offset + f64::from(n * 389 % 1001) * step).collect();
            let found = of(&values);
            assert!(near(found, offset + 20.0 * step, offset + 980.0 * step), "{offset} {step}: {found:?}");
        }
        let odd = [f64::NAN, f64::INFINITY, -3.4e38, 1.0, 2.0, 3.0, f64::NEG_INFINITY];
        assert!(near(of(&odd), -3.4e38, 3.0), "{:?}", of(&odd));
        assert_eq!(of(&[f64::NAN]), Scaling::Empty);
        assert_eq!(of(&[7.0; 9]).byte(7.0), 128);
    }

    #[test]
    fn percentiles_of_words_are_exact() {
        let mut counts = vec![0; WORDS];
        (100..=200).for_each(|word| counts[word] = 1);
        assert_eq!(Scaling::of_counts(&counts, 0.0, true), Scaling::Percentiles { low: 102.0, high: 198.0 });
        assert_eq!(
            Scaling::of_counts(&counts, -32768.0, false),
            Scaling::Percentiles { low: -32666.0, high: -32570.0 }
        );
        assert_eq!(Scaling::of_counts(&vec![0; WORDS], 0.0, true), Scaling::Empty);
    }

    #[test]
    fn what_both_percentiles_share_gives_way_to_the_ends() {
        let mut counts = vec![0; WORDS];
        (counts[0], counts[900]) = (99, 1);
        assert_eq!(Scaling::of_counts(&counts, 0.0, true), Scaling::Percentiles { low: 0.0, high: 900.0 });
        let mut widened = vec![0; WORDS];
        (widened[0], widened[257], widened[65535]) = (5, 1, 2);
        let scaling = Scaling::of_counts(&widened, 0.0, true);
        assert_eq!((scaling.byte(257.0), scaling.byte(65535.0)), (1, 255));
    }
}
