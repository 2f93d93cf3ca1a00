//! A part of the demonstration in a thread of its own.

use crate::error::{Error, Result};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two looks whether it has ended.
const LOOK: Duration = Duration::from_millis(10);

/// Something that runs.
pub(crate) struct Running<T> {
    name: &'static str,
    thread: JoinHandle<Result<T>>,
}

impl<T: Send + 'static> Running<T> {
    /// Starts it.
    pub(crate) fn start(name: &'static str, work: impl FnOnce() -> Result<T> + Send + 'static) -> Self {
        Self { name, thread: std::thread::spawn(work) }
    }

    /// Whether it runs no more.
    pub(crate) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// What it came to, once it has ended.
    pub(crate) fn end(self) -> Result<T> {
        self.thread.join().map_err(|_| Error::Thread(self.name))?
    }

    /// The same where it ends within a time; one that does not is left behind.
    pub(crate) fn end_within(self, time: Duration) -> Result<Option<T>> {
        let until = Instant::now() + time;
        while !self.has_ended() {
            if Instant::now() >= until {
                return Ok(None);
            }
            std::thread::sleep(LOOK);
        }
        self.end().map(Some)
    }
}
