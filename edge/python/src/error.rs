//! What Python hears of an error: exceptions of `cssa_onboard._errors`, and `OSError` with the system's own number.

use cssa::errors::chain;
use cssa::files::FileError;
use cssa_captioner::{Error, Subject};
use pyo3::PyErr;
use pyo3::exceptions::PyOSError;
use std::panic::{AssertUnwindSafe, catch_unwind};

pyo3::import_exception!(cssa_onboard._errors, BundleError);
pyo3::import_exception!(cssa_onboard._errors, CssaError);
pyo3::import_exception!(cssa_onboard._errors, ImageError);
pyo3::import_exception!(cssa_onboard._errors, RuntimeUnavailableError);

const MISSING: &str = "ONNX Runtime is not found: pip install onnxruntime (or set ORT_DYLIB_PATH to libonnxruntime.so)";

/// An image file, or its content.
pub(crate) fn of_image(error: FileError) -> PyErr {
    of_file(error, ImageError::new_err::<String>)
}

/// A bundle, or a file of it.
pub(crate) fn of_bundle(error: FileError) -> PyErr {
    of_file(error, BundleError::new_err::<String>)
}

fn of_file(error: FileError, content: fn(String) -> PyErr) -> PyErr {
    match &error {
        FileError::System { path, action, cause } => match cause.raw_os_error() {
            // The class follows from the number: FileNotFoundError, PermissionError.
            Some(number) => PyOSError::new_err((number, format!("{action}: {cause}"), path.as_os_str().to_owned())),
            None => PyOSError::new_err(error.to_string()),
        },
        FileError::Content { .. } => content(chain(&error)),
    }
}

/// A bundle that does not load.
pub(crate) fn of_loading(error: Error) -> PyErr {
    match error {
        Error::RuntimeMissing => RuntimeUnavailableError::new_err(format!("{MISSING}, or take runtime=\"tract\"")),
        Error::ProviderNeedsRuntime(provider) => {
            RuntimeUnavailableError::new_err(format!("provider=\"{provider}\" needs ONNX Runtime: {MISSING}"))
        }
        Error::ProviderOfTract(provider) => RuntimeUnavailableError::new_err(format!(
            "provider=\"{provider}\": tract has no providers, expected runtime=\"ort\" or \"auto\""
        )),
        error if error.subject() != Subject::Bundle => RuntimeUnavailableError::new_err(chain(&error)),
        error => BundleError::new_err(chain(&error)),
    }
}

/// An image that has no caption.
pub(crate) fn of_captioning(error: Error) -> PyErr {
    CssaError::new_err(chain(&error))
}

/// The error of one image of several: the number stands before what is said of an image's content; other errors name a file.
pub(crate) fn of_number(number: usize, error: &PyErr) -> PyErr {
    pyo3::Python::attach(|py| {
        if error.is_instance_of::<ImageError>(py) {
            let cause = error.value(py).to_string();
            return ImageError::new_err(format!("image {number}: {cause}"));
        }
        error.clone_ref(py)
    })
}

/// What `work` gives; its panic as an error.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T, PyErr>) -> Result<T, PyErr> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let text = text.unwrap_or("it does not say why");
        Err(CssaError::new_err(format!("a fault of cssa-onboard, please report it: {text}")))
    })
}
