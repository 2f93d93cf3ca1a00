//! The float network that an INT8 or FP16 graph stands for, as a pass over the graph.

use crate::names;
use crate::onnx::{DataType, GraphProto, ModelProto, NodeProto, TensorProto};
use half::f16;
use std::collections::{BTreeMap, BTreeSet};

/// Why a graph stands for no float network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DequantizeError {
    /// A tensor is not as QDQ graphs have it.
    #[error("tensor {tensor}: {found}, expected {expected}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// What it has.
        found: String,
        /// What it should have.
        expected: &'static str,
    },
    /// A node lacks an input or an output.
    #[error("node {node} has no {missing}")]
    Node {
        /// Its name.
        node: String,
        /// What it lacks.
        missing: &'static str,
    },
}

pub(crate) type Result<T> = std::result::Result<T, DequantizeError>;

pub(crate) fn unexpected(tensor: &str, found: impl ToString, expected: &'static str) -> DequantizeError {
    DequantizeError::Tensor { tensor: tensor.into(), found: found.to_string(), expected }
}

/// The float network that a graph stands for: weights as floats, activations not rounded, everything in FP32.
pub fn dequantized(mut model: ModelProto) -> Result<ModelProto> {
    if let Some(graph) = &mut model.graph {
        widen(graph)?;
        dequantize(graph)?;
    }
    Ok(model)
}

/// FP32 in the place of FP16: a tensor `t.half` is the tensor `t`, and the Cast between them disappears.
pub(crate) fn widen(graph: &mut GraphProto) -> Result<()> {
    for node in &mut graph.node {
        for name in node.input.iter_mut().chain(&mut node.output) {
            if let Some(single) = names::of_half(name) {
                *name = single.into();
            }
        }
    }
    graph.node.retain(|node| node.op_type != "Cast" || node.input != node.output);
    let known: BTreeSet<String> = graph.initializer.iter().map(|tensor| tensor.name.clone()).collect();
    let single = |name: &str| names::of_half(name).map(str::to_owned);
    graph.initializer.retain(|tensor| single(&tensor.name).is_none_or(|name| !known.contains(&name)));
    let half = DataType::Float16 as i32;
    for tensor in graph.initializer.iter_mut().filter(|tensor| tensor.data_type == half) {
        let (pairs, rest) = tensor.raw_data.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(unexpected(&tensor.name, format!("{} bytes", tensor.raw_data.len()), "pairs of them"));
        }
        tensor.raw_data = pairs.iter().flat_map(|pair| f16::from_le_bytes(*pair).to_f32().to_le_bytes()).collect();
        tensor.data_type = DataType::Float as i32;
        tensor.name = single(&tensor.name).unwrap_or_else(|| std::mem::take(&mut tensor.name));
    }
    Ok(())
}

/// Floats in the place of integers: constants behind DequantizeLinear become floats, the pairs QuantizeLinear →
/// DequantizeLinear between layers disappear. A graph without such nodes stays as it is.
fn dequantize(graph: &mut GraphProto) -> Result<()> {
    let constants: BTreeMap<&str, &TensorProto> =
        graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let quantizers: BTreeMap<&str, &str> = graph
        .node
        .iter()
        .filter(|node| node.op_type == "QuantizeLinear")
        .filter_map(|node| Some((node.output.first()?.as_str(), node.input.first()?.as_str())))
        .collect();
    let mut floats: Vec<TensorProto> = Vec::new();
    let mut same: BTreeMap<String, String> = BTreeMap::new();
    let mut consumed: BTreeSet<String> = BTreeSet::new();
    for node in graph.node.iter().filter(|node| node.op_type == "DequantizeLinear") {
        let lacks = |missing| DequantizeError::Node { node: node.name.clone(), missing };
        let input = node.input.first().ok_or_else(|| lacks("input"))?.as_str();
        let output = node.output.first().ok_or_else(|| lacks("output"))?;
        if let Some(&source) = quantizers.get(input) {
            same.insert(output.clone(), source.into());
        } else if let Some(constant) = constants.get(input) {
            let integers = integers(node, constant, &constants)?;
            floats.push(float_tensor(output, &constant.dims, integers.floats()));
            consumed.insert(input.into());
        }
    }
    let gone: BTreeSet<String> = same.keys().cloned().chain(floats.iter().map(|tensor| tensor.name.clone())).collect();
    graph
        .node
        .retain(|node| node.op_type != "QuantizeLinear" && !node.output.iter().any(|output| gone.contains(output)));
    for input in graph.node.iter_mut().flat_map(|node| &mut node.input) {
        for _ in 0..same.len() {
            let Some(source) = same.get(input) else { break };
            input.clone_from(source);
        }
    }
    graph.initializer.retain(|tensor| !consumed.contains(&tensor.name));
    graph.initializer.extend(floats);
    Ok(())
}

/// A constant of integers and the floats that they are multiplied by.
pub(crate) struct Integers {
    /// The integers as floats, the last dimension fastest.
    pub(crate) values: Vec<f32>,
    /// One scale, or one for each place along the axis.
    pub(crate) scales: Vec<f32>,
    /// Places that lie side by side and share a scale.
    inner: usize,
}

impl Integers {
    /// The floats that they stand for.
    pub(crate) fn floats(&self) -> impl Iterator<Item = f32> + '_ {
        let scale = |at: usize| self.scales[at / self.inner.max(1) % self.scales.len()];
        self.values.iter().enumerate().map(move |(at, value)| value * scale(at))
    }
}

/// The integers of the constant that a DequantizeLinear node makes floats of.
pub(crate) fn integers(
    node: &NodeProto,
    constant: &TensorProto,
    constants: &BTreeMap<&str, &TensorProto>,
) -> Result<Integers> {
    let name = &constant.name;
    let get = |at: usize| node.input.get(at).and_then(|input| constants.get(input.as_str()));
    let scales: Vec<f32> = get(1).map(|tensor| floats(tensor)).unwrap_or_default();
    if scales.is_empty() || get(2).is_some_and(|zero| zero.raw_data.iter().any(|&byte| byte != 0)) {
        return Err(unexpected(name, "no scale, or zero points", "symmetric quantization with one scale or more"));
    }
    let values: Vec<f32> = match DataType::try_from(constant.data_type) {
        Ok(DataType::Int8) => constant.raw_data.iter().map(|&byte| f32::from(byte as i8)).collect(),
        Ok(DataType::Int32) => {
            constant.raw_data.as_chunks::<4>().0.iter().map(|b| i32::from_le_bytes(*b) as f32).collect()
        }
        _ => return Err(unexpected(name, format!("type {}", constant.data_type), "INT8 or INT32")),
    };
    let axis = node.attribute.iter().find(|attribute| attribute.name == "axis").map_or(1, |attribute| attribute.i);
    let extents: Vec<usize> = constant.dims.iter().map(|&extent| extent.max(0) as usize).collect();
    let axis = usize::try_from(axis).ok().filter(|&axis| axis < extents.len().max(1));
    let axis = axis.ok_or_else(|| unexpected(name, "an axis out of bounds", "one of its dimensions"))?;
    let inner: usize = extents.iter().skip(axis + 1).product();
    let count = if scales.len() == 1 { 1 } else { extents.get(axis).copied().unwrap_or(0) };
    if count != scales.len() || extents.iter().product::<usize>() != values.len() {
        let found = format!("{} values and {} scales for the shape {extents:?}", values.len(), scales.len());
        return Err(unexpected(name, found, "a value a place and a scale a channel"));
    }
    Ok(Integers { values, scales, inner })
}

/// The values of an FP32 constant.
pub(crate) fn floats(tensor: &TensorProto) -> Vec<f32> {
    tensor.raw_data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// A constant of FP32.
pub(crate) fn float_tensor(name: &str, dims: &[i64], values: impl Iterator<Item = f32>) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.into(),
        data_type: DataType::Float as i32,
        raw_data: values.flat_map(f32::to_le_bytes).collect(),
    }
}
