//! What the graphs' inputs, outputs, nodes and constants are called. A node with one output is called as that output; a constant
//! of a layer is called after it, with [`weight`] or [`bias`]; what a pass over the graph adds has a suffix.

/// Encoder input, `[B, 3, s, s]`.
pub const IMAGE: &str = "image";
/// The dimension that is chosen when the encoder runs: images at once.
pub const BATCH: &str = "batch";
/// Encoder output, `[B, N, d]`.
pub const MEMORY: &str = "memory";
/// Decoder input, `[beam]`: the newest token of each caption.
pub const TOKENS: &str = "tokens";
/// Decoder input, `[1]`: where the newest tokens stand.
pub const POSITION: &str = "position";
/// Decoder output, `[beam, V]`.
pub const LOGITS: &str = "logits";
/// The dimension that is chosen when the decoder is loaded.
pub const BEAM: &str = "beam";
/// The dimension that grows with every step: the tokens before the newest.
pub const PAST: &str = "past";

/// Conv of the encoder: backbone features to width d.
pub const ENCODER_INPUT: &str = "encoder.input";
/// Gather of the decoder: a row of the word embedding a token.
pub const EMBEDDING: &str = "decoder.embedding";
/// Constant of the decoder, `[max_tokens, d]`: the position encoding.
pub const POSITIONS: &str = "positions";
/// Gemm of the decoder: width d to logits.
pub const DECODER_OUTPUT: &str = "decoder.output";

/// Gemm of an encoder layer, d to 3d, within `attention`.
pub const QUERY_KEY_VALUE: &str = "attention.query_key_value";
/// Gemm of a decoder layer, d to 3d.
pub const SELF_QUERY_KEY_VALUE: &str = "self_attention.query_key_value";
/// Gemm of a decoder layer, d to d.
pub const SELF_OUTPUT: &str = "self_attention.output";
/// LayerNorm behind [`SELF_OUTPUT`].
pub const SELF_NORM: &str = "self_norm";
/// Gemm of a decoder layer, d to d.
pub const CROSS_QUERY: &str = "cross_attention.query";
/// Gemm of a decoder layer, d to d.
pub const CROSS_OUTPUT: &str = "cross_attention.output";
/// LayerNorm behind [`CROSS_OUTPUT`].
pub const CROSS_NORM: &str = "cross_norm";
/// Gemm of a layer, d to the feed-forward width.
pub const FEED_FORWARD_UP: &str = "feed_forward.up";
/// Gemm of a layer, the feed-forward width to d.
pub const FEED_FORWARD_DOWN: &str = "feed_forward.down";
/// LayerNorm behind [`FEED_FORWARD_DOWN`].
pub const FEED_FORWARD_NORM: &str = "feed_forward_norm";
/// LayerNorm of an encoder layer behind its attention.
pub const ATTENTION_NORM: &str = "attention_norm";

/// A part of an encoder layer.
#[must_use]
pub fn encoder_layer(layer: usize, part: &str) -> String {
    format!("encoder.layers.{layer}.{part}")
}

/// A part of a decoder layer; its cross-attention's keys and values are computed in the encoder's graph.
#[must_use]
pub fn decoder_layer(layer: usize, part: &str) -> String {
    format!("decoder.layers.{layer}.{part}")
}

/// Constant of an encoder layer, `[h, N, N]`: Ω = G · d(l), computed by the exporter.
#[must_use]
pub fn omega(layer: usize) -> String {
    encoder_layer(layer, "omega")
}

/// A layer's weights: `[inputs, outputs]` of a Gemm, `[outputs, inputs, k, k]` of a Conv, `[d]` of a LayerNorm, the table of a Gather.
#[must_use]
pub fn weight(layer: &str) -> String {
    format!("{layer}.weight")
}

/// A layer's bias, one number an output.
#[must_use]
pub fn bias(layer: &str) -> String {
    format!("{layer}.bias")
}

/// Encoder output, `[B, h, d_k, N]`, and, of one image, decoder input, `[h, d_k, N]`.
#[must_use]
pub fn cross_key(layer: usize) -> String {
    format!("cross_key.{layer}")
}

/// Encoder output, `[B, h, N, d_k]`, and, of one image, decoder input, `[h, N, d_k]`.
#[must_use]
pub fn cross_value(layer: usize) -> String {
    format!("cross_value.{layer}")
}

/// Decoder input, `[beam, h, past, d_k]`.
#[must_use]
pub fn self_key(layer: usize) -> String {
    format!("self_key.{layer}")
}

/// Decoder input, `[beam, h, past, d_k]`.
#[must_use]
pub fn self_value(layer: usize) -> String {
    format!("self_value.{layer}")
}

/// How [`new_self_key`] and [`new_self_value`] begin.
pub const NEW_SELF: &str = "new_self_";

/// Decoder output, `[beam, h, 1, d_k]`: what [`self_key`] grows by.
#[must_use]
pub fn new_self_key(layer: usize) -> String {
    format!("{NEW_SELF}key.{layer}")
}

/// Decoder output, `[beam, h, 1, d_k]`: what [`self_value`] grows by.
#[must_use]
pub fn new_self_value(layer: usize) -> String {
    format!("{NEW_SELF}value.{layer}")
}

const HALF: &str = ".half";
const QUANTIZED: &str = ".quantized";
const DEQUANTIZED: &str = ".dequantized";
const SCALE: &str = ".scale";
const ZERO: &str = ".zero";

/// The same tensor in FP16.
#[must_use]
pub fn half(tensor: &str) -> String {
    format!("{tensor}{HALF}")
}

/// The tensor whose FP16 form this is.
#[must_use]
pub fn of_half(tensor: &str) -> Option<&str> {
    tensor.strip_suffix(HALF)
}

/// The same tensor in integers.
#[must_use]
pub fn quantized(tensor: &str) -> String {
    format!("{tensor}{QUANTIZED}")
}

/// The floats that [`quantized`] stands for: what layers read.
#[must_use]
pub fn dequantized(tensor: &str) -> String {
    format!("{tensor}{DEQUANTIZED}")
}

/// The tensor whose [`dequantized`] form this is.
#[must_use]
pub fn of_dequantized(tensor: &str) -> Option<&str> {
    tensor.strip_suffix(DEQUANTIZED)
}

/// The steps in which a tensor is counted.
#[must_use]
pub fn scale(tensor: &str) -> String {
    format!("{tensor}{SCALE}")
}

/// The integer that stands for 0.
#[must_use]
pub fn zero(tensor: &str) -> String {
    format!("{tensor}{ZERO}")
}

/// Whether this is a [`scale`].
#[must_use]
pub fn is_scale(tensor: &str) -> bool {
    tensor.ends_with(SCALE)
}

/// Whether this is a [`scale`] or a [`zero`].
#[must_use]
pub fn is_scale_or_zero(tensor: &str) -> bool {
    is_scale(tensor) || tensor.ends_with(ZERO)
}
