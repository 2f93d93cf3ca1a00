//! Arithmetic on short rows of floats in a fixed order, which a compiler turns into the vector instructions of any CPU: the
//! same values wherever it runs.

/// Floats that are worked on together.
pub const LANES: usize = 16;

/// 1.5 · 2²³: added to a float below 2²², leaves its nearest integer in the lowest bits.
pub const ROUNDING: f32 = 12_582_912.0;

/// e^x, to a few units in the last place; below −87 the smallest normal numbers, above 88 about 1.6e38.
///
/// Cephes' reduction to |r| ≤ ½·ln 2 and its polynomial of degree 7.
#[inline(always)]
#[must_use]
pub fn exp(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 355.0 / 512.0;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let rounded = x * core::f32::consts::LOG2_E + ROUNDING;
    let n = rounded - ROUNDING;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut p = 1.987_569_2e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 0.166_666_65;
    p = p * r + 0.5;
    let power = rounded.to_bits().wrapping_sub(ROUNDING.to_bits()).wrapping_add(127) << 23;
    (p * r * r + r + 1.0) * f32::from_bits(power)
}

/// The sum of the lanes, quarters first.
#[inline(always)]
#[must_use]
pub fn sum(x: [f32; LANES]) -> f32 {
    let mut quarters = [0.0; 4];
    for (n, quarter) in quarters.iter_mut().enumerate() {
        *quarter = (x[n] + x[n + 4]) + (x[n + 8] + x[n + 12]);
    }
    (quarters[0] + quarters[1]) + (quarters[2] + quarters[3])
}

/// Σ e^(x − `shift`) over the finite values of a row, which none exceeds `shift`.
#[inline(always)]
#[must_use]
pub fn sum_exp(row: &[f32], shift: f32) -> f32 {
    let mut total = [0.0; LANES];
    let (whole, rest) = row.as_chunks::<LANES>();
    let mut last = [f32::NEG_INFINITY; LANES];
    last[..rest.len()].copy_from_slice(rest);
    for chunk in whole.iter().chain([&last]) {
        for (total, &x) in total.iter_mut().zip(chunk) {
            *total += if x.is_finite() { exp(x - shift) } else { 0.0 };
        }
    }
    sum(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exp_is_exact_to_the_last_places() {
        let mut worst = 0f64;
        for n in -86_000..=87_000 {
            let x = n as f32 / 1e3;
            let (found, expected) = (f64::from(exp(x)), f64::from(x).exp());
            worst = worst.max((found / expected - 1.0).abs());
        }
        assert!(worst < 3e-7, "{worst}");
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(-1e9) < 2e-38);
    }

    proptest! {
        #[test]
        fn sums_are_those_of_the_standard_library(mut row in proptest::collection::vec(-20f32..20.0, 0..70)) {
            row.extend([f32::NAN, f32::NEG_INFINITY]);
            let finite = row.iter().copied().filter(|x| x.is_finite());
            let shift = finite.clone().fold(0.0, f32::max);
            let expected: f64 = finite.map(|x| f64::from(x - shift).exp()).sum();
            prop_assert!((f64::from(sum_exp(&row, shift)) - expected).abs() <= 1e-5 * expected.max(1e-3));
        }
    }
}
