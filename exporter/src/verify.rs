//! Runs a bundle in every runtime against the checkpoint's golden vectors.

use anyhow::{Result, ensure};
use cssa::bundle::{Bundle, Parity};
use cssa::checkpoint::Golden;
use cssa::tolerance::{Difference, Tolerance};
use cssa::vocabulary::TokenId;
use edge::runtime::{self, Choice, Settings};
use std::collections::BTreeMap;

/// Compares memory and logits of `bundle` with the golden ones in ONNX Runtime and tract. The result is keyed by
/// `{runtime}.{label}.{tensor}`; a difference beyond `tolerance` is an error that names it.
pub fn verify(bundle: &Bundle, golden: &Golden, tolerance: Tolerance, label: &str) -> Result<BTreeMap<String, Parity>> {
    let mut found = BTreeMap::new();
    for (name, choice) in [("ort", Choice::Ort), ("tract", Choice::Tract)] {
        let (memory, logits) = outputs(bundle, golden, choice)?;
        let compared = [("memory", memory, &golden.memory), ("logits", logits, &golden.logits)];
        for (tensor, values, expected) in compared {
            let difference = Difference::between(&values, &expected.data);
            ensure!(
                difference.within(tolerance),
                "{name}: {label} {tensor} differs from the checkpoint by {:.2e} (cosine {:.6}), {} allows {:.2e} (cosine {})",
                difference.relative,
                difference.cosine,
                tolerance.name,
                tolerance.relative,
                tolerance.cosine
            );
            let parity = Parity { relative: difference.relative, cosine: difference.cosine };
            found.insert(format!("{name}.{label}.{tensor}"), parity);
        }
    }
    Ok(found)
}

/// Memory and logits of all golden images, the golden tokens fed one by one.
fn outputs(bundle: &Bundle, golden: &Golden, choice: Choice) -> Result<(Vec<f32>, Vec<f32>)> {
    let settings = Settings { choice, provider: runtime::Provider::Cpu, threads: 1, beam: 1 };
    let mut runtime = runtime::open(bundle, &settings)?;
    let images = golden.image.shape[0];
    let (pixels, steps) = (golden.image.data.len() / images, golden.tokens.data.len() / images);
    let (mut memory, mut logits, mut step_logits) = (Vec::new(), Vec::new(), Vec::new());
    for image in 0..images {
        memory.extend(runtime.encode(&golden.image.data[image * pixels..(image + 1) * pixels])?);
        for (position, &token) in golden.tokens.data[image * steps..(image + 1) * steps].iter().enumerate() {
            runtime.step(position, &[TokenId(token as u16)], &[0], &mut step_logits)?;
            logits.extend_from_slice(&step_logits);
        }
    }
    Ok((memory, logits))
}
