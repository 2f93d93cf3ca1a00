//! Linear layers of the decoder, their weights packed for the [`cssa_kernel`].

use super::worker::Worker;
use crate::error::{Result, ensure};
use cssa::vector_math::ROUNDING;
use cssa_kernel::{Kernel, QUAD, Quad, ROWS, WIDTH, Weights, multiply_add};
use std::ops::Range;

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
    outputs: usize,
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

/// A layer in floats: for every [`WIDTH`] outputs the weights of the first input, of the second, and so on.
#[derive(Debug)]
pub(super) struct Float {
    panels: Vec<(Vec<[f32; WIDTH]>, [f32; WIDTH])>,
}

/// Memory of a product, taken once.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// A step's activations in 8 bits, row by row.
    quads: Vec<Quad>,
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
            let weights = (0..quads)
                .map(|quad| Weights(std::array::from_fn(|n| weight(quad * QUAD + n % QUAD, first + n / QUAD))));
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
        Ok(Self { outputs, quads, input_scale: layer.input_scale, zero: f32::from(layer.zero), panels })
    }

    #[inline(always)]
    fn apply<K: Kernel>(
        &self,
        kernel: K,
        rows: usize,
        input: &[f32],
        output: &mut [f32],
        (scratch, worker): (&mut Scratch, Option<(&mut Worker, usize)>),
    ) {
        let outputs = output.len() / rows;
        self.round(rows, input, &mut scratch.quads);
        let quads = &scratch.quads;
        let Some((worker, number)) = worker.filter(|_| self.is_shared()) else {
            return self.columns(kernel, rows, quads, (output, outputs), 0..self.panels.len());
        };
        let half = self.half();
        worker.submit(number, rows, quads);
        self.columns(kernel, rows, quads, (output, outputs), 0..half);
        let first = half * WIDTH;
        let helped = worker.join(|second| {
            let lines = output.chunks_exact_mut(outputs).zip(second.chunks_exact(outputs - first));
            for (line, second) in lines {
                line[first..].copy_from_slice(second);
            }
        });
        if !helped {
            self.columns(kernel, rows, quads, (output, outputs), half..self.panels.len());
        }
    }

    /// Rounds the rows to 8 bits.
    #[inline(always)]
    fn round(&self, rows: usize, input: &[f32], quads: &mut Vec<Quad>) {
        let inputs = input.len() / rows;
        quads.resize(rows * self.quads, [0; QUAD]);
        for (quads, input) in quads.chunks_exact_mut(self.quads).zip(input.chunks_exact(inputs)) {
            let (bytes, rest) = quads.as_flattened_mut().split_at_mut(inputs);
            quantize(bytes, input, 1.0 / self.input_scale, self.zero);
            rest.fill(0);
        }
    }

    /// Whether a second thread is worth its while.
    fn is_shared(&self) -> bool {
        /// Bytes of weights that are read in as many microseconds as it takes to hand over.
        const MIN_BYTES: usize = 1 << 17;
        self.panels.len() > 1 && self.panels.len() * self.quads * size_of::<Weights>() >= MIN_BYTES
    }

    /// The panel at which the second half begins.
    fn half(&self) -> usize {
        self.panels.len().div_ceil(2)
    }

    /// The outputs from the second half of the panels, `[rows, those]`.
    #[inline(always)]
    pub(super) fn second_half<K: Kernel>(&self, kernel: K, rows: usize, quads: &[Quad], output: &mut Vec<f32>) {
        let outputs = self.outputs - self.half() * WIDTH;
        output.resize(rows * outputs, 0.0);
        self.columns(kernel, rows, quads, (output, outputs), self.half()..self.panels.len());
    }

    /// The outputs from some panels, into the last columns of `[rows, outputs]` if there are no more.
    #[inline(always)]
    fn columns<K: Kernel>(
        &self,
        kernel: K,
        rows: usize,
        quads: &[Quad],
        (output, outputs): (&mut [f32], usize),
        panels: Range<usize>,
    ) {
        let skipped = self.outputs - outputs;
        for (panel, first) in self.panels[panels.clone()].iter().zip((panels.start * WIDTH..).step_by(WIDTH)) {
            let columns = WIDTH.min(self.outputs - first);
            let first = first - skipped;
            for (block, quads) in quads.chunks(ROWS * self.quads).enumerate() {
                let output = &mut output[block * ROWS * outputs..];
                by_rows!(rows - block * ROWS, R => panel.gemm_tile::<R, K>(kernel, quads, output, outputs, first, columns));
            }
        }
    }
}

impl Panel {
    #[inline(always)]
    fn gemm_tile<const R: usize, K: Kernel>(
        &self,
        kernel: K,
        quads: &[Quad],
        output: &mut [f32],
        outputs: usize,
        first: usize,
        columns: usize,
    ) {
        let mut sums = [[0; WIDTH]; R];
        let width = self.weights.len();
        kernel.panel::<R>(std::array::from_fn(|row| &quads[row * width..][..width]), &self.weights, &mut sums);
        for (row, sums) in sums.iter().enumerate() {
            let mut values = [0.0; WIDTH];
            for (n, value) in values.iter_mut().enumerate() {
                *value = sums[n].wrapping_add(self.steps[n]) as f32 * self.scales[n] + self.bias[n];
            }
            let output = &mut output[row * outputs + first..];
            match output.first_chunk_mut() {
                Some(whole) if columns == WIDTH => *whole = values,
                _ => output[..columns].copy_from_slice(&values[..columns]),
            }
        }
    }
}

/// QuantizeLinear: x · factor, to the nearest integer, halves to the even one, plus `zero`, 0 to 255.
#[inline(always)]
fn quantize(bytes: &mut [u8], input: &[f32], factor: f32, zero: f32) {
    for (byte, x) in bytes.iter_mut().zip(input) {
        let steps = (x * factor).clamp(-1024.0, 1024.0) + ROUNDING - ROUNDING;
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
        Ok(Self { panels: (0..outputs).step_by(WIDTH).map(panel).collect() })
    }

    #[inline(always)]
    fn apply<K: Kernel>(&self, rows: usize, input: &[f32], output: &mut [f32]) {
        let (inputs, outputs) = (input.len() / rows, output.len() / rows);
        for ((weights, bias), first) in self.panels.iter().zip((0..outputs).step_by(WIDTH)) {
            let columns = WIDTH.min(outputs - first);
            for (block, input) in input.chunks(ROWS * inputs).enumerate() {
                let output = &mut output[block * ROWS * outputs..];
                by_rows!(rows - block * ROWS, R => gemm_tile::<K, R>(weights, bias, input, output, outputs, first, columns));
            }
        }
    }
}

#[inline(always)]
fn gemm_tile<K: Kernel, const R: usize>(
    weights: &[[f32; WIDTH]],
    bias: &[f32; WIDTH],
    input: &[f32],
    output: &mut [f32],
    outputs: usize,
    first: usize,
    columns: usize,
) {
    let rows: [&[f32]; R] = std::array::from_fn(|row| &input[row * weights.len()..][..weights.len()]);
    let mut totals = [[0.0; WIDTH]; R];
    for (n, weights) in weights.iter().enumerate() {
        for (row, totals) in rows.iter().zip(&mut totals) {
            let x = row[n];
            for (total, weight) in totals.iter_mut().zip(weights) {
                *total = multiply_add::<K>(x, *weight, *total);
            }
        }
    }
    for (row, totals) in totals.iter().enumerate() {
        let values: [f32; WIDTH] = std::array::from_fn(|n| totals[n] + bias[n]);
        output[row * outputs + first..][..columns].copy_from_slice(&values[..columns]);
    }
}

impl Dense {
    /// `output = input · W + b` for `rows` rows, with the worker's help where it is layer number so much.
    #[inline(always)]
    pub(super) fn apply<K: Kernel>(
        &self,
        kernel: K,
        rows: usize,
        input: &[f32],
        output: &mut [f32],
        help: (&mut Scratch, Option<(&mut Worker, usize)>),
    ) {
        match self {
            Self::Integer(layer) => layer.apply(kernel, rows, input, output, help),
            Self::Float(layer) => layer.apply::<K>(rows, input, output),
        }
    }
}
