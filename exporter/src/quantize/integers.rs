//! Numbers as 8 bits: scales, zero points, and where a weight's channels are.

use crate::calibrate::Range;
use ndarray::{ArrayD, Axis, Zip};

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

/// S8 integers, and a scale for each index of `axis`, none below `floor` of its index: a channel whose weights are next to
/// nothing must still leave its bias a scale that 32 bits can count in.
pub(super) fn signed(values: &ArrayD<f32>, axis: Axis, floor: impl Fn(usize) -> f32) -> (ArrayD<i8>, Vec<f32>) {
    let largest = values.axis_iter(axis).map(|channel| channel.fold(0f32, |largest, value| largest.max(value.abs())));
    let scales = largest.enumerate().map(|(channel, largest)| (largest / 127.0).max(1e-10).max(floor(channel)));
    let scales: Vec<f32> = scales.collect();
    let mut integers = ArrayD::zeros(values.raw_dim());
    for (mut integers, (values, scale)) in integers.axis_iter_mut(axis).zip(values.axis_iter(axis).zip(&scales)) {
        Zip::from(&mut integers).and(&values).for_each(|integer, value| {
            *integer = (value / scale).round().clamp(-127.0, 127.0) as i8;
        });
    }
    (integers, scales)
}

/// Takes off the biases of a layer what its weights' rounding errors add to its outputs with the mean of every input channel:
/// `errors` are `[outputs, inputs a group, …]` of a convolution, `[inputs, outputs]` of a linear layer (`axis`: the outputs').
pub(super) fn correct(bias: &mut [f32], errors: &ArrayD<f32>, axis: Axis, means: &[f32]) {
    let outputs = bias.len();
    for (output, (bias, errors)) in bias.iter_mut().zip(errors.axis_iter(axis)).enumerate() {
        let inputs = errors.len_of(Axis(0));
        // Groups of input and of output channels lie in the same order.
        let first = output * (means.len() / inputs) / outputs * inputs;
        for (errors, mean) in errors.outer_iter().zip(&means[first..]) {
            errors.iter().for_each(|error| *bias -= error * mean);
        }
    }
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
            let values = ArrayD::from_shape_vec(vec![4, 6], values).expect("24 values");
            for axis in [0, 1] {
                let (integers, scales) = signed(&values, Axis(axis), |_| 0.0);
                for (at, value) in values.indexed_iter() {
                    let scale = scales[at[axis]];
                    prop_assert!((f32::from(integers[&at]) * scale - value).abs() <= scale * 0.5001);
                }
            }
        }
    }
}
