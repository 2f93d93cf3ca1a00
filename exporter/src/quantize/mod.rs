//! INT8 as a pass over a float graph: QuantizeLinear → DequantizeLinear around what is to compute in 8 bits.
//!
//! Convolutions and linear layers get S8 weights, symmetric, one scale an output channel. Activations are U8, one scale a
//! tensor, zero exactly representable, or S8 with zero point 0, as the target wants them; a convolution's output is
//! quantized as well, which is what lets a runtime compute it in integers throughout, and so are the backbone's residual sums:
//! their inputs and outputs are needed in 8 bits anyway, and on ResNet-50 the memory's cosine stays the same to six digits.
//! LayerNorm, Softmax, the Ω addition and the sums of the transformer layers read and write floats. The word embedding is
//! stored as S8 with one scale a word, Ω with one scale a head.

mod equalize;
mod fp16;
mod groups;
mod half_precision;
mod integers;
mod residual;

pub use equalize::equalize;
pub use fp16::halve;
pub use groups::group_of;
pub use half_precision::compute_in_fp16;

use crate::calibrate::{Channels, Range};
use crate::error::{Error, Result, unexpected};
use crate::graph::{self, Attribute, Name};
use cssa::bundle::Target;
use cssa_graph::names;
use cssa_graph::onnx::{DataType, GraphProto, ModelProto, NodeProto, TensorProto};
use integers::{MAX_BIAS, correct, signed, symmetric_scale, unsigned_scale};
use ndarray::{ArrayD, Axis};
use std::collections::{BTreeMap, BTreeSet};

/// What becomes 8 bits, and how.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// What the graph is to run on: it decides on the form of the activations.
    pub target: Target,
    /// Groups that stay in float.
    pub float: &'a BTreeSet<String>,
    /// The range of every tensor of [`activations`].
    pub ranges: &'a BTreeMap<Name, Range>,
    /// The mean of every channel of activations: biases are moved by what rounding the weights moves the outputs on average.
    /// Empty: they are not.
    pub means: &'a BTreeMap<Name, Vec<f32>>,
}

/// A node that computes in 8 bits.
struct Layer {
    node: usize,
    group: String,
    /// The activation that it reads.
    input: Name,
    /// For a convolution, the activation that it writes: behind its ReLU, where it has one.
    output: Option<Name>,
}

/// The activations whose ranges [`quantize`] needs, and how their channels lie.
pub fn activations(model: &ModelProto) -> Result<BTreeMap<Name, Channels>> {
    let graph = graph_of(model)?;
    let mut found = BTreeMap::new();
    for Layer { node, input, output, .. } in layers(graph) {
        let node = &graph.node[node];
        let extents = extents(constant(graph, &node.input[1])?);
        if node.op_type == "Conv" {
            let groups = node.attribute.iter().find(|attribute| attribute.name == "group").map_or(1, |group| group.i);
            found.insert(input, Channels::Blocks(extents[1] * groups as usize));
        } else {
            found.insert(input, Channels::Columns(extents[0]));
        }
        found.extend(output.map(|output| (output, Channels::Blocks(extents[0]))));
    }
    Ok(found)
}

/// The groups that [`quantize`] can turn into 8 bits, in the graph's order.
pub fn groups(model: &ModelProto) -> Result<Vec<String>> {
    let graph = graph_of(model)?;
    let embedding = graph.node.iter().filter(|node| node.name == names::EMBEDDING).map(|_| names::EMBEDDING.to_owned());
    let mut groups: Vec<String> = Vec::new();
    for group in embedding.chain(layers(graph).into_iter().map(|layer| layer.group)) {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    Ok(groups)
}

/// The INT8 graph; for TensorRT what is not in 8 bits is FP16, see [`compute_in_fp16`].
pub fn quantize(mut model: ModelProto, plan: &Plan<'_>) -> Result<ModelProto> {
    let graph = model.graph.as_mut().ok_or(Error::NoGraph)?;
    let mut layers: Vec<Layer> = layers(graph).into_iter().filter(|layer| !plan.float.contains(&layer.group)).collect();
    if plan.target == Target::Tensorrt {
        residual::leave_summands(graph, &mut layers);
    }
    let mut pass = Pass {
        plan,
        initializers: Vec::new(),
        nodes: Vec::new(),
        quantized: BTreeMap::new(),
        pooled: one_to_one(graph, "MaxPool").map(|(input, output)| (output, input)).collect(),
        dropped: BTreeSet::new(),
    };
    for layer in &layers {
        let scale = match plan.target {
            Target::Tract => None,
            Target::Cpu | Target::Tensorrt => {
                let (twin, scale) = pass.activation(&layer.input)?;
                graph.node[layer.node].input[0] = twin;
                // TensorRT wants biases as floats and rounds them itself.
                (plan.target == Target::Cpu).then_some(scale)
            }
        };
        pass.weights(graph, layer, scale)?;
    }
    if plan.target != Target::Tract {
        for output in layers.iter().filter_map(|layer| layer.output.as_ref()) {
            let replacement = pass.activation(output)?.0;
            for node in &mut graph.node {
                for input in node.input.iter_mut().filter(|input| *input == output) {
                    input.clone_from(&replacement);
                }
            }
        }
        residual::read_quantized(graph, &pass.quantized, plan.target);
    }
    if !plan.float.contains(names::EMBEDDING) {
        pass.embedding(graph)?;
    }
    // Next to TensorRT's FP16 products Ω is FP16 like them.
    if plan.target != Target::Tensorrt {
        pass.omega(graph)?;
    }
    let Pass { initializers, nodes, dropped, .. } = pass;
    graph.initializer.retain(|tensor| !dropped.contains(&tensor.name));
    graph.initializer.extend(initializers);
    graph.node.extend(nodes);
    sort(graph)?;
    if plan.target == Target::Tensorrt { compute_in_fp16(model) } else { Ok(model) }
}

fn graph_of(model: &ModelProto) -> Result<&GraphProto> {
    model.graph.as_ref().ok_or(Error::NoGraph)
}

fn layers(graph: &GraphProto) -> Vec<Layer> {
    let constants: BTreeSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let activated = |node: &NodeProto| {
        let output = &node.output[0];
        let mut readers = graph.node.iter().filter(|node| node.input.contains(output));
        match (readers.next(), readers.next()) {
            (Some(reader), None) if reader.op_type == "Relu" || reader.op_type == "Clip" => reader.output[0].clone(),
            _ => output.clone(),
        }
    };
    let mut layers = Vec::new();
    for (n, node) in graph.node.iter().enumerate() {
        let constant = node.input.get(1).is_some_and(|weight| constants.contains(weight.as_str()));
        let output = match node.op_type.as_str() {
            "Conv" if constant => Some(activated(node)),
            "Gemm" if constant => None,
            _ => continue,
        };
        layers.push(Layer { node: n, group: group_of(&node.name).into(), input: node.input[0].clone(), output });
    }
    layers
}

/// Input and output of the nodes with this operator.
fn one_to_one<'a>(graph: &'a GraphProto, operator: &'a str) -> impl Iterator<Item = (Name, Name)> + 'a {
    let nodes = graph.node.iter().filter(move |node| node.op_type == operator);
    nodes.map(|node| (node.input[0].clone(), node.output[0].clone()))
}

struct Pass<'a> {
    plan: &'a Plan<'a>,
    initializers: Vec<TensorProto>,
    nodes: Vec<NodeProto>,
    /// Activation → its dequantized twin and its scale.
    quantized: BTreeMap<Name, (Name, f32)>,
    /// Output of a max-pooling → its input.
    pooled: BTreeMap<Name, Name>,
    dropped: BTreeSet<Name>,
}

/// How the zero points of constants begin: all of one length are one constant.
pub(crate) const ZEROS: &str = "zeros_";

impl Pass<'_> {
    /// The dequantized twin of an activation, made once, and its scale.
    fn activation(&mut self, name: &str) -> Result<(Name, f32)> {
        if let Some(known) = self.quantized.get(name) {
            return Ok(known.clone());
        }
        // Max-pooling picks values: with the scale of what it reads it needs no arithmetic.
        let ranged = self.pooled.get(name).filter(|input| self.plan.ranges.contains_key(*input));
        let ranged = ranged.map_or(name, String::as_str);
        let range = self.plan.ranges.get(ranged).ok_or_else(|| Error::NoRange(ranged.into()))?;
        let (kind, scale, zero) = match self.plan.target {
            Target::Tensorrt => (DataType::Int8, symmetric_scale(*range), 0),
            Target::Cpu | Target::Tract => {
                let (scale, zero) = unsigned_scale(*range);
                (DataType::Uint8, scale, zero)
            }
        };
        let (scale_name, zero_name) = (names::scale(name), names::zero(name));
        self.initializers.push(graph::floats(&scale_name, &[], &[scale]));
        self.initializers.push(bytes(&zero_name, kind, &[], vec![zero]));
        let (integers, twin) = (names::quantized(name), names::dequantized(name));
        let node = |operator: &str, input: &str, output: &str| {
            graph::node(operator, output, &[input, &scale_name, &zero_name], &[output], &[])
        };
        self.nodes.push(node("QuantizeLinear", name, &integers));
        self.nodes.push(node("DequantizeLinear", &integers, &twin));
        self.quantized.insert(name.into(), (twin.clone(), scale));
        Ok((twin, scale))
    }

    /// Quantizes the constant weight of a layer, and its bias where the input's scale is given.
    fn weights(&mut self, graph: &mut GraphProto, layer: &Layer, input_scale: Option<f32>) -> Result<()> {
        let node = layer.node;
        let inputs = graph.node[node].input.clone();
        let axis = if graph.node[node].op_type == "Conv" { 0 } else { 1 };
        let values = graph::array(constant(graph, &inputs[1])?)?;
        let mut bias = match inputs.get(2) {
            Some(bias) => Some((bias, graph::values(constant(graph, bias)?))),
            None => None,
        };
        let floor = |channel: usize| match (&bias, input_scale) {
            (Some((_, values)), Some(input_scale)) => values[channel].abs() / (input_scale * MAX_BIAS),
            _ => 0.0,
        };
        let (integers, scales) = signed(&values, Axis(axis), floor);
        if let (Some((name, bias)), Some(means)) = (&mut bias, self.plan.means.get(&layer.input)) {
            let mut errors = integers.mapv(f32::from);
            for (mut errors, scale) in errors.axis_iter_mut(Axis(axis)).zip(&scales) {
                errors *= *scale;
            }
            correct(bias, &(errors - &values), Axis(axis), means);
            let tensor = graph.initializer.iter_mut().find(|tensor| tensor.name == **name);
            *tensor.ok_or_else(|| unexpected!("a bias that is gone"))? = graph::floats(name, &[bias.len()], bias);
        }
        self.dequantize(&inputs[1], DataType::Int8, values.shape(), raw(&integers), &scales, axis);
        graph.node[node].input[1] = names::dequantized(&inputs[1]);
        if let (Some((bias, values)), Some(input_scale)) = (bias, input_scale) {
            let scales: Vec<f32> = scales.iter().map(|scale| scale * input_scale).collect();
            let integers = values.iter().zip(&scales).map(|(value, scale)| (value / scale).round() as i32);
            let raw = integers.flat_map(i32::to_le_bytes).collect();
            self.dequantize(bias, DataType::Int32, &[values.len()], raw, &scales, 0);
            graph.node[node].input[2] = names::dequantized(bias);
        }
        Ok(())
    }

    fn dequantize(&mut self, name: &str, kind: DataType, extents: &[usize], raw: Vec<u8>, scales: &[f32], axis: usize) {
        let (integers, scale) = (names::quantized(name), names::scale(name));
        let width = if kind == DataType::Int32 { 4 } else { 1 };
        let zero = format!("{ZEROS}{width}_{}", scales.len());
        if !self.initializers.iter().any(|tensor| tensor.name == zero) {
            self.initializers.push(bytes(&zero, kind, &[scales.len()], vec![0; scales.len() * width]));
        }
        self.initializers.push(bytes(&integers, kind, extents, raw));
        self.initializers.push(graph::floats(&scale, &[scales.len()], scales));
        let output = names::dequantized(name);
        let axis = [("axis", Attribute::Int(axis as i64))];
        self.nodes.push(graph::node("DequantizeLinear", &output, &[&integers, &scale, &zero], &[&output], &axis));
        self.dropped.insert(name.into());
    }

    /// Stores Ω of the attentions that are not kept in float as S8.
    fn omega(&mut self, graph: &mut GraphProto) -> Result<()> {
        let groups = graph.node.iter().filter(|node| node.op_type == "Gemm").map(|node| group_of(&node.name));
        let names = groups.filter(|group| !self.plan.float.contains(*group)).filter_map(|group| {
            let name = format!("{}.omega", group.strip_suffix(".attention")?);
            constant(graph, &name).is_ok().then_some(name)
        });
        for name in names.collect::<BTreeSet<_>>() {
            let values = graph::array(constant(graph, &name)?)?;
            let (integers, scales) = signed(&values, Axis(0), |_| 0.0);
            self.dequantize(&name, DataType::Int8, values.shape(), raw(&integers), &scales, 0);
            for input in graph.node.iter_mut().flat_map(|node| &mut node.input).filter(|input| **input == name) {
                *input = names::dequantized(&name);
            }
        }
        Ok(())
    }

    /// Looks words up in S8 and scales the rows that were looked up, so that the table is never widened as a whole.
    fn embedding(&mut self, graph: &mut GraphProto) -> Result<()> {
        let Some(at) = graph.node.iter().position(|node| node.name == names::EMBEDDING) else { return Ok(()) };
        let (table, tokens) = (graph.node[at].input[0].clone(), graph.node[at].input[1].clone());
        let values = graph::array(constant(graph, &table)?)?;
        let (integers, scales) = signed(&values, Axis(0), |_| 0.0);
        let (quantized, scale) = (names::quantized(&table), names::scale(&table));
        self.initializers.push(bytes(&quantized, DataType::Int8, values.shape(), raw(&integers)));
        self.initializers.push(graph::floats(&scale, &[scales.len(), 1], &scales));
        let axis = [("axis", Attribute::Int(0))];
        let float = [("to", Attribute::Int(DataType::Float as i64))];
        let [row, wide, factor] = ["row", "wide", "factor"].map(|part| format!("{}.{part}", names::EMBEDDING));
        graph.node[at] = graph::node("Gather", &row, &[&quantized, &tokens], &[&row], &axis);
        self.nodes.push(graph::node("Cast", &wide, &[&row], &[&wide], &float));
        self.nodes.push(graph::node("Gather", &factor, &[&scale, &tokens], &[&factor], &axis));
        self.nodes.push(graph::node("Mul", names::EMBEDDING, &[&wide, &factor], &[names::EMBEDDING], &[]));
        self.dropped.insert(table);
        Ok(())
    }
}

fn constant<'a>(graph: &'a GraphProto, name: &str) -> Result<&'a TensorProto> {
    graph.initializer.iter().find(|tensor| tensor.name == name).ok_or_else(|| Error::NotConstant(name.into()))
}

fn extents(tensor: &TensorProto) -> Vec<usize> {
    tensor.dims.iter().map(|&extent| extent as usize).collect()
}

/// Integers as a tensor holds them.
fn raw(integers: &ArrayD<i8>) -> Vec<u8> {
    integers.iter().map(|&integer| integer as u8).collect()
}

fn bytes(name: &str, kind: DataType, extents: &[usize], raw_data: Vec<u8>) -> TensorProto {
    let dims = extents.iter().map(|&extent| extent as i64).collect();
    TensorProto { name: name.into(), dims, data_type: kind as i32, raw_data }
}

/// Puts the nodes into an order in which every input is there before it is read.
fn sort(graph: &mut GraphProto) -> Result<()> {
    let mut known: BTreeSet<String> = graph.initializer.iter().map(|tensor| tensor.name.clone()).collect();
    known.extend(graph.input.iter().map(|input| input.name.clone()));
    let mut waiting = std::mem::take(&mut graph.node);
    while !waiting.is_empty() {
        let before = waiting.len();
        let mut blocked = Vec::new();
        for node in waiting {
            if node.input.iter().all(|input| known.contains(input)) {
                known.extend(node.output.iter().cloned());
                graph.node.push(node);
            } else {
                blocked.push(node);
            }
        }
        if blocked.len() == before {
            return Err(Error::NeverWritten(blocked.swap_remove(0).name));
        }
        waiting = blocked;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Dense;
    use ndarray::array;

    #[test]
    fn a_dead_channel_keeps_its_bias() -> Result<()> {
        let mut graph = graph::Graph::new("dead");
        let x = graph.input("x", DataType::Float, &[graph::Extent::Fixed(1), graph::Extent::Fixed(2)]);
        let layer = Dense { weight: array![[1e-12, 1.0], [0.0, -1.0]], bias: array![1.75, 0.5] };
        let y = graph.linear("layer", &x, &layer);
        graph.output("y", &y, &[graph::Extent::Fixed(1), graph::Extent::Fixed(2)]);
        let ranges = [("x".to_owned(), Range { low: 0.0, high: 6.0 })].into();
        let plan = Plan { target: Target::Cpu, float: &BTreeSet::new(), ranges: &ranges, means: &BTreeMap::new() };
        let model = quantize(graph.finish(), &plan)?;
        let graph = graph_of(&model)?;
        let (integers, scales) = (constant(graph, "layer.bias.quantized")?, constant(graph, "layer.bias.scale")?);
        let integers = integers.raw_data.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let back: Vec<f32> = integers.zip(graph::values(scales)).map(|(n, scale)| n as f32 * scale).collect();
        assert!((back[0] - 1.75).abs() < 1e-3 && (back[1] - 0.5).abs() < 1e-3, "{back:?}");
        Ok(())
    }
}
