//! The head of a bundle's model card as Hugging Face reads it
//! (<https://github.com/huggingface/hub-docs/blob/main/modelcard.md>): YAML before the text, which stays as it was.

use cssa::bundle::Manifest;
use serde_json::{Map, Value};
use std::fmt::Write;

/// The card's file. It stands beside what the manifest names.
pub const MODEL_CARD: &str = "MODEL_CARD.md";
/// The largest card that is read, in bytes.
pub const MAX_CARD: u64 = 1 << 20;
/// The line that the head stands between.
const FENCE: &str = "---";
/// Licences that the Hub has names of its own for; of the GNU licences it has no "-only" and "-or-later".
const OF_THE_HUB: [&str; 44] = [
    "afl-3.0",
    "agpl-3.0",
    "apache-2.0",
    "artistic-2.0",
    "bsd-2-clause",
    "bsd-3-clause",
    "bsd-3-clause-clear",
    "bsl-1.0",
    "cc-by-2.0",
    "cc-by-2.5",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-nc-2.0",
    "cc-by-nc-3.0",
    "cc-by-nc-4.0",
    "cc-by-nc-nd-3.0",
    "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-2.0",
    "cc-by-nc-sa-3.0",
    "cc-by-nc-sa-4.0",
    "cc-by-nd-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc0-1.0",
    "ecl-2.0",
    "epl-1.0",
    "epl-2.0",
    "eupl-1.1",
    "eupl-1.2",
    "gpl-2.0",
    "gpl-3.0",
    "isc",
    "lgpl-2.1",
    "lgpl-3.0",
    "lppl-1.3c",
    "mit",
    "mpl-2.0",
    "ms-pl",
    "ncsa",
    "ofl-1.1",
    "osl-3.0",
    "postgresql",
    "unlicense",
    "zlib",
];

/// The card of a bundle: its head, and the text of the card that it has; a short one where it has none. Fields of an earlier head that are not said here
/// stay. `license` is an SPDX expression.
#[must_use]
pub fn card(manifest: &Manifest, license: Option<&str>, earlier: Option<&str>) -> String {
    let (fields, text) = earlier.map_or_else(|| (Map::new(), text(manifest)), parted);
    format!("{}{text}", head(manifest, license, &fields))
}

/// A card's text without its head.
#[must_use]
pub fn without_head(card: &str) -> String {
    parted(card).1
}

/// The fields of a card's head, and its text. A head is YAML with fields between the first line and the next one of three hyphens: two rules around a
/// paragraph are none.
fn parted(card: &str) -> (Map<String, Value>, String) {
    let lines: Vec<&str> = card.trim_start_matches('\u{feff}').split_inclusive('\n').collect();
    let is_fence = |line: &&str| line.trim_end() == FENCE;
    if let Some((_, lines)) = lines.split_first().filter(|(first, _)| is_fence(first))
        && let Some(end) = lines.iter().position(is_fence)
        && let Ok(Value::Object(fields)) = serde_saphyr::from_str(&lines[..end].concat())
    {
        return (fields, lines[end + 1..].concat());
    }
    (Map::new(), card.to_owned())
}

/// What the Hub calls a licence: one of its names, or a name of our own for what it has none for.
fn licence(spdx: &str) -> String {
    let name = spdx.to_lowercase();
    let plain = name.trim_start_matches('(').trim_end_matches(')');
    let plain = plain.strip_suffix("-or-later").or(plain.strip_suffix("-only")).unwrap_or(plain);
    if OF_THE_HUB.contains(&plain) {
        return format!("license: {plain}\n");
    }
    let words: Vec<&str> = name.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.').collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    format!("license: other\nlicense_name: {}\n", words.join("-"))
}

/// YAML takes each string as JSON writes it.
fn head(manifest: &Manifest, license: Option<&str>, fields: &Map<String, Value>) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let list = |name: &str, entries: &[String]| {
        let lines: String = entries.iter().map(|entry| format!("- {}\n", quoted(entry))).collect();
        if lines.is_empty() { String::new() } else { format!("{name}:\n{lines}") }
    };
    let datasets: Vec<String> = manifest.provenance.datasets.iter().map(|name| name.to_lowercase()).collect();
    let precisions = manifest.precision.values().map(|precision| format!("{precision:?}").to_lowercase());
    let mut tags = ["remote-sensing", "aerial-imagery", "image-captioning", "onnx"].map(str::to_owned).to_vec();
    tags.extend(precisions.collect::<std::collections::BTreeSet<_>>());
    let theirs = fields.get("tags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    theirs.for_each(|tag| {
        if !tags.iter().any(|known| known == tag) {
            tags.push(tag.to_owned())
        }
    });
    let mut head = String::from("language: en\n");
    head += &license.map(licence).unwrap_or_default();
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
    // What is said above is not said twice. Of a licence neither name stands beside the other's.
    let is_said = |name: &str| {
        let name = if name == "license_name" { "license" } else { name };
        head.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':')))
    };
    let kept: Vec<String> = fields
        .iter()
        .filter(|(name, _)| !is_said(name))
        .map(|(name, value)| format!("{}: {value}\n", quoted(name)))
        .collect();
    head.extend(kept);
    format!("{FENCE}\n{head}{FENCE}\n")
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
            "license: apache-2.0",
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
        Ok(())
    }

    #[test]
    fn a_licence_has_the_hubs_name() {
        for (spdx, expected) in [
            ("MIT", "license: mit\n"),
            ("(MIT)", "license: mit\n"),
            ("GPL-3.0-or-later", "license: gpl-3.0\n"),
            ("LGPL-2.1-only", "license: lgpl-2.1\n"),
            ("MIT OR Apache-2.0", "license: other\nlicense_name: mit-or-apache-2.0\n"),
            ("LicenseRef-Mine", "license: other\nlicense_name: licenseref-mine\n"),
        ] {
            assert_eq!(licence(spdx), expected);
        }
    }

    /// Two rules around a paragraph are no head, and of a head nothing is lost.
    #[test]
    fn nothing_of_somebodys_card_is_lost() -> anyhow::Result<()> {
        let manifest = Manifest::read(&fixtures::bundle())?;
        for text in
            ["---\nIntro\n\n---\nrest\n", "---\n---\n# T\npart one\n\n---\npart two\n", "---\nopen: end\n", "---", ""]
        {
            assert!(card(&manifest, None, Some(text)).ends_with(&format!("\n---\n{text}")), "{text:?}");
        }
        for fence in ["---\n", "---\r\n", "--- \n"] {
            let earlier = format!(
                "{fence}license: mit\nbase_model: me/mine\ntags: [onnx, own]\nown: {{a: [1]}}\n{fence}# T\n\n---\nb\n"
            );
            let written = card(&manifest, None, Some(&earlier));
            assert!(written.ends_with("\n---\n# T\n\n---\nb\n") && written.matches("---").count() == 3, "{written}");
            for line in ["\"license\": \"mit\"", "\"base_model\": \"me/mine\"", "\"own\": {\"a\":[1]}", "- \"own\""] {
                assert!(written.contains(line), "{line}: {written}");
            }
            assert_eq!(card(&manifest, None, Some(&written)), written);
        }
        let closed = card(&manifest, None, Some("---\nown: 1\n---"));
        assert!(closed.contains("\"own\": 1") && closed.ends_with("---\n"), "{closed}");
        Ok(())
    }
}
