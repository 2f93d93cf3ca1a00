//! Cross-layer equalization (Nagel et al. 2019) with the activations' share in it (Xiao et al. 2022): where a convolution's
//! rectified output is read by convolutions only, each of its channels may be divided by a number that the readers' weights
//! are multiplied by. ReLU and max-pooling let positive factors through, so the network computes the same, and one scale a
//! tensor fits all channels better.

use super::constant;
use crate::error::{Error, Result};
use crate::graph;
use cssa_graph::onnx::{GraphProto, ModelProto, NodeProto};
use ndarray::Axis;
use std::collections::{BTreeMap, BTreeSet};

/// Factors stay within this and its inverse.
const MAX_FACTOR: f32 = 64.0;

/// The same network with evener channels; `largest` holds the largest magnitude of every channel of activations.
pub fn equalize(mut model: ModelProto, largest: &BTreeMap<String, Vec<f32>>) -> Result<ModelProto> {
    let graph = model.graph.as_mut().ok_or(Error::NoGraph)?;
    for pair in pairs(graph) {
        let Some(channels) = largest.get(&pair.tensor) else { continue };
        let factors = factors(graph, &pair, channels)?;
        for name in &pair.writer {
            scale(graph, name, Axis(0), &factors.iter().map(|factor| 1.0 / factor).collect::<Vec<_>>())?;
        }
        for reader in &pair.readers {
            scale(graph, &reader.weight, reader.inputs(), &factors)?;
        }
    }
    Ok(model)
}

/// A convolution and those that read what it writes.
struct Pair {
    tensor: String,
    /// Weight and bias.
    writer: Vec<String>,
    readers: Vec<Reader>,
}

struct Reader {
    weight: String,
    depthwise: bool,
}

impl Reader {
    /// The axis of its weight that counts the channels that it reads: a depthwise convolution has one input a group.
    fn inputs(&self) -> Axis {
        Axis(usize::from(!self.depthwise))
    }
}

fn pairs(graph: &GraphProto) -> Vec<Pair> {
    let constants: BTreeSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let readers_of =
        |tensor: &str| graph.node.iter().filter(|node| node.input.iter().any(|input| input == tensor)).collect();
    let plain = |node: &NodeProto| {
        node.op_type == "Conv" && node.input.iter().skip(1).all(|input| constants.contains(input.as_str()))
    };
    let pair = |node: &NodeProto| {
        let only = |readers: Vec<&NodeProto>, operator: &str| match readers.as_slice() {
            [reader] if reader.op_type == operator => Some(reader.output[0].clone()),
            _ => None,
        };
        let tensor = only(readers_of(&node.output[0]), "Relu")?;
        let behind = only(readers_of(&tensor), "MaxPool").unwrap_or_else(|| tensor.clone());
        let readers: Vec<&NodeProto> = readers_of(&behind);
        let fit = readers.iter().all(|reader| plain(reader) && reader.input[0] == behind);
        let reader = |reader: &&NodeProto| Reader { weight: reader.input[1].clone(), depthwise: groups(reader) > 1 };
        (fit && !readers.is_empty()).then(|| Pair {
            writer: node.input[1..].to_vec(),
            readers: readers.iter().map(reader).collect(),
            tensor,
        })
    };
    graph.node.iter().filter(|node| plain(node)).filter_map(pair).collect()
}

fn groups(node: &NodeProto) -> i64 {
    node.attribute.iter().find(|attribute| attribute.name == "group").map_or(1, |attribute| attribute.i)
}

/// √(a_c / w_c) a channel, a its largest activation and w its readers' largest weight.
fn factors(graph: &GraphProto, pair: &Pair, channels: &[f32]) -> Result<Vec<f32>> {
    let mut weights = vec![0f32; channels.len()];
    for reader in &pair.readers {
        let weight = graph::array(constant(graph, &reader.weight)?)?;
        for (largest, channel) in weights.iter_mut().zip(weight.axis_iter(reader.inputs())) {
            *largest = channel.fold(*largest, |largest, value| largest.max(value.abs()));
        }
    }
    let factor = |(&a, &w): (&f32, &f32)| {
        if a > 0.0 && w > 0.0 { (a / w).sqrt() } else { 0.0 }
    };
    let raw: Vec<f32> = channels.iter().zip(&weights).map(factor).collect();
    let alive = raw.iter().filter(|factor| **factor > 0.0);
    let (count, logarithms) = alive.fold((0, 0.0), |(n, sum), factor| (n + 1, sum + factor.ln()));
    let middle = (logarithms / count.max(1) as f32).exp();
    let bounded = |factor: f32| (factor / middle).clamp(1.0 / MAX_FACTOR, MAX_FACTOR);
    Ok(raw.into_iter().map(|factor| if factor > 0.0 { bounded(factor) } else { 1.0 }).collect())
}

/// Multiplies a constant by a factor for each index of an axis.
fn scale(graph: &mut GraphProto, name: &str, axis: Axis, factors: &[f32]) -> Result<()> {
    let place = graph.initializer.iter_mut().find(|tensor| tensor.name == name);
    let tensor = place.ok_or_else(|| Error::NotConstant(name.into()))?;
    let mut array = graph::array(tensor)?;
    for (mut channel, factor) in array.axis_iter_mut(axis).zip(factors) {
        channel *= *factor;
    }
    *tensor = graph::constant(name, &array);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attribute, Extent, Graph};
    use anyhow::{Context, Result};
    use cssa_graph::onnx::DataType;

    /// Conv → Relu → depthwise Conv → Relu → Conv on one pixel, two channels.
    fn network() -> ModelProto {
        let mut graph = Graph::new("pair");
        let one = Extent::Fixed(1);
        let x = graph.input("x", DataType::Float, &[one, Extent::Fixed(2), one, one]);
        let mut conv = |name: &str, x: &str, shape: [usize; 4], weight: &[f32], group: i64| {
            let weight = graph.floats(&format!("{name}.weight"), &shape, weight);
            let bias = graph.floats(&format!("{name}.bias"), &[shape[0]], &vec![0.5; shape[0]]);
            let group = [("group", Attribute::Int(group))];
            let y = graph.named_node("Conv", name, &[x, &weight, &bias], &group);
            if name == "c" { y } else { graph.named_node("Relu", &format!("{name}.relu"), &[&y], &[]) }
        };
        let y = conv("a", &x, [2, 2, 1, 1], &[1.0, 2.0, 30.0, 40.0], 1);
        let y = conv("b", &y, [2, 1, 1, 1], &[0.5, 0.25], 2);
        let y = conv("c", &y, [1, 2, 1, 1], &[3.0, 0.1], 1);
        graph.output("y", &y, &[one, one, one, one]);
        graph.finish()
    }

    /// What the network gives for two positive inputs, by its constants.
    fn output(model: &ModelProto, x: [f32; 2]) -> Result<f32> {
        let graph = model.graph.as_ref().context("no graph")?;
        let values = |name: &str| Ok::<_, anyhow::Error>(graph::values(constant(graph, name)?));
        let (a, b, c) = (values("a.weight")?, values("b.weight")?, values("c.weight")?);
        let (p, q, r) = (values("a.bias")?, values("b.bias")?, values("c.bias")?);
        let first = [a[0] * x[0] + a[1] * x[1] + p[0], a[2] * x[0] + a[3] * x[1] + p[1]];
        Ok(c[0] * (b[0] * first[0] + q[0]) + c[1] * (b[1] * first[1] + q[1]) + r[0])
    }

    #[test]
    fn channels_become_even_and_the_network_stays_the_same() -> Result<()> {
        let largest = [("a.relu".to_owned(), vec![3.0, 70.0]), ("b.relu".to_owned(), vec![2.0, 18.0])].into();
        let (before, after) = (network(), equalize(network(), &largest)?);
        let (a, b) = (output(&before, [1.0, 2.0])?, output(&after, [1.0, 2.0])?);
        assert!((a - b).abs() < 1e-4, "{a} {b}");
        let weight = |model: &ModelProto| {
            graph::values(constant(model.graph.as_ref().expect("a graph"), "a.weight").expect("a.weight"))
        };
        let evenness = |values: Vec<f32>| values[3] / values[1];
        assert!(evenness(weight(&after)) < 0.5 * evenness(weight(&before)));
        Ok(())
    }
}
