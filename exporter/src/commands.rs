//! What `exporter`'s commands do with their options.

use crate::options::{
    Action, Annotate, Calibrate, CheckSignature, Delta, Describe, Export, Inspect, Pack, Quantize, Target, Trust,
    Verify,
};
use anyhow::{Context, Result, ensure};
use cssa::bundle::{self, Bundle, BundleWriter, Contents, DECODER, ENCODER, MANIFEST, Precision, SIGNATURE};
use cssa::files;
use cssa_terminal::print;
use exporter::model_card::{self, MAX_CARD, MODEL_CARD};
use exporter::openssf::{self, Covered, PrivateKey, PublicKey};
use exporter::request::{Calibration, Request, Validation};
use exporter::sign::Signer;
use exporter::stac_item::{STAC_ITEM, stac_item};
use exporter::verification::{self, Compared};
use exporter::{drawing, inspect, report, trust};
use exporter::{export, metadata};
use std::path::{Path, PathBuf};

/// Does what was asked for.
pub(crate) fn run(action: Option<Action>, options: Export) -> Result<()> {
    let exports = options.checkpoint.is_some() || options.out.is_some();
    ensure!(
        action.is_none() || !exports,
        "--checkpoint and --out before a command mean nothing: give its own behind it"
    );
    match action {
        None => export(options),
        Some(Action::Inspect(options)) => inspect(&options),
        Some(Action::Describe(options)) => print_item(&options),
        Some(Action::Verify(options)) => verify(options),
        Some(Action::Annotate(options)) => annotate(&options),
        Some(Action::Sign(options)) => Ok(openssf::sign(&options.bundle, &PrivateKey::read(&options.openssf)?)?),
        Some(Action::CheckSignature(options)) => check_signature(&options),
        Some(Action::Pack(options)) => pack(&options),
        Some(Action::Delta(options)) => delta(&options),
        Some(Action::Calibrate(options)) => calibrate(&options),
        Some(Action::Trust(options)) => measure_trust(&options),
    }
}

fn export(options: Export) -> Result<()> {
    let precision = match options.quantize {
        Quantize::None => Precision::Fp32,
        Quantize::Fp16 => Precision::Fp16,
        Quantize::Int8 => Precision::Int8,
    };
    let target = match options.target {
        Target::Cpu => bundle::Target::Cpu,
        Target::Tensorrt => bundle::Target::Tensorrt,
        Target::Tract => bundle::Target::Tract,
    };
    let (split, max_loss, most) = (options.split, options.max_loss, usize::from(options.calibration_images));
    let out = options.out.context("--out is missing")?;
    for (option, given) in [("--validation", options.validation.is_some()), ("--ranges", options.ranges.is_some())] {
        ensure!(
            !given || precision == bundle::Precision::Int8,
            "{option} needs --quantize int8: nothing is chosen of other numbers"
        );
    }
    let request = Request {
        checkpoint: options.checkpoint.context("--checkpoint is missing")?,
        precision,
        target,
        calibration: options.calibration.map(|folder| Calibration {
            folder,
            most,
            method: options.ranges.map(Into::into),
        }),
        trust: (!options.trust.is_empty()).then_some(trust::Request {
            data: options.trust,
            splits: options.trust_split,
            objects: options.objects,
        }),
        validation: options.validation.map(|folder| Validation { folder, split, max_loss }),
        license: options.license,
        out: out.clone(),
        sign: options.sign,
    };
    let manifest = export::export(&request)?;
    for (check, parity) in &manifest.parity {
        tracing::info!("{check:22} largest difference {:.1e}, cosine {:.6}", parity.relative, parity.cosine);
    }
    let bytes: u64 = manifest.files.values().map(|entry| entry.bytes).sum();
    tracing::info!("{}: bundle {:04x}, {:.1} MiB", out.display(), manifest.id(), bytes as f64 / 1_048_576.0);
    Ok(())
}

fn inspect(options: &Inspect) -> Result<()> {
    if let Some(path) = &options.svg {
        files::check_writable(path)?;
        files::check_is_other(path, [options.bundle.as_path()])?;
    }
    let found = inspect::inspect(&Bundle::read(&options.bundle)?)?;
    if let Some(path) = &options.svg {
        files::write(path, drawing::svg(&found).as_bytes())?;
    }
    if options.json { print(&serde_json::to_string(&found)?) } else { print(found.text().trim_end()) }
}

fn verify(options: Verify) -> Result<()> {
    let Verify { bundle, data, split, checkpoint, images, report: path, json } = options;
    files::check_writable(&path)?;
    files::check_is_other(&path, [&bundle].into_iter().chain(&checkpoint).map(PathBuf::as_path))?;
    let verification = verification::verify(&verification::Request { bundle, data, split, checkpoint, images })?;
    files::write(&path, report::page(&verification)?.as_bytes())?;
    if json {
        return print(&serde_json::to_string(&verification)?);
    }
    print(&format!(
        "{:8} {:>8} {:>9} {:>13} {:>8} {:>8} {:>12} {:>10}",
        "runtime", "CIDEr", "change", "same caption", "cosine", "least", "logit error", "nats"
    ))?;
    print(&format!("{:8} {:8.4}", "float", verification.float_cider))?;
    if let Some([float, bundle]) = verification.calibration_error {
        tracing::info!("calibration error of the confidence: {bundle:.3}, in the float model {float:.3}");
    }
    for (name, compared) in &verification.runtimes {
        let Compared { cosine, least_cosine, logit_error, divergence, agreement, cider, change } = compared;
        let (change, agreement) = (change * 100.0, agreement * 100.0);
        print(&format!(
            "{name:8} {cider:8.4} {change:+8.2}% {agreement:12.1}% {cosine:8.5} {least_cosine:8.5} {logit_error:12.3} {divergence:10.5}"
        ))?;
    }
    print(&format!("{}: the images that lost most, and the activation ranges", path.display()))
}

fn pack(options: &Pack) -> Result<()> {
    let mut contents = bundle::contents(&options.bundle)?;
    if let Some(key) = &options.sign {
        let signature = Signer::read(key)?.sign(&contents[MANIFEST])?;
        contents.insert(SIGNATURE.into(), signature);
    }
    let writer = BundleWriter::create(&options.out)?;
    describe(&Bundle::read(&options.bundle)?, &options.bundle, &writer, &mut contents)?;
    writer.write(&contents)?;
    Ok(())
}

/// Puts the bundle's STAC item beside its files, and its model card where it becomes a folder: what flies has no text. The card of the
/// bundle at `place` keeps its text.
fn describe(bundle: &Bundle, place: &Path, writer: &BundleWriter, contents: &mut Contents) -> Result<()> {
    contents.remove(STAC_ITEM);
    let item = stac_item(&bundle.manifest, &inspect::inspect(bundle)?, contents);
    contents.insert(STAC_ITEM.into(), item);
    if matches!(writer, BundleWriter::Folder(_)) {
        let card = place.join(MODEL_CARD);
        let earlier = card.is_file().then(|| files::read_text(&card, MAX_CARD)).transpose()?;
        let license = metadata::license_of(bundle)?;
        let card = model_card::card(&bundle.manifest, license.as_deref(), earlier.as_deref());
        contents.insert(MODEL_CARD.into(), card.into_bytes());
    }
    Ok(())
}

/// Writes a bundle with what is said of it.
fn annotate(options: &Annotate) -> Result<()> {
    options.license.as_deref().map_or(Ok(()), metadata::check_license)?;
    let writer = BundleWriter::create(&options.out)?;
    let (mut bundle, mut contents) = (Bundle::read(&options.bundle)?, bundle::contents(&options.bundle)?);
    let earlier = bundle.id;
    metadata::annotate(&mut bundle, options.license.as_deref())?;
    contents.insert(ENCODER.into(), bundle.encoder.clone());
    contents.insert(DECODER.into(), bundle.decoder.clone());
    seal(&bundle, options.sign.as_deref(), &mut contents)?;
    describe(&bundle, &options.bundle, &writer, &mut contents)?;
    writer.write(&contents)?;
    tracing::info!("{}: bundle {:04x}, of {earlier:04x}", options.out.display(), bundle.id);
    Ok(())
}

/// Puts the manifest in, and its signature where there is a key.
fn seal(bundle: &Bundle, key: Option<&Path>, contents: &mut Contents) -> Result<()> {
    let manifest = toml::to_string_pretty(&bundle.manifest)?.into_bytes();
    contents.remove(SIGNATURE);
    if let Some(key) = key {
        contents.insert(SIGNATURE.into(), Signer::read(key)?.sign(&manifest)?);
    }
    contents.insert(MANIFEST.into(), manifest);
    Ok(())
}

fn check_signature(options: &CheckSignature) -> Result<()> {
    let key = options.openssf.as_deref().context("--openssf is missing, expected the signer's public key (PEM)")?;
    let Covered { files, left_out } = openssf::check(&options.bundle, &PublicKey::read(key)?)?;
    let but = if left_out.is_empty() {
        String::new()
    } else {
        format!("; its signer left out, and nothing is known of: {}", left_out.join(", "))
    };
    print(&format!("{}: {files} files are as they were signed{but}", options.bundle.display()))
}

/// Prints the item of a bundle that has none.
fn print_item(options: &Describe) -> Result<()> {
    let (bundle, contents) = (Bundle::read(&options.bundle)?, bundle::contents(&options.bundle)?);
    let item = stac_item(&bundle.manifest, &inspect::inspect(&bundle)?, &contents);
    print(String::from_utf8(item)?.trim_end())
}

fn delta(options: &Delta) -> Result<()> {
    let bytes = exporter::delta::write(&options.earlier, &options.new, &options.out)?;
    let whole: usize = bundle::contents(&options.new)?.values().map(Vec::len).sum();
    let share = 100.0 * bytes as f64 / whole.max(1) as f64;
    tracing::info!("{}: {bytes} bytes, {share:.1} % of the new bundle", options.out.display());
    Ok(())
}

/// Fits a bundle's statistics and writes it with them.
fn calibrate(options: &Calibrate) -> Result<()> {
    let writer = BundleWriter::create(&options.out)?;
    let mut bundle = Bundle::read(&options.bundle)?;
    let mut contents = bundle::contents(&options.bundle)?;
    let (data, splits, objects) = (options.data.clone(), options.split.clone(), options.objects.clone());
    let fitted = trust::fit(&bundle, trust::prepare(&bundle, &trust::Request { data, splits, objects })?)?;
    trust::add_to(&mut bundle, fitted)?;
    contents.extend(trust::files(&bundle)?);
    seal(&bundle, options.sign.as_deref(), &mut contents)?;
    describe(&bundle, &options.bundle, &writer, &mut contents)?;
    writer.write(&contents)?;
    let fitted = bundle.manifest.trust.as_ref().map_or(0.0, |trust| trust.outside);
    tracing::info!(
        "{}: bundle {:04x}, {:.1} % of the images are outside",
        options.out.display(),
        bundle.id,
        fitted * 100.0
    );
    Ok(())
}

/// Prints what confidence and familiarity are worth.
fn measure_trust(options: &Trust) -> Result<()> {
    if let Some(report) = &options.report {
        files::check_writable(report)?;
        let read = options.lines.iter().chain(&options.objects).chain(&options.bundle);
        files::check_is_other(report, read.map(PathBuf::as_path))?;
    }
    let bundle = Bundle::read(&bundle::named_or_default(options.bundle.as_deref())?)?;
    let request = trust::Measurement {
        data: options.data.clone(),
        split: options.split,
        outside: options.outside.clone(),
        lines: options.lines.clone(),
        looks: options.looks,
        objects: options.objects.clone(),
        threads: usize::from(options.threads),
    };
    let (report, measured) = trust::measure(&bundle, &request)?;
    if let Some(path) = &options.report {
        let title =
            format!("Trust in bundle {:04x}, {} looks, {}", bundle.id, report.looks, report.measured_on.join(", "));
        files::write(path, trust::page(&title, &report, &measured)?.as_bytes())?;
    }
    if options.json { print(&serde_json::to_string(&report)?) } else { print(report.to_string().trim_end()) }
}
