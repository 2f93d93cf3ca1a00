//! Installs a bundle whose delta came over the uplink, as `edge update` and `edge install` do: in processes of their own, while frames go on.

use crate::error::{Error, Result};
use crate::started_as;
use cssa::files;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};

/// How the system's errors end that say that a disk is full (ENOSPC).
const DISK_FULL: &str = "(os error 28)";

/// What is installed, and how.
pub(super) struct Installation {
    /// The configuration that it will fly by.
    pub(super) config: PathBuf,
    /// The state folder.
    pub(super) state: PathBuf,
    /// The bundle that the delta starts from.
    pub(super) earlier: PathBuf,
}

/// Why a bundle is not installed.
pub(crate) enum NotInstalled {
    /// The delta is of no use, and this is why.
    Useless(String),
    /// The disk did not take it: its parts are good still, and the next one tries again.
    NotNow(String),
}

impl Installation {
    /// Begins, in a thread; what comes of it is said once: nothing, or what is wrong.
    pub(super) fn begin(self, delta: Vec<u8>) -> Receiver<Result<(), NotInstalled>> {
        let (told, outcome) = channel();
        std::thread::spawn(move || {
            // Whoever asked may be gone.
            told.send(self.install(&delta)).ok();
        });
        outcome
    }

    fn install(&self, delta: &[u8]) -> Result<(), NotInstalled> {
        let [from, new] = ["uplink.delta", "uplink.cssa"].map(|name| self.state.join(name));
        let remove = || [&from, &new].into_iter().for_each(|path| drop(std::fs::remove_file(path)));
        remove();
        let installed = files::write(&from, delta)
            .map_err(|error| NotInstalled::NotNow(crate::error::chain(&Error::from(error))))
            .and_then(|()| {
                edge(
                    "update",
                    &[from.as_ref(), "--bundle".as_ref(), self.earlier.as_ref(), "--out".as_ref(), new.as_ref()],
                )
            })
            .and_then(|()| edge("install", &[new.as_ref(), "--state".as_ref(), self.config.as_ref()]));
        remove();
        installed
    }
}

/// Runs this program; its last line says what was wrong.
fn edge(command: &str, arguments: &[&Path]) -> Result<(), NotInstalled> {
    let run =
        || started_as::command()?.arg(command).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).output();
    let unstarted = |error| NotInstalled::NotNow(format!("edge {command} cannot be started: {error}"));
    let output = run().map_err(unstarted)?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    let why = last.strip_prefix("error: ").unwrap_or(last);
    // The packet holds little: what is wrong, and not where it lay for a moment.
    let why = || why.rsplit_once("uplink.cssa: ").map_or(why, |(_, why)| why).to_owned();
    match output.status {
        status if status.success() => Ok(()),
        _ if said.contains(DISK_FULL) => Err(NotInstalled::NotNow(why())),
        _ => Err(NotInstalled::Useless(why())),
    }
}
