//! `decoder.onnx`: one step for a whole beam.
//!
//! The self-attention caches have a fixed length of T = `max_tokens`: fixed shapes suit TensorRT and tract. Every step
//! reorders them by `parents`, writes the new keys and values at `position`, and masks what lies behind it. The memory's
//! keys and values belong to one image, so the beam's queries meet them in one product a head.

use crate::encoder::{add_and_norm, feed_forward};
use crate::graph::{Attribute, Extent, Graph, Name};
use crate::weights::Weights;
use anyhow::Result;
use cssa::model;
use edge::runtime::names;
use tract_onnx::pb::{ModelProto, tensor_proto::DataType};

/// The beam's width, chosen when the graph is loaded.
const BEAM: Extent = Extent::Named(names::BEAM);
/// Added to the scores of places that must not be seen.
const MASKED: f32 = -1e9;

struct Shared {
    parents: Name,
    at_position_key: Name,
    at_position_value: Name,
    mask: Name,
}

/// Writes the decoder.
pub fn build(weights: &Weights<'_>) -> Result<ModelProto> {
    let model = weights.model;
    let mut graph = Graph::new("decoder");
    let tokens = graph.input(names::TOKENS, DataType::Int64, &[BEAM]);
    let parents = graph.input(names::PARENTS, DataType::Int64, &[BEAM]);
    let position = graph.input(names::POSITION, DataType::Int64, &[Extent::Fixed(1)]);
    let shared = shared(&mut graph, weights, parents, &position);
    let mut x = embed(&mut graph, weights, &tokens, &position)?;
    for layer in 0..model.decoder_layers {
        let here = format!("decoder.layers.{layer}");
        let attended = self_attention(&mut graph, weights, &x, layer, &shared)?;
        let output = format!("{here}.self_attention.output");
        x = add_and_norm(&mut graph, weights, &x, &attended, &output, &format!("{here}.self_norm"))?;
        let attended = cross_attention(&mut graph, weights, &x, layer)?;
        let output = format!("{here}.cross_attention.output");
        x = add_and_norm(&mut graph, weights, &x, &attended, &output, &format!("{here}.cross_norm"))?;
        x = feed_forward(&mut graph, weights, &x, &here)?;
    }
    let output = weights.dense("decoder.output", 1.0)?;
    let logits = graph.linear("decoder.output", &x, (&output.shape, &output.weight), &output.bias);
    graph.output(names::LOGITS, &logits, &[BEAM, Extent::Fixed(model.vocabulary)]);
    Ok(graph.finish())
}

/// What all layers use: where the new token stands, and what is behind it.
fn shared(graph: &mut Graph, weights: &Weights<'_>, parents: Name, position: &str) -> Shared {
    let length = weights.model.max_tokens as i64;
    let places = graph.integers("places", &(0..length).collect::<Vec<_>>());
    let at_position = graph.node("Equal", &[&places, position], &[]);
    let behind = graph.node("Greater", &[&places, position], &[]);
    let behind = graph.node("Cast", &[&behind], &[("to", Attribute::Int(DataType::Float as i64))]);
    let masked = graph.scalar("masked", MASKED);
    let mask = graph.node("Mul", &[&behind, &masked], &[]);
    Shared {
        parents,
        at_position_key: graph.reshape(&at_position, &[1, 1, 1, length]),
        at_position_value: graph.reshape(&at_position, &[1, 1, length, 1]),
        mask: graph.reshape(&mask, &[1, 1, 1, length]),
    }
}

/// Word embedding, times √d, plus position encoding: `[beam, d]`.
fn embed(graph: &mut Graph, weights: &Weights<'_>, tokens: &str, position: &str) -> Result<Name> {
    let model = weights.model;
    let scale = model.embedding_scale();
    let table: Vec<f32> = weights.get("decoder.embedding.weight")?.data.iter().map(|x| x * scale).collect();
    let words = graph.floats("decoder.embedding.weight", &[model.vocabulary, model.width], &table);
    let places =
        graph.floats("positions", &[model.max_tokens, model.width], &model::positions(model.max_tokens, model.width));
    let axis = [("axis", Attribute::Int(0))];
    let word = graph.named_node("Gather", "decoder.embedding", &[&words, tokens], &axis);
    let place = graph.node("Gather", &[&places, position], &axis);
    Ok(graph.node("Add", &[&word, &place], &[]))
}

fn self_attention(graph: &mut Graph, weights: &Weights<'_>, x: &str, layer: usize, shared: &Shared) -> Result<Name> {
    let model = weights.model;
    let (h, width, length) = (model.heads as i64, model.head_width() as i64, model.max_tokens);
    let (heads, head, places) = (Extent::Fixed(model.heads), Extent::Fixed(model.head_width()), Extent::Fixed(length));
    let name = format!("decoder.layers.{layer}.self_attention");
    let all = weights.query_key_value(&name)?;
    let all = graph.linear(&format!("{name}.query_key_value"), x, (&all.shape, &all.weight), &all.bias);
    let parts = graph.split(&format!("{name}.split"), &all, 3, 1);
    let query = graph.reshape(&parts[0], &[-1, h, 1, width]);
    let key = graph.reshape(&parts[1], &[-1, h, width, 1]);
    let value = graph.reshape(&parts[2], &[-1, h, 1, width]);
    let axis = [("axis", Attribute::Int(0))];
    let old = graph.input(&names::self_key(layer), DataType::Float, &[BEAM, heads, head, places]);
    let old = graph.node("Gather", &[&old, &shared.parents], &axis);
    let keys = graph.node("Where", &[&shared.at_position_key, &key, &old], &[]);
    graph.output(&names::next_self_key(layer), &keys, &[BEAM, heads, head, places]);
    let old = graph.input(&names::self_value(layer), DataType::Float, &[BEAM, heads, places, head]);
    let old = graph.node("Gather", &[&old, &shared.parents], &axis);
    let values = graph.node("Where", &[&shared.at_position_value, &value, &old], &[]);
    graph.output(&names::next_self_value(layer), &values, &[BEAM, heads, places, head]);
    let scores = graph.node("MatMul", &[&query, &keys], &[]);
    let scores = graph.node("Add", &[&scores, &shared.mask], &[]);
    let attention = graph.softmax(&scores);
    let attended = graph.node("MatMul", &[&attention, &values], &[]);
    Ok(graph.reshape(&attended, &[-1, model.width as i64]))
}

fn cross_attention(graph: &mut Graph, weights: &Weights<'_>, x: &str, layer: usize) -> Result<Name> {
    let model = weights.model;
    let (h, width) = (model.heads as i64, model.head_width() as i64);
    let (heads, head, cells) =
        (Extent::Fixed(model.heads), Extent::Fixed(model.head_width()), Extent::Fixed(model.cells()));
    let name = format!("decoder.layers.{layer}.cross_attention.query");
    let query = weights.dense(&name, 1.0 / (width as f32).sqrt())?;
    let query = graph.linear(&name, x, (&query.shape, &query.weight), &query.bias);
    let query = graph.reshape(&query, &[-1, h, width]);
    let query = graph.transpose(&query, &[1, 0, 2]);
    let keys = graph.input(&names::cross_key(layer), DataType::Float, &[heads, head, cells]);
    let values = graph.input(&names::cross_value(layer), DataType::Float, &[heads, cells, head]);
    let scores = graph.node("MatMul", &[&query, &keys], &[]);
    let attention = graph.softmax(&scores);
    let attended = graph.node("MatMul", &[&attention, &values], &[]);
    let attended = graph.transpose(&attended, &[1, 0, 2]);
    Ok(graph.reshape(&attended, &[-1, model.width as i64]))
}
