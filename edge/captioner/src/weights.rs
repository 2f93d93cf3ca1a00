//! What no healthy weight is: NaN or infinite. A model with one has no words, or wrong ones, for every image.

use crate::error::{Result, ensure};
use cssa_graph::onnx::{DataType, ModelProto, TensorProto};
use half::f16;
use prost::Message;

/// Refuses an ONNX graph with such a weight, by its name.
pub(crate) fn check(graph: &[u8]) -> Result<()> {
    let model = ModelProto::decode(graph)?;
    for tensor in model.graph.iter().flat_map(|graph| &graph.initializer) {
        let Some((at, value)) = unhealthy(tensor) else { continue };
        ensure!(false, "tensor {} has {value} at {at}, expected finite numbers", tensor.name);
    }
    Ok(())
}

/// The first such value of a tensor and where it is.
fn unhealthy(tensor: &TensorProto) -> Option<(usize, f32)> {
    let unhealthy = |(_, value): &(usize, f32)| !value.is_finite();
    match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float) => {
            let values = tensor.raw_data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            values.enumerate().find(unhealthy)
        }
        Ok(DataType::Float16) => {
            let values = tensor.raw_data.as_chunks::<2>().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32());
            values.enumerate().find(unhealthy)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Captioner, Choice, Settings};
    use cssa::bundle::Bundle;
    use std::error::Error;

    #[test]
    fn a_weight_that_is_no_number_is_refused_by_name() -> Result<(), Box<dyn Error>> {
        let mut bundle = Bundle::read(&fixtures::bundle())?;
        check(&bundle.encoder)?;
        check(&bundle.decoder)?;
        for value in [f32::NAN, f32::NEG_INFINITY] {
            let mut model = ModelProto::decode(bundle.decoder.as_slice())?;
            let tensors = model.graph.iter_mut().flat_map(|graph| &mut graph.initializer);
            let tensor =
                tensors.filter(|tensor| tensor.data_type == DataType::Float as i32).last().ok_or("no tensor")?;
            let name = tensor.name.clone();
            tensor.raw_data[..4].copy_from_slice(&value.to_le_bytes());
            bundle.decoder = model.encode_to_vec();
            let settings = Settings { choice: Choice::Auto, ..Settings::default() };
            let said = Captioner::open(&bundle, &settings).err().ok_or("it loads")?.to_string();
            let expected = format!("decoder.onnx: tensor {name} has {value} at 0");
            assert!(said.contains(&expected), "{said}, expected {expected}");
        }
        Ok(())
    }
}
