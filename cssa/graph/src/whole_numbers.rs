//! An INT8 graph as a float network that computes the same whole numbers, for a runtime that has no fast integer layers.
//!
//! A convolution of 8-bit integers held in floats is exact in any order of its sums, as long as these stay below 2²⁴. What is left
//! is to round as ONNX Runtime does on a CPU (MLAS): a layer's sum times s_x · s_w / s_y in FP32, held to the range of the
//! output's integers, then rounded half to even; a residual sum with two fused multiplications and additions. So the same
//! bundle gives the same features bit for bit in both, where x86-64's instructions are the ones of ONNX Runtime: on aarch64 it
//! adds residual branches in fixed point, and a sum within 10⁻⁶ of the middle between two integers may round the other way.
//!
//! Integers are centred: the zero point is taken off, so that a convolution's padding is 0.

use crate::dequantize::{Integers, Result, float_tensor, floats, integers, unexpected, widen};
use crate::names;
use crate::onnx::{AttributeProto, AttributeType, DataType, GraphProto, ModelProto, NodeProto, TensorProto};
use std::collections::{BTreeMap, BTreeSet};

/// The float network that computes, in whole numbers, what an INT8 graph does. Layers that are not quantized stay as they are; FP16
/// becomes FP32.
///
/// # Errors
/// Where a tensor is not as QDQ graphs have it.
pub fn in_whole_numbers(mut model: ModelProto) -> Result<ModelProto> {
    if let Some(graph) = &mut model.graph {
        widen(graph)?;
        let (nodes, constants) = Rewriting::of(graph).run()?;
        graph.node = nodes;
        graph.initializer = constants;
    }
    Ok(model)
}

/// 1.5 · 2²³: of what is added to it only whole numbers are left, rounded half to even. tract takes an addition into the pass over
/// the tensor, a Round is a pass of its own.
const SHIFT: f32 = 12_582_912.0;

/// Activations in centred integers.
#[derive(Clone)]
struct Counted {
    /// The tensor of integers.
    tensor: String,
    scale: f32,
    zero: f32,
}

/// What an activation's quantizer does.
struct Quantizer {
    /// Where its node stands.
    node: usize,
    /// Of the integers.
    output: String,
    scale: f32,
    zero: f32,
    /// The least and the greatest centred integer.
    range: (f32, f32),
}

/// A layer's constants in integers.
struct Layer {
    weight: String,
    scales: Vec<f32>,
    bias: Option<String>,
}

struct Rewriting<'a> {
    graph: &'a GraphProto,
    constants: BTreeMap<&'a str, &'a TensorProto>,
    /// Which nodes read a tensor.
    readers: BTreeMap<&'a str, Vec<usize>>,
    outputs: BTreeSet<&'a str>,
    /// Outputs of DequantizeLinear, by the constant that they stand for.
    integers: BTreeMap<&'a str, &'a NodeProto>,
    /// Quantized activations, by their integers' name and by that of the floats they stand for.
    counted: BTreeMap<&'a str, Counted>,
    /// Nodes that others took in.
    absorbed: BTreeSet<usize>,
    nodes: Vec<NodeProto>,
    made: BTreeMap<String, TensorProto>,
}

impl<'a> Rewriting<'a> {
    fn of(graph: &'a GraphProto) -> Self {
        let mut readers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, node) in graph.node.iter().enumerate() {
            for input in &node.input {
                readers.entry(input).or_default().push(at);
            }
        }
        Self {
            graph,
            constants: graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect(),
            readers,
            outputs: graph.output.iter().map(|output| output.name.as_str()).collect(),
            integers: BTreeMap::new(),
            counted: BTreeMap::new(),
            absorbed: BTreeSet::new(),
            nodes: Vec::new(),
            made: BTreeMap::new(),
        }
    }

    /// The new nodes and the constants that they read.
    fn run(mut self) -> Result<(Vec<NodeProto>, Vec<TensorProto>)> {
        for (at, node) in self.graph.node.iter().enumerate() {
            if self.absorbed.contains(&at) {
                continue;
            }
            let done = match node.op_type.as_str() {
                "DequantizeLinear" => self.dequantizer(node),
                "QuantizeLinear" => self.quantizer(at)?.map(|quantizer| self.count(node, &quantizer)).is_some(),
                "Conv" | "Gemm" => self.layer(node)?,
                "Add" => self.sum(node)?,
                _ => false,
            };
            if !done {
                self.plain(node)?;
            }
        }
        let read: BTreeSet<&str> = self.nodes.iter().flat_map(|node| &node.input).map(String::as_str).collect();
        let kept = self.graph.initializer.iter().filter(|tensor| !self.made.contains_key(&tensor.name)).cloned();
        let constants = kept.chain(self.made.values().cloned()).filter(|tensor| read.contains(tensor.name.as_str()));
        let constants = constants.collect();
        Ok((self.nodes, constants))
    }

    /// Remembers what a DequantizeLinear stands for.
    fn dequantizer(&mut self, node: &'a NodeProto) -> bool {
        let (Some(input), Some(output)) = (node.input.first(), node.output.first()) else { return false };
        if self.constants.contains_key(input.as_str()) {
            self.integers.insert(output, node);
        } else if let Some(counted) = self.counted.get(input.as_str()).cloned() {
            self.counted.insert(output, counted);
        } else {
            return false;
        }
        true
    }

    /// What a QuantizeLinear does; `None` where its scale is computed.
    fn quantizer(&self, at: usize) -> Result<Option<Quantizer>> {
        let node = &self.graph.node[at];
        let get = |at: usize| node.input.get(at).and_then(|input| self.constants.get(input.as_str()));
        let (Some(scale), Some(zero), Some(output)) = (get(1), get(2), node.output.first()) else { return Ok(None) };
        let scale = match *floats(scale) {
            [scale] if scale > 0.0 => scale,
            ref found => return Err(unexpected(&node.input[1], format!("{found:?}"), "one scale above 0")),
        };
        let (zero, least, greatest) = match (DataType::try_from(zero.data_type), &*zero.raw_data) {
            (Ok(DataType::Uint8), &[zero]) => (f32::from(zero), 0.0, 255.0),
            (Ok(DataType::Int8), &[zero]) => (f32::from(zero as i8), -128.0, 127.0),
            _ => return Err(unexpected(&node.input[2], format!("type {}", zero.data_type), "one INT8 or UINT8")),
        };
        let range = (least - zero, greatest - zero);
        Ok(Some(Quantizer { node: at, output: output.clone(), scale, zero, range }))
    }

    /// The quantizer that alone reads a tensor, at once or behind a Clip or Relu that cuts off no integer of its range; the nodes
    /// on the way to it and it itself are absorbed.
    fn only_quantizer(&mut self, tensor: &str) -> Result<Option<Quantizer>> {
        let mut path = Vec::new();
        let mut tensor = tensor;
        let graph = self.graph;
        let mut bounds = (f32::NEG_INFINITY, f32::INFINITY);
        for _ in 0..2 {
            let (false, Some(&[at])) = (self.outputs.contains(tensor), self.readers.get(tensor).map(Vec::as_slice))
            else {
                return Ok(None);
            };
            let node = &graph.node[at];
            path.push(at);
            match node.op_type.as_str() {
                "QuantizeLinear" => {
                    let Some(quantizer) = self.quantizer(at)? else { return Ok(None) };
                    let (least, greatest) = quantizer.range;
                    // Half a step beyond the last integer rounds to it still.
                    let near = |bound: f32| bound / quantizer.scale;
                    if near(bounds.0) > least + 0.5 || near(bounds.1) < greatest - 0.5 {
                        return Ok(None);
                    }
                    self.absorbed.extend(path);
                    return Ok(Some(quantizer));
                }
                "Relu" => bounds.0 = 0.0,
                "Clip" => {
                    let bound = |at: usize| {
                        let tensor = node.input.get(at).and_then(|input| self.constants.get(input.as_str()))?;
                        floats(tensor).first().copied()
                    };
                    bounds = (bound(1).unwrap_or(bounds.0), bound(2).unwrap_or(bounds.1));
                }
                _ => return Ok(None),
            }
            let Some(output) = node.output.first() else { return Ok(None) };
            tensor = output;
        }
        Ok(None)
    }

    /// A Conv or Gemm whose input, weight and bias are integers.
    fn layer(&mut self, node: &'a NodeProto) -> Result<bool> {
        let [input, ..] = node.input.as_slice() else { return Ok(false) };
        let Some(counted) = self.counted.get(input.as_str()).cloned() else { return Ok(false) };
        let factors = ["alpha", "beta", "transA", "transB"];
        if node.attribute.iter().any(|attribute| factors.contains(&attribute.name.as_str())) {
            return Ok(false);
        }
        let Some(layer) = self.layer_constants(node)? else { return Ok(false) };
        let Some(output) = node.output.first() else { return Ok(false) };
        let sum = format!("{output}.sum");
        let inputs = [counted.tensor, layer.weight].into_iter().chain(layer.bias).collect();
        self.nodes.push(NodeProto { input: inputs, output: vec![sum.clone()], name: sum.clone(), ..node.clone() });
        let mut factors: Vec<f32> = layer.scales.iter().map(|scale| counted.scale * scale).collect();
        let quantizer = self.only_quantizer(output)?;
        if let Some(quantizer) = &quantizer {
            factors.iter_mut().for_each(|factor| *factor /= quantizer.scale);
        }
        // A scale a channel: the second dimension of both operators' outputs.
        let channels = factors.len() as i64;
        let dims: &[i64] = match (channels, node.op_type.as_str()) {
            (1, _) => &[],
            (_, "Conv") => &[1, channels, 1, 1],
            _ => &[1, channels],
        };
        // The bounds hold the sum, not its product: between a layer and its factors tract would multiply the weights by these, and
        // they were no integers any more.
        let bound = |bound: f32| factors.iter().map(|factor| (bound / factor).max(f32::MIN)).collect();
        let (least, greatest) = quantizer.as_ref().map_or((f32::MIN, f32::MAX), |quantizer| quantizer.range);
        let (least, greatest): (Vec<f32>, Vec<f32>) = (bound(least), bound(greatest));
        let least = self.constant(&format!("{output}.least"), dims, least);
        let greatest = self.constant(&format!("{output}.greatest"), dims, greatest);
        let factors = self.constant(&format!("{output}.factors"), dims, factors);
        let held = self.node("Max", &[&sum, &least], &format!("{output}.above"));
        match quantizer {
            Some(quantizer) => {
                let held = self.node("Min", &[&held, &greatest], &format!("{output}.held"));
                let scaled = self.node("Mul", &[&held, &factors], &format!("{output}.scaled"));
                let tensor = self.whole(&scaled, 0.0, &quantizer.output);
                self.remember(&quantizer, tensor);
            }
            None => drop(self.node("Mul", &[&held, &factors], output)),
        }
        Ok(true)
    }

    /// The integers of a layer's weight and bias; `None` where one of them is not in integers.
    fn layer_constants(&mut self, node: &'a NodeProto) -> Result<Option<Layer>> {
        let mut taken = Vec::new();
        for input in node.input.iter().skip(1) {
            let Some(dequantizer) = self.integers.get(input.as_str()) else { return Ok(None) };
            let constant = self.constants[dequantizer.input[0].as_str()];
            let integers = integers(dequantizer, constant, &self.constants)?;
            taken.push((names::quantized(input), constant.dims.clone(), integers));
        }
        let mut taken = taken.into_iter();
        let Some((weight, dims, integers)) = taken.next() else { return Ok(None) };
        let (weight, scales) = (self.constant(&weight, &dims, integers.values), integers.scales);
        let bias = taken.next().map(|(bias, dims, Integers { values, .. })| self.constant(&bias, &dims, values));
        Ok(Some(Layer { weight, scales, bias }))
    }

    /// A sum of two activations in integers that is an activation in integers.
    fn sum(&mut self, node: &'a NodeProto) -> Result<bool> {
        let [a, b] = node.input.as_slice() else { return Ok(false) };
        let get = |input: &String| self.counted.get(input.as_str()).cloned();
        let (Some(a), Some(b), Some(output)) = (get(a), get(b), node.output.first()) else { return Ok(false) };
        let Some(quantizer) = self.only_quantizer(output)? else { return Ok(false) };
        let (times_a, times_b) = (a.scale / quantizer.scale, b.scale / quantizer.scale);
        // MLAS sums in FP32, each product and its addition rounded once, with the zero points in.
        let fixed = quantizer.zero - times_a.mul_add(a.zero, times_b * b.zero);
        let fixed = f64::from(fixed) + f64::from(times_b) * f64::from(b.zero);
        let sum = self.fused(&b.tensor, f64::from(times_b), &Addend::Constant(fixed), &format!("{output}.second"));
        let offset = f64::from(times_a) * f64::from(a.zero);
        let sum = self.fused(&a.tensor, f64::from(times_a), &Addend::Tensor(sum, offset), &format!("{output}.both"));
        let range = (quantizer.range.0 + quantizer.zero, quantizer.range.1 + quantizer.zero);
        let held = self.held(&sum, range, output);
        let tensor = self.whole(&held, quantizer.zero, &quantizer.output);
        self.remember(&quantizer, tensor);
        Ok(true)
    }

    /// A fused multiplication and addition in FP32, computed in FP64, where it is exact before it is rounded.
    fn fused(&mut self, tensor: &str, factor: f64, addend: &Addend, name: &str) -> String {
        let cast = |to: DataType| AttributeProto {
            name: "to".into(),
            i: to as i64,
            r#type: AttributeType::Int as i32,
            ..AttributeProto::default()
        };
        let wide = self.node_with("Cast", &[tensor], &format!("{name}.wide"), vec![cast(DataType::Double)]);
        let factor = self.wide_constant(&format!("{name}.factor"), factor);
        let mut sum = self.node("Mul", &[&wide, &factor], &format!("{name}.product"));
        let (Addend::Constant(offset) | Addend::Tensor(_, offset)) = addend;
        let offset = self.wide_constant(&format!("{name}.offset"), *offset);
        sum = self.node("Add", &[&sum, &offset], &format!("{name}.moved"));
        if let Addend::Tensor(tensor, _) = addend {
            let other = self.node_with("Cast", &[tensor], &format!("{name}.other"), vec![cast(DataType::Double)]);
            sum = self.node("Add", &[&sum, &other], &format!("{name}.sum"));
        }
        self.node_with("Cast", &[&sum], name, vec![cast(DataType::Float)])
    }

    /// QuantizeLinear of floats.
    fn count(&mut self, node: &'a NodeProto, quantizer: &Quantizer) {
        let scale = self.constant(&names::scale(&quantizer.output), &[], vec![quantizer.scale]);
        let scaled = self.node("Div", &[&node.input[0], &scale], &format!("{}.scaled", quantizer.output));
        let held = self.held(&scaled, quantizer.range, &quantizer.output);
        let tensor = self.whole(&held, 0.0, &quantizer.output);
        self.remember(quantizer, tensor);
    }

    /// Held to a range.
    fn held(&mut self, tensor: &str, range: (f32, f32), name: &str) -> String {
        let least = self.constant(&format!("{name}.least"), &[], vec![range.0]);
        let greatest = self.constant(&format!("{name}.greatest"), &[], vec![range.1]);
        self.node("Clip", &[tensor, &least, &greatest], &format!("{name}.held"))
    }

    /// Rounded half to even, less a zero point.
    fn whole(&mut self, tensor: &str, zero: f32, name: &str) -> String {
        let shift = self.constant("whole.shift", &[], vec![SHIFT]);
        let back = self.constant(&format!("{name}.back"), &[], vec![SHIFT + zero]);
        let whole = self.node("Add", &[tensor, &shift], &format!("{name}.whole"));
        self.node("Sub", &[&whole, &back], name)
    }

    fn remember(&mut self, quantizer: &Quantizer, tensor: String) {
        let output = &self.graph.node[quantizer.node].output[0];
        self.counted.insert(output, Counted { tensor, scale: quantizer.scale, zero: quantizer.zero });
    }

    /// A node that reads floats.
    fn plain(&mut self, node: &'a NodeProto) -> Result<()> {
        for input in &node.input {
            if self.nodes.iter().any(|made| made.output.contains(input)) || self.made.contains_key(input) {
                continue;
            }
            if let Some(dequantizer) = self.integers.get(input.as_str()) {
                let constant = self.constants[dequantizer.input[0].as_str()];
                let floats = integers(dequantizer, constant, &self.constants)?.floats().collect();
                self.constant(input, &constant.dims, floats);
            } else if let Some(counted) = self.counted.get(input.as_str()).cloned() {
                let scale = self.constant(&names::scale(input), &[], vec![counted.scale]);
                self.node("Mul", &[&counted.tensor, &scale], input);
            }
        }
        self.nodes.push(node.clone());
        Ok(())
    }

    fn node(&mut self, operator: &str, inputs: &[&str], output: &str) -> String {
        self.node_with(operator, inputs, output, Vec::new())
    }

    fn node_with(&mut self, operator: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> String {
        self.nodes.push(NodeProto {
            input: inputs.iter().copied().map(Into::into).collect(),
            output: vec![output.into()],
            name: output.into(),
            op_type: operator.into(),
            attribute,
        });
        output.into()
    }

    fn constant(&mut self, name: &str, dims: &[i64], values: Vec<f32>) -> String {
        self.made.insert(name.into(), float_tensor(name, dims, values.into_iter()));
        name.into()
    }

    fn wide_constant(&mut self, name: &str, value: f64) -> String {
        let raw_data = value.to_le_bytes().to_vec();
        let tensor = TensorProto { name: name.into(), dims: Vec::new(), data_type: DataType::Double as i32, raw_data };
        self.made.insert(name.into(), tensor);
        name.into()
    }
}

/// What a product is added to.
enum Addend {
    /// A number.
    Constant(f64),
    /// A tensor and a number.
    Tensor(String, f64),
}

#[cfg(test)]
mod tests;
