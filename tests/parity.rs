//! The default bundle against the outputs that libtorch gave for the checkpoint it was made from.

use anyhow::{Context, Result};
use cssa::bundle::{Bundle, Precision, Validation};
use cssa::checkpoint::{GOLDEN, Golden};
use cssa::dataset::Split;
use cssa::preprocess;
use cssa::search::Rows;
use cssa::tolerance::{CLOSE, Difference, QUANTIZED};
use cssa::vocabulary::TokenId;
use cssa_captioner::{Choice, MISSING, Provider, Runtime, Settings, find_library};
use cssa_graph::dequantized;
use cssa_graph::onnx::ModelProto;
use exporter::ort_graphs::OrtGraphs;
use exporter::parity::verify;
use exporter::verification;
use prost::Message;

#[test]
fn onnx_runtime_and_tract_agree_with_libtorch() -> Result<()> {
    let bundle = Bundle::read(&fixtures::bundle())?;
    let golden = Golden::read(&fixtures::run().join(GOLDEN), &bundle.manifest.model)?;
    assert_eq!(verify(&bundle, &golden, QUANTIZED, "int8")?.len(), 6);
    Ok(())
}

/// The decoder of `edge` beside `decoder.onnx` in ONNX Runtime: captions that change their rows, three images in one step.
#[test]
fn edge_decodes_as_the_graph_says() -> Result<()> {
    let bundle = Bundle::read(&fixtures::bundle())?;
    let float = |bytes: &[u8]| Ok::<_, anyhow::Error>(dequantized(ModelProto::decode(bytes)?)?.encode_to_vec());
    let twin = Bundle { decoder: float(&bundle.decoder)?, ..bundle.clone() };
    for (name, bundle, tolerance) in [("INT8", &bundle, QUANTIZED), ("floats", &twin, CLOSE)] {
        let settings = Settings { choice: Choice::Ort, provider: Provider::Cpu, threads: 1, ..Settings::default() };
        let mut graphs = OrtGraphs::open(bundle, &find_library().context(MISSING)?, &settings)?;
        let mut onboard = cssa_captioner::open(bundle, &settings)?;
        let images = inputs(bundle)?;
        let mut expected = Vec::new();
        for image in &images {
            graphs.encode(0, image)?;
            expected.push(steps(&mut graphs, &[0])?);
        }
        for (place, image) in images.iter().enumerate() {
            onboard.encode(place, image)?;
        }
        for (place, expected) in expected.iter().enumerate() {
            let difference = Difference::between(&steps(onboard.as_mut(), &[place])?, expected);
            assert!(difference.within(tolerance) && difference.cosine > 0.9999, "{name} {place}: {difference:?}");
        }
        let together = steps(onboard.as_mut(), &[0, 1, 2])?;
        let vocabulary = bundle.vocabulary.size();
        for (place, expected) in expected.iter().enumerate() {
            let own = together.chunks_exact(3 * vocabulary).skip(place).step_by(images.len()).flatten();
            let own: Vec<f32> = own.copied().collect();
            let difference = Difference::between(&own, expected);
            assert!(difference.within(tolerance), "{name} {place} together: {difference:?}");
        }
    }
    Ok(())
}

/// Three scenes as the network takes them.
fn inputs(bundle: &Bundle) -> Result<Vec<Vec<f32>>> {
    let model = &bundle.manifest.model;
    let input = |n: usize| {
        let image = cssa_image::read(&fixtures::scenes().join(format!("images/scene_{n:05}.jpg")))?;
        Ok(preprocess::input(&image, model))
    };
    (0..3).map(input).collect()
}

/// Logits of a few steps with three captions an image, which swap their rows.
fn steps(runtime: &mut dyn Runtime, places: &[usize]) -> Result<Vec<f32>> {
    let (mut all, mut logits) = (Vec::new(), Vec::new());
    for position in 0..7 {
        let rows = 0..3 * places.len();
        let images: Vec<usize> = rows.clone().map(|row| places[row / 3]).collect();
        let tokens: Vec<TokenId> = rows.clone().map(|row| TokenId(3 + (position * 5 + row % 3 * 7) as u16)).collect();
        let parent = |row: usize| if position == 0 { 0 } else { row / 3 * 3 + [1, 1, 0][row % 3] };
        let parents: Vec<usize> = rows.map(parent).collect();
        runtime.step(Rows { position, images: &images, tokens: &tokens, parents: &parents }, &mut logits)?;
        all.extend_from_slice(&logits);
    }
    Ok(all)
}

#[test]
fn the_default_bundle_is_int8_and_small() -> Result<()> {
    let bundle = Bundle::read(&fixtures::bundle())?;
    assert!(bundle.manifest.precision.values().all(|precision| *precision == Precision::Int8));
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
    let request = verification::Request {
        bundle: fixtures::bundle(),
        data: fixtures::scenes(),
        split: Split::Train,
        checkpoint: Some(fixtures::run()),
        images: None,
    };
    let verification = verification::verify(&request)?;
    assert!(verification.images >= 6);
    let (ort, tract) = (verification.runtimes["ort"], verification.runtimes["tract"]);
    assert!(ort.least_cosine > 0.995 && ort.divergence < 0.01, "{ort:?}");
    // The same integers in both: what they are away from the float model is the same, too.
    assert!((ort.least_cosine - tract.least_cosine).abs() < 5e-5 && tract.divergence < 0.01, "{ort:?} {tract:?}");
    assert_eq!(ort.agreement, tract.agreement);
    Ok(())
}
