//! `decoder.onnx`: one step for a whole beam.
//!
//! The self-attention caches grow by one place a step and live outside: the graph reads them and gives the new token's keys
//! and values only. Nothing is masked, reordered or copied inside, which was a third of a step's time in ONNX Runtime. The
//! memory's keys and values belong to one image, so the beam's queries meet them in one product a head.

use crate::encoder::{add_and_norm, feed_forward};
use crate::error::Result;
use crate::graph::{Attribute, Extent, Graph, Name};
use crate::weights::Weights;
use cssa::model;
use cssa_graph::names;
use cssa_graph::onnx::{DataType, ModelProto};

/// The beam's width, chosen when the graph is loaded.
const BEAM: Extent = Extent::Named(names::BEAM);
/// Places that the caches hold.
const PAST: Extent = Extent::Named(names::PAST);

/// Writes the decoder.
pub fn build(weights: &Weights<'_>) -> Result<ModelProto> {
    let model = weights.model;
    let mut graph = Graph::new("decoder");
    let tokens = graph.input(names::TOKENS, DataType::Int64, &[BEAM]);
    let position = graph.input(names::POSITION, DataType::Int64, &[Extent::Fixed(1)]);
    let mut x = embed(&mut graph, weights, &tokens, &position)?;
    for layer in 0..model.decoder_layers {
        let here = |part: &str| names::decoder_layer(layer, part);
        let attended = self_attention(&mut graph, weights, &x, layer)?;
        x = add_and_norm(&mut graph, weights, &x, &attended, &here(names::SELF_OUTPUT), &here(names::SELF_NORM))?;
        let attended = cross_attention(&mut graph, weights, &x, layer)?;
        x = add_and_norm(&mut graph, weights, &x, &attended, &here(names::CROSS_OUTPUT), &here(names::CROSS_NORM))?;
        x = feed_forward(&mut graph, weights, &x, here)?;
    }
    let output = weights.dense(names::DECODER_OUTPUT, 1.0)?;
    let logits = graph.linear(names::DECODER_OUTPUT, &x, &output);
    graph.output(names::LOGITS, &logits, &[BEAM, Extent::Fixed(model.vocabulary)]);
    Ok(graph.finish())
}

/// Word embedding, times √d, plus position encoding: `[beam, d]`.
fn embed(graph: &mut Graph, weights: &Weights<'_>, tokens: &str, position: &str) -> Result<Name> {
    let model = weights.model;
    let scale = model.embedding_scale();
    let name = names::weight(names::EMBEDDING);
    let table: Vec<f32> = weights.get(&name)?.data.iter().map(|x| x * scale).collect();
    let words = graph.floats(&name, &[model.vocabulary, model.width], &table);
    let places = graph.floats(
        names::POSITIONS,
        &[model.max_tokens, model.width],
        &model::positions(model.max_tokens, model.width),
    );
    let axis = [("axis", Attribute::Int(0))];
    let word = graph.named_node("Gather", names::EMBEDDING, &[&words, tokens], &axis);
    let place = graph.node("Gather", &[&places, position], &axis);
    Ok(graph.node("Add", &[&word, &place], &[]))
}

fn self_attention(graph: &mut Graph, weights: &Weights<'_>, x: &str, layer: usize) -> Result<Name> {
    let model = weights.model;
    let (heads, width) = (model.heads, model.head_width());
    let name = names::decoder_layer(layer, "self_attention");
    let all = weights.query_key_value(&name)?;
    let all = graph.linear(&names::decoder_layer(layer, names::SELF_QUERY_KEY_VALUE), x, &all);
    let all = graph.reshape(&all, &[-1, 3 * heads as i64, 1, width as i64]);
    let (new_key, new_value) = (names::new_self_key(layer), names::new_self_value(layer));
    let query = format!("{name}.query");
    graph.split_into(&format!("{name}.split"), &all, &[&query, &new_key, &new_value], 1);
    let shape = |places| [BEAM, Extent::Fixed(heads), places, Extent::Fixed(width)];
    let mut grown = |old: &str, new: &str| {
        let old = graph.input(old, DataType::Float, &shape(PAST));
        graph.declare_output(new, &shape(Extent::Fixed(1)));
        graph.node("Concat", &[&old, new], &[("axis", Attribute::Int(2))])
    };
    let keys = grown(&names::self_key(layer), &new_key);
    let values = grown(&names::self_value(layer), &new_value);
    let keys = graph.transpose(&keys, &[0, 1, 3, 2]);
    let scores = graph.node("MatMul", &[&query, &keys], &[]);
    let attention = graph.softmax(&scores);
    let attended = graph.node("MatMul", &[&attention, &values], &[]);
    Ok(graph.reshape(&attended, &[-1, model.width as i64]))
}

fn cross_attention(graph: &mut Graph, weights: &Weights<'_>, x: &str, layer: usize) -> Result<Name> {
    let model = weights.model;
    let (h, width) = (model.heads as i64, model.head_width() as i64);
    let (heads, head, cells) =
        (Extent::Fixed(model.heads), Extent::Fixed(model.head_width()), Extent::Fixed(model.cells()));
    let name = names::decoder_layer(layer, names::CROSS_QUERY);
    let query = weights.dense(&name, 1.0 / (width as f32).sqrt())?;
    let query = graph.linear(&name, x, &query);
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
