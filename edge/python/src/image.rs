//! What `caption` takes as an image: a path, a file's bytes, an array, a picture of Pillow.

use crate::error::{ImageError, of_image};
use cssa::errors::chain;
use cssa_image::{Kept, Samples};
use image::RgbImage;
use numpy::{PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::path::PathBuf;

const EXPECTED: &str = "expected uint8 or uint16 of shape (height, width, 3)";

/// An image, out of the interpreter's hands.
pub(crate) enum Source {
    Path(PathBuf),
    File(Vec<u8>),
    Pixels { size: (u32, u32), channels: usize, samples: Samples },
}

impl Source {
    /// Takes what `image` is now: an array is copied.
    pub(crate) fn of(image: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = image.py();
        if let Ok(bytes) = image.cast::<PyBytes>() {
            return Ok(Self::File(bytes.as_bytes().to_vec()));
        }
        if let Ok(path) = image.extract::<PathBuf>() {
            return Ok(Self::Path(path));
        }
        let is_array = |name| image.hasattr(name).unwrap_or(false);
        if !is_array("__array_interface__") && !is_array("__array__") {
            let found = image.get_type().qualname()?;
            return Err(PyTypeError::new_err(format!(
                "an image is {found}, expected a path, the bytes of an image file, an array or a picture of Pillow"
            )));
        }
        let numpy = py.import("numpy")?;
        let array = numpy.call_method1("asarray", (plain_mode(image)?,))?;
        of_array(&numpy, &array)
    }

    /// Reads and decodes, which takes its time: without the interpreter's lock.
    pub(crate) fn pixels(self) -> PyResult<RgbImage> {
        let refused = |error| ImageError::new_err(chain(&error));
        match self {
            Self::Path(path) => {
                cssa_image::read_picture(&path, Kept::Reduced).map(|found| found.pixels).map_err(of_image)
            }
            Self::File(bytes) => cssa_image::picture(bytes, Kept::Reduced).map(|found| found.pixels).map_err(refused),
            Self::Pixels { size, channels, samples } => {
                cssa_image::rgb8(size, channels, samples, Kept::Reduced).map_err(refused)
            }
        }
    }
}

/// A picture of Pillow whose samples are no brightness (palettes, CMYK, bits) as RGB; anything else as it is.
fn plain_mode<'py>(image: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let mode = image.getattr("mode").ok().and_then(|mode| mode.extract::<String>().ok());
    match mode.as_deref() {
        Some("1" | "P" | "PA" | "CMYK" | "YCbCr" | "HSV" | "LAB" | "RGBX" | "RGBa" | "La")
            if image.hasattr("convert")? =>
        {
            image.call_method1("convert", ("RGB",))
        }
        _ => Ok(image.clone()),
    }
}

fn of_array(numpy: &Bound<'_, PyModule>, array: &Bound<'_, PyAny>) -> PyResult<Source> {
    let known = array.cast::<PyUntypedArray>()?;
    let (shape, dtype) = (known.shape().to_vec(), known.dtype());
    let shown = || format!("an array of {dtype} and shape {}", Shown(&shape));
    let channels = match shape.as_slice() {
        [_, _] => 1,
        [_, _, channels @ 1..=4] => *channels,
        [1..=4, _, _] => {
            let said = "channels come last: image.transpose(1, 2, 0)";
            return Err(ImageError::new_err(format!("{}, {EXPECTED}; {said}", shown())));
        }
        [_, _, _, _] => {
            let said = "caption_batch(list(images)) takes several";
            return Err(ImageError::new_err(format!("{}, {EXPECTED}; {said}", shown())));
        }
        _ => return Err(ImageError::new_err(format!("{}, {EXPECTED}", shown()))),
    };
    let kind = match (dtype.kind(), dtype.itemsize()) {
        (b'u', 1) => "uint8",
        (b'u', 2) => "uint16",
        (b'f', _) => {
            let said = "scale it yourself: (255 * image).round().astype(\"uint8\") where white is 1";
            return Err(ImageError::new_err(format!("{}, {EXPECTED}; {said}", shown())));
        }
        _ => return Err(ImageError::new_err(format!("{}, {EXPECTED}", shown()))),
    };
    let side =
        |length: usize| u32::try_from(length).map_err(|_| ImageError::new_err(format!("{}, too large", shown())));
    let size = (side(shape[1])?, side(shape[0])?);
    if size.0 == 0 || size.1 == 0 {
        return Err(ImageError::new_err(format!("{}, expected pixels", shown())));
    }
    let options = PyDict::new(array.py());
    options.set_item("dtype", kind)?;
    // Whatever its strides and its byte order are.
    let array = numpy.call_method("ascontiguousarray", (array,), Some(&options))?;
    let samples = match kind {
        "uint8" => Samples::Bytes(copied(array.cast::<PyArrayDyn<u8>>()?)?),
        _ => Samples::Words(copied(array.cast::<PyArrayDyn<u16>>()?)?),
    };
    Ok(Source::Pixels { size, channels, samples })
}

fn copied<T: numpy::Element>(array: &Bound<'_, PyArrayDyn<T>>) -> PyResult<Vec<T>> {
    let odd = |error: String| ImageError::new_err(format!("the array cannot be read: {error}"));
    let held = array.try_readonly().map_err(|error| odd(error.to_string()))?;
    held.to_vec().map_err(|error| odd(error.to_string()))
}

/// A shape as Python writes it.
struct Shown<'a>(&'a [usize]);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lengths: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        write!(to, "({}{})", lengths.join(", "), if lengths.len() == 1 { "," } else { "" })
    }
}
