//! tract: pure Rust, on any CPU, nothing to install.
//!
//! tract computes quantized convolutions in float plus the casts, so an INT8 bundle is loaded as the float network that it
//! stands for: the weights become floats once, and the activations' quantizers go away. So does FP16, which only makes detours on a CPU.

use super::{Encoder, Part, Seen, names};
use anyhow::{Context, Result, anyhow, ensure};
use cssa::bundle::{Bundle, ENCODER};
use cssa::model::Model;
use half::f16;
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tract_onnx::pb::{ModelProto, NodeProto, TensorProto, tensor_proto::DataType};
use tract_onnx::prelude::*;

type Plan = Arc<TypedRunnableModel>;

/// What the exporter puts behind the name of a tensor in FP16.
const HALF: &str = ".half";

/// `encoder.onnx` in tract.
pub(super) struct TractEncoder {
    plan: Plan,
    outputs: Vec<String>,
    model: Model,
}

impl TractEncoder {
    /// Loads it.
    pub(super) fn open(bundle: &Bundle) -> Result<Self> {
        let load = || {
            let proto = float_twin(&bundle.encoder)?;
            let graph = proto.graph.as_ref().context("it has no graph")?;
            let outputs = graph.output.iter().map(|output| output.name.clone()).collect();
            let plan = tract_onnx::onnx().model_for_proto_model(&proto)?.into_optimized()?.into_runnable()?;
            Ok::<_, anyhow::Error>(Self { plan, outputs, model: bundle.manifest.model.clone() })
        };
        load().with_context(|| format!("{}: tract cannot load it", bundle.folder.join(ENCODER).display()))
    }
}

impl Encoder for TractEncoder {
    fn active(&self) -> String {
        "tract".into()
    }

    fn encode(&mut self, image: &[f32], seen: &mut Seen<'_>) -> Result<Vec<f32>> {
        let size = self.model.image_size;
        let image = Tensor::from_shape(&[1, 3, size, size], image)?.into_tvalue();
        let outputs = self.plan.run(tvec!(image)).context(ENCODER)?;
        let values = |name: &str| {
            let at = self.outputs.iter().position(|output| output == name);
            let value =
                at.and_then(|at| outputs.get(at)).with_context(|| format!("{ENCODER}: has no output {name}"))?;
            Ok::<_, anyhow::Error>(value.to_plain_array_view::<f32>()?.iter().copied().collect::<Vec<f32>>())
        };
        for layer in 0..self.model.decoder_layers {
            seen(layer, Part::Keys, &values(&names::cross_key(layer))?)?;
            seen(layer, Part::Values, &values(&names::cross_value(layer))?)?;
        }
        values(names::MEMORY)
    }
}

/// The float network that a bundle's graph stands for: weights as floats, activations not rounded, everything in FP32.
pub fn float_twin(bytes: &[u8]) -> Result<ModelProto> {
    dequantized(widened(ModelProto::decode(bytes)?)?)
}

/// The network in FP32 that a graph with FP16 stands for: a tensor `t.half` is the tensor `t`, and the Cast between them
/// disappears.
fn widened(mut proto: ModelProto) -> Result<ModelProto> {
    let Some(graph) = &mut proto.graph else { return Ok(proto) };
    for node in &mut graph.node {
        for name in node.input.iter_mut().chain(&mut node.output) {
            if let Some(single) = name.strip_suffix(HALF) {
                *name = single.into();
            }
        }
    }
    graph.node.retain(|node| node.op_type != "Cast" || node.input != node.output);
    let known: BTreeSet<String> = graph.initializer.iter().map(|tensor| tensor.name.clone()).collect();
    let single = |name: &str| name.strip_suffix(HALF).map(str::to_owned);
    graph.initializer.retain(|tensor| single(&tensor.name).is_none_or(|name| !known.contains(&name)));
    let half = DataType::Float16 as i32;
    for tensor in graph.initializer.iter_mut().filter(|tensor| tensor.data_type == half) {
        let (pairs, rest) = tensor.raw_data.as_chunks::<2>();
        ensure!(rest.is_empty(), "tensor {} has {} bytes, expected pairs", tensor.name, tensor.raw_data.len());
        tensor.raw_data = pairs.iter().flat_map(|pair| f16::from_le_bytes(*pair).to_f32().to_le_bytes()).collect();
        tensor.data_type = DataType::Float as i32;
        tensor.name = single(&tensor.name).unwrap_or_else(|| std::mem::take(&mut tensor.name));
    }
    Ok(proto)
}

/// The float network that a QDQ graph stands for: constants behind DequantizeLinear become floats, the pairs
/// QuantizeLinear → DequantizeLinear between layers disappear. A graph without such nodes comes back as it is.
fn dequantized(mut proto: ModelProto) -> Result<ModelProto> {
    let Some(graph) = &mut proto.graph else { return Ok(proto) };
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
        let name = &node.name;
        let input = node.input.first().with_context(|| format!("node {name} has no input"))?.as_str();
        let output = node.output.first().with_context(|| format!("node {name} has no output"))?;
        if let Some(&source) = quantizers.get(input) {
            same.insert(output.clone(), source.into());
        } else if let Some(constant) = constants.get(input) {
            floats.push(float_constant(node, constant, &constants)?);
            consumed.insert(input.into());
        }
    }
    let gone: BTreeSet<String> = same.keys().cloned().chain(floats.iter().map(|tensor| tensor.name.clone())).collect();
    let kept =
        |node: &NodeProto| node.op_type != "QuantizeLinear" && !node.output.iter().any(|output| gone.contains(output));
    let kept: Vec<bool> = graph.node.iter().map(kept).collect();
    let mut kept = kept.into_iter();
    graph.node.retain(|_| kept.next().unwrap_or(true));
    for input in graph.node.iter_mut().flat_map(|node| &mut node.input) {
        for _ in 0..same.len() {
            let Some(source) = same.get(input) else { break };
            input.clone_from(source);
        }
    }
    graph.initializer.retain(|tensor| !consumed.contains(&tensor.name));
    graph.initializer.extend(floats);
    Ok(proto)
}

/// The float constant that a DequantizeLinear node makes of an integer one.
fn float_constant(
    node: &NodeProto,
    constant: &TensorProto,
    constants: &BTreeMap<&str, &TensorProto>,
) -> Result<TensorProto> {
    let name = &constant.name;
    let get = |at: usize| node.input.get(at).and_then(|input| constants.get(input.as_str()));
    let scales = get(1).with_context(|| format!("constant {name} has no scale"))?;
    let scales: Vec<f32> =
        scales.raw_data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let zero = get(2).is_none_or(|zero| zero.raw_data.iter().all(|&byte| byte == 0));
    ensure!(zero && !scales.is_empty(), "constant {name}: expected symmetric quantization with at least one scale");
    let integers: Vec<f32> = match DataType::try_from(constant.data_type) {
        Ok(DataType::Int8) => constant.raw_data.iter().map(|&byte| f32::from(byte as i8)).collect(),
        Ok(DataType::Int32) => {
            let words = constant.raw_data.chunks_exact(4);
            words.map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32).collect()
        }
        _ => return Err(anyhow!("constant {name} has type {}, expected INT8 or INT32", constant.data_type)),
    };
    let axis = node.attribute.iter().find(|attribute| attribute.name == "axis").map_or(1, |attribute| attribute.i);
    let extents: Vec<usize> = constant.dims.iter().map(|&extent| extent.max(0) as usize).collect();
    let axis =
        usize::try_from(axis).ok().filter(|&axis| axis < extents.len().max(1)).context("axis is out of bounds")?;
    let inner: usize = extents.iter().skip(axis + 1).product();
    let count = if scales.len() == 1 { 1 } else { *extents.get(axis).context("a scalar has several scales")? };
    ensure!(
        count == scales.len() && extents.iter().product::<usize>() == integers.len(),
        "constant {name} has {} values and {} scales for the shape {extents:?}",
        integers.len(),
        scales.len()
    );
    let scaled =
        integers.iter().enumerate().flat_map(|(n, value)| (value * scales[n / inner.max(1) % count]).to_le_bytes());
    Ok(TensorProto {
        name: node.output[0].clone(),
        dims: constant.dims.clone(),
        data_type: DataType::Float as i32,
        raw_data: scaled.collect(),
        ..TensorProto::default()
    })
}
