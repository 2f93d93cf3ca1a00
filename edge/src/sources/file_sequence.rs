//! Files that are named from the start, one after the other. What the system does not give is tried again behind the others, and in the
//! next run.

use super::image_file::{Cutting, ImageFile, Unopened, Untiled};
use super::key::{self, State};
use super::ledger::Ledger;
use super::retries::Retries;
use super::source::Next;
use crate::error::Error;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Instant;

/// So often a file is tried in a run.
const TRIES: u32 = 4;

/// A file to caption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) path: PathBuf,
    /// The line that names it, from 1, where it is captioned once for each that does.
    pub(super) line: Option<usize>,
}

/// Such files.
pub(super) struct FileSequence {
    waiting: VecDeque<Named>,
    retries: Retries<Named>,
    cutting: Cutting,
    untiled: Untiled,
    open: Option<(ImageFile, Named, u32)>,
}

impl FileSequence {
    /// Of which none is open yet.
    pub(super) fn new(files: impl Iterator<Item = Named>, cutting: Cutting, untiled: Untiled) -> Self {
        Self { waiting: files.collect(), retries: Retries::new(Some(TRIES)), cutting, untiled, open: None }
    }

    /// The next frame.
    pub(super) fn next(&mut self, ledger: &dyn Ledger) -> Next {
        loop {
            match self.open.as_mut().and_then(|(image, ..)| image.next(ledger)) {
                Some(Ok(frame)) => return Next::Frame(frame),
                Some(Err(error)) => return self.later(error),
                None => self.open = None,
            }
            let again = || self.retries.due(Instant::now());
            let Some((named, tries)) = self.waiting.pop_front().map(|named| (named, 0)).or_else(again) else {
                return if self.retries.is_empty() { Next::End } else { Next::Nothing };
            };
            let state = match State::of(&named.path) {
                Ok(state) => state,
                Err(error) => {
                    let error = Error::path(&named.path)(error);
                    self.retries.add(named, tries, Instant::now());
                    return Next::Unread(error);
                }
            };
            let line = named.line.map(|line| format!("|line {line}")).unwrap_or_default();
            let key = format!("{}{line}", key::of_file(&named.path, &state, self.cutting.tiles(self.untiled)));
            if key::is_settled(&key, ledger) {
                continue;
            }
            match ImageFile::open(&named.path, &key, self.cutting, self.untiled, ledger) {
                Ok(image) => self.open = Some((image, named, tries)),
                Err(Unopened::Frame(unreadable)) => return Next::Frame(*unreadable),
                Err(Unopened::File(error)) => {
                    self.retries.add(named, tries, Instant::now());
                    return Next::Unread(error);
                }
            }
        }
    }

    /// The file at hand is tried again later.
    fn later(&mut self, error: Error) -> Next {
        if let Some((_, named, tries)) = self.open.take() {
            self.retries.add(named, tries, Instant::now());
        }
        Next::Unread(error)
    }
}
