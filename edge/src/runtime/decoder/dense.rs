//! Linear layers of the decoder, their weights packed for the [`kernel`].

use anyhow::{Result, ensure};
use cssa::lanes::LANES;
use kernel::{Kernel, QUAD, ROWS, WIDTH, Weights};

/// `x · W + b`.
#[derive(Debug)]
pub(super) enum Dense {
    /// Weights and activations in 8 bits.
    Integer(Integer),
    /// Everything in floats.
    Float(Float),
}

/// What the graph says of a layer in 8 bits.
#[derive(Debug)]
pub(super) struct Quantized {
    /// `[inputs, outputs]`.
    pub(super) weights: Vec<i8>,
    /// One an output.
    pub(super) scales: Vec<f32>,
    /// Bias in steps of its output, input scale times weight scale.
    pub(super) steps: Vec<i32>,
    /// Bias as floats.
    pub(super) bias: Vec<f32>,
    /// Step of the input.
    pub(super) input_scale: f32,
    /// What stands for an input of 0 where they are counted from 0 to 255.
    pub(super) zero: u8,
}

/// A layer in 8 bits.
#[derive(Debug)]
pub(super) struct Integer {
    quads: usize,
    input_scale: f32,
    zero: f32,
    /// A panel for every [`WIDTH`] outputs; what is beyond the last is 0.
    panels: Vec<Panel>,
}

#[derive(Debug)]
struct Panel {
    weights: Vec<Weights>,
    steps: [i32; WIDTH],
    scales: [f32; WIDTH],
    bias: [f32; WIDTH],
}

/// A layer in floats: for every [`LANES`] outputs the weights of the first input, of the second, and so on.
#[derive(Debug)]
pub(super) struct Float {
    panels: Vec<(Vec<[f32; LANES]>, [f32; LANES])>,
}

/// Memory of a product, taken once.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    bytes: Vec<u8>,
    packed: Vec<u32>,
}

impl Integer {
    /// Packs a layer for a kernel that takes `offset` from its activations.
    pub(super) fn new(layer: &Quantized, inputs: usize, outputs: usize, offset: i32) -> Result<Self> {
        let expected = [inputs * outputs, outputs, outputs, outputs];
        let found = [layer.weights.len(), layer.scales.len(), layer.steps.len(), layer.bias.len()];
        ensure!(found == expected, "weights, scales and biases are {found:?} numbers, expected {expected:?}");
        ensure!(layer.input_scale > 0.0 && layer.input_scale.is_finite(), "a scale of {}", layer.input_scale);
        let quads = inputs.div_ceil(QUAD);
        let weight = |input: usize, output: usize| {
            if input < inputs && output < outputs { layer.weights[input * outputs + output] } else { 0 }
        };
        let panel = |first: usize| {
            let weights =
                (0..quads).map(|quad| std::array::from_fn(|n| weight(quad * QUAD + n % QUAD, first + n / QUAD)));
            let at = |column: usize| Some(first + column).filter(|&output| output < outputs);
            // The kernel sums (activation − offset) · weight, the layer is (activation − zero) · weight.
            let shift = |output: usize| {
                let sum: i32 = (0..inputs).map(|input| i32::from(weight(input, output))).sum();
                (offset - i32::from(layer.zero)).wrapping_mul(sum).wrapping_add(layer.steps[output])
            };
            Panel {
                weights: weights.collect(),
                steps: std::array::from_fn(|column| at(column).map_or(0, shift)),
                scales: std::array::from_fn(|column| at(column).map_or(0.0, |o| layer.scales[o] * layer.input_scale)),
                bias: std::array::from_fn(|column| at(column).map_or(0.0, |output| layer.bias[output])),
            }
        };
        let panels = (0..outputs).step_by(WIDTH).map(panel).collect();
        Ok(Self { quads, input_scale: layer.input_scale, zero: f32::from(layer.zero), panels })
    }

    #[inline(always)]
    fn apply<K: Kernel>(&self, kernel: K, rows: usize, input: &[f32], output: &mut [f32], scratch: &mut Scratch) {
        let (inputs, outputs) = (input.len() / rows, output.len() / rows);
        let (width, rest) = (self.quads * QUAD, rows % ROWS);
        scratch.bytes.resize(rows * width, 0);
        for (bytes, input) in scratch.bytes.chunks_exact_mut(width).zip(input.chunks_exact(inputs)) {
            quantize(&mut bytes[..inputs], input, self.input_scale, self.zero);
            bytes[inputs..].fill(0);
        }
        // The rows of a block side by side, so that a panel reads them in one pass.
        scratch.packed.resize(rows * self.quads, 0);
        let blocks = scratch.packed.chunks_mut(ROWS * self.quads).zip(scratch.bytes.chunks(ROWS * width));
        for (packed, bytes) in blocks {
            let block = bytes.len() / width;
            for (row, bytes) in bytes.chunks_exact(width).enumerate() {
                for (packed, quad) in packed.chunks_exact_mut(block).zip(bytes.as_chunks::<QUAD>().0) {
                    packed[row] = u32::from_le_bytes(*quad);
                }
            }
        }
        for (panel, first) in self.panels.iter().zip((0..outputs).step_by(WIDTH)) {
            let columns = WIDTH.min(outputs - first);
            for (block, packed) in scratch.packed.chunks(ROWS * self.quads).enumerate() {
                let output = &mut output[block * ROWS * outputs..];
                match if packed.len() == ROWS * self.quads { ROWS } else { rest } {
                    1 => panel.meet::<1, K>(kernel, packed, output, outputs, first, columns),
                    2 => panel.meet::<2, K>(kernel, packed, output, outputs, first, columns),
                    3 => panel.meet::<3, K>(kernel, packed, output, outputs, first, columns),
                    _ => panel.meet::<ROWS, K>(kernel, packed, output, outputs, first, columns),
                }
            }
        }
    }
}

impl Panel {
    #[inline(always)]
    fn meet<const R: usize, K: Kernel>(
        &self,
        kernel: K,
        packed: &[u32],
        output: &mut [f32],
        outputs: usize,
        first: usize,
        columns: usize,
    ) {
        let mut sums = [[0; WIDTH]; R];
        kernel.panel::<R>(packed.as_chunks::<R>().0, &self.weights, &mut sums);
        for (row, sums) in sums.iter().enumerate() {
            let mut values = [0.0; WIDTH];
            for (n, value) in values.iter_mut().enumerate() {
                *value = sums[n].wrapping_add(self.steps[n]) as f32 * self.scales[n] + self.bias[n];
            }
            output[row * outputs + first..][..columns].copy_from_slice(&values[..columns]);
        }
    }
}

/// QuantizeLinear: x / scale, to the nearest integer, halves to the even one, plus `zero`, 0 to 255.
#[inline(always)]
fn quantize(bytes: &mut [u8], input: &[f32], scale: f32, zero: f32) {
    /// Added to a float below 2²², leaves its nearest integer in the lowest bits.
    const ROUNDING: f32 = 12_582_912.0;
    for (byte, x) in bytes.iter_mut().zip(input) {
        let steps = (x / scale).clamp(-1024.0, 1024.0) + ROUNDING - ROUNDING;
        *byte = ((steps + zero).clamp(0.0, 255.0) + ROUNDING).to_bits() as u8;
    }
}

impl Float {
    /// Packs a layer of weights `[inputs, outputs]`.
    pub(super) fn new(weights: &[f32], bias: &[f32], inputs: usize, outputs: usize) -> Result<Self> {
        let (expected, found) = ([inputs * outputs, outputs], [weights.len(), bias.len()]);
        ensure!(found == expected, "weights and biases are {found:?} numbers, expected {expected:?}");
        let panel = |first: usize| {
            let at = |row: &[f32], column: usize| row.get(first + column).copied().unwrap_or(0.0);
            let weights = weights.chunks_exact(outputs).map(|row| std::array::from_fn(|column| at(row, column)));
            (weights.collect(), std::array::from_fn(|column| at(bias, column)))
        };
        Ok(Self { panels: (0..outputs).step_by(LANES).map(panel).collect() })
    }

    #[inline(always)]
    fn apply(&self, rows: usize, input: &[f32], output: &mut [f32]) {
        let (inputs, outputs) = (input.len() / rows, output.len() / rows);
        for ((weights, bias), first) in self.panels.iter().zip((0..outputs).step_by(LANES)) {
            let columns = LANES.min(outputs - first);
            for (block, input) in input.chunks(ROWS * inputs).enumerate() {
                let output = &mut output[block * ROWS * outputs..];
                match input.len() / inputs {
                    1 => meet::<1>(weights, bias, input, output, outputs, first, columns),
                    2 => meet::<2>(weights, bias, input, output, outputs, first, columns),
                    3 => meet::<3>(weights, bias, input, output, outputs, first, columns),
                    _ => meet::<ROWS>(weights, bias, input, output, outputs, first, columns),
                }
            }
        }
    }
}

#[inline(always)]
fn meet<const R: usize>(
    weights: &[[f32; LANES]],
    bias: &[f32; LANES],
    input: &[f32],
    output: &mut [f32],
    outputs: usize,
    first: usize,
    columns: usize,
) {
    let rows: [&[f32]; R] = std::array::from_fn(|row| &input[row * weights.len()..][..weights.len()]);
    let mut totals = [[0.0; LANES]; R];
    for (n, weights) in weights.iter().enumerate() {
        for (row, totals) in rows.iter().zip(&mut totals) {
            let x = row[n];
            for (total, weight) in totals.iter_mut().zip(weights) {
                *total += x * weight;
            }
        }
    }
    for (row, totals) in totals.iter().enumerate() {
        let values: [f32; LANES] = std::array::from_fn(|n| totals[n] + bias[n]);
        output[row * outputs + first..][..columns].copy_from_slice(&values[..columns]);
    }
}

impl Dense {
    /// `output = input · W + b` for `rows` rows.
    #[inline(always)]
    pub(super) fn apply<K: Kernel>(
        &self,
        kernel: K,
        rows: usize,
        input: &[f32],
        output: &mut [f32],
        scratch: &mut Scratch,
    ) {
        match self {
            Self::Integer(layer) => layer.apply(kernel, rows, input, output, scratch),
            Self::Float(layer) => layer.apply(rows, input, output),
        }
    }
}
