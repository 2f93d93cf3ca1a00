//! A loaded bundle as Python has it.

use crate::caption::Caption;
use crate::error::{CssaError, caught, of_bundle, of_captioning, of_loading, of_number};
use crate::image::Source;
use crate::package;
use cssa::bundle::{Bundle, Trusted};
use cssa_captioner::{Captioner as Model, Choice, Looks, Provider, Settings};
use image::RgbImage;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Mutex;

/// Images whose searches share steps, and which are held at a time.
const TOGETHER: usize = 8;

/// A loaded model: `Captioner().caption(image)`.
///
/// One captioner may be used by many threads: they caption one after the other, and the interpreter is free meanwhile. Several captioners work
/// side by side.
///
/// Args:
///     bundle: A folder or a `.cssa` file; the one in this package where it is left out.
///     runtime: `"ort"` is ONNX Runtime (`pip install onnxruntime`), `"tract"` is built in, `"auto"` takes the first where it is there.
///     threads: Threads of ONNX Runtime's encoder; two at most of the decoder.
///     looks: 1, 2, 4 or 8 turned and mirrored views of an image that are captioned: more are slower and surer.
///     beam: The best caption of a beam of this width, 1 to 16; searched as the bundle says where it is left out.
///     provider: Where ONNX Runtime computes: `"cpu"`, `"cuda"` or `"tensorrt"`.
///     trust: A minisign public key: only a bundle that is signed with it is loaded.
///
/// Raises:
///     BundleError: The bundle is damaged, or not signed as it should be.
///     RuntimeUnavailableError: The runtime or provider is not there.
///     OSError: A file cannot be read.
///     ValueError: An argument is none of those above.
#[pyclass(frozen, module = "cssa_onboard")]
pub(crate) struct Captioner {
    model: Mutex<Model>,
    /// The runtime at work, `ort/CPUExecutionProvider` or `tract`.
    #[pyo3(get)]
    runtime: String,
    /// Where the bundle lies.
    #[pyo3(get)]
    bundle: PathBuf,
}

#[pymethods]
impl Captioner {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "named in Python")]
    #[pyo3(signature = (bundle=None, runtime="auto", threads=1, *, looks=1, beam=None, provider="cpu", trust=None))]
    fn new(
        py: Python<'_>,
        bundle: Option<PathBuf>,
        runtime: &str,
        threads: i64,
        looks: i64,
        beam: Option<i64>,
        provider: &str,
        trust: Option<PathBuf>,
    ) -> PyResult<Self> {
        let settings = Settings {
            choice: named::<Choice>("runtime", runtime)?,
            provider: named::<Provider>("provider", provider)?,
            library: package::onnxruntime(py)?,
            threads: within("threads", threads, 64)?,
            engines: None,
            looks: named::<Looks>("looks", &looks.to_string())?,
        };
        let beam = beam.map(|beam| within("beam", beam, 16)).transpose()?;
        let bundle = package::bundle(py, bundle)?;
        py.detach(|| caught(|| open(bundle, beam, &settings, trust.as_deref())))
    }

    /// Captions an image: a path, the bytes of an image file, an array `(height, width, 3)` of uint8 (also uint16, grey, or with alpha, by the
    /// rules for such files, but that 8 bits under an alpha of 0 stay what they are), or a picture of Pillow.
    ///
    /// Raises:
    ///     ImageError: The image cannot be decoded, or the array is none; a ValueError, too.
    ///     OSError: The file cannot be read.
    ///     TypeError: It is no image at all.
    fn caption(&self, py: Python<'_>, image: &Bound<'_, PyAny>) -> PyResult<Caption> {
        let source = Source::of(image)?;
        let found = py.detach(|| {
            caught(|| {
                let pixels = source.pixels()?;
                self.captions(&[pixels])
            })
        });
        found?.pop().ok_or_else(|| CssaError::new_err("the captioner gave no caption"))
    }

    /// Captions several images, each as `caption` does, in their order. The images may come from a generator: eight are held at a time.
    /// The first image that cannot be captioned ends it; an `ImageError` names its number.
    fn caption_batch(&self, py: Python<'_>, images: &Bound<'_, PyAny>) -> PyResult<Vec<Caption>> {
        let (mut images, mut captions) = (images.try_iter()?, Vec::new());
        loop {
            py.check_signals()?;
            let mut sources = Vec::with_capacity(TOGETHER);
            for image in images.by_ref().take(TOGETHER) {
                let number = captions.len() + sources.len();
                sources.push(Source::of(&image?).map_err(|error| of_number(number, &error))?);
            }
            if sources.is_empty() {
                return Ok(captions);
            }
            let first = captions.len();
            let found = py.detach(|| {
                caught(|| {
                    let numbered = sources.into_iter().enumerate();
                    let pixels = numbered
                        .map(|(n, source)| source.pixels().map_err(|error| of_number(first + n, &error)))
                        .collect::<PyResult<Vec<_>>>()?;
                    self.captions(&pixels)
                })
            });
            captions.append(&mut found?);
        }
    }

    fn __repr__(&self) -> String {
        format!("<Captioner of {} in {}>", self.bundle.display(), self.runtime)
    }
}

impl Captioner {
    /// One thread at a time; after a panic its state is nobody's any more.
    fn captions(&self, images: &[RgbImage]) -> PyResult<Vec<Caption>> {
        let broken = |_| CssaError::new_err("this captioner failed in an earlier call: make a new one");
        let mut model = self.model.lock().map_err(broken)?;
        let sights = model.sights(&images.iter().collect::<Vec<_>>()).map_err(of_captioning)?;
        sights.iter().map(|sight| model.look_again(sight).map(Into::into).map_err(of_captioning)).collect()
    }
}

fn open(place: PathBuf, beam: Option<usize>, settings: &Settings, trust: Option<&Path>) -> PyResult<Captioner> {
    let trusted = trust.map(Trusted::read).transpose().map_err(of_bundle)?;
    let mut bundle = Bundle::read_trusted(&place, trusted.as_ref()).map_err(of_bundle)?;
    if let Some(beam) = beam {
        bundle.manifest.search = bundle.manifest.search.with_beam(beam);
    }
    if settings.looks > Looks::One && bundle.trust.is_none() {
        return Err(PyValueError::new_err(format!(
            "looks is {}, expected 1: {} has no statistics to judge looks by (`exporter calibrate` adds them)",
            settings.looks,
            place.display()
        )));
    }
    let model = Model::open(&bundle, settings).map_err(of_loading)?;
    Ok(Captioner { runtime: model.at_work(), model: Mutex::new(model), bundle: place })
}

/// A number of 1 to `most`.
pub(crate) fn within(name: &str, value: i64, most: i64) -> PyResult<usize> {
    match usize::try_from(value) {
        Ok(number) if (1..=most).contains(&value) => Ok(number),
        _ => Err(PyValueError::new_err(format!("{name} is {value}, expected 1 to {most}"))),
    }
}

pub(crate) fn named<T: FromStr<Err: std::fmt::Display>>(what: &str, name: &str) -> PyResult<T> {
    name.parse().map_err(|error| PyValueError::new_err(format!("{what} is {error}")))
}
