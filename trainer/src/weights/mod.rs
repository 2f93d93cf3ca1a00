//! Weights files as other tools write them: `.safetensors`, and the `.pth` files of `torch.save` (torchvision's). What a file is, its
//! content says.

mod format;
mod pickle;
mod prefix;
mod pth;

pub use prefix::without_prefix;

use crate::error::Result;
use cssa::files::{self, FileError};
use cssa::tensors::Tensors;
use format::Format;
use std::path::Path;

const MAX_FILE: u64 = 1 << 34;

/// Reads the floating-point tensors of a weights file; what is none is named.
pub fn read(path: &Path) -> Result<Tensors> {
    let bytes = files::read(path, MAX_FILE)?;
    match Format::of(&bytes) {
        Format::SafeTensors => Ok(Tensors::parse(path, &bytes)?),
        Format::StateDict => pth::read(path, &bytes),
        Format::Other(found) => {
            let problem = format!("is {found}, expected weights as .safetensors or as torch.save writes them");
            Err(FileError::content(path, problem).into())
        }
    }
}
