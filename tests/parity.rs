//! The default bundle against the outputs that libtorch gave for the checkpoint it was made from.

use anyhow::Result;
use cssa::bundle::{Bundle, Precision};
use cssa::checkpoint::Golden;
use cssa::tolerance::{CLOSE, Difference, QUANTIZED};
use exporter::verify::verify;

#[test]
fn onnx_runtime_and_tract_agree_with_libtorch() -> Result<()> {
    let bundle = Bundle::read(&fixtures::bundle())?;
    let golden = Golden::read(&fixtures::golden().join("default.safetensors"), &bundle.manifest.model)?;
    assert_eq!(verify(&bundle, &golden, QUANTIZED, "int8")?.len(), 4);
    Ok(())
}

#[test]
fn the_default_bundle_is_int8_and_small() -> Result<()> {
    let bundle = Bundle::read(&fixtures::bundle())?;
    assert!(bundle.manifest.precision.values().all(|precision| *precision == Precision::Int8));
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
