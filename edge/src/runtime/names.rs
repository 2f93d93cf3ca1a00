//! Names of the graphs' inputs and outputs: the contract between the exporter and the runtimes.

/// Encoder input, `[1, 3, s, s]`.
pub const IMAGE: &str = "image";
/// Encoder output, `[N, d]`.
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

/// Encoder output and decoder input, `[h, d_k, N]`.
#[must_use]
pub fn cross_key(layer: usize) -> String {
    format!("cross_key.{layer}")
}

/// Encoder output and decoder input, `[h, N, d_k]`.
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

/// Decoder output, `[beam, h, 1, d_k]`: what [`self_key`] grows by.
#[must_use]
pub fn new_self_key(layer: usize) -> String {
    format!("new_self_key.{layer}")
}

/// Decoder output, `[beam, h, 1, d_k]`: what [`self_value`] grows by.
#[must_use]
pub fn new_self_value(layer: usize) -> String {
    format!("new_self_value.{layer}")
}
