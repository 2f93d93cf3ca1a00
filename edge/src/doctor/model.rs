//! Runtimes, providers and the bundle.

use super::{Finding, Machine};
use cssa::bundle::Bundle;
use cssa::errors::chain;
use cssa_captioner::{Captioner, Choice, Settings, find_library};
use image::RgbImage;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What ONNX Runtime's wheels are called where they have a GPU.
const WHEEL: &str = "pip download --no-deps onnxruntime-gpu (on a Jetson: NVIDIA's) and put its libonnxruntime_providers_*.so beside libonnxruntime.so";

pub(super) fn findings(machine: &Machine, bundle: Result<&PathBuf, &String>) -> Vec<Finding> {
    let place = match bundle {
        Ok(place) => place,
        Err(reason) => {
            let advice = "name one with --bundle, or install cssa-edge's package, which has the default bundle";
            return vec![Finding::bad("bundle", reason.clone(), advice)];
        }
    };
    let read = match Bundle::read(place) {
        Ok(bundle) => bundle,
        Err(error) => {
            return vec![Finding::bad("bundle", chain(&error), "copy it again, or take another: edge install")];
        }
    };
    let trusted = if read.trust.is_some() {
        Finding::good("bundle", format!("{}, {:04x}", place.display(), read.id))
    } else {
        let advice = "exporter calibrate --data DATASET --out NEW: without it captions have no confidence and nothing is flagged";
        Finding::absent("bundle", format!("{}, {:04x}, has no statistics", place.display(), read.id), advice)
    };
    let library = find_library();
    let (ort, tract) = (runtime(&read, Choice::Ort), runtime(&read, Choice::Tract));
    let mut found = vec![trusted];
    let either = ort.is_ok() || tract.is_ok();
    found.push(match (&ort, &library) {
        (Ok(at_work), Some(library)) => Finding::good("ONNX Runtime", format!("{}: {at_work}", library.display())),
        (Ok(at_work), None) => Finding::good("ONNX Runtime", at_work.clone()),
        (Err(reason), _) => {
            let advice = "pip install onnxruntime and name its libonnxruntime.so in ORT_DYLIB_PATH: it captions several times as fast as tract";
            if either { Finding::absent("ONNX Runtime", reason.clone(), advice) } else { Finding::bad("ONNX Runtime", reason.clone(), advice) }
        }
    });
    found.push(match tract {
        Ok(at_work) => Finding::good("tract", at_work),
        Err(reason) => Finding::absent("tract", reason, "nothing, where ONNX Runtime is there"),
    });
    found.extend(providers(machine, library.as_deref()));
    found
}

/// What a runtime makes of a grey image: what is at work, and how long it took.
fn runtime(bundle: &Bundle, choice: Choice) -> Result<String, String> {
    let settings = Settings { choice, ..Settings::default() };
    let started = Instant::now();
    let mut captioner = Captioner::open(bundle, &settings).map_err(|error| chain(&error))?;
    let loaded = started.elapsed();
    let side = u32::try_from(bundle.manifest.model.image_size).map_err(|error| error.to_string())?;
    let grey = RgbImage::from_pixel(side, side, image::Rgb([128; 3]));
    let _ = captioner.caption(&grey).map_err(|error| chain(&error))?;
    let started = Instant::now();
    let _ = captioner.caption(&grey).map_err(|error| chain(&error))?;
    let (load, caption) = (loaded.as_secs_f64() * 1e3, started.elapsed().as_secs_f64() * 1e3);
    Ok(format!("{}, loaded in {load:.0} ms, a caption in {caption:.0} ms", captioner.at_work()))
}

/// Providers are looked for, not loaded: TensorRT builds engines for minutes.
fn providers(machine: &Machine, library: Option<&Path>) -> Vec<Finding> {
    let gpus =
        [machine.named("dev", "nvidia0"), machine.named("dev", "nvhost-gpu"), machine.named("dev", "nvgpu")].concat();
    let beside = |name: &str| {
        let file = library?.canonicalize().ok()?.with_file_name(format!("libonnxruntime_providers_{name}.so"));
        file.is_file().then_some(file)
    };
    let finding = |thing: &'static str, name: &str| match (gpus.is_empty(), beside(name)) {
        (false, Some(file)) => Finding::good(
            thing,
            format!("{} with /dev/{}; edge bench --choose tries it", file.display(), gpus.join(", /dev/")),
        ),
        (false, None) => {
            Finding::absent(thing, format!("/dev/{} is there, its provider is not", gpus.join(", /dev/")), WHEEL)
        }
        (true, Some(file)) => Finding::absent(
            thing,
            format!("{} is there, and no NVIDIA GPU", file.display()),
            "load NVIDIA's driver, or leave provider = \"cpu\"",
        ),
        (true, None) => Finding::absent(thing, "neither GPU nor provider", "nothing: the CPU captions"),
    };
    vec![finding("CUDA", "cuda"), finding("TensorRT", "tensorrt")]
}
