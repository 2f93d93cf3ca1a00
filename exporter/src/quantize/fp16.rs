//! FP16 as storage: weights become half-precision constants behind a Cast. A CPU's runtime folds the Cast when it loads the graph
//! and computes in FP32; for TensorRT, which computes in what the graph says, see [`super::compute_in_fp16`].

use crate::error::{Error, Result};
use crate::graph::{self, Attribute};
use cssa_graph::names;
use cssa_graph::onnx::{DataType, ModelProto, TensorProto};
use half::f16;

/// Constants with fewer values stay as they are: a Cast costs more than they do.
const FEWEST: usize = 64;

/// The graph with its large float constants in FP16.
pub fn halve(mut model: ModelProto) -> Result<ModelProto> {
    let graph = model.graph.as_mut().ok_or(Error::NoGraph)?;
    let mut casts = Vec::new();
    for tensor in &mut graph.initializer {
        if tensor.data_type != DataType::Float as i32 || tensor.raw_data.len() < 4 * FEWEST {
            continue;
        }
        let halves = graph::values(tensor).into_iter().flat_map(|value| f16::from_f32(value).to_le_bytes()).collect();
        let name = std::mem::take(&mut tensor.name);
        let stored = names::half(&name);
        let float = [("to", Attribute::Int(DataType::Float as i64))];
        casts.push(graph::node("Cast", &name, &[&stored], &[&name], &float));
        let dims = std::mem::take(&mut tensor.dims);
        *tensor = TensorProto { name: stored, dims, data_type: DataType::Float16 as i32, raw_data: halves };
    }
    casts.append(&mut graph.node);
    graph.node = casts;
    Ok(model)
}
