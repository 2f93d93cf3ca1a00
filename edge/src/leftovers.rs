//! What programs that were killed, or whose power was cut, have left behind half written.

use cssa::files::remove_leftovers;
use std::path::Path;

/// Removes it from a folder into which nobody writes now. What cannot be removed takes room and nothing else.
pub(crate) fn clean(folder: &Path) {
    match remove_leftovers(folder) {
        Ok(0) => {}
        Ok(removed) => tracing::info!("{}: {removed} leftovers of killed programs are removed", folder.display()),
        Err(problem) => tracing::warn!("{problem}"),
    }
}
