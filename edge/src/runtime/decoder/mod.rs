//! The decoder's steps, computed here: what a beam needs one token at a time is too little work for a general runtime.
//!
//! In ONNX Runtime a step of a 512-wide decoder is 150 nodes and reads 13 MB of weights at 40 GB/s; here every weight is read
//! once for all rows at three times that, nothing is allocated, cached keys and values are written once and found again
//! through the beam's ancestors instead of being reordered, and captions of several images share a step. The parameters are
//! those of `decoder.onnx`, bit for bit; sums are in a fixed order, so that a step gives the same values on every CPU.
//! The exporter and the tests hold it against the graph in ONNX Runtime.

mod attention;
mod dense;
mod graph;

use super::Part;
use anyhow::{Context, Result, ensure};
use attention::{Norm, dot, mix, softmax};
use cssa::lanes::LANES;
use cssa::model::Model;
use cssa::search::Rows;
use dense::{Dense, Scratch};
use graph::{Graph, Table};
use kernel::{Best, Kernel, Work};
use prost::Message;
use tract_onnx::pb::ModelProto;

/// A decoder and the captions that it is in the middle of.
#[derive(Debug)]
pub struct Decoder {
    kernel: Best,
    parameters: Parameters,
    state: State,
}

#[derive(Debug)]
struct Parameters {
    model: Model,
    table: Table,
    /// `[max_tokens, d]`.
    positions: Vec<f32>,
    layers: Vec<Layer>,
    output: Dense,
}

#[derive(Debug)]
struct Layer {
    query_key_value: Dense,
    self_output: Dense,
    self_norm: Norm,
    query: Dense,
    cross_output: Dense,
    cross_norm: Norm,
    up: Dense,
    down: Dense,
    feed_forward_norm: Norm,
}

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

/// Keys `[h, d_k, N]`, N filled up to a multiple of [`LANES`], and values `[h, N, d_k]` of a layer's cross-attention.
#[derive(Debug, Default)]
struct Cross {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Decoder {
    /// Reads `decoder.onnx`; an error names the node or the tensor that is not as expected.
    pub fn open(bytes: &[u8], model: &Model) -> Result<Self> {
        let proto = ModelProto::decode(bytes)?;
        let graph = Graph::new(proto.graph.as_ref().context("it has no graph")?);
        let kernel = Best::of_this_cpu();
        let parameters = Parameters::read(&graph, model, kernel.offset())?;
        Ok(Self { kernel, parameters, state: State::default() })
    }

    /// The CPU's instructions at work.
    #[must_use]
    pub fn kernel(&self) -> &'static str {
        self.kernel.name()
    }

    /// Takes a layer's cross-attention keys or values of the image in place `image`; new captions start.
    pub fn see(&mut self, image: usize, layer: usize, part: Part, values: &[f32]) -> Result<()> {
        let model = &self.parameters.model;
        let (cells, expected) = (model.cells(), model.cells() * model.width);
        ensure!(
            values.len() == expected,
            "cross-attention of layer {layer}: {} values, expected {expected}",
            values.len()
        );
        ensure!(layer < model.decoder_layers, "the decoder has no layer {layer}");
        self.state.past = 0;
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
        let Self { kernel, parameters, state } = self;
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
        state.turn(model, position, parents);
        logits.resize(count * model.vocabulary, 0.0);
        kernel.run(Step { parameters, state, rows, logits });
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
        let dense = |name: String, inputs, outputs| graph.dense(&name, inputs, outputs, offset);
        let layer = |layer: usize| {
            let here = format!("decoder.layers.{layer}");
            Ok::<_, anyhow::Error>(Layer {
                query_key_value: dense(format!("{here}.self_attention.query_key_value"), width, 3 * width)?,
                self_output: dense(format!("{here}.self_attention.output"), width, width)?,
                self_norm: graph.norm(&format!("{here}.self_norm"), width)?,
                query: dense(format!("{here}.cross_attention.query"), width, width)?,
                cross_output: dense(format!("{here}.cross_attention.output"), width, width)?,
                cross_norm: graph.norm(&format!("{here}.cross_norm"), width)?,
                up: dense(format!("{here}.feed_forward.up"), width, hidden)?,
                down: dense(format!("{here}.feed_forward.down"), hidden, width)?,
                feed_forward_norm: graph.norm(&format!("{here}.feed_forward_norm"), width)?,
            })
        };
        Ok(Self {
            model: model.clone(),
            table: graph.table("decoder.embedding", model.vocabulary, width)?,
            positions: graph.floats("positions", &[model.max_tokens, width])?,
            layers: (0..layers).map(layer).collect::<Result<_>>()?,
            output: dense("decoder.output".into(), width, model.vocabulary)?,
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

impl State {
    /// Makes ready for the tokens at `position`: row `i` continues row `parents[i]` of the step before.
    fn turn(&mut self, model: &Model, position: usize, parents: &[usize]) {
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
        self.scores.resize(model.cells().max(longest).next_multiple_of(LANES), 0.0);
    }
}

/// The work of a step.
struct Step<'a> {
    parameters: &'a Parameters,
    state: &'a mut State,
    rows: Rows<'a>,
    logits: &'a mut [f32],
}

impl Work for Step<'_> {
    #[inline(always)]
    fn with<K: Kernel>(self, kernel: K) {
        let Self { parameters, state, rows, logits } = self;
        let (model, count, position) = (&parameters.model, rows.tokens.len(), rows.position);
        let State { images, tokens, ancestors, x, attended, projected, hidden, scores, scratch, .. } = state;
        parameters.embed(rows, x);
        for (n, layer) in parameters.layers.iter().enumerate() {
            let tokens = &mut tokens[n];
            layer.query_key_value.apply(kernel, count, x, &mut tokens[position], scratch);
            for row in 0..count {
                let line = &ancestors[row * model.max_tokens..][..=position];
                self_attention(model, tokens, line, row, &mut attended[row * model.width..][..model.width], scores);
            }
            layer.self_output.apply(kernel, count, attended, projected, scratch);
            layer.self_norm.add(x, projected);
            layer.query.apply(kernel, count, x, projected, scratch);
            for (row, &image) in rows.images.iter().enumerate() {
                let at = row * model.width..(row + 1) * model.width;
                cross_attention(model, &images[image][n], &projected[at.clone()], &mut attended[at], scores);
            }
            layer.cross_output.apply(kernel, count, attended, projected, scratch);
            layer.cross_norm.add(x, projected);
            layer.up.apply(kernel, count, x, hidden, scratch);
            for value in hidden.iter_mut() {
                *value = if *value > 0.0 { *value } else { 0.0 };
            }
            layer.down.apply(kernel, count, hidden, projected, scratch);
            layer.feed_forward_norm.add(x, projected);
        }
        parameters.output.apply(kernel, count, x, logits, scratch);
    }
}

/// The newest token of a caption looks at all its tokens; `ancestors` are their rows.
#[inline(always)]
fn self_attention(
    model: &Model,
    tokens: &[Vec<f32>],
    ancestors: &[u16],
    row: usize,
    attended: &mut [f32],
    scores: &mut [f32],
) {
    let (width, head) = (model.width, model.head_width());
    let position = ancestors.len() - 1;
    // Part 0 is the query, 1 the key, 2 the value.
    let part = |position: usize, row: usize, part: usize, first: usize| {
        &tokens[position][row * 3 * width + part * width + first..][..head]
    };
    let scores = &mut scores[..ancestors.len().next_multiple_of(LANES)];
    for (attended, first) in attended.chunks_exact_mut(head).zip((0..width).step_by(head)) {
        let query = part(position, row, 0, first);
        for (place, (score, &ancestor)) in scores.iter_mut().zip(ancestors).enumerate() {
            *score = dot(query, part(place, usize::from(ancestor), 1, first));
        }
        softmax(scores, ancestors.len());
        mix(attended, &scores[..ancestors.len()], |place| part(place, usize::from(ancestors[place]), 2, first));
    }
}

/// A caption looks at the cells of its image.
#[inline(always)]
fn cross_attention(model: &Model, cross: &Cross, query: &[f32], attended: &mut [f32], scores: &mut [f32]) {
    let (cells, head) = (model.cells(), model.head_width());
    let padded = cells.next_multiple_of(LANES);
    let scores = &mut scores[..padded];
    let heads = cross.keys.chunks_exact(head * padded).zip(cross.values.chunks_exact(head * cells));
    for ((keys, values), (query, attended)) in heads.zip(query.chunks_exact(head).zip(attended.chunks_exact_mut(head)))
    {
        mix(scores, query, |k| &keys[k * padded..][..padded]);
        softmax(scores, cells);
        mix(attended, &scores[..cells], |cell| &values[cell * head..][..head]);
    }
}
