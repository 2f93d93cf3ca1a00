//! The Python package `cssa_onboard`: what its classes and functions are in Rust. `cssa_onboard/_native.pyi` has their types.
//!
//! Nothing here is unsafe: PyO3 and numpy's crate stand between. An image is copied once while the interpreter's lock is held; reading files,
//! captioning and waiting for another thread's caption are done without it. No panic reaches Python: it is a `CssaError`.

mod archive;
mod caption;
mod captioner;
mod error;
mod image;
mod package;
mod program;
mod table;

/// What `cssa_onboard` is made of.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::archive::Archive;
    #[pymodule_export]
    use crate::caption::Caption;
    #[pymodule_export]
    use crate::captioner::Captioner;
    #[pymodule_export]
    use crate::program::run;
    #[pymodule_export]
    use crate::table::{CaptionTable, captions_to_arrow};
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
