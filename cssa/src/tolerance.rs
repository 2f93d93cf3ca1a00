//! The tolerances of the project, each with its meaning.

/// How far a computation may stray from its reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// What the tolerance is called in reports.
    pub name: &'static str,
    /// Largest `|a − b| / max(1, |b|)` allowed over all elements.
    pub relative: f32,
    /// Smallest cosine similarity allowed between the flattened tensors.
    pub cosine: f32,
}

/// The same FP32 graph in another runtime: rounding order only.
pub const CLOSE: Tolerance = Tolerance { name: "Close", relative: 5e-3, cosine: 0.999_99 };

/// The graph with FP16 weights against the FP32 one: rounding of the weights to 11 bits.
pub const HALVED: Tolerance = Tolerance { name: "Halved", relative: 1e-1, cosine: 0.999_9 };

/// The INT8 graph against the FP32 one: quantization noise, bounded by direction rather than by element.
pub const QUANTIZED: Tolerance = Tolerance { name: "Quantized", relative: f32::INFINITY, cosine: 0.97 };

/// How two tensors differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Largest `|a − b| / max(1, |b|)`.
    pub relative: f32,
    /// Cosine similarity.
    pub cosine: f32,
}

impl Difference {
    /// Compares `found` with `expected`, element by element. Different lengths or a value that is not finite give the
    /// worst difference there is.
    #[must_use]
    pub fn between(found: &[f32], expected: &[f32]) -> Self {
        let worst = Self { relative: f32::INFINITY, cosine: -1.0 };
        if found.len() != expected.len() || found.iter().chain(expected).any(|x| !x.is_finite()) {
            return worst;
        }
        let (mut relative, mut dot, mut left, mut right) = (0f32, 0f64, 0f64, 0f64);
        for (&a, &b) in found.iter().zip(expected) {
            relative = relative.max((a - b).abs() / b.abs().max(1.0));
            dot += f64::from(a) * f64::from(b);
            left += f64::from(a) * f64::from(a);
            right += f64::from(b) * f64::from(b);
        }
        let norm = libm::sqrt(left * right);
        let cosine = if norm > 0.0 {
            (dot / norm) as f32
        } else if left == right {
            1.0
        } else {
            0.0
        };
        Self { relative, cosine }
    }

    /// Whether the difference stays within `tolerance`.
    #[must_use]
    pub fn within(&self, tolerance: Tolerance) -> bool {
        self.relative <= tolerance.relative && self.cosine >= tolerance.cosine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_tensors_are_close_and_others_are_not() {
        assert!(Difference::between(&[1.0, -2.0], &[1.0, -2.0]).within(CLOSE));
        assert!(!Difference::between(&[1.0, -2.1], &[1.0, -2.0]).within(CLOSE));
        assert!(!Difference::between(&[1.0], &[1.0, 0.0]).within(QUANTIZED));
        assert!(!Difference::between(&[f32::NAN], &[f32::NAN]).within(QUANTIZED));
    }
}
