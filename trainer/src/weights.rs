//! Weights files as other tools write them.

use anyhow::Result;
use cssa::tensors::Tensors;
use std::path::Path;

/// Reads `.safetensors`.
pub fn read(path: &Path) -> Result<Tensors> {
    Ok(Tensors::read(path)?)
}
