//! Writes ONNX graphs with [`cssa_graph`]'s messages: one method an operator, each giving the name of its output.

use crate::error::{Result, unexpected};
use crate::weights::Dense;
use cssa::model::LAYER_NORM_EPSILON;
use cssa_graph::names;
use cssa_graph::onnx::{
    AttributeProto, AttributeType, DataType, Dimension, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, TensorShapeProto, TensorType, TypeProto, ValueInfoProto,
};
use ndarray::{Array, ArrayD};
use prost::Message;

/// The operator set: the lowest that has LayerNormalization.
pub const OPSET: i64 = 17;
/// The file format version that came with it.
const IR_VERSION: i64 = 8;

/// Name of a tensor in the graph.
pub type Name = String;

/// A dimension of an input or output.
#[derive(Clone, Copy, Debug)]
pub enum Extent {
    /// Known.
    Fixed(usize),
    /// Chosen when the graph is loaded.
    Named(&'static str),
}

/// An attribute of a node.
#[derive(Clone, Debug)]
pub enum Attribute {
    /// A number.
    Int(i64),
    /// Several numbers.
    Ints(Vec<i64>),
    /// A real number.
    Float(f32),
}

/// A graph in the making.
#[derive(Debug, Default)]
pub struct Graph {
    proto: GraphProto,
    fresh: usize,
}

impl Graph {
    /// An empty graph.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { proto: GraphProto { name: name.into(), ..GraphProto::default() }, fresh: 0 }
    }

    /// The finished model.
    #[must_use]
    pub fn finish(self) -> ModelProto {
        ModelProto {
            ir_version: IR_VERSION,
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
            producer_name: "cssa-exporter".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(self.proto),
            metadata_props: Vec::new(),
        }
    }

    /// Declares an input.
    pub fn input(&mut self, name: &str, kind: DataType, shape: &[Extent]) -> Name {
        self.proto.input.push(value_info(name, kind, shape));
        name.into()
    }

    /// Declares the tensor `from` as the output `name`.
    pub fn output(&mut self, name: &str, from: &str, shape: &[Extent]) {
        self.named_node("Identity", name, &[from], &[]);
        self.declare_output(name, shape);
    }

    /// Declares a tensor as an output under the name that it has.
    pub fn declare_output(&mut self, name: &str, shape: &[Extent]) {
        self.proto.output.push(value_info(name, DataType::Float, shape));
    }

    /// A constant of floats.
    pub fn floats(&mut self, name: &str, shape: &[usize], data: &[f32]) -> Name {
        self.proto.initializer.push(floats(name, shape, data));
        name.into()
    }

    /// A constant.
    pub fn array<D: ndarray::Dimension>(&mut self, name: &str, array: &Array<f32, D>) -> Name {
        self.proto.initializer.push(constant(name, array));
        name.into()
    }

    /// A constant of 64-bit integers.
    pub fn integers(&mut self, name: &str, data: &[i64]) -> Name {
        self.proto.initializer.push(TensorProto {
            name: name.into(),
            dims: vec![data.len() as i64],
            data_type: DataType::Int64 as i32,
            raw_data: data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        });
        name.into()
    }

    /// A constant number, written once under its name.
    pub fn scalar(&mut self, name: &str, value: f32) -> Name {
        if !self.proto.initializer.iter().any(|tensor| tensor.name == name) {
            self.floats(name, &[], &[value]);
        }
        name.into()
    }

    /// A node with one output of a fresh name, which no other graph has: ranges of both graphs are kept under these names.
    pub fn node(&mut self, operator: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> Name {
        self.fresh += 1;
        let name = format!("{}_{}_{}", self.proto.name, operator.to_lowercase(), self.fresh);
        self.named_node(operator, &name, inputs, attributes)
    }

    /// A node whose single output has a name of its own.
    pub fn named_node(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> Name {
        self.proto.node.push(node(operator, name, inputs, &[name], attributes));
        name.into()
    }

    /// Splits `x` into `parts` equal parts along `axis`.
    pub fn split(&mut self, name: &str, x: &str, parts: usize, axis: i64) -> Vec<Name> {
        let outputs: Vec<Name> = (0..parts).map(|part| format!("{name}.{part}")).collect();
        self.split_into(name, x, &outputs.iter().map(String::as_str).collect::<Vec<_>>(), axis);
        outputs
    }

    /// Splits `x` into equal parts along `axis`, each with a name of its own.
    pub fn split_into(&mut self, name: &str, x: &str, outputs: &[&str], axis: i64) {
        self.proto.node.push(node("Split", name, &[x], outputs, &[("axis", Attribute::Int(axis))]));
    }

    /// `x` with another shape; 0 keeps an extent, −1 is what is left.
    pub fn reshape(&mut self, x: &str, shape: &[i64]) -> Name {
        let name =
            format!("shape{}", shape.iter().map(|extent| format!("_{extent}")).collect::<String>().replace('-', "m"));
        if !self.proto.initializer.iter().any(|tensor| tensor.name == name) {
            self.integers(&name, shape);
        }
        self.node("Reshape", &[x, &name], &[])
    }

    /// `x` with its dimensions in another order.
    pub fn transpose(&mut self, x: &str, order: &[i64]) -> Name {
        self.node("Transpose", &[x], &[("perm", Attribute::Ints(order.to_vec()))])
    }

    /// Softmax over the last dimension.
    pub fn softmax(&mut self, x: &str) -> Name {
        self.node("Softmax", &[x], &[("axis", Attribute::Int(-1))])
    }

    /// `x: [rows, inputs]` times a constant `[inputs, outputs]`, plus a bias: one Gemm called `name`, which ONNX Runtime
    /// has an integer kernel for (a MatMul and an Add it would merge into a float Gemm before it looks for integers).
    pub fn linear(&mut self, name: &str, x: &str, Dense { weight, bias }: &Dense) -> Name {
        let constant = self.array(&names::weight(name), weight);
        let bias = self.array(&names::bias(name), bias);
        self.named_node("Gemm", name, &[x, &constant, &bias], &[])
    }

    /// LayerNorm over the last dimension.
    pub fn layer_norm(&mut self, name: &str, x: &str, weight: &[f32], bias: &[f32]) -> Name {
        let scale = self.floats(&names::weight(name), &[weight.len()], weight);
        let shift = self.floats(&names::bias(name), &[bias.len()], bias);
        let attributes = [("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(LAYER_NORM_EPSILON))];
        self.node("LayerNormalization", &[x, &scale, &shift], &attributes)
    }
}

/// A node.
#[must_use]
pub fn node(
    operator: &str,
    name: &str,
    inputs: &[&str],
    outputs: &[&str],
    attributes: &[(&str, Attribute)],
) -> NodeProto {
    NodeProto {
        op_type: operator.into(),
        name: name.into(),
        input: inputs.iter().map(|&input| input.into()).collect(),
        output: outputs.iter().map(|&output| output.into()).collect(),
        attribute: attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
    }
}

/// A tensor of floats.
#[must_use]
pub fn floats(name: &str, shape: &[usize], data: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: shape.iter().map(|&extent| extent as i64).collect(),
        data_type: DataType::Float as i32,
        raw_data: data.iter().flat_map(|x| x.to_le_bytes()).collect(),
    }
}

/// The values of a float tensor written by [`floats`].
#[must_use]
pub fn values(tensor: &TensorProto) -> Vec<f32> {
    tensor.raw_data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// The array of a tensor of 32-bit floats.
pub fn array(tensor: &TensorProto) -> Result<ArrayD<f32>> {
    let extents: Vec<usize> = tensor.dims.iter().map(|&extent| extent as usize).collect();
    let array = ArrayD::from_shape_vec(extents, values(tensor));
    array.map_err(|error| unexpected!("{}: {error}, expected the values of {:?}", tensor.name, tensor.dims))
}

/// An array as a tensor of 32-bit floats.
#[must_use]
pub fn constant<D: ndarray::Dimension>(name: &str, array: &Array<f32, D>) -> TensorProto {
    floats(name, array.shape(), &array.iter().copied().collect::<Vec<_>>())
}

/// The bytes of a model file.
#[must_use]
pub fn bytes(model: &ModelProto) -> Vec<u8> {
    model.encode_to_vec()
}

/// Declares a tensor's type.
#[must_use]
pub fn value_info(name: &str, kind: DataType, shape: &[Extent]) -> ValueInfoProto {
    let dimension = |extent: &Extent| {
        let value = match extent {
            Extent::Fixed(size) => cssa_graph::onnx::Extent::DimValue(*size as i64),
            Extent::Named(name) => cssa_graph::onnx::Extent::DimParam((*name).into()),
        };
        Dimension { value: Some(value) }
    };
    let shape = TensorShapeProto { dim: shape.iter().map(dimension).collect() };
    let tensor = TensorType { elem_type: kind as i32, shape: Some(shape) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}

fn attribute(name: &str, value: &Attribute) -> AttributeProto {
    let empty = AttributeProto { name: name.into(), ..AttributeProto::default() };
    match value {
        Attribute::Int(i) => AttributeProto { i: *i, r#type: AttributeType::Int as i32, ..empty },
        Attribute::Ints(ints) => AttributeProto { ints: ints.clone(), r#type: AttributeType::Ints as i32, ..empty },
        Attribute::Float(f) => AttributeProto { f: *f, r#type: AttributeType::Float as i32, ..empty },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_graphs_share_a_fresh_name() {
        let name = |graph: &str| Graph::new(graph).node("Relu", &["x"], &[]);
        assert_ne!(name("encoder"), name("decoder"), "a range of one would be taken for the other's");
    }
}
