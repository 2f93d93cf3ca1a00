//! tract: pure Rust, on any CPU, nothing to install.
//!
//! tract computes quantized convolutions in float plus the casts, so an INT8 bundle is loaded as the float network that it
//! stands for: the weights become floats once, and the activations' quantizers go away. So does FP16, which only makes detours on a CPU.

use crate::error::{At, Error, Result, unexpected};
use crate::runtime::{CrossAttention, Encoder, Part};
use cssa::bundle::{Bundle, ENCODER};
use cssa::model::Model;
use cssa_graph::onnx::ModelProto;
use cssa_graph::{dequantized, names};
use prost::Message;
use std::sync::Arc;
use tract_onnx::prelude::*;

type Plan = Arc<TypedRunnableModel>;

/// `encoder.onnx` in tract.
pub(crate) struct TractEncoder {
    plan: Plan,
    outputs: Vec<String>,
    model: Model,
}

/// An error of tract's with all that led to it.
fn tract_error(error: TractError) -> Error {
    Error::Runtime(format!("{error:#}"))
}

impl TractEncoder {
    /// Loads it.
    pub(crate) fn open(bundle: &Bundle) -> Result<Self> {
        let load = || {
            let float = dequantized(ModelProto::decode(bundle.encoder.as_slice())?)?;
            let graph = float.graph.as_ref().ok_or_else(|| unexpected!("it has no graph"))?;
            let outputs = graph.output.iter().map(|output| output.name.clone()).collect();
            let plan = tract_onnx::onnx().model_for_read(&mut float.encode_to_vec().as_slice());
            let plan = plan.and_then(|model| model.into_optimized()?.into_runnable()).map_err(tract_error)?;
            Ok::<_, Error>(Self { plan, outputs, model: bundle.manifest.model.clone() })
        };
        load().at(|| format!("{}: tract cannot load it", bundle.folder.join(ENCODER).display()))
    }
}

impl Encoder for TractEncoder {
    fn active(&self) -> String {
        "tract".into()
    }

    fn encode(&mut self, image: &[f32], seen: &mut CrossAttention<'_>) -> Result<Vec<f32>> {
        let size = self.model.image_size;
        let image = Tensor::from_shape(&[1, 3, size, size], image).map_err(tract_error)?.into_tvalue();
        let outputs = self.plan.run(tvec!(image)).map_err(tract_error).at(|| ENCODER.into())?;
        let values = |name: &str| {
            let at = self.outputs.iter().position(|output| output == name);
            let value = at.and_then(|at| outputs.get(at));
            let value = value.ok_or_else(|| unexpected!("{ENCODER}: has no output {name}"))?;
            let values = value.to_plain_array_view::<f32>().map_err(tract_error)?;
            Ok::<_, Error>(values.iter().copied().collect::<Vec<f32>>())
        };
        for layer in 0..self.model.decoder_layers {
            seen(layer, Part::Keys, &values(&names::cross_key(layer))?)?;
            seen(layer, Part::Values, &values(&names::cross_value(layer))?)?;
        }
        values(names::MEMORY)
    }
}
