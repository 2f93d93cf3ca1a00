//! What every source gives: frames, one after the other.

use super::ledger::Ledger;
use super::taken::Taken;
use crate::error::{Error, Result};
use crate::position::{View, Whereabouts};
use crate::vitals::Pulse;
use cssa_image::Problem;
use image::RgbImage;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One image to caption.
#[derive(Debug)]
pub struct Frame {
    /// What it is called in reports.
    pub name: String,
    /// Names it where it could come again after a restart.
    pub key: Option<String>,
    /// Its pixels, or why there are none.
    pub pixels: Result<RgbImage, String>,
    /// Where it was taken, by its own tags.
    pub position: Whereabouts,
    /// How it was taken, for where it lies on the ground.
    pub view: View,
    /// When it was taken.
    pub taken: Taken,
    /// Why tags that it has were not used.
    pub problems: Vec<Problem>,
}

impl Frame {
    /// A frame that has come now, of which nothing else is known: it is where the vehicle is, and does not come again.
    #[must_use]
    pub fn new(name: impl Into<String>, pixels: RgbImage) -> Self {
        Self {
            name: name.into(),
            key: None,
            pixels: Ok(pixels),
            position: Whereabouts::Unsaid,
            view: View::default(),
            taken: Taken::arrived(),
            problems: Vec::new(),
        }
    }
}

/// What a source has now.
#[derive(Debug)]
pub enum Next {
    /// A frame.
    Frame(Frame),
    /// Bytes that are no frame.
    Debris {
        /// How many.
        bytes: u64,
        /// What is to be said of them.
        said: Option<String>,
    },
    /// Nothing at the moment: ask again in a while.
    Nothing,
    /// A file that the system does not give, or does not take: it is tried again.
    Unread(Error),
    /// Nothing at the moment, since something failed that is tried again.
    Failed(Error),
    /// Nothing any more.
    End,
}

/// Gives frames. A program's own goes to [`run_with`](crate::run::run_with); `edge/examples/own_source.rs` is one.
pub trait Source: Send {
    /// The next frame that `ledger` does not call settled.
    fn next(&mut self, ledger: &dyn Ledger) -> Result<Next>;

    /// Whether an error is its end, also after frames have come.
    fn ends_with_an_error(&self) -> bool {
        false
    }

    /// Whether frames come when they come, and are lost where nobody takes them.
    fn is_live(&self) -> bool {
        false
    }

    /// The command behind the source, where there is one.
    fn command(&self) -> Option<Running> {
        None
    }

    /// Shows signs of life also while it waits for a device.
    fn pulse(&mut self, _pulse: &Arc<Pulse>) {}

    /// Whether a settled frame with this key can never come again.
    fn is_gone(&self, _key: &str) -> bool {
        false
    }
}

/// A command that runs, or none: whoever ends the program ends it, too, even while its output is being waited for.
pub type Running = Arc<Mutex<Option<Child>>>;

/// A command that has closed its output has so long to end.
const LAST_WORDS: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(10);

/// Waits for the command's end; gives how it ended, nothing where it was ended from outside. One that does not end is ended.
pub(super) fn wait(command: &Running) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now() + LAST_WORDS;
    loop {
        let mut running = command.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(child) = running.as_mut() else { return Ok(None) };
        let ended = child.try_wait();
        if !matches!(ended, Ok(None)) {
            *running = None;
            return ended;
        }
        drop(running);
        if Instant::now() > until {
            kill(command);
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}

/// Ends the command and all that it has started: they are one group of processes.
pub fn kill(command: &Running) {
    if let Some(mut child) = command.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _gone = kill_process_group(Pid::from_child(&child), Signal::KILL);
        child.kill().ok();
        child.wait().ok();
    }
}
