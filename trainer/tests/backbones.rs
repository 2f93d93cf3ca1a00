//! The backbones with real weights against the features that their own frameworks gave.

#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use anyhow::Result;
use cssa::tensors::Tensors;
use cssa::tolerance::{CLOSE, Difference};
use std::path::{Path, PathBuf};
use tch::Device;
use trainer::config::Config;
use trainer::net::{BackboneNet, Store, from_array, read_weights, to_array};

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
    let net = BackboneNet::new(&model, read_weights(&model, weights, &mut |_| {})?, Device::Cpu)?;
    let (grid, channels) = (model.grid() as i64, model.backbone.channels() as i64);
    let found = net.trained(&net.frozen(&from_array(input, Device::Cpu)));
    let found = to_array(&found.view([-1, grid, grid, channels]).permute([0, 3, 1, 2]))?;
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
    let refused = read_weights(&model, &weights, &mut |_| {}).map_err(|error| error.to_string());
    assert!(refused.is_err_and(|error| error.ends_with("tensor conv1.weight is missing")));
    Ok(())
}

/// Split at any layer the network is the same, and a checkpoint of trained layers gives the same features again.
#[test]
fn a_trained_part_computes_the_same_and_survives_its_checkpoint() -> Result<()> {
    let weights = root().join("../shared/backbones/efficientnet_lite2.safetensors");
    if !weights.is_file() {
        eprintln!("skipped: {} is not here", weights.display());
        return Ok(());
    }
    let mut config = Config::default();
    (config.network.backbone, config.network.image_size) = ("efficientnet-lite2".parse()?, 96);
    let model = config.model(10);
    let image = tch::Tensor::randn([2, 3, 96, 96], (tch::Kind::Float, Device::Cpu));
    let features = |net: &BackboneNet| tch::no_grad(|| to_array(&net.trained(&net.frozen(&image))));
    let whole = BackboneNet::new(&model, read_weights(&model, &weights, &mut |_| {})?, Device::Cpu)?;
    for first in ["_blocks.9", "_conv_head", "_conv_stem"] {
        let mut net = BackboneNet::new(&model, read_weights(&model, &weights, &mut |_| {})?, Device::Cpu)?;
        let mut store = Store::new(&model, 1, Device::Cpu);
        net.unfreeze(first, &mut store)?;
        assert!(Difference::between(&features(&net)?.data, &features(&whole)?.data).within(CLOSE), "{first}");
        let mut head = store.get("backbone._conv_head.bias")?;
        let _ = tch::no_grad(|| head.g_add_scalar_(0.5));
        let again = BackboneNet::new(&model, net.tensors()?, Device::Cpu)?;
        assert!(Difference::between(&features(&again)?.data, &features(&net)?.data).within(CLOSE), "{first}");
        assert!(!Difference::between(&features(&net)?.data, &features(&whole)?.data).within(CLOSE), "{first}");
    }
    let mut net = BackboneNet::new(&model, read_weights(&model, &weights, &mut |_| {})?, Device::Cpu)?;
    let refused = net.unfreeze("layer4", &mut Store::new(&model, 1, Device::Cpu));
    assert!(refused.is_err_and(|error| error.to_string().contains("no layer layer4")));
    Ok(())
}
