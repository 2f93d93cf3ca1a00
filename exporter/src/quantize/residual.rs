//! The residual sums of a backbone in 8 bits.
//!
//! Into a sum go, on a CPU, both terms in 8 bits: ONNX Runtime makes QLinearConv and QLinearAdd of that (the default bundle's
//! encoder takes 10.9 ms of a busy core's time so, and 16.3 with the identity branch alone in 8 bits). TensorRT computes
//! convolution and sum as one where only the other term, the identity branch, is in 8 bits (NVIDIA, *Working with Quantized
//! Types*, Q/DQ placement), so for it the convolution's output goes into the sum as it is.

use super::{Layer, one_to_one};
use crate::graph::Name;
use cssa::bundle::Target;
use cssa_graph::onnx::GraphProto;
use std::collections::{BTreeMap, BTreeSet};

/// Takes one term of every residual sum out of what is quantized: the output of a convolution that only the sum reads, of
/// two the first, which is that of the block's body.
pub(super) fn leave_summands(graph: &GraphProto, layers: &mut [Layer]) {
    let reads = |name: &str| graph.node.iter().flat_map(|node| &node.input).filter(|input| *input == name).count();
    for sum in graph.node.iter().filter(|node| node.op_type == "Add") {
        let written_as_it_is = |layer: &Layer, term: &Name| {
            layer.output.as_ref() == Some(term) && graph.node[layer.node].output[0] == *term
        };
        let mut alone = sum.input.iter().filter(|term| reads(term) == 1);
        let found = alone.find_map(|term| layers.iter().position(|layer| written_as_it_is(layer, term)));
        if let Some(at) = found {
            layers[at].output = None;
        }
    }
}

/// Lets sums whose result is quantized read the dequantized twins of their terms: on a CPU where all terms have one, for
/// TensorRT of each that has.
pub(super) fn read_quantized(graph: &mut GraphProto, quantized: &BTreeMap<Name, (Name, f32)>, target: Target) {
    let rectified: BTreeMap<Name, Name> = one_to_one(graph, "Relu").collect();
    let twins: BTreeSet<&Name> = quantized.values().map(|(twin, _)| twin).collect();
    let twin = |term: &Name| match quantized.get(term) {
        Some((twin, _)) => Some(twin.clone()),
        None => twins.contains(term).then(|| term.clone()),
    };
    for node in graph.node.iter_mut().filter(|node| node.op_type == "Add") {
        let sum = rectified.get(&node.output[0]).unwrap_or(&node.output[0]);
        let terms: Vec<Option<Name>> = node.input.iter().map(twin).collect();
        let enough = target == Target::Tensorrt || terms.iter().all(Option::is_some);
        if enough && quantized.contains_key(sum) {
            for (input, term) in node.input.iter_mut().zip(terms) {
                if let Some(term) = term {
                    *input = term;
                }
            }
        }
    }
}
