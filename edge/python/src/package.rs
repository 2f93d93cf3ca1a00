//! Where things lie that the Python package brings or finds beside it.

use pyo3::prelude::*;
use std::path::PathBuf;

/// The bundle that was named, or the package's.
pub(crate) fn bundle(py: Python<'_>, named: Option<PathBuf>) -> PyResult<PathBuf> {
    match named {
        Some(bundle) => Ok(bundle),
        None => py.import("cssa_onboard._package")?.call_method0("default_bundle")?.extract(),
    }
}

/// ONNX Runtime's library, where its package is there.
pub(crate) fn onnxruntime(py: Python<'_>) -> PyResult<Option<PathBuf>> {
    py.import("cssa_onboard._package")?.call_method0("onnxruntime_library")?.extract()
}
