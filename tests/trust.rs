//! Confidence and familiarity from fitting to the numbers that are printed, on real images.

#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use anyhow::{Context, Result, ensure};
use cross_crate_tests::{json_lines, succeed};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A few classes of UCM-Captions: 63 train images and 21 of val, linked; `None` where the datasets are not here.
fn few_classes(folder: &Path) -> Result<Option<PathBuf>> {
    let Some(data) = fixtures::shared_data() else {
        eprintln!("skipped: ../shared/data is not here");
        return Ok(None);
    };
    let ucm = data.join("ucm");
    let description: Value = serde_json::from_str(&std::fs::read_to_string(ucm.join("dataset_ucm.json"))?)?;
    let own = folder.join("few");
    std::fs::create_dir_all(own.join("images"))?;
    let (mut images, mut taken) = (Vec::new(), [0, 0]);
    for image in description["images"].as_array().context("images")?.iter().step_by(7) {
        let (kind, most) = match image["split"].as_str() {
            Some("train") => (0, 63),
            Some("val") => (1, 21),
            _ => continue,
        };
        if taken[kind] == most {
            continue;
        }
        taken[kind] += 1;
        let name = image["filename"].as_str().context("filename")?;
        std::os::unix::fs::symlink(ucm.join("images").join(name), own.join("images").join(name))?;
        images.push(image.clone());
    }
    std::fs::write(own.join("dataset_few.json"), json!({ "dataset": "few", "images": images }).to_string())?;
    Ok(Some(own))
}

#[test]
fn a_bundle_is_calibrated_measured_and_its_lines_give_the_same_numbers() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(data) = few_classes(folder.path())? else { return Ok(()) };
    let bundle = folder.path().join("bundle.cssa");
    let path = |path: &Path| path.display().to_string();
    let (bundle_name, data_name) = (path(&bundle), path(&data));
    let default = path(&fixtures::bundle());
    succeed("exporter", ["calibrate", &default, "--data", &data_name, "--split", "val", "--out", &bundle_name])?;
    let blank = folder.path().join("blank");
    std::fs::create_dir(&blank)?;
    for level in [80, 120, 200] {
        image::RgbImage::from_pixel(64, 64, image::Rgb([level; 3])).save(blank.join(format!("{level}.png")))?;
    }
    let report = folder.path().join("trust.html");
    let measured = succeed(
        "exporter",
        ["trust", "--bundle", &bundle_name, "--data", &data_name, "--split", "val", "--looks", "2", "--json"]
            .into_iter()
            .chain(["--outside", &path(&blank), "--report", &path(&report)]),
    )?;
    let measured: Value = serde_json::from_str(&measured)?;
    assert_eq!((measured["images"].as_u64(), measured["outside"][0]["flagged"].as_f64()), (Some(21), Some(1.0)));
    let share = |name: &str| measured[name].as_f64().with_context(|| name.to_owned());
    for name in ["wrong", "missed", "ece", "auroc", "aurc", "believed", "believed_and_wrong", "flagged"] {
        assert!((0.0..=1.0).contains(&share(name)?), "{name}: {measured}");
    }
    assert!(share("believed_and_wrong")? <= share("believed")?.min(share("wrong")?));
    let html = std::fs::read_to_string(&report)?;
    assert!(html.contains("Reliability") && html.contains("<svg") && html.contains("blank"));

    let images = path(&data.join("images"));
    let lines = succeed("edge", ["caption", "--bundle", &bundle_name, "--looks", "2", "--json", &images])?;
    let own = folder.path().join("lines.jsonl");
    std::fs::write(&own, lines.replace(&images, &path(&data.join("images"))))?;
    let again = succeed(
        "exporter",
        ["trust", "--bundle", &bundle_name, "--data", &data_name, "--split", "val", "--json", "--lines", &path(&own)],
    )?;
    let again: Value = serde_json::from_str(&again)?;
    for name in ["cider", "ece", "auroc", "wrong"] {
        assert!(
            (again[name].as_f64().context("number")? - share(name)?).abs() < 1e-6,
            "{name}: {again} and {measured}"
        );
    }
    let first = json_lines(&lines)?.into_iter().next().context("a line")?;
    for name in ["confidence", "familiarity", "outside", "reasons", "looks"] {
        ensure!(!first[name].is_null(), "{name} is not in {first}");
    }
    Ok(())
}
