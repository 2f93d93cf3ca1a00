//! `encoder.onnx`: images `[B, 3, s, s]` → memory `[B, N, d]` and, for every decoder layer, the cross-attention keys
//! `[B, h, d_k, N]` (transposed already) and values `[B, h, N, d_k]`. B is chosen when the graph runs. Linear layers see the cells of all
//! images as rows `[B·N, …]`.

use crate::error::Result;
use crate::graph::{Attribute, Extent, Graph, Name};
use crate::weights::Weights;
use cssa::backbone::{Activation, Convolution, Layer, Shortcut};
use cssa_graph::names;
use cssa_graph::onnx::{DataType, ModelProto};
use ndarray::Array3;

/// Images at once.
const BATCH: Extent = Extent::Named(names::BATCH);
/// What is left: the batch, or its rows.
const REST: i64 = -1;

/// Writes the encoder.
pub fn build(weights: &Weights<'_>) -> Result<ModelProto> {
    let model = weights.model;
    let mut graph = Graph::new("encoder");
    let size = Extent::Fixed(model.image_size);
    let mut x = graph.input(names::IMAGE, DataType::Float, &[BATCH, Extent::Fixed(3), size, size]);
    for layer in model.backbone.plan(model.image_size) {
        x = backbone_layer(&mut graph, weights, &x, &layer)?;
    }
    let cells = model.cells();
    x = projection(&mut graph, weights, &x)?;
    x = graph.reshape(&x, &[REST, model.width as i64, cells as i64]);
    x = graph.transpose(&x, &[0, 2, 1]);
    x = graph.reshape(&x, &[REST, model.width as i64]);
    let omega = weights.omega()?;
    for layer in 0..model.encoder_layers {
        let omega = omega.as_ref().map(|omega| &omega[layer]);
        x = former_layer(&mut graph, weights, &x, layer, omega)?;
    }
    let memory = graph.reshape(&x, &[REST, cells as i64, model.width as i64]);
    graph.output(names::MEMORY, &memory, &[BATCH, Extent::Fixed(cells), Extent::Fixed(model.width)]);
    for layer in 0..model.decoder_layers {
        cross_keys(&mut graph, weights, &x, layer)?;
    }
    Ok(graph.finish())
}

fn backbone_layer(graph: &mut Graph, weights: &Weights<'_>, x: &str, layer: &Layer) -> Result<Name> {
    match layer {
        Layer::Convolution(layer) => convolution(graph, weights, x, layer),
        Layer::MaxPool => {
            let window = [
                ("kernel_shape", Attribute::Ints(vec![3, 3])),
                ("strides", Attribute::Ints(vec![2, 2])),
                ("pads", Attribute::Ints(vec![1; 4])),
            ];
            Ok(graph.node("MaxPool", &[x], &window))
        }
        Layer::Block { body, shortcut, activation } => {
            let mut output: Name = x.into();
            for layer in body {
                output = convolution(graph, weights, &output, layer)?;
            }
            let sum = match shortcut {
                Shortcut::None => output,
                Shortcut::Identity => graph.node("Add", &[&output, x], &[]),
                Shortcut::Projection(layer) => {
                    let projected = convolution(graph, weights, x, layer)?;
                    graph.node("Add", &[&output, &projected], &[])
                }
            };
            Ok(activate(graph, sum, *activation))
        }
    }
}

fn convolution(graph: &mut Graph, weights: &Weights<'_>, x: &str, layer: &Convolution) -> Result<Name> {
    let (weight, bias) = weights.folded(layer)?;
    let kernel = graph.floats(&names::weight(&layer.name), &weight.shape, &weight.data);
    let bias = graph.floats(&names::bias(&layer.name), &[layer.outputs], &bias);
    let (before, after) = (layer.padding.0 as i64, layer.padding.1 as i64);
    let attributes = [
        ("kernel_shape", Attribute::Ints(vec![layer.kernel as i64; 2])),
        ("strides", Attribute::Ints(vec![layer.stride as i64; 2])),
        ("pads", Attribute::Ints(vec![before, before, after, after])),
        ("group", Attribute::Int(layer.groups as i64)),
    ];
    let output = graph.named_node("Conv", &layer.name, &[x, &kernel, &bias], &attributes);
    Ok(activate(graph, output, layer.activation))
}

/// The linear layer between backbone and DG-former, as the 1×1 convolution that it is on a feature map `[B, C, g, g]`: in
/// this form ONNX Runtime computes it in integers.
fn projection(graph: &mut Graph, weights: &Weights<'_>, features: &str) -> Result<Name> {
    const NAME: &str = names::ENCODER_INPUT;
    let (weight, bias) = (weights.get(&names::weight(NAME))?, weights.get(&names::bias(NAME))?);
    let shape = [weight.shape[0], weight.shape[1], 1, 1];
    let kernel = graph.floats(&names::weight(NAME), &shape, &weight.data);
    let bias = graph.floats(&names::bias(NAME), &bias.shape, &bias.data);
    Ok(graph.named_node("Conv", NAME, &[features, &kernel, &bias], &[("kernel_shape", Attribute::Ints(vec![1, 1]))]))
}

fn activate(graph: &mut Graph, x: Name, activation: Activation) -> Name {
    match activation {
        Activation::Linear => x,
        Activation::Relu => graph.node("Relu", &[&x], &[]),
        Activation::Relu6 => {
            let (low, high) = (graph.scalar("relu6.low", 0.0), graph.scalar("relu6.high", 6.0));
            graph.node("Clip", &[&x, &low, &high], &[])
        }
    }
}

/// MGA and feed-forward network, each with Add & Norm; `x: [B·N, d]`.
fn former_layer(
    graph: &mut Graph,
    weights: &Weights<'_>,
    x: &str,
    layer: usize,
    omega: Option<&Array3<f32>>,
) -> Result<Name> {
    let model = weights.model;
    let (n, h, width) = (model.cells() as i64, model.heads as i64, model.head_width() as i64);
    let here = |part: &str| names::encoder_layer(layer, part);
    let name = here("attention");
    let all = weights.query_key_value(&name)?;
    let all = graph.linear(&here(names::QUERY_KEY_VALUE), x, &all);
    let parts = graph.split(&format!("{name}.split"), &all, 3, 1);
    let heads: Vec<Name> = parts.iter().map(|part| graph.reshape(part, &[REST, n, h, width])).collect();
    let queries = graph.transpose(&heads[0], &[0, 2, 1, 3]);
    let keys = graph.transpose(&heads[1], &[0, 2, 3, 1]);
    let values = graph.transpose(&heads[2], &[0, 2, 1, 3]);
    let mut scores = graph.node("MatMul", &[&queries, &keys], &[]);
    if let Some(omega) = omega {
        let constant = graph.array(&names::omega(layer), omega);
        scores = graph.node("Add", &[&scores, &constant], &[]);
    }
    let attention = graph.softmax(&scores);
    let attended = graph.node("MatMul", &[&attention, &values], &[]);
    let attended = graph.transpose(&attended, &[0, 2, 1, 3]);
    let attended = graph.reshape(&attended, &[REST, model.width as i64]);
    let x = add_and_norm(graph, weights, x, &attended, &format!("{name}.output"), &here(names::ATTENTION_NORM))?;
    feed_forward(graph, weights, &x, here)
}

/// LayerNorm(x + layer(y)).
pub(crate) fn add_and_norm(
    graph: &mut Graph,
    weights: &Weights<'_>,
    x: &str,
    y: &str,
    layer: &str,
    norm: &str,
) -> Result<Name> {
    let output = weights.dense(layer, 1.0)?;
    let output = graph.linear(layer, y, &output);
    let sum = graph.node("Add", &[x, &output], &[]);
    let (weight, bias) = (weights.get(&names::weight(norm))?, weights.get(&names::bias(norm))?);
    Ok(graph.layer_norm(norm, &sum, &weight.data, &bias.data))
}

/// LayerNorm(x + down(ReLU(up(x)))); `here` names the parts of the layer.
pub(crate) fn feed_forward(
    graph: &mut Graph,
    weights: &Weights<'_>,
    x: &str,
    here: impl Fn(&str) -> Name,
) -> Result<Name> {
    let name = here(names::FEED_FORWARD_UP);
    let up = weights.dense(&name, 1.0)?;
    let hidden = graph.linear(&name, x, &up);
    let hidden = graph.node("Relu", &[&hidden], &[]);
    add_and_norm(graph, weights, x, &hidden, &here(names::FEED_FORWARD_DOWN), &here(names::FEED_FORWARD_NORM))
}

fn cross_keys(graph: &mut Graph, weights: &Weights<'_>, memory: &str, layer: usize) -> Result<()> {
    let model = weights.model;
    let (n, h, width) = (model.cells() as i64, model.heads as i64, model.head_width() as i64);
    let name = names::decoder_layer(layer, "cross_attention");
    let both = weights.side_by_side(&[(format!("{name}.key"), 1.0), (format!("{name}.value"), 1.0)])?;
    let both = graph.linear(&format!("{name}.key_value"), memory, &both);
    let parts = graph.split(&format!("{name}.split"), &both, 2, 1);
    let keys = graph.reshape(&parts[0], &[REST, n, h, width]);
    let keys = graph.transpose(&keys, &[0, 2, 3, 1]);
    let values = graph.reshape(&parts[1], &[REST, n, h, width]);
    let values = graph.transpose(&values, &[0, 2, 1, 3]);
    let (h, width, n) = (Extent::Fixed(model.heads), Extent::Fixed(model.head_width()), Extent::Fixed(model.cells()));
    graph.output(&names::cross_key(layer), &keys, &[BATCH, h, width, n]);
    graph.output(&names::cross_value(layer), &values, &[BATCH, h, n, width]);
    Ok(())
}
