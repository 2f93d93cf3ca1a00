//! What both graphs say of themselves in ONNX's `metadata_props`: whoever finds an `.onnx` alone knows what it is, takes and gives.

use crate::error::{At, Result, ensure};
use crate::graph;
use cssa::bundle::{Bundle, DECODER, ENCODER, Entry, Manifest, Precision};
use cssa_graph::onnx::{ModelProto, StringStringEntryProto};
use prost::Message;
use std::collections::BTreeSet;

/// The property that has the licence of the weights.
const LICENSE: &str = "license";

/// What is said of `file`, in the order of the names; `license` is an SPDX expression.
#[must_use]
pub fn properties(manifest: &Manifest, file: &str, license: Option<&str>) -> Vec<(String, String)> {
    let (model, provenance) = (&manifest.model, &manifest.provenance);
    let (normalization, side) = (model.backbone.normalization(), model.image_size);
    let (task, takes, gives) = match file {
        ENCODER => (
            "image encoder: backbone and DG-former",
            format!(
                "images: float32 [batch, 3, {side}, {side}], red, green and blue of 0 to 255, resized by linear interpolation; the graph itself \
                 subtracts the mean {:?} and divides by {:?}",
                normalization.mean, normalization.deviation
            ),
            "memory, and each decoder layer's keys and values of it",
        ),
        _ => (
            "caption decoder: one step of a beam search",
            format!("tokens (lines of vocabulary.txt, from 0) and what {ENCODER} gives"),
            "logits of the next token, and the layers' caches",
        ),
    };
    let precisions: BTreeSet<&str> = manifest.precision.values().map(|precision| precision_name(*precision)).collect();
    let mut found = vec![
        ("architecture", format!("CSSA (Remote Sens. 2026, 18, 522) with {}", model.backbone)),
        ("dataset", provenance.datasets.join(", ")),
        ("input", takes),
        ("name", format!("cssa-{}", model.backbone)),
        ("output", gives.to_owned()),
        ("precision", precisions.into_iter().collect::<Vec<_>>().join(", ")),
        ("task", task.to_owned()),
        // The run that it is of: the bundle's id is made of the graphs' own hashes, and cannot stand in them.
        ("version", format!("revision {}, seed {}", provenance.revision, provenance.seed)),
    ];
    found.extend(license.map(|license| (LICENSE, license.to_owned())));
    found.sort();
    found.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Writes both graphs' properties; weights and nodes stay as they are, bit for bit.
pub fn annotate(bundle: &mut Bundle, license: Option<&str>) -> Result<()> {
    let kept = license.map(str::to_owned).or(license_of(bundle)?);
    for file in [ENCODER, DECODER] {
        let properties = properties(&bundle.manifest, file, kept.as_deref());
        let content = if file == ENCODER { &mut bundle.encoder } else { &mut bundle.decoder };
        *content = with(file, content, properties)?;
        let entry = Entry::of(content);
        bundle.manifest.files.insert(file.to_owned(), entry);
    }
    bundle.id = bundle.manifest.id();
    Ok(())
}

/// The licence that a bundle's graphs name.
pub fn license_of(bundle: &Bundle) -> Result<Option<String>> {
    let model = ModelProto::decode(bundle.encoder.as_slice()).at(|| ENCODER.into())?;
    Ok(model.metadata_props.into_iter().find(|property| property.key == LICENSE).map(|property| property.value))
}

/// The graph with these properties and no others. One that has what the messages here do not know is refused.
fn with(file: &str, content: &[u8], properties: Vec<(String, String)>) -> Result<Vec<u8>> {
    let mut model = ModelProto::decode(content).at(|| file.into())?;
    ensure!(
        graph::bytes(&model) == content,
        "{file} is written by another program than this, expected an exporter's graph: export it again"
    );
    model.metadata_props = properties.into_iter().map(|(key, value)| StringStringEntryProto { key, value }).collect();
    Ok(graph::bytes(&model))
}

fn precision_name(precision: Precision) -> &'static str {
    match precision {
        Precision::Fp32 => "fp32",
        Precision::Fp16 => "fp16",
        Precision::Int8 => "int8",
    }
}

/// Refuses what is no SPDX licence expression by its letters.
pub fn check_license(license: &str) -> Result<()> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-.+() ".contains(letter);
    ensure!(
        !license.trim().is_empty() && license.len() <= 200 && license.chars().all(is_plain),
        "--license {license:?}, expected an SPDX expression such as Apache-2.0"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;

    #[test]
    fn properties_change_nothing_else() -> Result<()> {
        let before = Bundle::read(&fixtures::bundle())?;
        let mut after = before.clone();
        annotate(&mut after, Some("MIT"))?;
        for (file, old, new) in [(ENCODER, &before.encoder, &after.encoder), (DECODER, &before.decoder, &after.decoder)]
        {
            let [mut old, new] = [old, new].map(|content| ModelProto::decode(content.as_slice()));
            let said = new.clone()?.metadata_props;
            let value = |key: &str| said.iter().find(|each| each.key == key).map(|each| each.value.clone());
            assert_eq!(value("name").as_deref(), Some("cssa-efficientnet-lite2"));
            assert_eq!(value("license").as_deref(), Some("MIT"));
            assert_eq!(value("dataset").as_deref(), Some("UCM, rsicd, uavic"));
            assert!(value("input").is_some_and(|input| !input.is_empty()), "{file}");
            if let Ok(old) = &mut old {
                old.metadata_props = said;
            }
            assert_eq!(old, new, "{file}: the rest stays");
        }
        assert_eq!(after.id, after.manifest.id());
        let (again, license) = (after.clone(), license_of(&after)?);
        annotate(&mut after, None)?;
        assert_eq!((again.encoder == after.encoder, license.as_deref()), (true, Some("MIT")), "it is kept");
        Ok(())
    }

    #[test]
    fn a_graph_of_somebody_else_is_not_rewritten() {
        // A field that the messages here do not have: doc_string.
        let content = [graph::bytes(&crate::graph::Graph::new("a").finish()), vec![0x32, 1, b'a']].concat();
        let refused = with("encoder.onnx", &content, Vec::new()).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|error| error.contains("encoder.onnx is written by another program")));
        assert!(
            check_license("MIT OR Apache-2.0").is_ok() && check_license("a\n").is_err() && check_license("").is_err()
        );
    }
}
