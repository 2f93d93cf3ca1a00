//! The backbones with real weights against the features that their own frameworks gave.

#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use anyhow::{Context, Result};
use cssa::tensors::Tensors;
use cssa::tolerance::{CLOSE, Difference};
use std::path::{Path, PathBuf};
use tch::Device;
use trainer::config::Config;
use trainer::net::{BackboneNet, from_array, to_array};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn check(backbone: &str, size: usize, weights: &Path, golden: &str) -> Result<()> {
    let golden = root().join("../shared/backbones").join(golden);
    if !weights.is_file() || !golden.is_file() {
        eprintln!("skipped: {} or {} is not here", weights.display(), golden.display());
        return Ok(());
    }
    let mut config = Config::default();
    config.network.backbone = backbone.parse()?;
    config.network.image_size = size;
    let model = config.model(10);
    let golden = Tensors::read(&golden)?;
    let (input, features) = (golden.get("input")?, golden.get("features")?);
    let net = BackboneNet::load(&model, weights, Device::Cpu).context("weights")?;
    let found = to_array(&net.forward(&from_array(input, Device::Cpu)))?;
    assert_eq!(found.shape, features.shape);
    let difference = Difference::between(&found.data, &features.data);
    assert!(difference.within(CLOSE), "{backbone}: {difference:?}");
    Ok(())
}

#[test]
fn efficientnet_lite2_gives_its_golden_features() -> Result<()> {
    let weights = root().join("../shared/backbones/efficientnet_lite2.safetensors");
    check("efficientnet-lite2", 260, &weights, "golden_efficientnet_lite2.safetensors")
}

/// The weights come from `../shared/backbones/fetch_resnet50.py target/backbones/resnet50_v1.safetensors`.
#[test]
fn resnet50_gives_its_golden_features() -> Result<()> {
    let weights = root().join("target/backbones/resnet50_v1.safetensors");
    check("resnet50-v1", 224, &weights, "golden_resnet50_v1.safetensors")
}

#[test]
fn weights_of_another_network_are_refused_by_tensor() -> Result<()> {
    let weights = root().join("../shared/backbones/efficientnet_lite2.safetensors");
    if !weights.is_file() {
        eprintln!("skipped: {} is not here", weights.display());
        return Ok(());
    }
    let model = Config::default().model(10);
    let refused = BackboneNet::load(&model, &weights, Device::Cpu).map_err(|error| error.to_string());
    assert!(refused.is_err_and(|error| error.ends_with("tensor conv1.weight is missing")));
    Ok(())
}
