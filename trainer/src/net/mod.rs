//! The CSSA network in libtorch: one struct per block, fields named as the tensors of `cssa::parameters`.

mod attention;
pub mod augment;
mod backbone;
mod camera;
mod dg_former;
mod encoder;
mod layers;
mod parts;
mod precision;
mod store;
mod text_decoder;

pub use attention::{Allowed, Attention, Keys};
pub use backbone::{BackboneNet, FeatureShape, read_weights};
pub use dg_former::{DgFormer, Geometry};
pub use encoder::{Encoder, Images};
pub use layers::{FeedForward, LayerNorm, Linear, Mode, dropout};
pub use parts::Parts;
pub use precision::Precision;
pub use store::{Store, from_array, to_array};
pub(crate) use text_decoder::normalize;
pub use text_decoder::{RsicDecoder, SentenceEncoder, StepCache};
