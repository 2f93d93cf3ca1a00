//! Reads the decoder's parameters out of `decoder.onnx`: layers by the names of their nodes, in floats, FP16 or QDQ form.

use super::attention::Norm;
use super::dense::{Dense, Float, Integer, Quantized};
use crate::error::{At, Result, ensure, unexpected};
use cssa_graph::names;
use cssa_graph::onnx::{DataType, GraphProto, NodeProto, TensorProto};
use half::f16;
use std::collections::BTreeMap;

/// A graph's constants and nodes by name.
pub(super) struct Graph<'a> {
    constants: BTreeMap<&'a str, &'a TensorProto>,
    /// By output.
    nodes: BTreeMap<&'a str, &'a NodeProto>,
}

/// The word embedding: a row of floats, or of integers with a scale, a word.
#[derive(Debug)]
pub(super) enum Table {
    Floats(Vec<f32>),
    Integers(Vec<i8>, Vec<f32>),
}

impl<'a> Graph<'a> {
    pub(super) fn new(graph: &'a GraphProto) -> Self {
        let constants = graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let outputs = |node: &'a NodeProto| node.output.iter().map(move |output| (output.as_str(), node));
        Self { constants, nodes: graph.node.iter().flat_map(outputs).collect() }
    }

    /// An error if the graph has another number of nodes with an operator than the decoder that is known here: it would
    /// compute something else.
    pub(super) fn expect(&self, operator: &str, count: usize) -> Result<()> {
        let found = self.nodes.values().filter(|node| node.op_type == operator).count();
        ensure!(found == count, "{found} nodes {operator}, expected {count}");
        Ok(())
    }

    /// The linear layer of the node `name`, packed for a kernel with this offset.
    pub(super) fn dense(&self, name: &str, inputs: usize, outputs: usize, offset: i32) -> Result<Dense> {
        let read = || {
            let node = self.node(name, "Gemm")?;
            let [input, weight, bias] = node.input.as_slice() else {
                return Err(unexpected!("expected an input, weights and a bias"));
            };
            match self.quantizer(input)? {
                Some((scale, zero)) => self.integer(weight, bias, (scale, zero), inputs, outputs, offset),
                None => {
                    let weights = self.floats(weight, &[inputs, outputs])?;
                    Ok(Dense::Float(Float::new(&weights, &self.floats(bias, &[outputs])?, inputs, outputs)?))
                }
            }
        };
        read().at(|| format!("node {name}"))
    }

    fn integer(
        &self,
        weight: &str,
        bias: &str,
        (input_scale, zero): (f32, u8),
        inputs: usize,
        outputs: usize,
        offset: i32,
    ) -> Result<Dense> {
        let node = self.node(weight, "DequantizeLinear")?;
        let tensor = self.constant(node.input.first().map_or("", String::as_str))?;
        check(tensor, DataType::Int8, &[inputs, outputs], 1)?;
        let weights = tensor.raw_data.iter().map(|&byte| byte.cast_signed()).collect();
        let scales = self.symmetric(node, outputs)?;
        let whole = self.nodes.get(bias).filter(|node| node.op_type == "DequantizeLinear");
        let (steps, bias) = match whole {
            Some(node) => {
                let tensor = self.constant(node.input.first().map_or("", String::as_str))?;
                check(tensor, DataType::Int32, &[outputs], 4)?;
                for (own, product) in self.symmetric(node, outputs)?.iter().zip(&scales) {
                    let product = product * input_scale;
                    ensure!(
                        (own - product).abs() <= 1e-4 * product,
                        "bias {bias} counts in other steps than its layer"
                    );
                }
                (
                    tensor.raw_data.as_chunks::<4>().0.iter().map(|b| i32::from_le_bytes(*b)).collect(),
                    vec![0.0; outputs],
                )
            }
            None => (vec![0; outputs], self.floats(bias, &[outputs])?),
        };
        let layer = Quantized { weights, scales, steps, bias, input_scale, zero };
        Ok(Dense::Integer(Integer::new(&layer, inputs, outputs, offset)?))
    }

    /// Scale and zero point of an activation that is rounded to 8 bits; integers are counted from 0.
    fn quantizer(&self, activation: &str) -> Result<Option<(f32, u8)>> {
        let Some(node) = self.nodes.get(activation).filter(|node| node.op_type == "DequantizeLinear") else {
            return Ok(None);
        };
        let [_, scale, zero] = node.input.as_slice() else { return Err(unexpected!("{activation} has no zero point")) };
        let scale = self.floats(scale, &[])?[0];
        let zero = self.constant(zero)?;
        let byte = *zero.raw_data.first().ok_or_else(|| unexpected!("tensor {} is empty", zero.name))?;
        match DataType::try_from(zero.data_type) {
            Ok(DataType::Uint8) => Ok(Some((scale, byte))),
            Ok(DataType::Int8) => Ok(Some((scale, byte.wrapping_add(128)))),
            _ => Err(unexpected!("tensor {} has type {}, expected 8 bits", zero.name, zero.data_type)),
        }
    }

    /// The scales of a DequantizeLinear without zero points.
    fn symmetric(&self, node: &NodeProto, count: usize) -> Result<Vec<f32>> {
        let zero = node.input.get(2).and_then(|name| self.constants.get(name.as_str()));
        ensure!(zero.is_none_or(|zero| zero.raw_data.iter().all(|&byte| byte == 0)), "{} has zero points", node.name);
        self.floats(node.input.get(1).map_or("", String::as_str), &[count])
    }

    /// The LayerNorm whose parameters are called after `name`.
    pub(super) fn norm(&self, name: &str, width: usize) -> Result<Norm> {
        let (weight, bias) = (names::weight(name), names::bias(name));
        let node =
            self.nodes.values().find(|node| node.op_type == "LayerNormalization" && node.input.contains(&weight));
        let node = node.ok_or_else(|| unexpected!("no LayerNormalization reads {weight}"))?;
        let epsilon =
            node.attribute.iter().find(|attribute| attribute.name == "epsilon").map_or(1e-5, |epsilon| epsilon.f);
        Ok(Norm { weight: self.floats(&weight, &[width])?, bias: self.floats(&bias, &[width])?, epsilon })
    }

    /// The table behind the look-up `name`.
    pub(super) fn table(&self, name: &str, words: usize, width: usize) -> Result<Table> {
        let table = names::weight(name);
        let integers = names::quantized(&table);
        let Some(tensor) = self.constants.get(integers.as_str()) else {
            return Ok(Table::Floats(self.floats(&table, &[words, width])?));
        };
        check(tensor, DataType::Int8, &[words, width], 1)?;
        let scales = self.floats(&names::scale(&table), &[words, 1])?;
        Ok(Table::Integers(tensor.raw_data.iter().map(|&byte| byte.cast_signed()).collect(), scales))
    }

    /// A constant as floats: floats, FP16 as it is, under the name `name.half` too, or behind a Cast, or integers behind a
    /// DequantizeLinear over the last dimension.
    pub(super) fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let Some(node) = self.nodes.get(name) else {
            let half = self.constants.get(names::half(name).as_str()).copied();
            let tensor = self.constant(name).or_else(|missing| half.ok_or(missing))?;
            if tensor.data_type == DataType::Float16 as i32 {
                return halves(tensor, shape);
            }
            check(tensor, DataType::Float, shape, 4)?;
            return Ok(tensor.raw_data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect());
        };
        let tensor = self.constant(node.input.first().map_or("", String::as_str))?;
        match node.op_type.as_str() {
            "Cast" => halves(tensor, shape),
            "DequantizeLinear" => {
                check(tensor, DataType::Int8, shape, 1)?;
                let scales = self.symmetric(node, shape.last().copied().unwrap_or(1))?;
                let values = tensor.raw_data.iter().zip(scales.iter().cycle());
                Ok(values.map(|(&byte, scale)| f32::from(byte.cast_signed()) * scale).collect())
            }
            other => Err(unexpected!("tensor {name} is written by a node {other}, expected a constant")),
        }
    }

    /// The node that writes `output`, in FP16 under the name `output.half`.
    fn node(&self, output: &str, operator: &str) -> Result<&'a NodeProto> {
        let names = [output.to_owned(), names::half(output)];
        let writers = || names.iter().filter_map(|name| self.nodes.get(name.as_str()).copied());
        let node = writers().find(|node| node.op_type == operator).or_else(|| writers().next());
        let node = node.ok_or_else(|| unexpected!("no node writes {output}"))?;
        ensure!(node.op_type == operator, "{output} is written by a node {}, expected {operator}", node.op_type);
        Ok(node)
    }

    fn constant(&self, name: &str) -> Result<&'a TensorProto> {
        self.constants.get(name).copied().ok_or_else(|| unexpected!("tensor {name} is no constant"))
    }
}

/// An FP16 constant as floats.
fn halves(tensor: &TensorProto, shape: &[usize]) -> Result<Vec<f32>> {
    check(tensor, DataType::Float16, shape, 2)?;
    Ok(tensor.raw_data.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect())
}

fn check(tensor: &TensorProto, kind: DataType, shape: &[usize], bytes: usize) -> Result<()> {
    let name = &tensor.name;
    ensure!(tensor.data_type == kind as i32, "tensor {name} has type {}, expected {kind:?}", tensor.data_type);
    let same = tensor.dims.len() == shape.len()
        && tensor.dims.iter().zip(shape).all(|(&found, &expected)| usize::try_from(found) == Ok(expected));
    ensure!(same, "tensor {name} has shape {:?}, expected {shape:?}", tensor.dims);
    let expected = bytes * shape.iter().product::<usize>();
    ensure!(
        tensor.raw_data.len() == expected,
        "tensor {name} has {} bytes, expected {expected}",
        tensor.raw_data.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Decoder;
    use cssa::bundle::Bundle;
    use cssa_graph::onnx::{GraphProto, ModelProto, TensorProto};
    use prost::Message;
    use std::error::Error;

    type Result<T> = std::result::Result<T, Box<dyn Error>>;

    /// What is said of the default bundle's decoder after `change`.
    fn refusal(change: impl Fn(&mut GraphProto)) -> Result<String> {
        let bundle = Bundle::read(&fixtures::bundle())?;
        let mut proto = ModelProto::decode(bundle.decoder.as_slice())?;
        change(proto.graph.as_mut().ok_or("no graph")?);
        let refused = Decoder::open(&proto.encode_to_vec(), &bundle.manifest.model, 1).err().ok_or("taken")?;
        Ok(refused.to_string())
    }

    #[test]
    fn graphs_that_compute_something_else_are_refused_by_name() -> Result<()> {
        let said = refusal(|graph| graph.node.retain(|node| node.op_type != "Relu"))?;
        assert_eq!(said, "0 nodes Relu, expected 3");
        let node = "decoder.layers.1.feed_forward.up";
        let said =
            refusal(|graph| graph.node.iter_mut().filter(|n| n.name == node).for_each(|n| n.output[0].push('x')))?;
        assert_eq!(said, format!("node {node}: no node writes {node}"));
        let tensor = |name: &'static str, change: fn(&mut TensorProto)| {
            refusal(move |graph| graph.initializer.iter_mut().filter(|t| t.name == name).for_each(change))
        };
        let said = tensor("decoder.layers.0.self_norm.weight", |tensor| tensor.dims = vec![255])?;
        assert!(said.contains("decoder.layers.0.self_norm.weight has shape [255], expected [256]"), "{said}");
        let said = tensor("decoder.output.weight.quantized", |tensor| tensor.raw_data.truncate(9))?;
        assert!(said.contains("decoder.output.weight.quantized has 9 bytes, expected"), "{said}");
        let said = tensor("decoder.output.bias.scale", |tensor| tensor.raw_data.reverse())?;
        assert!(said.starts_with("node decoder.output: "), "{said}");
        Ok(())
    }
}
