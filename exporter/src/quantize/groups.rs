//! Layer groups: the units that are kept in float or not, and that reports are about.

/// The group of a node that has weights: a block of the backbone (`layer3.4`, `_blocks.12`), an attention or feed-forward
/// network (`encoder.layers.0.attention`), or a layer of its own (`encoder.input`, `decoder.output`, `conv1`). The
/// decoder's cross-attention is one group, though its keys and values stand in the encoder's graph.
#[must_use]
pub fn group_of(node: &str) -> &str {
    let parts = match node.split('.').next() {
        Some("encoder" | "decoder") if node.contains(".layers.") => 4,
        Some("encoder" | "decoder") | Some("_blocks") => 2,
        Some(first) if first.starts_with("layer") => 2,
        _ => 1,
    };
    node.match_indices('.').nth(parts - 1).map_or(node, |(end, _)| &node[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_belong_to_blocks() {
        for (node, group) in [
            ("layer3.4.conv1", "layer3.4"),
            ("layer1.0.downsample.0", "layer1.0"),
            ("conv1", "conv1"),
            ("_conv_stem", "_conv_stem"),
            ("_blocks.12._depthwise_conv", "_blocks.12"),
            ("encoder.input", "encoder.input"),
            ("encoder.layers.0.attention.query_key_value", "encoder.layers.0.attention"),
            ("encoder.layers.1.feed_forward.up", "encoder.layers.1.feed_forward"),
            ("decoder.layers.2.cross_attention.key_value", "decoder.layers.2.cross_attention"),
            ("decoder.output", "decoder.output"),
            ("decoder.embedding", "decoder.embedding"),
        ] {
            assert_eq!(group_of(node), group);
        }
    }
}
