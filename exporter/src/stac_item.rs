//! A bundle as Earth-observation catalogs know models: a STAC item with the Machine Learning Model extension 1.5
//! (<https://github.com/stac-extensions/mlm>), beside the bundle's files.

use crate::inspect::Inspection;
use cssa::bundle::{Contents, DECODER, ENCODER, Manifest, Precision, Target, hexadecimal};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// The item's file. It stands beside what the manifest names, and flies nothing: what a vehicle gets has none.
pub const STAC_ITEM: &str = "stac-item.json";

const EXTENSIONS: [&str; 2] = [
    "https://stac-extensions.github.io/mlm/v1.5.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
];
/// Multihash of SHA-256: its code, and 32 bytes (the file extension's `file:checksum`).
const MULTIHASH: &str = "1220";

/// The item of a bundle with these files, as JSON.
#[must_use]
pub fn stac_item(manifest: &Manifest, inspection: &Inspection, contents: &Contents) -> Vec<u8> {
    let id = manifest.id();
    let parameters: u64 = inspection.graphs.iter().flat_map(|graph| &graph.groups).map(|group| group.parameters).sum();
    let precisions: BTreeSet<&str> = manifest.precision.values().map(|precision| name(*precision)).collect();
    let precisions = precisions.into_iter().collect::<Vec<_>>().join(" and ");
    let sources = manifest.provenance.datasets.join(", ");
    let model = &manifest.model;
    let item = json!({
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": EXTENSIONS,
        "id": format!("cssa-{id:04x}"),
        // Wherever images are taken, and whenever: what it was trained on stands in its model card.
        "geometry": {"type": "Polygon", "coordinates": [[[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]]},
        "bbox": [-180, -90, 180, 90],
        "properties": {
            "title": format!("CSSA bundle {id:04x}"),
            "description": format!(
                "Captions aerial images: CSSA (Remote Sens. 2026, 18, 522) with {} as backbone, {precisions}, trained on {sources}",
                model.backbone
            ),
            "datetime": null,
            "start_datetime": "1900-01-01T00:00:00Z",
            "end_datetime": "9999-12-31T23:59:59Z",
            "mlm:name": format!("cssa-{id:04x}"),
            "mlm:architecture": format!("CSSA with {}", model.backbone),
            "mlm:tasks": ["image-captioning"],
            "mlm:framework": "ONNX",
            "mlm:framework_version": format!("opset {}", inspection.graphs.iter().map(|graph| graph.opset).max().unwrap_or(0)),
            "mlm:total_parameters": parameters,
            "mlm:pretrained": true,
            "mlm:pretrained_source": sources,
            "mlm:batch_size_suggestion": 1,
            "mlm:accelerator": if manifest.target == Target::Tensorrt { "cuda" } else { "cpu" },
            "mlm:accelerator_constrained": manifest.target == Target::Tensorrt,
            "mlm:hyperparameters": {
                "image_size": model.image_size, "width": model.width, "heads": model.heads, "feed_forward": model.feed_forward,
                "encoder_layers": model.encoder_layers, "decoder_layers": model.decoder_layers, "max_tokens": model.max_tokens,
                "beam": manifest.search.beam, "length_exponent": manifest.search.length_exponent, "seed": manifest.provenance.seed
            },
            "mlm:input": [input(manifest)],
            "mlm:output": [output(manifest)]
        },
        "links": [],
        "assets": contents.iter().map(|(file, bytes)| (file.clone(), asset(file, bytes))).collect::<serde_json::Map<_, _>>()
    });
    format!("{item:#}\n").into_bytes()
}

/// Levels of 0 to 255 are taken as they are; the graphs begin with what the backbone was trained on.
fn input(manifest: &Manifest) -> Value {
    let (side, normalization) = (manifest.model.image_size, manifest.model.backbone.normalization());
    let scaled = |(mean, deviation): (&f32, &f32)| json!({"type": "z-score", "mean": mean, "stddev": deviation});
    let scaling: Vec<Value> = normalization.mean.iter().zip(&normalization.deviation).map(scaled).collect();
    json!({
        "name": "image",
        "bands": ["red", "green", "blue"],
        "input": {"shape": [1, 3, side, side], "dim_order": ["batch", "channel", "height", "width"], "data_type": "float32"},
        "value_scaling": scaling,
        "resize_type": "interpolation-linear",
        "pre_processing_function": null
    })
}

/// Token numbers: lines of `vocabulary.txt`.
fn output(manifest: &Manifest) -> Value {
    let search = format!(
        "beam search of width {} over {DECODER}, whose keys and values {ENCODER} gives; a token is a line of vocabulary.txt, from 0",
        manifest.search.beam
    );
    json!({
        "name": "caption",
        "tasks": ["image-captioning"],
        "bands": [],
        "result": {"shape": [1, manifest.model.max_tokens], "dim_order": ["batch", "sequence"], "data_type": "int64"},
        "post_processing_function": {"format": "text", "expression": search}
    })
}

fn asset(file: &str, bytes: &[u8]) -> Value {
    let (kind, roles) = match file.rsplit('.').next() {
        Some("onnx") => ("application/octet-stream; framework=onnx", vec!["mlm:model", "mlm:weights", "data"]),
        Some("toml") => ("application/toml", vec!["metadata"]),
        Some("txt") => ("text/plain", vec!["metadata"]),
        _ => ("application/octet-stream", vec!["data"]),
    };
    let mut asset = json!({
        "href": format!("./{file}"),
        "title": title(file),
        "type": kind,
        "roles": roles,
        "file:size": bytes.len(),
        "file:checksum": format!("{MULTIHASH}{}", hexadecimal(&Sha256::digest(bytes)))
    });
    if roles.contains(&"mlm:model") {
        asset["mlm:artifact_type"] = "onnx".into();
    }
    asset
}

fn title(file: &str) -> &str {
    match file {
        ENCODER => "Image encoder: backbone and DG-former",
        DECODER => "Caption decoder, a step",
        _ => file,
    }
}

fn name(precision: Precision) -> &'static str {
    match precision {
        Precision::Fp32 => "FP32",
        Precision::Fp16 => "FP16",
        Precision::Int8 => "INT8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::inspect;
    use anyhow::Result;
    use cssa::bundle::{Bundle, contents};

    /// The default bundle's stands beside it; `exporter describe fixtures/bundle` writes it anew. Catalogs' own tools read it in
    /// `tests/archive.sh`.
    #[test]
    fn the_default_bundle_has_its_item() -> Result<()> {
        let place = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/bundle");
        let (bundle, contents) = (Bundle::read(&place)?, contents(&place)?);
        let item = stac_item(&bundle.manifest, &inspect(&bundle)?, &contents);
        assert!(item == std::fs::read(place.join(STAC_ITEM))?, "it is another bundle's");
        let item: Value = serde_json::from_slice(&item)?;
        for (name, entry) in &bundle.manifest.files {
            let (checksum, size) = (format!("1220{}", entry.sha256), entry.bytes);
            let asset = &item["assets"][name];
            assert_eq!((&asset["file:checksum"], &asset["file:size"]), (&checksum.into(), &size.into()), "{name}");
        }
        assert_eq!(item["properties"]["mlm:tasks"], json!(["image-captioning"]));
        Ok(())
    }
}
