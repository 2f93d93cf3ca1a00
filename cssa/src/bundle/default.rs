//! Where the default bundle lies.

use crate::files::FileError;
use std::path::{Path, PathBuf};

/// The bundle that was named, or the default one: what the variable `CSSA_BUNDLE` names, `bundle` or `bundle.cssa` beside the
/// program, else the checkout's `fixtures/bundle`.
///
/// # Errors
/// Where none was named and there is no default one.
pub fn named_or_default(named: Option<&Path>) -> Result<PathBuf, FileError> {
    if let Some(place) = named {
        return Ok(place.into());
    }
    if let Some(place) = std::env::var_os("CSSA_BUNDLE").filter(|place| !place.is_empty()) {
        return Ok(place.into());
    }
    let program = std::env::current_exe().unwrap_or_default();
    let beside = ["bundle", "bundle.cssa"].map(|name| program.with_file_name(name)).into_iter().find(|p| p.exists());
    let missing = || FileError::content(&program, "no default bundle beside this program: name one with --bundle");
    beside.or_else(|| checkout("bundle")).ok_or_else(missing)
}

/// A folder of the checkout's fixtures, where the program was built in one that is still there.
#[must_use]
pub fn checkout(fixture: &str) -> Option<PathBuf> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join("fixtures");
    Some(fixtures.join(fixture)).filter(|folder| folder.is_dir())
}
