//! Types for a network that takes its precision from the graph alone: what is not in 8 bits computes in FP16.
//!
//! TensorRT 11 has no flag that allows FP16, and TensorRT 10 obeys the graph where no flag is set: what is to be FP16 must be FP16
//! in the graph. Inputs and outputs stay FP32, whoever calls the graph need not change. FP32 stay
//!
//! - LayerNorm and the residual sums that it reads: its variance is a sum of squares, which FP16 holds up to 65,504 only;
//! - what lies between DequantizeLinear and QuantizeLinear, whose type in opset 17 is FP32: the runtime computes it in 8 bits,
//!   and a Cast in between would part what it fuses.
//!
//! Products of attention, Softmax (which subtracts the largest score first, and whose terms are 1 at most), and all layers that
//! are not in 8 bits are FP16. A tensor `t` is called `t.half` where it is FP16, constants too.

use super::sort;
use crate::error::{At, Error, Result};
use crate::graph::{self, Attribute, Name};
use cssa_graph::names;
use cssa_graph::onnx::{DataType, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use half::f16;
use std::collections::{BTreeMap, BTreeSet};

/// The type of a tensor of numbers; `None` stands for integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Float {
    Single,
    Half,
}

/// The graph with FP16 where it computes in neither 8 bits nor one of the places that need FP32.
pub fn compute_in_fp16(mut model: ModelProto) -> Result<ModelProto> {
    let graph = model.graph.as_mut().ok_or(Error::NoGraph)?;
    sort(graph)?;
    let kinds = kinds(graph);
    let constants: BTreeMap<Name, TensorProto> = graph
        .initializer
        .iter()
        .filter(|tensor| tensor.data_type == DataType::Float as i32)
        .map(|tensor| (tensor.name.clone(), tensor.clone()))
        .collect();
    let mut pass = Pass { constants, written: BTreeMap::new(), halves: BTreeMap::new(), casts: BTreeMap::new() };
    pass.written.extend(float_inputs(graph).map(|name| (name.clone(), Float::Single)));
    for (node, kind) in graph.node.iter_mut().zip(&kinds) {
        pass.convert(node, *kind)?;
    }
    for output in &graph.output {
        pass.read(&output.name, Float::Single)?;
    }
    let Pass { halves, casts, .. } = pass;
    graph.node.extend(casts.into_values());
    graph.initializer.extend(halves.into_values());
    let read: BTreeSet<&str> = graph.node.iter().flat_map(|node| &node.input).map(String::as_str).collect();
    graph.initializer.retain(|tensor| read.contains(tensor.name.as_str()));
    sort(graph)?;
    Ok(model)
}

/// What each node computes in, in the graph's order; `None` for those that read and write what they do.
fn kinds(graph: &GraphProto) -> Vec<Option<Float>> {
    let readers = Readers::of(graph);
    let mut known: BTreeMap<&str, Option<Float>> = BTreeMap::new();
    for tensor in graph.initializer.iter().filter(|tensor| tensor.data_type != DataType::Float as i32) {
        known.insert(&tensor.name, None);
    }
    let constants: BTreeSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    known.extend(float_inputs(graph).map(|name| (name.as_str(), Some(Float::Single))));
    let mut kinds = Vec::with_capacity(graph.node.len());
    for node in &graph.node {
        // Types of the inputs that are written by other nodes.
        let inputs = || node.input.iter().map(String::as_str).filter(|input| !constants.contains(input));
        let any_half = || inputs().any(|input| known.get(input) == Some(&Some(Float::Half)));
        let choose = |half: bool| Some(if half { Float::Half } else { Float::Single });
        let (kind, output) = match node.op_type.as_str() {
            "QuantizeLinear" => (Some(Float::Single), None),
            "DequantizeLinear" | "Cast" => (None, Some(Float::Single)),
            "Gather" if node.input.first().is_some_and(|table| known.get(table.as_str()) == Some(&None)) => {
                (None, None)
            }
            _ => {
                let kind = match node.op_type.as_str() {
                    "LayerNormalization" => choose(false),
                    "Add" if readers.of_output(node).any(|reader| reader.op_type == "LayerNormalization") => {
                        choose(false)
                    }
                    "Conv" | "Gemm" => choose(!readers.is_quantized(node)),
                    "MatMul" | "Softmax" => choose(true),
                    // Scales of words in 8 bits are FP32, tables of floats are not.
                    "Gather" => choose(!node.input.first().is_some_and(|table| names::is_scale(table))),
                    _ if is_mover(node) => choose(any_half() || readers.wants_half(node)),
                    _ => choose(any_half()),
                };
                (kind, kind)
            }
        };
        kinds.push(kind);
        known.extend(node.output.iter().map(|name| (name.as_str(), output)));
    }
    kinds
}

/// The graph's inputs that are floats.
fn float_inputs(graph: &GraphProto) -> impl Iterator<Item = &Name> {
    let is_float =
        |input: &&ValueInfoProto| input.tensor().is_some_and(|tensor| tensor.elem_type == DataType::Float as i32);
    graph.input.iter().filter(is_float).map(|input| &input.name)
}

/// Whether a node only moves values.
fn is_mover(node: &NodeProto) -> bool {
    matches!(node.op_type.as_str(), "Reshape" | "Transpose" | "Split" | "Concat" | "Identity")
}

/// Who reads and who writes a tensor.
struct Readers<'a> {
    readers: BTreeMap<&'a str, Vec<&'a NodeProto>>,
    writers: BTreeMap<&'a str, &'a NodeProto>,
}

impl<'a> Readers<'a> {
    fn of(graph: &'a GraphProto) -> Self {
        let (mut readers, mut writers) = (BTreeMap::<&str, Vec<&NodeProto>>::new(), BTreeMap::new());
        for node in &graph.node {
            node.input.iter().for_each(|input| readers.entry(input).or_default().push(node));
            writers.extend(node.output.iter().map(|output| (output.as_str(), node)));
        }
        Self { readers, writers }
    }

    fn of_output(&self, node: &NodeProto) -> impl Iterator<Item = &'a NodeProto> {
        node.output.iter().filter_map(|output| self.readers.get(output.as_str())).flatten().copied()
    }

    /// Whether a layer reads 8 bits only.
    fn is_quantized(&self, node: &NodeProto) -> bool {
        let dequantized =
            |input: &Name| self.writers.get(input.as_str()).is_some_and(|n| n.op_type == "DequantizeLinear");
        node.input.iter().take(2).all(dequantized)
    }

    /// Whether what a node that moves values writes ends, moved on or not, in a product that is FP16.
    fn wants_half(&self, node: &NodeProto) -> bool {
        self.of_output(node).any(|reader| match reader.op_type.as_str() {
            "MatMul" | "Softmax" => true,
            "Conv" | "Gemm" => !self.is_quantized(reader),
            _ => is_mover(reader) && self.wants_half(reader),
        })
    }
}

struct Pass {
    /// Constants in FP32.
    constants: BTreeMap<Name, TensorProto>,
    /// The type in which a tensor is written, by its name in FP32.
    written: BTreeMap<Name, Float>,
    /// Constants in FP16.
    halves: BTreeMap<Name, TensorProto>,
    /// By the tensor that they write.
    casts: BTreeMap<Name, NodeProto>,
}

impl Pass {
    /// Makes a node read and write its type.
    fn convert(&mut self, node: &mut NodeProto, kind: Option<Float>) -> Result<()> {
        let Some(kind) = kind else {
            // Integers become floats, or stay integers; their readers ask for floats only.
            self.written.extend(node.output.iter().map(|name| (name.clone(), Float::Single)));
            return Ok(());
        };
        for input in &mut node.input {
            *input = self.read(input, kind).at(|| format!("node {}", node.name))?;
        }
        for output in &mut node.output {
            self.written.insert(output.clone(), kind);
            if kind == Float::Half {
                *output = names::half(output);
            }
        }
        Ok(())
    }

    /// The name under which `name` is there as `kind`.
    fn read(&mut self, name: &str, kind: Float) -> Result<Name> {
        let half = names::half(name);
        if let Some(constant) = self.constants.get(name).filter(|_| kind == Float::Half) {
            self.halves.insert(half.clone(), halved(constant, &half)?);
            return Ok(half);
        }
        let Some(&written) = self.written.get(name) else { return Ok(name.into()) };
        let (from, to, code) = match (written, kind) {
            (Float::Single, Float::Half) => (name, half.as_str(), DataType::Float16),
            (Float::Half, Float::Single) => (half.as_str(), name, DataType::Float),
            (Float::Single, Float::Single) => return Ok(name.into()),
            (Float::Half, Float::Half) => return Ok(half),
        };
        // The node that writes `name` may be called so.
        let cast = graph::node("Cast", &format!("{to}.cast"), &[from], &[to], &[("to", Attribute::Int(code as i64))]);
        self.casts.insert(to.into(), cast);
        Ok(to.into())
    }
}

/// A constant in FP16.
fn halved(tensor: &TensorProto, name: &str) -> Result<TensorProto> {
    let halves: Vec<f16> = graph::values(tensor).into_iter().map(f16::from_f32).collect();
    if !halves.iter().all(|half| half.is_finite()) {
        return Err(Error::BeyondFp16(tensor.name.clone()));
    }
    Ok(TensorProto {
        name: name.into(),
        dims: tensor.dims.clone(),
        data_type: DataType::Float16 as i32,
        raw_data: halves.into_iter().flat_map(f16::to_le_bytes).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Extent, Graph};
    use crate::weights::Dense;
    use anyhow::{Context, Result};
    use ndarray::array;

    fn operator<'a>(model: &'a ModelProto, output: &str) -> Option<&'a NodeProto> {
        model.graph.as_ref()?.node.iter().find(|node| node.output.iter().any(|name| name == output))
    }

    /// x → Gemm → Softmax → Add with x → LayerNorm.
    fn network() -> ModelProto {
        let shape = [Extent::Fixed(1), Extent::Fixed(2)];
        let mut graph = Graph::new("small");
        let x = graph.input("x", DataType::Float, &shape);
        let layer = Dense { weight: array![[1.0, 0.5], [0.25, 2.0]], bias: array![0.0, 1.0] };
        let y = graph.linear("layer", &x, &layer);
        let y = graph.softmax(&y);
        let y = graph.named_node("Add", "sum", &[&x, &y], &[]);
        let y = graph.layer_norm("norm", &y, &[1.0, 1.0], &[0.0, 0.0]);
        graph.output("y", &y, &shape);
        graph.finish()
    }

    #[test]
    fn layers_are_half_and_layer_norm_with_its_sum_is_not() -> Result<()> {
        let model = compute_in_fp16(network())?;
        let layer = operator(&model, "layer.half").context("layer")?;
        assert_eq!(layer.input, ["x.half", "layer.weight.half", "layer.bias.half"]);
        assert_eq!(operator(&model, "x.half").context("x")?.op_type, "Cast");
        let sum = operator(&model, "sum").context("sum")?;
        assert_eq!(sum.input, ["x", "small_softmax_1"]);
        assert_eq!(operator(&model, "small_softmax_1").context("cast")?.op_type, "Cast");
        assert_eq!(operator(&model, "small_softmax_1.half").context("softmax")?.op_type, "Softmax");
        let norm = operator(&model, "small_layernormalization_2").context("norm")?;
        assert_eq!(norm.input, ["sum", "norm.weight", "norm.bias"]);
        let graph = model.graph.context("graph")?;
        assert_eq!(graph.output[0].name, "y");
        let types: BTreeMap<&str, i32> = graph.initializer.iter().map(|t| (t.name.as_str(), t.data_type)).collect();
        assert_eq!(types.get("layer.weight.half"), Some(&(DataType::Float16 as i32)));
        assert!(!types.contains_key("layer.weight"), "{types:?}");
        Ok(())
    }

    #[test]
    fn a_constant_beyond_fp16_is_refused_by_node_and_name() -> Result<()> {
        let mut model = network();
        let graph = model.graph.as_mut().context("graph")?;
        let weight = graph.initializer.iter_mut().find(|tensor| tensor.name == "layer.weight").context("weight")?;
        *weight = graph::floats("layer.weight", &[2, 2], &[1e6, 0.0, 0.0, 0.0]);
        let said = compute_in_fp16(model).map(drop).map_err(|error| error.to_string());
        assert_eq!(said, Err("node layer: tensor layer.weight has values beyond what FP16 holds".into()));
        Ok(())
    }
}
