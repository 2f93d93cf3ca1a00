//! The default bundle against the outputs that libtorch gave for the checkpoint it was made from.

use anyhow::{Context, Result};
use cssa::bundle::{Bundle, Precision, Validation};
use cssa::checkpoint::{GOLDEN, Golden};
use cssa::dataset::Split;
use cssa::tolerance::{CLOSE, Difference, QUANTIZED};
use exporter::proof;
use exporter::verify::verify;

#[test]
fn onnx_runtime_and_tract_agree_with_libtorch() -> Result<()> {
    let bundle = Bundle::read(&fixtures::bundle())?;
    let golden = Golden::read(&fixtures::run().join(GOLDEN), &bundle.manifest.model)?;
    assert_eq!(verify(&bundle, &golden, QUANTIZED, "int8")?.len(), 4);
    Ok(())
}

#[test]
fn the_default_bundle_is_int8_and_small() -> Result<()> {
    let bundle = Bundle::read(&fixtures::bundle())?;
    let float: Vec<&String> =
        bundle.manifest.precision.iter().filter(|(_, p)| **p != Precision::Int8).map(|(group, _)| group).collect();
    assert_eq!(float, ["_blocks.0", "_conv_stem"]);
    let Validation { float_cider, cider, max_loss, .. } =
        bundle.manifest.validation.clone().context("no validation")?;
    assert!(cider >= float_cider * (1.0 - max_loss) && max_loss <= 0.005);
    let mut bytes = 0;
    for entry in std::fs::read_dir(fixtures::bundle())? {
        bytes += entry?.metadata()?.len();
    }
    assert!(bytes <= 16 << 20, "{bytes} bytes");
    for runtime in ["ort", "tract"] {
        for (precision, tolerance) in [("fp32", CLOSE), ("int8", QUANTIZED)] {
            for tensor in ["memory", "logits"] {
                let parity = bundle.manifest.parity[&format!("{runtime}.{precision}.{tensor}")];
                let difference = Difference { relative: parity.relative, cosine: parity.cosine };
                assert!(difference.within(tolerance), "{runtime} {precision} {tensor} {parity:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn the_default_bundle_sees_what_its_run_sees() -> Result<()> {
    let request = proof::Request {
        bundle: fixtures::bundle(),
        data: fixtures::scenes(),
        split: Split::Train,
        checkpoint: Some(fixtures::run()),
        images: None,
    };
    let proof = proof::prove(&request, &mut |_| {})?;
    assert!(proof.images >= 6);
    let (ort, tract) = (proof.runtimes["ort"], proof.runtimes["tract"]);
    assert!(ort.least_cosine > 0.995 && ort.divergence < 0.01, "{ort:?}");
    assert!(tract.least_cosine > 0.999 && tract.divergence < 0.001, "{tract:?}");
    Ok(())
}
