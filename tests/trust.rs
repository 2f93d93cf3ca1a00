//! Confidence and familiarity from fitting to the numbers that are printed, on real images.

#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use anyhow::{Context, Result, ensure};
use cross_crate_tests::{json_lines, program, root, succeed};
use cssa::bundle::Bundle;
use cssa::dataset::{Dataset, Split};
use cssa::objects::ObjectGroups;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Train images, so that 512 are left when dev is taken out; all of val, which has wrong captions enough; some of test.
const IMAGES: [(&str, usize); 3] = [("train", 560), ("val", 210), ("test", 60)];

/// A part of UCM-Captions, evenly of its classes, its images linked; `None` where the dataset is not here.
fn part_of_ucm(folder: &Path) -> Result<Option<PathBuf>> {
    let Some(data) = fixtures::shared_data() else {
        eprintln!("skipped: ../shared/data is not here");
        return Ok(None);
    };
    let ucm = data.join("ucm");
    let description: Value = serde_json::from_str(&std::fs::read_to_string(ucm.join("dataset_ucm.json"))?)?;
    let own = folder.join("part");
    std::fs::create_dir_all(own.join("images"))?;
    let mut images = Vec::new();
    for (split, most) in IMAGES {
        let all: Vec<&Value> = description["images"]
            .as_array()
            .context("images")?
            .iter()
            .filter(|image| image["split"] == split)
            .collect();
        images.extend(cssa::spread(&all, most).into_iter().copied());
    }
    for image in &images {
        let name = image["filename"].as_str().context("filename")?;
        std::os::unix::fs::symlink(ucm.join("images").join(name), own.join("images").join(name))?;
    }
    std::fs::write(own.join("dataset_part.json"), json!({ "dataset": "part", "images": images }).to_string())?;
    Ok(Some(own))
}

/// What a line says, and whether it is wrong and believed.
struct Said {
    confidence: f64,
    is_wrong: bool,
    is_outside: bool,
}

impl Said {
    fn is_believed(&self) -> bool {
        !self.is_outside && self.confidence >= 0.5
    }
}

/// The measures anew, from the lines and the description alone, each as its definition has it.
fn measures(lines: &str, data: &Path) -> Result<BTreeMap<&'static str, f64>> {
    let groups = ObjectGroups::default();
    let description: Value = serde_json::from_str(&std::fs::read_to_string(data.join("dataset_part.json"))?)?;
    let mut references: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for image in description["images"].as_array().context("images")? {
        let sentences = image["sentences"].as_array().context("sentences")?.iter();
        let raw = sentences.filter_map(|sentence| sentence["raw"].as_str()).collect();
        references.insert(image["filename"].as_str().context("filename")?, raw);
    }
    let (mut said, mut agreed, mut missed) = (Vec::new(), 0, 0);
    for line in json_lines(lines)? {
        let path = PathBuf::from(line["image"].as_str().context("image")?);
        let name = path.file_name().and_then(|name| name.to_str()).context("a name")?;
        let references = references.get(name).context("references")?;
        let named: BTreeSet<usize> = groups.said(line["caption"].as_str().context("caption")?).into_iter().collect();
        let tellers = |group: &usize| references.iter().filter(|text| groups.said(text).contains(group)).count();
        let told: Vec<usize> = (0..groups.count()).filter(|group| tellers(group) >= 3).collect();
        agreed += told.len();
        missed += told.iter().filter(|group| !named.contains(group)).count();
        said.push(Said {
            confidence: line["confidence"].as_f64().context("confidence")?,
            is_wrong: named.iter().any(|group| tellers(group) == 0),
            is_outside: line["outside"].as_bool().context("outside")?,
        });
    }
    let count = said.len() as f64;
    let share = |is: &dyn Fn(&Said) -> bool| said.iter().filter(|one| is(one)).count() as f64 / count;
    // |Σ confidence − right| of each tenth.
    let gap = |tenth: usize| {
        let within = said.iter().filter(|one| ((one.confidence * 1000.0).round() as usize / 100).min(9) == tenth);
        within.map(|one| one.confidence - f64::from(u8::from(!one.is_wrong))).sum::<f64>().abs()
    };
    // Of every right and every wrong caption: which is surer?
    let (mut pairs, mut surer) = (0.0, 0.0);
    for right in said.iter().filter(|one| !one.is_wrong) {
        for wrong in said.iter().filter(|one| one.is_wrong) {
            pairs += 1.0;
            surer += match right.confidence.total_cmp(&wrong.confidence) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
        }
    }
    Ok([
        ("wrong", share(&|one| one.is_wrong)),
        ("missed", missed as f64 / agreed as f64),
        ("ece", (0..10).map(gap).sum::<f64>() / count),
        ("auroc", surer / pairs),
        ("believed", share(&Said::is_believed)),
        ("believed_and_wrong", share(&|one| one.is_believed() && one.is_wrong)),
        ("flagged", share(&|one| one.is_outside)),
    ]
    .into())
}

/// Some minutes of one core: 200 images or more are looked at eight times.
#[test]
fn a_bundle_is_calibrated_measured_and_its_lines_give_the_same_numbers() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(data) = part_of_ucm(folder.path())? else { return Ok(()) };
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
    let trust = ["trust", "--bundle", &bundle_name, "--data", &data_name, "--json"];
    let outside = ["--looks", "2", "--outside", &path(&blank), "--report", &path(&report)].map(str::to_owned);
    let measured = succeed("exporter", trust.map(str::to_owned).into_iter().chain(outside))?;
    let mut measured: Value = serde_json::from_str(&measured)?;
    assert_eq!(measured["outside"][0]["flagged"], 1.0);
    assert_eq!((&measured["images"], &measured["looks"], &measured["fitted"]), (&json!(60), &json!(2), &json!(false)));
    assert_eq!(measured["measured_on"], json!(["part test"]));
    let html = std::fs::read_to_string(&report)?;
    assert!(html.contains("Reliability") && html.contains("<svg") && html.contains("blank"));

    // The same captions as lines: the same figures, to the last digit, and those that the lines give by hand.
    let description: Value = serde_json::from_str(&std::fs::read_to_string(data.join("dataset_part.json"))?)?;
    let test = description["images"].as_array().context("images")?.iter().filter(|image| image["split"] == "test");
    let names = test.filter_map(|image| image["filename"].as_str());
    let images: Vec<String> = names.map(|name| path(&data.join("images").join(name))).collect();
    let caption = ["caption", "--bundle", &bundle_name, "--looks", "2", "--json"].map(str::to_owned);
    let lines = succeed("edge", caption.into_iter().chain(images.iter().cloned()))?;
    for name in ["confidence", "familiarity", "outside", "reasons", "looks"] {
        let first = json_lines(&lines)?.into_iter().next().context("a line")?;
        ensure!(!first[name].is_null(), "{name} is not in {first}");
    }
    for (name, expected) in measures(&lines, &data)? {
        let found = measured[name].as_f64().with_context(|| name.to_owned())?;
        assert!((found - expected).abs() < 1e-9, "{name} is {found}, expected {expected}: {measured}");
    }
    let own = folder.path().join("lines.jsonl");
    std::fs::write(&own, &lines)?;
    let with_lines = || trust.into_iter().map(str::to_owned).chain(["--lines".to_owned(), path(&own)]);
    let again: Value = serde_json::from_str(&succeed("exporter", with_lines())?)?;
    measured["outside"] = json!([]);
    assert_eq!(again, measured);

    // An image that is not there is left out, and that is said.
    std::fs::remove_file(&images[0])?;
    std::fs::write(&own, lines.lines().skip(1).collect::<Vec<_>>().join("\n"))?;
    let output = program("exporter")?.args(with_lines()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("1 of 60 images of part test are not there"), "{said}");
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout)?["images"], 59);
    Ok(())
}

#[test]
fn spoiled_images_do_not_replace_each_other_and_what_is_no_image_is_named() -> Result<()> {
    let python = std::process::Command::new("python3").args(["-c", "import numpy, PIL"]).output();
    if !python.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: python3 with numpy and Pillow is not here");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let place = |name: &str| folder.path().join(name);
    for (number, name) in ["a/scene.jpg", "b/scene.jpg", "b/scene-1.jpg"].into_iter().enumerate() {
        std::fs::create_dir_all(place(name).parent().context("parent")?)?;
        std::fs::copy(fixtures::scenes().join(format!("images/scene_{number:05}.jpg")), place(name))?;
    }
    let whole = std::fs::read(place("a/scene.jpg"))?;
    std::fs::write(place("half.jpg"), &whole[..whole.len() / 2])?;
    let spoil = |arguments: &[&str]| {
        let script = root().join("fixtures/spoil.py");
        std::process::Command::new("python3").arg(script).args(arguments).current_dir(folder.path()).output()
    };
    assert!(spoil(&["out", "a", "b"])?.status.success());
    let names: BTreeSet<_> =
        std::fs::read_dir(place("out/fog"))?.map(|entry| Ok(entry?.file_name())).collect::<Result<_>>()?;
    assert_eq!(names, ["scene-1.png", "scene-2.png", "scene-3.png"].map(Into::into).into());
    let cases: [(&[&str], &str); 5] = [
        (&["out", "--count", "-1", "a"], "error: --count is -1, expected 1 or more\n"),
        (&["out", "--seed", "-1", "a"], "error: --seed is -1, expected 0 or more\n"),
        (&["out", "nowhere.jpg"], "error: nowhere.jpg: no such file or folder\n"),
        (&["out", "half.jpg"], "error: half.jpg: is no image that can be read: "),
        (&["half.jpg/out", "a"], "error: half.jpg/out/lens_cap/scene.png: cannot be written: "),
    ];
    for (arguments, expected) in cases {
        let refused = spoil(arguments)?;
        let said = String::from_utf8(refused.stderr)?;
        assert!(!refused.status.success() && said.starts_with(expected) && said.lines().count() == 1, "{said}");
    }
    Ok(())
}

/// Images of dev that both runtimes caption: `tests/long.sh runtimes` takes all.
const DEV: &str = "CSSA_DEV_IMAGES";

/// The words do not depend on the runtime, and neither does what may be believed of them.
#[test]
fn both_runtimes_say_the_same_and_are_as_sure() -> Result<()> {
    let Some(data) = fixtures::shared_data() else {
        eprintln!("skipped: ../shared/data is not here");
        return Ok(());
    };
    let bundle = Bundle::read(&fixtures::bundle())?;
    let mut dev = Vec::new();
    for name in ["ucm", "rsicd", "uavic"] {
        let dataset = Dataset::read(&data.join(name), bundle.manifest.dev)?;
        dev.extend(dataset.split(Split::Dev).map(|image| image.path.clone()));
    }
    let most = std::env::var(DEV).map_or(Ok(48), |most| most.parse())?;
    let images: Vec<String> = cssa::spread(&dev, most).iter().map(|path| path.display().to_string()).collect();
    ensure!(images.len() == most.min(dev.len()), "{} of {} dev images", images.len(), dev.len());
    let lines = |runtime: &str| {
        let bundle = fixtures::bundle().display().to_string();
        let options = ["caption", "--bundle", &bundle, "--runtime", runtime, "--json"].map(str::to_owned);
        let lines = json_lines(&succeed("edge", options.into_iter().chain(images.iter().cloned()))?)?;
        ensure!(lines.iter().all(|line| line["runtime"].as_str().is_some_and(|found| found.starts_with(runtime))));
        Ok(lines)
    };
    let (onnx_runtime, tract) = (lines("ort")?, lines("tract")?);
    ensure!(onnx_runtime.len() == images.len() && tract.len() == images.len(), "an image has no line");
    let confidence = |line: &Value| line["confidence"].as_f64().context("confidence");
    let (mut words, mut sure) = (0, 0);
    for (one, other) in onnx_runtime.iter().zip(&tract) {
        words += usize::from(one["caption"] == other["caption"]);
        let apart = (confidence(one)? - confidence(other)?).abs();
        sure += usize::from(apart <= 1.0 / 31.0 + 1e-6);
    }
    eprintln!("of {} dev images {words} have the same words, {sure} a confidence at most 1/31 apart", images.len());
    assert!(words * 100 >= images.len() * 99 && sure * 100 >= images.len() * 97, "{words} and {sure}");
    assert!(images.len() < 200 || sure * 100 >= images.len() * 99, "{sure} of {}", images.len());
    Ok(())
}
