//! Numbers as 8 bits: scales, zero points, and where a weight's channels are.

use crate::calibrate::Range;

/// Scale and zero point of a U8 tensor that covers the range and 0.
pub(super) fn unsigned_scale(range: Range) -> (f32, u8) {
    let (low, high) = (range.low.min(0.0), range.high.max(0.0));
    let scale = ((high - low) / 255.0).max(1e-8);
    (scale, (-low / scale).round().clamp(0.0, 255.0) as u8)
}

/// Scale of an S8 tensor with zero point 0 that covers the range.
pub(super) fn symmetric_scale(range: Range) -> f32 {
    (range.high.max(-range.low) / 127.0).max(1e-8)
}

/// A bias is kept below this many of its steps: half of what 32 bits hold, the rest is room for the sum it joins.
pub(super) const MAX_BIAS: f32 = (1u32 << 30) as f32;

/// S8 integers as bytes, and a scale for each index of `axis`, none below `floor` of its index: a channel whose weights
/// are next to nothing must still leave its bias a scale that 32 bits can count in.
pub(super) fn signed(
    values: &[f32],
    extents: &[usize],
    axis: usize,
    floor: impl Fn(usize) -> f32,
) -> (Vec<u8>, Vec<f32>) {
    let (channels, inner) = (extents[axis], extents[axis + 1..].iter().product::<usize>());
    let channel = |n: usize| n / inner % channels;
    let mut scales = vec![0f32; channels];
    for (n, value) in values.iter().enumerate() {
        scales[channel(n)] = scales[channel(n)].max(value.abs());
    }
    for (channel, scale) in scales.iter_mut().enumerate() {
        *scale = (*scale / 127.0).max(1e-10).max(floor(channel));
    }
    let integer = |(n, value): (usize, &f32)| (value / scales[channel(n)]).round().clamp(-127.0, 127.0) as i8 as u8;
    (values.iter().enumerate().map(integer).collect(), scales)
}

/// Output and input channel of the `n`th weight: `[outputs, inputs a group, …]` of a convolution with `inputs` input channels
/// (axis 0), `[inputs, outputs]` of a linear layer (axis 1).
pub(super) fn place(n: usize, extents: &[usize], axis: usize, inputs: usize) -> (usize, usize) {
    if axis == 1 {
        return (n % extents[1], n / extents[1]);
    }
    let inner: usize = extents[2..].iter().product();
    let (output, within) = (n / (inner * extents[1]), n / inner % extents[1]);
    // Groups of input and of output channels lie in the same order.
    (output, output * (inputs / extents[1]) / extents[0] * extents[1] + within)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zero_is_exact_and_relu6_keeps_its_range() {
        assert_eq!(unsigned_scale(Range { low: 0.0, high: 6.0 }), (6.0 / 255.0, 0));
        let (scale, zero) = unsigned_scale(Range { low: -1.0, high: 1.0 });
        assert!((scale - 2.0 / 255.0).abs() < 1e-7 && (127..=128).contains(&zero));
        assert_eq!(unsigned_scale(Range { low: 2.0, high: 5.1 }).1, 0);
    }

    proptest! {
        #[test]
        fn weights_come_back_within_half_a_step(values in proptest::collection::vec(-9.0f32..9.0, 24)) {
            for (extents, axis) in [([4, 6], 0), ([4, 6], 1)] {
                let (integers, scales) = signed(&values, &extents, axis, |_| 0.0);
                for (n, value) in values.iter().enumerate() {
                    let scale = scales[if axis == 0 { n / 6 } else { n % 6 }];
                    let back = f32::from(integers[n] as i8) * scale;
                    prop_assert!((back - value).abs() <= scale * 0.5001);
                }
            }
        }
    }
}
