//! The decoder's steps, computed here: what a beam needs one token at a time is too little work for a general runtime.
//!
//! In ONNX Runtime a step of a 512-wide decoder is 150 nodes and reads 13 MB of weights at 40 GB/s; here every weight is read
//! once for all rows at more than twice that, nothing is allocated, cached keys and values are written once and found again
//! through the beam's ancestors instead of being reordered, and captions of several images share a step. The parameters are
//! those of `decoder.onnx`, bit for bit; sums are in a fixed order, so that a step gives the same values on every CPU
//! that multiplies and adds at once (all that [`cssa_kernel`] knows but its plain loops). The exporter and the tests hold it
//! against the graph in ONNX Runtime.

/// Runs `work` with the constant `r` at the number of rows that meet a panel: 1 to [`ROWS`].
macro_rules! by_rows {
    ($rows:expr, $r:ident => $work:expr) => {
        match $rows {
            1 => {
                const $r: usize = 1;
                $work
            }
            2 => {
                const $r: usize = 2;
                $work
            }
            3 => {
                const $r: usize = 3;
                $work
            }
            _ => {
                const $r: usize = cssa_kernel::ROWS;
                $work
            }
        }
    };
}

mod attention;
mod dense;
mod graph;
mod worker;

use crate::error::{Result, ensure, unexpected};
use crate::runtime::Part;
use attention::{Cross, Norm, cross_attention, self_attention};
use cssa::model::Model;
use cssa::search::Rows;
use cssa::vector_math::LANES;
use cssa_graph::names;
use cssa_graph::onnx::ModelProto;
use cssa_kernel::{Dispatch, Kernel, Quad, ROWS, Work};
use dense::{Dense, Scratch};
use graph::{Graph, Table};
use prost::Message;
use std::sync::Arc;
use worker::{Halved, Worker};

/// A decoder and the captions that it is in the middle of.
#[derive(Debug)]
pub struct Decoder {
    kernel: Dispatch,
    parameters: Arc<Parameters>,
    worker: Option<Worker>,
    state: State,
}

#[derive(Debug)]
struct Parameters {
    model: Model,
    table: Table,
    /// `[max_tokens, d]`.
    positions: Vec<f32>,
    /// [`PRODUCTS`] a layer, then the one that gives the logits.
    products: Vec<Dense>,
    layers: Vec<[Norm; 3]>,
}

/// A layer's products, in the order in which a step computes them.
const PRODUCTS: [&str; 6] = [
    names::SELF_QUERY_KEY_VALUE,
    names::SELF_OUTPUT,
    names::CROSS_QUERY,
    names::CROSS_OUTPUT,
    names::FEED_FORWARD_UP,
    names::FEED_FORWARD_DOWN,
];

/// Everything that changes; memory grows to what the largest step needs and stays.
#[derive(Debug, Default)]
struct State {
    /// What the images' memories give, by image and layer.
    images: Vec<Vec<Cross>>,
    /// Queries, keys and values of the tokens so far, by layer and position: `[rows, 3d]`.
    tokens: Vec<Vec<Vec<f32>>>,
    /// Row of every live caption's token at every position: `[rows, max_tokens]`.
    ancestors: Vec<u16>,
    spare: Vec<u16>,
    /// Tokens and rows that the step before had.
    past: usize,
    rows: usize,
    x: Vec<f32>,
    attended: Vec<f32>,
    projected: Vec<f32>,
    hidden: Vec<f32>,
    scores: Vec<f32>,
    scratch: Scratch,
}

impl Decoder {
    /// Reads `decoder.onnx`; an error names the node or the tensor that is not as expected. A second thread takes half of the
    /// larger products.
    pub fn open(bytes: &[u8], model: &Model, threads: usize) -> Result<Self> {
        let proto = ModelProto::decode(bytes)?;
        let graph = Graph::new(proto.graph.as_ref().ok_or_else(|| unexpected!("it has no graph"))?);
        let kernel = Dispatch::of_this_cpu();
        let parameters = Arc::new(Parameters::read(&graph, model, kernel.offset())?);
        let worker = if threads > 1 { Worker::start(&parameters, kernel) } else { None };
        Ok(Self { kernel, parameters, worker, state: State::default() })
    }

    /// The CPU's instructions at work.
    #[must_use]
    pub fn kernel(&self) -> &'static str {
        self.kernel.name()
    }

    /// Takes a layer's cross-attention keys or values of the image in place `image`; new captions start.
    pub fn set_cross_attention(&mut self, image: usize, layer: usize, part: Part, values: &[f32]) -> Result<()> {
        let model = &self.parameters.model;
        let (cells, expected) = (model.cells(), model.cells() * model.width);
        ensure!(
            values.len() == expected,
            "cross-attention of layer {layer}: {} values, expected {expected}",
            values.len()
        );
        ensure!(layer < model.decoder_layers, "the decoder has no layer {layer}");
        self.state.past = 0;
        if let Some(worker) = &self.worker {
            worker.wake();
        }
        let images = &mut self.state.images;
        if images.len() <= image {
            images.resize_with(image + 1, Vec::new);
        }
        images[image].resize_with(model.decoder_layers, Cross::default);
        let cross = &mut images[image][layer];
        if part == Part::Values {
            cross.values.clear();
            cross.values.extend_from_slice(values);
            return Ok(());
        }
        let padded = cells.next_multiple_of(LANES);
        cross.keys.resize(model.width * padded, 0.0);
        for (row, values) in cross.keys.chunks_exact_mut(padded).zip(values.chunks_exact(cells)) {
            row[..cells].copy_from_slice(values);
        }
        Ok(())
    }

    /// One step: logits of the next token of every caption, `[rows, V]`.
    pub fn step(&mut self, rows: Rows<'_>, logits: &mut Vec<f32>) -> Result<()> {
        let Self { kernel, parameters, worker, state } = self;
        let model = &parameters.model;
        let Rows { position, images, tokens, parents } = rows;
        let count = tokens.len();
        ensure!((1..=usize::from(u16::MAX)).contains(&count), "a step of {count} captions");
        ensure!(
            images.len() == count && parents.len() == count,
            "{count} tokens, {} images, {} parents",
            images.len(),
            parents.len()
        );
        ensure!(
            position < model.max_tokens,
            "position {position} is behind the longest caption, {} tokens",
            model.max_tokens
        );
        ensure!(
            position == 0 || position == state.past,
            "position {position} follows position {}",
            state.past as i64 - 1
        );
        if position == 0 {
            (state.past, state.rows) = (0, count);
        }
        ensure!(
            parents.iter().all(|&parent| parent < state.rows),
            "a parent is not among {} captions: {parents:?}",
            state.rows
        );
        ensure!(
            tokens.iter().all(|token| token.index() < model.vocabulary),
            "a token is not among {} words",
            model.vocabulary
        );
        let seen = |&image: &usize| state.images.get(image).is_some_and(|layers| !layers.is_empty());
        ensure!(images.iter().all(seen), "no image has been encoded");
        state.reorder(model, position, parents);
        logits.resize(count * model.vocabulary, 0.0);
        kernel.run(Step { parameters, worker: worker.as_mut(), state, rows, logits });
        Ok(())
    }
}

impl Parameters {
    fn read(graph: &Graph<'_>, model: &Model, offset: i32) -> Result<Self> {
        let layers = model.decoder_layers;
        let operators =
            [("Gemm", 6 * layers + 1), ("LayerNormalization", 3 * layers), ("Softmax", 2 * layers), ("Relu", layers)];
        operators.iter().try_for_each(|&(operator, count)| graph.expect(operator, count))?;
        let (width, hidden) = (model.width, model.feed_forward);
        let shapes =
            [(width, 3 * width), (width, width), (width, width), (width, width), (width, hidden), (hidden, width)];
        let mut products = Vec::with_capacity(PRODUCTS.len() * layers + 1);
        for layer in 0..layers {
            for (name, (inputs, outputs)) in PRODUCTS.iter().zip(shapes) {
                products.push(graph.dense(&names::decoder_layer(layer, name), inputs, outputs, offset)?);
            }
        }
        products.push(graph.dense(names::DECODER_OUTPUT, width, model.vocabulary, offset)?);
        let norm = |layer: usize, name: &str| graph.norm(&names::decoder_layer(layer, name), width);
        let norms = |layer| {
            Ok([
                norm(layer, names::SELF_NORM)?,
                norm(layer, names::CROSS_NORM)?,
                norm(layer, names::FEED_FORWARD_NORM)?,
            ])
        };
        Ok(Self {
            model: model.clone(),
            table: graph.table(names::EMBEDDING, model.vocabulary, width)?,
            positions: graph.floats(names::POSITIONS, &[model.max_tokens, width])?,
            products,
            layers: (0..layers).map(norms).collect::<Result<_>>()?,
        })
    }

    /// Word embedding plus position encoding, `[rows, d]`.
    fn embed(&self, rows: Rows<'_>, x: &mut [f32]) {
        let width = self.model.width;
        let place = &self.positions[rows.position * width..][..width];
        for (x, token) in x.chunks_exact_mut(width).zip(rows.tokens) {
            let word = token.index() * width..(token.index() + 1) * width;
            match &self.table {
                Table::Floats(table) => {
                    for ((x, word), place) in x.iter_mut().zip(&table[word]).zip(place) {
                        *x = word + place;
                    }
                }
                Table::Integers(table, scales) => {
                    let scale = scales[token.index()];
                    for ((x, word), place) in x.iter_mut().zip(&table[word]).zip(place) {
                        *x = f32::from(*word) * scale + place;
                    }
                }
            }
        }
    }
}

impl Halved for Parameters {
    #[inline(always)]
    fn second_half<K: Kernel>(&self, kernel: K, layer: usize, rows: usize, quads: &[Quad], output: &mut Vec<f32>) {
        if let Dense::Integer(layer) = &self.products[layer] {
            layer.second_half(kernel, rows, quads, output);
        }
    }
}

impl State {
    /// Makes ready for the tokens at `position`: row `i` continues row `parents[i]` of the step before.
    fn reorder(&mut self, model: &Model, position: usize, parents: &[usize]) {
        let (longest, rows) = (model.max_tokens, parents.len());
        self.spare.clear();
        self.spare.resize(rows * longest, 0);
        for (row, (line, &parent)) in self.spare.chunks_exact_mut(longest).zip(parents).enumerate() {
            if position > 0 {
                line[..position].copy_from_slice(&self.ancestors[parent * longest..][..position]);
            }
            line[position] = row as u16;
        }
        std::mem::swap(&mut self.ancestors, &mut self.spare);
        (self.past, self.rows) = (position + 1, rows);
        self.tokens.resize_with(model.decoder_layers, Vec::new);
        for layer in &mut self.tokens {
            if layer.len() <= position {
                layer.resize_with(position + 1, Vec::new);
            }
            layer[position].resize(rows * 3 * model.width, 0.0);
        }
        self.x.resize(rows * model.width, 0.0);
        self.attended.resize(rows * model.width, 0.0);
        self.projected.resize(rows * model.width, 0.0);
        self.hidden.resize(rows * model.feed_forward, 0.0);
        self.scores.resize(ROWS * model.cells().max(longest).next_multiple_of(LANES), 0.0);
    }
}

/// The work of a step.
struct Step<'a> {
    parameters: &'a Parameters,
    worker: Option<&'a mut Worker>,
    state: &'a mut State,
    rows: Rows<'a>,
    logits: &'a mut [f32],
}

/// The linear layers at work on a step's rows.
struct Products<'a> {
    parameters: &'a Parameters,
    count: usize,
    scratch: &'a mut Scratch,
    worker: Option<&'a mut Worker>,
}

impl Products<'_> {
    /// No closure: what is not inlined into [`Kernel::run`] is not compiled for its instructions.
    #[inline(always)]
    fn apply<K: Kernel>(&mut self, kernel: K, number: usize, input: &[f32], output: &mut [f32]) {
        let help = (&mut *self.scratch, self.worker.as_deref_mut().map(|worker| (worker, number)));
        self.parameters.products[number].apply(kernel, self.count, input, output, help);
    }
}

impl Work for Step<'_> {
    #[inline(always)]
    fn with<K: Kernel>(self, kernel: K) {
        let Self { parameters, worker, state, rows, logits } = self;
        let (model, count, position) = (&parameters.model, rows.tokens.len(), rows.position);
        let State { images, tokens, ancestors, x, attended, projected, hidden, scores, scratch, .. } = state;
        let mut products = Products { parameters, count, scratch, worker };
        parameters.embed(rows, x);
        for (n, [self_norm, cross_norm, feed_forward_norm]) in parameters.layers.iter().enumerate() {
            let (tokens, first) = (&mut tokens[n], n * PRODUCTS.len());
            products.apply(kernel, first, x, &mut tokens[position]);
            for row in 0..count {
                let line = &ancestors[row * model.max_tokens..][..=position];
                self_attention::<K>(
                    model,
                    tokens,
                    line,
                    row,
                    &mut attended[row * model.width..][..model.width],
                    scores,
                );
            }
            products.apply(kernel, first + 1, attended, projected);
            self_norm.add(x, projected);
            products.apply(kernel, first + 2, x, projected);
            let mut row = 0;
            for beam in rows.images.chunk_by(|a, b| a == b).flat_map(|beam| beam.chunks(ROWS)) {
                let at = row * model.width..(row + beam.len()) * model.width;
                let (queries, attended) = (&projected[at.clone()], &mut attended[at]);
                let cross = &images[beam[0]][n];
                by_rows!(beam.len(), R => cross_attention::<K, R>(model, cross, queries, attended, scores));
                row += beam.len();
            }
            products.apply(kernel, first + 3, attended, projected);
            cross_norm.add(x, projected);
            products.apply(kernel, first + 4, x, hidden);
            for value in hidden.iter_mut() {
                *value = if *value > 0.0 { *value } else { 0.0 };
            }
            products.apply(kernel, first + 5, hidden, projected);
            feed_forward_norm.add(x, projected);
        }
        products.apply(kernel, parameters.layers.len() * PRODUCTS.len(), x, logits);
    }
}
