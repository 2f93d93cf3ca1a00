//! What a bundle's files are called, and what they may be at most.

/// Name of the manifest.
pub const MANIFEST: &str = "manifest.toml";
/// Name of the encoder's graph.
pub const ENCODER: &str = "encoder.onnx";
/// Name of the decoder's graph.
pub const DECODER: &str = "decoder.onnx";
/// Version of the layout that this code writes.
pub const FORMAT: u32 = 3;
/// The first version whose encoder takes a batch of images, and which may hold what confidence and familiarity need.
pub const BATCHED: u32 = 3;
/// The oldest version that is still read.
pub(super) const OLDEST_FORMAT: u32 = 2;
/// Most bytes of a file.
pub(super) const MAX_FILE: u64 = 1 << 30;
