//! tract: pure Rust, on any CPU, nothing to install.
//!
//! tract has no fast integer convolutions, so an INT8 bundle is loaded as the float network that computes the same whole numbers
//! ([`in_whole_numbers`]): its features are those of ONNX Runtime bit for bit, and what is said of an image hangs on no runtime. FP16,
//! which only makes detours on a CPU, is loaded as FP32.

use crate::error::{At, Error, Result, unexpected};
use crate::runtime::{CrossAttention, Encoder, Part};
use cssa::bundle::{Bundle, ENCODER};
use cssa::model::Model;
use cssa_graph::onnx::ModelProto;
use cssa_graph::{in_whole_numbers, names};
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
            let float = in_whole_numbers(ModelProto::decode(bundle.encoder.as_slice())?)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnxruntime::{find_library, open_session};
    use crate::settings::Settings;
    use cssa::preprocess;
    use cssa_graph::onnx::{DataType, TensorType, TypeProto, ValueInfoProto};
    use std::path::Path;

    /// The encoder with one output: the integers that its transformer reads.
    fn features(bundle: &Bundle, kind: DataType) -> Result<ModelProto> {
        let mut model = ModelProto::decode(bundle.encoder.as_slice())?;
        let graph = model.graph.as_mut().ok_or_else(|| unexpected!("it has no graph"))?;
        let tensor = TensorType { elem_type: kind as i32, shape: None };
        let r#type = Some(TypeProto { tensor_type: Some(tensor) });
        graph.output = vec![ValueInfoProto { name: names::quantized(names::ENCODER_INPUT), r#type }];
        Ok(model)
    }

    /// What a picture looks like to the transformer is the same bit for bit in ONNX Runtime and in tract.
    #[test]
    fn features_are_the_integers_of_onnx_runtime() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let Some(library) = find_library() else { return Ok(()) };
        let bundle = Bundle::read(&fixtures::bundle())?;
        let size = bundle.manifest.model.image_size;
        let settings = Settings { threads: 1, ..Settings::default() };
        let graph = features(&bundle, DataType::Uint8)?.encode_to_vec();
        let mut session = open_session(&library, Path::new(ENCODER), &graph, &settings)?;
        let whole = in_whole_numbers(features(&bundle, DataType::Float)?)?;
        let plan = tract_onnx::onnx().model_for_read(&mut whole.encode_to_vec().as_slice())?;
        let fact = f32::fact([1, 3, size, size]);
        let plan = plan.with_input_fact(0, fact.into())?.into_optimized()?.into_runnable()?;
        for scene in 0..3 {
            let image = cssa_image::read(&fixtures::scenes().join(format!("images/scene_{scene:05}.jpg")))?;
            let input = preprocess::input(&image, &bundle.manifest.model);
            let value = ort::value::TensorRef::from_array_view(([1, 3, size, size], input.as_slice()))?;
            let found = session.run(ort::inputs![names::IMAGE => value])?;
            let expected = found[0].try_extract_tensor::<u8>()?.1.to_vec();
            let image = Tensor::from_shape(&[1, 3, size, size], &input)?.into_tvalue();
            let found = plan.run(tvec!(image))?;
            let found: Vec<f32> = found[0].to_plain_array_view::<f32>()?.iter().copied().collect();
            let zero = f32::from(expected[0]) - found[0];
            let others = expected.iter().zip(&found).filter(|(known, found)| f32::from(**known) != **found + zero);
            assert_eq!(others.count(), 0, "of {} in scene {scene}", found.len());
        }
        Ok(())
    }
}
