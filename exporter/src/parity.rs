//! Runs a bundle in every runtime against the checkpoint's golden vectors.

use crate::error::{Error, Result};
use crate::ort_graphs::OrtGraphs;
use cssa::bundle::{Bundle, Parity};
use cssa::checkpoint::Golden;
use cssa::search::Rows;
use cssa::tolerance::{Difference, Tolerance};
use cssa::vocabulary::TokenId;
use cssa_captioner::{Choice, Provider, Runtime, Settings, find_library};
use std::collections::BTreeMap;

/// Compares memory and logits of `bundle` with the golden ones: its graphs in ONNX Runtime (`graphs`), and as it flies, the
/// encoder in ONNX Runtime or tract and the decoder in `edge`. The result is keyed by
/// `{runtime}.{label}.{tensor}`; a difference beyond `tolerance` is an error that names it.
pub fn verify(bundle: &Bundle, golden: &Golden, tolerance: Tolerance, label: &str) -> Result<BTreeMap<String, Parity>> {
    let mut found = BTreeMap::new();
    let settings = |choice| Settings { choice, provider: Provider::Cpu, threads: 1, ..Settings::default() };
    let library = find_library().ok_or(cssa_captioner::Error::RuntimeMissing)?;
    let graphs = OrtGraphs::open(bundle, &library, &settings(Choice::Ort))?;
    let runtimes: [(&'static str, Box<dyn Runtime>); 3] = [
        ("graphs", Box::new(graphs)),
        ("ort", cssa_captioner::open(bundle, &settings(Choice::Ort))?),
        ("tract", cssa_captioner::open(bundle, &settings(Choice::Tract))?),
    ];
    for (name, mut runtime) in runtimes {
        let (memory, logits) = outputs(runtime.as_mut(), golden)?;
        let compared = [("memory", memory, &golden.memory), ("logits", logits, &golden.logits)];
        for (tensor, values, expected) in compared {
            let difference = Difference::between(&values, &expected.data);
            if !difference.within(tolerance) {
                let (found, allowed) = (difference, tolerance);
                return Err(Error::Parity { runtime: name, label: label.into(), tensor, found, allowed });
            }
            let parity = Parity { relative: difference.relative, cosine: difference.cosine };
            found.insert(format!("{name}.{label}.{tensor}"), parity);
        }
    }
    Ok(found)
}

/// Captions followed at once while verifying.
const BEAM: usize = 3;

/// Memory and logits of all golden images, the golden tokens fed one by one. The golden caption changes its row at every
/// step and other captions fill the beam, so that a cache that is not reordered shows.
fn outputs(runtime: &mut dyn Runtime, golden: &Golden) -> Result<(Vec<f32>, Vec<f32>)> {
    let images = golden.image.shape[0];
    let (pixels, steps) = (golden.image.data.len() / images, golden.tokens.data.len() / images);
    let (mut memory, mut logits, mut beam_logits) = (Vec::new(), Vec::new(), Vec::new());
    for image in 0..images {
        memory.extend(runtime.encode(0, &golden.image.data[image * pixels..(image + 1) * pixels])?);
        for (position, &token) in golden.tokens.data[image * steps..(image + 1) * steps].iter().enumerate() {
            let row = position % BEAM;
            let mut tokens = [TokenId::START; BEAM];
            tokens[row] = TokenId(token as u16);
            let parents = if position == 0 { [0; BEAM] } else { [(position - 1) % BEAM; BEAM] };
            let rows = Rows { position, images: &[0; BEAM], tokens: &tokens, parents: &parents };
            runtime.step(rows, &mut beam_logits)?;
            let vocabulary = beam_logits.len() / BEAM;
            logits.extend_from_slice(&beam_logits[row * vocabulary..(row + 1) * vocabulary]);
        }
    }
    Ok((memory, logits))
}
