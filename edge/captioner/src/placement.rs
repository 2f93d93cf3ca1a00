//! What an execution provider took of the encoder's work: its share of the multiplications, read off ONNX Runtime's profile.
//!
//! Registering a provider says nothing of whether it took any node, and a provider with one node of a hundred is no
//! provider at work. Nodes do not count alike, and TensorRT shows all that it took as one node of its own; so what the *others*
//! ran is counted, and the rest of the encoder's multiplications, which follow from the model, is the provider's.

use crate::error::{Error, Result, unexpected};
use cssa::backbone::{Convolution, Layer, Shortcut};
use cssa::model::Model;
use cssa_graph::names;
use serde_json::Value;
use std::collections::BTreeMap;

/// A provider with less than this share of the multiplications is not at work.
const LEAST_SHARE: f64 = 0.5;
/// Nodes elsewhere that an error names.
const NAMED: usize = 3;

/// Where an encoder's nodes ran.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placement {
    /// Share of the multiplications that the provider took that was asked for, 0 to 1.
    pub(crate) share: f64,
    /// Nodes that it ran.
    pub(crate) nodes: usize,
    /// What the others ran: node, provider and multiplications, the largest first.
    pub(crate) elsewhere: Vec<(String, String, u64)>,
}

impl Placement {
    /// Reads the profile of one run; `asked` is the provider's name.
    pub(crate) fn read(profile: &str, asked: &str, work: &Work) -> Result<Self> {
        let events: Value =
            serde_json::from_str(profile).map_err(|error| unexpected!("ONNX Runtime's profile: {error}"))?;
        let (mut nodes, mut elsewhere) = (0, Vec::new());
        for event in events.as_array().into_iter().flatten() {
            let Some(provider) = event["args"]["provider"].as_str() else { continue };
            if provider == asked {
                nodes += 1;
                continue;
            }
            let name = event["name"].as_str().unwrap_or_default();
            let name = name.strip_suffix("_kernel_time").unwrap_or(name);
            elsewhere.push((name.to_owned(), provider.to_owned(), work.of_node(name, &event["args"])));
        }
        elsewhere.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
        let mut placement = Self { share: 0.0, nodes, elsewhere };
        if nodes > 0 {
            placement.share = 1.0 - (placement.others() as f64 / work.total.max(1) as f64).min(1.0);
        }
        Ok(placement)
    }

    /// The multiplications of the others.
    pub(crate) fn others(&self) -> u64 {
        self.elsewhere.iter().map(|(_, _, count)| count).sum()
    }

    /// An error if the provider took less than half; it names the largest nodes that ran elsewhere.
    pub(crate) fn check(&self, asked: &str) -> Result<()> {
        let largest: Vec<String> =
            self.elsewhere.iter().take(NAMED).map(|(node, provider, _)| format!("{node} on {provider}")).collect();
        if self.share >= LEAST_SHARE {
            return Ok(());
        }
        let problem = format!(
            "took {:.0} % of the multiplications, expected half of them or more; {} nodes ran elsewhere: {}{}",
            self.share * 100.0,
            self.elsewhere.len(),
            largest.join(", "),
            if self.elsewhere.len() > NAMED { ", …" } else { "" }
        );
        Err(Error::Provider { provider: asked.into(), problem })
    }
}

/// The multiplications of an encoder for one image.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    /// All of them.
    pub(crate) total: u64,
    /// Those that a value costs which a convolution writes, by the convolution's name.
    convolutions: BTreeMap<String, u64>,
}

impl Work {
    /// What a model's encoder has to do.
    pub(crate) fn of(model: &Model) -> Self {
        let mut work = Self { total: 0, convolutions: BTreeMap::new() };
        let mut side = model.image_size;
        for layer in model.backbone.plan(model.image_size) {
            match layer {
                Layer::Convolution(layer) => side = work.convolution(&layer, side),
                Layer::MaxPool => side = side.div_ceil(2),
                Layer::Block { body, shortcut, .. } => {
                    if let Shortcut::Projection(layer) = shortcut {
                        work.convolution(&layer, side);
                    }
                    side = body.iter().fold(side, |side, layer| work.convolution(layer, side));
                }
            }
        }
        let (cells, width, channels) = (model.cells(), model.width, model.backbone.channels());
        work.convolutions.insert(names::ENCODER_INPUT.into(), channels as u64);
        // Queries, keys and values, their output; scores and what is attended; the feed-forward network.
        let layer = 4 * cells * width * width + 2 * cells * cells * width + 2 * cells * width * model.feed_forward;
        let cross = 2 * cells * width * width;
        let rest = cells * width * channels + model.encoder_layers * layer + model.decoder_layers * cross;
        work.total += rest as u64;
        work
    }

    /// Counts a convolution on a square; gives the side of what it writes.
    fn convolution(&mut self, layer: &Convolution, side: usize) -> usize {
        let side = (side + layer.padding.0 + layer.padding.1).saturating_sub(layer.kernel) / layer.stride.max(1) + 1;
        let each = layer.inputs / layer.groups.max(1) * layer.kernel * layer.kernel;
        self.total += (each * layer.outputs * side * side) as u64;
        self.convolutions.insert(layer.name.clone(), each as u64);
        side
    }

    /// The multiplications of a node by the shapes that it read and wrote; only convolutions and products have any to speak
    /// of, under whatever name ONNX Runtime fused them.
    fn of_node(&self, name: &str, args: &Value) -> u64 {
        let shapes = |key: &str| -> Vec<Vec<u64>> {
            let typed =
                args[key].as_array().into_iter().flatten().filter_map(|typed| typed.as_object()?.values().next());
            typed.map(|shape| shape.as_array().into_iter().flatten().filter_map(Value::as_u64).collect()).collect()
        };
        let (inputs, outputs) = (shapes("input_type_shape"), shapes("output_type_shape"));
        let (Some(input), Some(output)) = (inputs.first(), outputs.first()) else { return 0 };
        let operator = args["op_name"].as_str().unwrap_or_default();
        let written: u64 = output.iter().product();
        if operator.contains("Conv") {
            // The weights have as many dimensions as the features. Where they were packed, the profile does not show them, and
            // the name begins with the convolution's.
            let weight = inputs.iter().skip(1).find(|shape| shape.len() == input.len());
            let shown = weight.map(|weight| weight.iter().skip(1).product::<u64>());
            written * shown.or_else(|| self.named(name)).unwrap_or(0)
        } else if operator.contains("Gemm") || operator.contains("MatMul") {
            written * input.last().copied().unwrap_or(0)
        } else {
            0
        }
    }

    /// Of the convolution with the longest name that `name` begins with.
    fn named(&self, name: &str) -> Option<u64> {
        let fits = self.convolutions.iter().filter(|(own, _)| name.starts_with(own.as_str()));
        fits.max_by_key(|(own, _)| own.len()).map(|(_, each)| *each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENSORRT: &str = "TensorrtExecutionProvider";

    /// A profile of one fused node of TensorRT, a convolution of 1,000 × 9 multiplications and a product of 100 on others.
    const PROFILE: &str = r#"[
        {"cat":"Session","name":"model_run","args":{}},
        {"cat":"Node","name":"TRTKernel_graph_0_kernel_time","args":{"op_name":"TRTKernel_graph_0",
            "provider":"TensorrtExecutionProvider","input_type_shape":[{"float":[1,3,9,9]}],
            "output_type_shape":[{"float":[1,10,10,10]}]}},
        {"cat":"Node","name":"layer1.conv1_kernel_time","args":{"op_name":"QLinearConv","provider":"CUDAExecutionProvider",
            "input_type_shape":[{"uint8":[1,3,10,10]},{"float":[]},{"uint8":[]},{"int8":[10,1,3,3]},{"float":[10]}],
            "output_type_shape":[{"uint8":[1,10,10,10]}]}},
        {"cat":"Node","name":"gemm_kernel_time","args":{"op_name":"FusedGemm","provider":"CPUExecutionProvider",
            "input_type_shape":[{"float":[2,10]},{"float":[10,5]},{"float":[5]}],
            "output_type_shape":[{"float":[2,5]}]}},
        {"cat":"Node","name":"shape_kernel_time","args":{"op_name":"Shape","provider":"CPUExecutionProvider"}}]"#;

    fn work(total: u64) -> Work {
        let convolutions = [("layer1.conv", 1), ("layer1.conv1", 9)].map(|(name, each)| (name.to_owned(), each));
        Work { total, convolutions: convolutions.into() }
    }

    #[test]
    fn the_share_is_what_the_others_left() -> Result<()> {
        let most = Placement::read(PROFILE, TENSORRT, &work(91_000))?;
        assert_eq!((most.nodes, most.elsewhere.len(), (most.share * 1000.0).round()), (1, 3, 900.0));
        assert_eq!(most.elsewhere[0], ("layer1.conv1".into(), "CUDAExecutionProvider".into(), 9_000));
        assert_eq!(most.elsewhere[1].2, 100);
        let packed = PROFILE.replace(r#"{"int8":[10,1,3,3]}"#, r#"{"int8":[10]}"#);
        assert_eq!(
            Placement::read(&packed.replace("conv1_k", "conv1_nhwc_k"), TENSORRT, &work(91_000))?.others(),
            9_100
        );
        most.check(TENSORRT)
    }

    #[test]
    fn less_than_a_half_is_an_error_that_names_what_ran_elsewhere() -> Result<()> {
        let little = Placement::read(PROFILE, TENSORRT, &work(10_000))?;
        let said = little.check(TENSORRT).map_err(|error| error.to_string());
        let expected = "TensorrtExecutionProvider took 9 % of the multiplications, expected half of them or more; \
                        3 nodes ran elsewhere: layer1.conv1 on CUDAExecutionProvider, gemm on CPUExecutionProvider, \
                        shape on CPUExecutionProvider";
        assert_eq!(said, Err(expected.into()));
        let none = Placement::read(PROFILE, "ROCMExecutionProvider", &work(91_000))?;
        assert_eq!((none.share, none.nodes), (0.0, 0));
        assert!(none.check("ROCMExecutionProvider").is_err());
        assert!(Placement::read("not json", TENSORRT, &work(1)).is_err());
        Ok(())
    }
}
