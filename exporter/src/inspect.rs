//! What a bundle's graphs are made of, group by group, read off the graphs themselves.

use crate::error::{At, Error, Result, unexpected};
use crate::graph::Name;
use crate::quantize::group_of;
use cssa::bundle::{Bundle, DECODER, ENCODER};
use cssa_graph::onnx::{DataType, Extent, GraphProto, ModelProto, NodeProto, TensorProto};
use cssa_graph::{dequantized, names};
use prost::Message;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid;
use tract_onnx::tract_hir::internal::DimLike;

/// A bundle, read for people.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// Of the encoder for one image, of the decoder for one step of the whole beam.
    pub graphs: Vec<Inspected>,
}

/// One graph.
#[derive(Clone, Debug, Serialize)]
pub struct Inspected {
    /// `encoder.onnx` or `decoder.onnx`.
    pub file: String,
    /// Its operator set.
    pub opset: i64,
    /// Its nodes by operator.
    pub operators: BTreeMap<String, usize>,
    /// Its inputs and outputs with their shapes.
    pub inputs: Vec<(String, Vec<usize>)>,
    /// See `inputs`.
    pub outputs: Vec<(String, Vec<usize>)>,
    /// Its layer groups, in order.
    pub groups: Vec<Group>,
}

/// A layer group within a graph.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Nodes by operator, those that quantize and dequantize included.
    pub operators: BTreeMap<String, usize>,
    /// `int8` (weights and activations), `int8 weights`, `fp16`, `fp16 weights`, `fp32`, or several.
    pub precision: String,
    /// Numbers that training found, biases included; Ω counts here.
    pub parameters: u64,
    /// Multiplications with additions.
    pub macs: u64,
    /// Bytes of its constants.
    pub bytes: u64,
    /// Shape of what its last node with weights writes.
    pub shape: Vec<usize>,
}

/// Reads both graphs of a bundle.
pub fn inspect(bundle: &Bundle) -> Result<Inspection> {
    let beam = bundle.manifest.search.beam;
    let graphs = [(ENCODER, &bundle.encoder), (DECODER, &bundle.decoder)];
    let read = graphs.into_iter().map(|(file, bytes)| graph(file, bytes, beam).at(|| file.into()));
    Ok(Inspection { graphs: read.collect::<Result<_>>()? })
}

fn graph(file: &str, bytes: &[u8], beam: usize) -> Result<Inspected> {
    let proto = ModelProto::decode(bytes)?;
    let shapes = shapes(bytes, beam)?;
    let opset = proto.opset_import.first().map_or(0, |set| set.version);
    let graph = proto.graph.ok_or_else(|| unexpected!("it has no graph"))?;
    let shape = |name: &str| shapes.get(name).cloned().unwrap_or_default();
    let named = |infos: &[cssa_graph::onnx::ValueInfoProto]| {
        infos.iter().map(|info| (info.name.clone(), shape(&info.name))).collect::<Vec<_>>()
    };
    let mut operators = BTreeMap::new();
    for node in &graph.node {
        *operators.entry(node.op_type.clone()).or_default() += 1;
    }
    Ok(Inspected {
        file: file.into(),
        opset,
        operators,
        inputs: named(&graph.input),
        outputs: named(&graph.output),
        groups: groups(&graph, &shapes),
    })
}

/// The shapes of the float network's tensors, by the names they have in the graph.
fn shapes(bytes: &[u8], beam: usize) -> Result<BTreeMap<Name, Vec<usize>>> {
    let mut twin = dequantized(ModelProto::decode(bytes)?)?;
    fix_beam(&mut twin, beam);
    let mut model = tract_onnx::onnx().model_for_read(&mut twin.encode_to_vec().as_slice()).map_err(refused)?;
    model.analyse(true).map_err(refused)?;
    // One image: the images' own dimension is left out, and what rows of several images are put together has those of one.
    let images = model.symbols.sym(names::BATCH);
    let (one, of_images) = (SymbolValues::default().with(&images, 1), TDim::from(images));
    let mut shapes = BTreeMap::new();
    for node in model.nodes() {
        for (slot, output) in node.outputs.iter().enumerate() {
            let label = model.outlet_label(OutletId::new(node.id, slot)).unwrap_or(&node.name);
            let shape = output.fact.shape.concretize().unwrap_or_default();
            let of_one = shape.iter().filter(|extent| **extent != of_images);
            shapes.insert(label.to_owned(), of_one.filter_map(|extent| extent.eval(&one).to_usize().ok()).collect());
        }
    }
    Ok(shapes)
}

/// tract's reasons in one line.
fn refused(error: TractError) -> Error {
    Error::Shapes(format!("{error:#}"))
}

/// Puts a number in the place of the named beam dimension of inputs and outputs.
fn fix_beam(proto: &mut ModelProto, beam: usize) {
    let Some(graph) = &mut proto.graph else { return };
    for info in graph.input.iter_mut().chain(&mut graph.output) {
        for dimension in
            info.tensor_mut().and_then(|tensor| tensor.shape.as_mut()).iter_mut().flat_map(|shape| &mut shape.dim)
        {
            if matches!(&dimension.value, Some(Extent::DimParam(name)) if name == names::BEAM) {
                dimension.value = Some(Extent::DimValue(beam as i64));
            }
        }
    }
}

/// Multiplications of the nodes that have any; other operators only move or add.
fn macs(node: &NodeProto, constants: &BTreeMap<&str, &TensorProto>, shapes: &BTreeMap<Name, Vec<usize>>) -> u64 {
    let product = |shape: &[usize]| shape.iter().product::<usize>() as u64;
    let shape_of = |name: Option<&Name>| shapes.get(single(name?));
    let output = shape_of(node.output.first()).map_or(0, |shape| product(shape));
    let weight = node.input.get(1).and_then(|weight| source(weight, constants));
    match (node.op_type.as_str(), weight) {
        ("Conv", Some(weight)) => output * weight.dims.iter().skip(1).product::<i64>() as u64,
        ("Gemm", Some(weight)) => output * weight.dims.first().copied().unwrap_or(0) as u64,
        ("MatMul", _) => {
            let inner = shape_of(node.input.first()).and_then(|shape| shape.last());
            output * inner.copied().unwrap_or(0) as u64
        }
        _ => 0,
    }
}

/// The name that a tensor has in the float network: `t` of `t.half`.
fn single(name: &str) -> &str {
    names::of_half(name).unwrap_or(name)
}

/// The constant that a tensor is, or is made of by dequantizing or widening.
fn source<'a>(name: &str, constants: &BTreeMap<&str, &'a TensorProto>) -> Option<&'a TensorProto> {
    let constant = |name: &str| constants.get(name).copied();
    let integers = || constant(&names::quantized(names::of_dequantized(name).unwrap_or(name)));
    constant(name).or_else(integers).or_else(|| constant(&names::half(name)))
}

fn groups(graph: &GraphProto, shapes: &BTreeMap<Name, Vec<usize>>) -> Vec<Group> {
    let constants: BTreeMap<&str, &TensorProto> =
        graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let mut groups: Vec<Group> = Vec::new();
    let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
    let mut counted: BTreeSet<&str> = BTreeSet::new();
    let mut kinds: Vec<BTreeSet<&str>> = Vec::new();
    let at = |groups: &mut Vec<Group>, kinds: &mut Vec<BTreeSet<&str>>, name: &str| {
        groups.iter().position(|group| group.name == name).unwrap_or_else(|| {
            groups.push(Group { name: name.into(), ..Group::default() });
            kinds.push(BTreeSet::new());
            groups.len() - 1
        })
    };
    for node in &graph.node {
        let weighted = is_weighted(node);
        // A node without weights belongs to the last group that it reads from; what only constants or the image reach (their
        // quantization) to the group that reads it.
        let inherited = node.input.iter().filter_map(|input| owners.get(input.as_str()).copied()).max();
        let owner = match inherited {
            Some(owner) if !weighted => owner,
            _ => at(&mut groups, &mut kinds, group_ahead(graph, node)),
        };
        for output in &node.output {
            owners.insert(output, owner);
        }
        let group = &mut groups[owner];
        *group.operators.entry(node.op_type.clone()).or_default() += 1;
        group.macs += macs(node, &constants, shapes);
        if weighted {
            group.shape =
                node.output.first().and_then(|output| shapes.get(single(output))).cloned().unwrap_or_default();
            kinds[owner].insert(kind(node, &constants));
        }
        for tensor in node.input.iter().filter_map(|input| constants.get(input.as_str())) {
            if counted.insert(&tensor.name) {
                let count = tensor.dims.iter().product::<i64>() as u64;
                group.bytes += tensor.raw_data.len() as u64;
                let helper = names::is_scale_or_zero(&tensor.name) || tensor.name.starts_with(crate::quantize::ZEROS);
                let integer = tensor.data_type == DataType::Int64 as i32;
                group.parameters += if helper || integer { 0 } else { count };
            }
        }
    }
    for (group, kinds) in groups.iter_mut().zip(kinds) {
        group.precision = kinds.into_iter().collect::<Vec<_>>().join(", ");
    }
    groups
}

fn is_weighted(node: &NodeProto) -> bool {
    matches!(node.op_type.as_str(), "Conv" | "Gemm") || node.name == names::EMBEDDING
}

/// The group of a node with weights, or of the nearest one that is made from what the node writes.
fn group_ahead<'a>(graph: &'a GraphProto, node: &'a NodeProto) -> &'a str {
    let (mut ahead, mut seen) = (vec![node], BTreeSet::new());
    while let Some(node) = ahead.first().copied() {
        ahead.remove(0);
        if is_weighted(node) {
            return group_of(&node.name);
        }
        let reads = |reader: &&NodeProto| node.output.iter().any(|output| reader.input.contains(output));
        ahead.extend(graph.node.iter().filter(reads).filter(|reader| seen.insert(reader.output.first())));
    }
    ""
}

fn kind(node: &NodeProto, constants: &BTreeMap<&str, &TensorProto>) -> &'static str {
    let weight = node.input.get(1).map_or("", String::as_str);
    let kind = |name: &str| constants.get(name).map(|tensor| tensor.data_type);
    let int8 = names::of_dequantized(weight).is_some() || node.op_type == "Mul";
    match (int8, node.input.first().is_some_and(|input| names::of_dequantized(input).is_some())) {
        (true, true) => "int8",
        (true, false) => "int8 weights",
        (false, _) if node.input.iter().any(|input| kind(input) == Some(DataType::Float16 as i32)) => "fp16",
        (false, _) if kind(&names::half(weight)).is_some() => "fp16 weights",
        (false, _) if node.input.first().is_some_and(|table| kind(&names::half(table)).is_some()) => "fp16 weights",
        (false, _) => "fp32",
    }
}

impl Inspection {
    /// Tables and a drawing as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for graph in &self.graphs {
            graph.write(&mut text);
        }
        text
    }
}

impl Inspected {
    fn write(&self, text: &mut String) {
        let count = |operators: &BTreeMap<String, usize>| {
            let each = operators
                .iter()
                .map(|(operator, count)| if *count == 1 { operator.clone() } else { format!("{operator} ×{count}") });
            each.collect::<Vec<_>>().join(", ")
        };
        let nodes: usize = self.operators.values().sum();
        let _ = writeln!(text, "{}: opset {}, {nodes} nodes: {}", self.file, self.opset, count(&self.operators));
        let mut all = Group { name: "all".into(), ..Group::default() };
        let _ = writeln!(
            text,
            "{:36} {:>6} {:14} {:>12} {:>10} {:>12}",
            "group", "nodes", "precision", "parameters", "MMACs", "bytes"
        );
        for group in &self.groups {
            group.write(text, group.operators.values().sum());
            all.parameters += group.parameters;
            all.macs += group.macs;
            all.bytes += group.bytes;
        }
        all.write(text, nodes);
        let shapes = |named: &[(String, Vec<usize>)]| {
            let first = named.iter().take(4).map(|(name, shape)| format!("{name} {shape:?}"));
            let more = if named.len() > 4 { format!(" and {} more", named.len() - 4) } else { String::new() };
            first.collect::<Vec<_>>().join(", ") + &more
        };
        let _ = writeln!(text, "\n{}", shapes(&self.inputs));
        for group in &self.groups {
            let _ = writeln!(text, "  │\n  ├─ {} → {:?}", group.name, group.shape);
            let arithmetic = group.operators.iter().filter(|(operator, _)| !operator.ends_with("Linear"));
            let arithmetic: BTreeMap<String, usize> = arithmetic.map(|(name, n)| (name.clone(), *n)).collect();
            let _ = writeln!(text, "  │    {}", count(&arithmetic));
        }
        let _ = writeln!(text, "  ▼\n{}\n", shapes(&self.outputs));
    }
}

impl Group {
    fn write(&self, text: &mut String, nodes: usize) {
        let _ = writeln!(
            text,
            "{:36} {nodes:>6} {:14} {:>12} {:>10.2} {:>12}",
            self.name,
            self.precision,
            self.parameters,
            self.macs as f64 / 1e6,
            self.bytes
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    /// Those of the formulas: 81 cells of 256 numbers, 512 in the feed-forward networks.
    #[test]
    fn multiplications_are_those_of_all_cells() -> anyhow::Result<()> {
        let bundle = Bundle::read(&fixtures::bundle())?;
        let inspection = inspect(&bundle)?;
        let encoder = inspection.graphs.first().context("the encoder")?;
        let (cells, width, inner) = (81, 256, 512);
        let attention = cells * width * (4 * width + 2 * cells);
        for (name, macs, shape) in [
            ("encoder.layers.0.attention", attention, vec![81, 256]),
            ("encoder.layers.2.feed_forward", 2 * cells * width * inner, vec![81, 256]),
            ("decoder.layers.1.cross_attention", 2 * cells * width * width, vec![81, 512]),
        ] {
            let group = encoder.groups.iter().find(|group| group.name == name).context(name)?;
            assert_eq!((group.macs, &group.shape), (macs, &shape), "{name}");
        }
        Ok(())
    }
}
