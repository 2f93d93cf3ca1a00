//! `--target tensorrt`: the precision of everything stands in the graph, and residual sums are as NVIDIA wants them.

use anyhow::{Context, Result, ensure};
use cssa::bundle::{Precision, Target};
use cssa::checkpoint::{Checkpoint, GOLDEN, Golden};
use cssa::tolerance::HALVED;
use cssa_captioner::{Decoder, find_library};
use cssa_graph::onnx::{DataType, GraphProto, ModelProto, NodeProto};
use exporter::calibrate::Range;
use exporter::quantize::{self, Plan};
use exporter::request::{Graphs, Source};
use exporter::weights::Weights;
use exporter::{decoder, encoder, graph, parity};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn float_graphs() -> Result<(Checkpoint, Graphs)> {
    let checkpoint = Checkpoint::read(&fixtures::run())?;
    let weights = Weights::new(&checkpoint);
    let graphs = Graphs { encoder: encoder::build(&weights)?, decoder: decoder::build(&weights)? };
    Ok((checkpoint, graphs))
}

/// INT8 with ranges that nobody measured: only the form is looked at.
fn quantized(model: &ModelProto, target: Target, float: &[&str]) -> Result<ModelProto> {
    let range = Range { low: -4.0, high: 6.0 };
    let ranges = quantize::activations(model)?.into_keys().map(|name| (name, range)).collect();
    let float: BTreeSet<String> = float.iter().map(|&group| group.to_owned()).collect();
    let plan = Plan { target, float: &float, ranges: &ranges, means: &BTreeMap::new() };
    Ok(quantize::quantize(model.clone(), &plan)?)
}

fn graph_of(model: &ModelProto) -> Result<&GraphProto> {
    model.graph.as_ref().context("no graph")
}

fn writer<'a>(graph: &'a GraphProto, tensor: &str) -> Option<&'a NodeProto> {
    graph.node.iter().find(|node| node.output.iter().any(|output| output == tensor))
}

fn operators<'a>(graph: &'a GraphProto, node: &'a NodeProto) -> Vec<&'a str> {
    node.input.iter().map(|input| writer(graph, input).map_or("", |node| node.op_type.as_str())).collect()
}

/// Sums of the backbone: one term at least is a convolution's output or its dequantized twin, none a constant.
fn residual_sums(graph: &GraphProto) -> Vec<Vec<&str>> {
    let sums = graph.node.iter().filter(|node| node.op_type == "Add");
    let sums = sums.map(|node| operators(graph, node));
    sums.filter(|terms| terms.iter().all(|term| ["Conv", "DequantizeLinear", "Add"].contains(term))).collect()
}

#[test]
fn of_a_residual_sum_the_identity_branch_alone_is_in_8_bits() -> Result<()> {
    let (_, graphs) = float_graphs()?;
    let model = quantized(&graphs.encoder, Target::Tensorrt, &[])?;
    let sums = residual_sums(graph_of(&model)?);
    assert_eq!(sums.len(), 14, "{sums:?}");
    assert!(sums.iter().all(|terms| *terms == ["Conv", "DequantizeLinear"]), "{sums:?}");
    // ONNX Runtime computes both convolution and sum in 8 bits where both terms are.
    let model = quantized(&graphs.encoder, Target::Cpu, &[])?;
    let sums = residual_sums(graph_of(&model)?);
    assert!(sums.len() == 14 && sums.iter().all(|terms| *terms == ["DequantizeLinear"; 2]), "{sums:?}");
    Ok(())
}

/// The type of every tensor, as ONNX's operator set 17 infers it; an operator whose inputs differ is an error.
fn types(model: &ModelProto) -> Result<BTreeMap<&str, DataType>> {
    ensure!(model.opset_import[0].version == 17);
    let graph = graph_of(model)?;
    let mut types = BTreeMap::new();
    for tensor in &graph.initializer {
        types.insert(tensor.name.as_str(), DataType::try_from(tensor.data_type)?);
    }
    for input in &graph.input {
        let tensor = input.tensor().with_context(|| format!("input {} has no type", input.name))?;
        types.insert(&input.name, DataType::try_from(tensor.elem_type)?);
    }
    for node in &graph.node {
        let input = |n: usize| types.get(node.input[n].as_str()).copied().with_context(|| format!("{node:?}"));
        let output = match node.op_type.as_str() {
            "QuantizeLinear" => {
                ensure!((input(0)?, input(1)?) == (DataType::Float, DataType::Float), "{node:?}");
                input(2)?
            }
            "DequantizeLinear" => {
                ensure!(input(1)? == DataType::Float, "{node:?}");
                DataType::Float
            }
            "Cast" => DataType::try_from(node.attribute[0].i as i32)?,
            "Gather" | "Reshape" => {
                ensure!(input(1)? == DataType::Int64, "{node:?}");
                input(0)?
            }
            "Split" => input(0)?,
            _ => {
                for n in 1..node.input.len() {
                    ensure!(input(n)? == input(0)?, "{node:?} reads {:?} and {:?}", input(0)?, input(n)?);
                }
                input(0)?
            }
        };
        types.extend(node.output.iter().map(|name| (name.as_str(), output)));
    }
    Ok(types)
}

#[test]
fn what_is_not_in_8_bits_is_fp16_but_for_layer_norm_inputs_and_outputs() -> Result<()> {
    let (checkpoint, graphs) = float_graphs()?;
    let kept =
        ["_conv_stem", "_blocks.0", "encoder.layers.1.attention", "decoder.layers.0.feed_forward", "decoder.output"];
    for float in [&[][..], &kept, &["decoder.embedding"]] {
        for model in [&graphs.encoder, &graphs.decoder] {
            let model = quantized(model, Target::Tensorrt, float)?;
            let (graph, types) = (graph_of(&model)?, types(&model)?);
            let mut in_float = BTreeSet::new();
            for node in &graph.node {
                let expected = match node.op_type.as_str() {
                    "MatMul" | "Softmax" => DataType::Float16,
                    "LayerNormalization" | "QuantizeLinear" => DataType::Float,
                    "Conv" | "Gemm" if operators(graph, node)[..2] == ["DequantizeLinear"; 2] => DataType::Float,
                    "Conv" | "Gemm" => {
                        in_float.insert(quantize::group_of(&node.name));
                        DataType::Float16
                    }
                    _ => continue,
                };
                assert_eq!(types[node.input[0].as_str()], expected, "{node:?}");
            }
            assert!(in_float.iter().all(|group| float.contains(group)), "{in_float:?}");
            let outputs = graph.output.iter().map(|output| types[output.name.as_str()]);
            assert!(outputs.into_iter().all(|kind| kind == DataType::Float));
        }
        // The program's own decoder reads such a graph too.
        let decoder = graph::bytes(&quantized(&graphs.decoder, Target::Tensorrt, float)?);
        Decoder::open(&decoder, &checkpoint.description.model, 1).with_context(|| format!("{float:?}"))?;
    }
    Ok(())
}

#[test]
fn all_in_fp16_agrees_with_libtorch() -> Result<()> {
    if find_library().is_none() {
        return Ok(());
    }
    let (checkpoint, graphs) = float_graphs()?;
    let golden = Golden::read(&fixtures::run().join(GOLDEN), &checkpoint.description.model)?;
    let source = Source { checkpoint: &checkpoint, folder: Path::new("fp16"), groups: graphs.groups()? };
    let half = Graphs {
        encoder: quantize::compute_in_fp16(graphs.encoder)?,
        decoder: quantize::compute_in_fp16(graphs.decoder)?,
    };
    let (encoder, decoder) = (types(&half.encoder)?, types(&half.decoder)?);
    assert_eq!((encoder["_conv_stem.half"], decoder["decoder.output.half"]), (DataType::Float16, DataType::Float16));
    let bundle = source.bundle(&half, Target::Tensorrt, |_| Precision::Fp16)?;
    assert_eq!(parity::verify(&bundle, &golden, HALVED, "fp16")?.len(), 6);
    Ok(())
}
