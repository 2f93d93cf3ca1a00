//! The command line of `edge` in Python's process.

use crate::error::caught;
use edge::{commands, started_as};
use pyo3::prelude::*;
use std::ffi::OsString;

/// Runs `edge` with its arguments, the first of which is its name, and gives its exit code. It takes the process over: it sets the log up and
/// answers signals. `again` is what starts it once more.
#[pyfunction]
pub(crate) fn run(py: Python<'_>, arguments: Vec<OsString>, again: Vec<OsString>) -> PyResult<u8> {
    started_as::set(again);
    py.detach(|| caught(|| Ok(commands::run(arguments))))
}
