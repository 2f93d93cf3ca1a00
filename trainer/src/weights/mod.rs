//! Weights files as other tools write them: `.safetensors`, and the `.pth` files of `torch.save` (torchvision's).

mod pickle;
mod pth;

use crate::error::Result;
use cssa::tensors::Tensors;
use std::path::Path;

/// Reads the floating-point tensors of a weights file, told by its ending: `.pth`, `.pt` or `.bin` for `torch.save`, anything
/// else as `.safetensors`.
pub fn read(path: &Path) -> Result<Tensors> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("pth" | "pt" | "bin") => pth::read(path),
        _ => Ok(Tensors::read(path)?),
    }
}
