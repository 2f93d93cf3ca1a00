//! The head of a bundle's model card as Hugging Face reads it
//! (<https://github.com/huggingface/hub-docs/blob/main/modelcard.md>): YAML before the text, which stays as it was.

use cssa::bundle::Manifest;
use std::fmt::Write;

/// The card's file. It stands beside what the manifest names.
pub const MODEL_CARD: &str = "MODEL_CARD.md";
/// The largest card that is read, in bytes.
pub const MAX_CARD: u64 = 1 << 20;
/// What the head stands between.
const FENCE: &str = "---\n";

/// The card of a bundle: its head, and the text of the card that it has; a short one where it has none. `license` is an SPDX expression.
#[must_use]
pub fn card(manifest: &Manifest, license: Option<&str>, earlier: Option<&str>) -> String {
    let text = earlier.map_or_else(|| text(manifest), |earlier| without_head(earlier).to_owned());
    format!("{}{text}", head(manifest, license))
}

/// A card's text without its head.
#[must_use]
pub fn without_head(card: &str) -> &str {
    let rest = card.strip_prefix(FENCE).and_then(|rest| rest.split_once("\n---\n"));
    rest.map_or(card, |(_, text)| text)
}

/// YAML takes each string as JSON writes it.
fn head(manifest: &Manifest, license: Option<&str>) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let list = |name: &str, entries: &[String]| {
        let lines: String = entries.iter().map(|entry| format!("- {}\n", quoted(entry))).collect();
        if lines.is_empty() { String::new() } else { format!("{name}:\n{lines}") }
    };
    let datasets: Vec<String> = manifest.provenance.datasets.iter().map(|name| name.to_lowercase()).collect();
    let precisions = manifest.precision.values().map(|precision| format!("{precision:?}").to_lowercase());
    let mut tags = ["remote-sensing", "aerial-imagery", "image-captioning", "onnx"].map(str::to_owned).to_vec();
    tags.extend(precisions.collect::<std::collections::BTreeSet<_>>());
    let mut head = String::from("language: en\n");
    // One licence as the hub calls it; it has no expressions.
    match license.map(str::to_lowercase) {
        Some(license) if !license.contains(' ') => head += &format!("license: {}\n", quoted(&license)),
        Some(license) => head += &format!("license: other\nlicense_name: {}\n", quoted(&license)),
        None => {}
    }
    head += "library_name: onnx\npipeline_tag: image-to-text\n";
    head += &list("tags", &tags);
    head += &list("datasets", &datasets);
    head += "metrics:\n- cider\n";
    if let Some(validation) = &manifest.validation {
        let (dataset, split) = (quoted(&validation.dataset.to_lowercase()), quoted(&validation.split));
        let _written = write!(
            head,
            "model-index:\n- name: {}\n  results:\n  - task: {{type: image-to-text}}\n    dataset: {{name: {dataset}, type: {dataset}, split: {split}}}\n    \
             metrics:\n    - {{type: cider, value: {:.4}, name: \"CIDEr-D of {} images\"}}\n",
            quoted(&format!("cssa-{}", manifest.model.backbone)),
            validation.cider,
            validation.images
        );
    }
    format!("{FENCE}{head}{FENCE}")
}

/// What is known of a bundle that nobody has written about.
fn text(manifest: &Manifest) -> String {
    let (model, provenance) = (&manifest.model, &manifest.provenance);
    let trained = if provenance.datasets.is_empty() { "unknown data".into() } else { provenance.datasets.join(", ") };
    let mut text = format!(
        "# Model card: CSSA with {}\n\nCaptions aerial images: CSSA (Remote Sens. 2026, 18, 522), {side} × {side} px, {} encoder and {} decoder layers, \
         d = {}, {} heads. Trained on {trained}; seed {}, revision {}.\n",
        model.backbone,
        model.encoder_layers,
        model.decoder_layers,
        model.width,
        model.heads,
        provenance.seed,
        provenance.revision,
        side = model.image_size
    );
    if let Some(validation) = &manifest.validation {
        let _written = write!(
            text,
            "\nCIDEr-D on {} {} ({} images): {:.4}; the float model's {:.4}.\n",
            validation.dataset, validation.split, validation.images, validation.cider, validation.float_cider
        );
    }
    text += "\nWhere it may be used, and where not, somebody who knows has to write here. `exporter trust` measures what its captions are worth.\n";
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use cssa::bundle::MANIFEST;

    /// What Hugging Face's own reader makes of it: `tests/signed.sh`.
    #[test]
    fn the_text_stays_and_the_head_is_new() -> anyhow::Result<()> {
        let manifest = Manifest::read(&fixtures::bundle())?;
        assert!(manifest.files.contains_key("encoder.onnx"), "{MANIFEST}");
        let written = card(&manifest, Some("Apache-2.0"), Some("# Mine\n\n---\nA rule.\n"));
        let (head, text) = written.split_at(written.find("# Mine").unwrap_or(0));
        assert_eq!(text, "# Mine\n\n---\nA rule.\n");
        for line in [
            "license: \"apache-2.0\"",
            "pipeline_tag: image-to-text",
            "language: en",
            "- \"rsicd\"",
            "- cider",
            "value: 3.2559",
        ] {
            assert!(head.contains(line), "{line}: {head}");
        }
        assert_eq!(card(&manifest, Some("Apache-2.0"), Some(&written)), written, "once more is the same");
        let own = card(&manifest, None, None);
        assert!(own.contains("# Model card: CSSA with efficientnet-lite2") && !own.contains("license"), "{own}");
        assert!(
            card(&manifest, Some("MIT OR Apache-2.0"), None)
                .contains("license: other\nlicense_name: \"mit or apache-2.0\"")
        );
        Ok(())
    }
}
