//! A bundle at work: an image becomes a caption.
//!
//! `encoder.onnx` runs in ONNX Runtime, whose library is looked for when the program runs, or in tract (feature `tract`, on by
//! default); the decoder's steps are computed by this crate's [`Decoder`]. [`Captioner`] joins them with preprocessing and search.
//!
//! ```
//! use cssa::bundle::Bundle;
//! use cssa_captioner::{Captioner, Settings};
//!
//! let bundle = Bundle::read(&fixtures::bundle())?;
//! let mut captioner = Captioner::open(&bundle, &Settings::default())?;
//! let image = cssa_image::read(&fixtures::scenes().join("images/scene_00000.jpg"))?;
//! let caption = captioner.caption(&image)?;
//! assert!(!caption.text.is_empty() && (0.0..=1.0).contains(&caption.score));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod captioner;
mod decoder;
mod error;
mod judgement;
mod load;
mod looks;
mod neighbours;
mod onnxruntime;
mod placement;
mod runtime;
mod settings;
#[cfg(feature = "tract")]
mod tract;
mod unknown_name;
mod weights;

pub use captioner::{Caption, Captioner, Sight, at_work};
pub use decoder::Decoder;
pub use error::{Error, MISSING, Subject};
pub use load::open;
pub use looks::Looks;
pub use onnxruntime::{find_library, open_session};
pub use runtime::{Part, Runtime, Steps};
pub use settings::{Choice, Provider, Settings};
pub use unknown_name::UnknownName;

/// The instructions that the decoder multiplies with on this CPU: `avx512-vnni`, `neon-dotprod`, …
#[must_use]
pub fn kernel_of_this_cpu() -> &'static str {
    cssa_kernel::Dispatch::of_this_cpu().name()
}
