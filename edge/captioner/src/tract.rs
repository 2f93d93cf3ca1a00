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
/// Takes a layer's cross-attention keys or values of one image.
type OneImage<'a> = dyn FnMut(usize, Part, &[f32]) -> Result<()> + 'a;

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
            let model = bundle.manifest.model.clone();
            let one = f32::fact([1, 3, model.image_size, model.image_size]);
            let plan = tract_onnx::onnx().model_for_read(&mut float.encode_to_vec().as_slice());
            let plan = plan.and_then(|graph| graph.with_input_fact(0, one.into())?.into_optimized()?.into_runnable());
            Ok::<_, Error>(Self { plan: plan.map_err(tract_error)?, outputs, model })
        };
        load().at(|| format!("{}: tract cannot load it", bundle.folder.join(ENCODER).display()))
    }
}

impl Encoder for TractEncoder {
    fn active(&self) -> String {
        "tract".into()
    }

    /// One image after the other: the plan is optimized for one.
    fn encode(&mut self, images: &[f32], seen: &mut CrossAttention<'_>) -> Result<Vec<f32>> {
        let one = 3 * self.model.image_size * self.model.image_size;
        let mut memories = Vec::new();
        for (number, image) in images.chunks_exact(one).enumerate() {
            memories.extend(self.encode_one(image, &mut |layer, part, values| seen(number, layer, part, values))?);
        }
        Ok(memories)
    }
}

impl TractEncoder {
    fn encode_one(&mut self, image: &[f32], seen: &mut OneImage<'_>) -> Result<Vec<f32>> {
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
