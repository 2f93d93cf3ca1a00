//! Images that appear in a folder.

mod arrivals;
mod put_away;
mod walk;
mod watch;

use self::arrivals::{Arrivals, Arrived};
use self::put_away::PutAway;
use self::walk::Walk;
use self::watch::{Change, Watch};
use super::image_file::{Cutting, ImageFile, Unopened, Untiled};
use super::key::{self, State};
use super::ledger::Ledger;
use super::retries::Retries;
use super::source::{Frame, Next, Source};
use crate::config::After;
use crate::error::{Error, Result};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Between two looks at everything, where the system tells of changes: it may have missed one.
const WATCHED: Duration = Duration::from_secs(60);
/// Between two looks, where it tells of none.
const UNWATCHED: Duration = Duration::from_secs(2);
/// Looks take at most this part of the time.
const SHARE: u32 = 200;
/// So often what the system does not give is tried where the source has an end.
const TRIES: u32 = 4;

/// A folder with images.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Its path.
    pub path: PathBuf,
    /// Go on looking for new images; else end when all have been seen.
    pub watch: bool,
    /// What becomes of a file that was captioned.
    pub after: After,
}

/// Images that appear in a folder and below, by name. The system tells of new ones and of their writers' ends; where it cannot, on network
/// file systems for example, the folder is looked at every few seconds, and a file counts as complete when it has not changed for two. A file
/// that is no whole image is looked at again until it has not changed for 30 seconds. Files and folders whose names begin with a dot, and files
/// that end in `.part`, are not looked at, nor is what lies behind links to folders. A folder that is not there is said once, and waited for.
pub struct FolderSource {
    folder: Folder,
    cutting: Cutting,
    open: Option<(ImageFile, Arrived)>,
    waiting: VecDeque<Arrived>,
    arrivals: Arrivals,
    /// Files that are there and were looked at, as they were then.
    known: BTreeMap<PathBuf, State>,
    retries: Retries<PathBuf>,
    put_away: PutAway,
    walk: Walk,
    watching: Watching,
    next_look: Option<Instant>,
    /// The last look found nothing new.
    is_through: bool,
}

/// How changes become known.
#[derive(Debug)]
enum Watching {
    /// Not yet, or the folder is not there.
    Not,
    /// The system tells.
    By(Watch),
    /// By looking.
    Looking,
}

impl FolderSource {
    /// A source that has looked at nothing yet.
    #[must_use]
    pub fn new(folder: Folder, cutting: Cutting) -> Self {
        let most = (!folder.watch).then_some(TRIES);
        Self {
            put_away: PutAway::new(folder.after.clone(), folder.path.clone()),
            walk: Walk::new(folder.path.clone(), folder.watch),
            cutting,
            open: None,
            waiting: VecDeque::new(),
            arrivals: Arrivals::default(),
            known: BTreeMap::new(),
            retries: Retries::new(most),
            watching: Watching::Not,
            next_look: None,
            is_through: false,
            folder,
        }
    }

    /// Looks at everything that is there now; says why the system will not tell of changes.
    fn look(&mut self, now: Instant) -> Result<Option<Error>> {
        let mut refused = None;
        // First, so that nothing happens in between.
        if self.folder.watch && matches!(self.watching, Watching::Not) && self.folder.path.is_dir() {
            self.watching = match Watch::start(&self.folder.path) {
                Ok(watch) => Watching::By(watch),
                Err(problem) => {
                    refused = Some(self.unwatched(problem));
                    Watching::Looking
                }
            };
        }
        let before = self.waiting.len();
        let found: BTreeMap<PathBuf, State> = self.walk.images()?.collect();
        self.known.retain(|path, _| found.contains_key(path));
        found.into_iter().for_each(|(path, state)| self.find(path, state, Change::Seen, now));
        self.is_through = self.waiting.len() == before;
        let pause = if matches!(self.watching, Watching::By(_)) { WATCHED } else { UNWATCHED };
        self.next_look = Some(Instant::now() + pause.max(now.elapsed() * SHARE));
        Ok(refused)
    }

    fn unwatched(&self, problem: String) -> Error {
        Error::Unwatched { folder: self.folder.path.clone(), problem }
    }

    /// A file is there.
    fn find(&mut self, path: PathBuf, state: State, change: Change, now: Instant) {
        if self.known.get(&path) == Some(&state) && change != Change::Written {
            return;
        }
        if self.folder.watch {
            self.arrivals.note(path, state, change, now);
        } else {
            self.take(Arrived::new(path, state, now));
        }
    }

    /// A file is complete.
    fn take(&mut self, arrived: Arrived) {
        if self.known.insert(arrived.path.clone(), arrived.state) != Some(arrived.state) {
            self.waiting.push_back(arrived);
        }
    }

    /// What the system tells; says why it tells nothing any more.
    fn hear(&mut self, now: Instant) -> Option<Error> {
        let Watching::By(watch) = &self.watching else { return None };
        let changes = watch.changes();
        if changes.is_more {
            self.next_look = None;
        }
        for (path, change) in changes.paths {
            if !self.walk.is_looked_at(&path) {
                continue;
            }
            match change {
                Change::Gone => {
                    self.arrivals.forget(&path);
                    self.known.retain(|other, _| !other.starts_with(&path));
                    self.retries.remove(|other| other.starts_with(&path));
                }
                Change::Folder => {
                    let found: Vec<_> = self.walk.below(&path).collect();
                    found.into_iter().for_each(|(path, state)| self.find(path, state, Change::Seen, now));
                    // What came before the system began to tell of it.
                    let soon = now + UNWATCHED;
                    self.next_look = self.next_look.map(|look| look.min(soon));
                }
                change => {
                    // Its rights may be others now, for example.
                    self.retries.hurry(|other| *other == path, now);
                    if let Some(state) = walk::image(&path) {
                        self.find(path, state, change, now);
                    }
                }
            }
        }
        let problem = changes.ended?;
        self.watching = Watching::Looking;
        Some(self.unwatched(problem))
    }

    /// The next tile of the file that is open; says where it is to be tried again.
    fn tile(&mut self, ledger: &dyn Ledger, now: Instant) -> Option<Next> {
        let (image, arrived) = self.open.as_mut()?;
        match image.next(ledger) {
            Some(Ok(frame)) if frame.pixels.is_err() => {
                let arrived = arrived.clone();
                self.unread(frame, arrived, now)
            }
            Some(Ok(frame)) => {
                self.put_away.give(frame.key.as_deref());
                Some(Next::Frame(frame))
            }
            Some(Err(error)) => {
                let arrived = arrived.clone();
                self.open = None;
                Some(self.later(error, arrived, now))
            }
            None => {
                self.open = None;
                self.put_away.close();
                None
            }
        }
    }

    /// A file, or a tile of it, is no image: for good only if nothing more of it can come.
    fn unread(&mut self, frame: Frame, arrived: Arrived, now: Instant) -> Option<Next> {
        self.put_away.keep();
        if !self.folder.watch || !arrived.may_grow(now) {
            return Some(Next::Frame(frame));
        }
        self.open = None;
        self.known.remove(&arrived.path);
        self.arrivals.wait(arrived);
        None
    }

    /// The system does not give a file.
    fn later(&mut self, error: Error, arrived: Arrived, now: Instant) -> Next {
        self.put_away.keep();
        self.retries.add(arrived.path, arrived.tries, now);
        Next::Unread(error)
    }

    /// Opens the next file that waits; gives what is to be said where it cannot be opened.
    fn open(&mut self, arrived: Arrived, ledger: &dyn Ledger, now: Instant) -> Option<Next> {
        let key = key::of_file(&arrived.path, &arrived.state, self.cutting.tiles(Untiled::Whole));
        if key::is_settled(&key, ledger) {
            // Of an earlier run, which may have ended before it was put away.
            if key::is_captioned(&key, ledger) {
                self.put_away.open(&arrived.path, arrived.state);
                self.put_away.close();
            }
            return None;
        }
        self.put_away.open(&arrived.path, arrived.state);
        match ImageFile::open(&arrived.path, &key, self.cutting, Untiled::Whole, ledger) {
            Ok(image) => {
                self.open = Some((image, arrived));
                None
            }
            Err(Unopened::Frame(frame)) => self.unread(*frame, arrived, now),
            Err(Unopened::File(error)) => Some(self.later(error, arrived, now)),
        }
    }

    /// The next file that waits, as it is now.
    fn next_file(&mut self, now: Instant) -> Option<Arrived> {
        if let Some((path, tries)) = self.retries.due(now) {
            let state = State::of(&path).ok()?;
            self.known.insert(path.clone(), state);
            return Some(Arrived { tries, ..Arrived::new(path, state, now) });
        }
        self.waiting.pop_front()
    }

    fn is_look_due(&self, now: Instant) -> bool {
        if self.folder.watch {
            self.next_look.is_none_or(|look| look <= now)
        } else {
            self.waiting.is_empty() && !self.is_through
        }
    }
}

impl Source for FolderSource {
    fn next(&mut self, ledger: &dyn Ledger) -> Result<Next> {
        loop {
            let now = Instant::now();
            if let Some(next) = self.tile(ledger, now) {
                return Ok(next);
            }
            if let Err(error) = self.put_away.work(ledger, now) {
                return Ok(Next::Unread(error));
            }
            if self.walk.has_another_folder() {
                (self.watching, self.next_look) = (Watching::Not, None);
            }
            if let Some(error) = self.hear(now) {
                return Ok(Next::Failed(error));
            }
            if self.is_look_due(now) {
                let refused = self.look(now)?;
                if let Some(error) = refused.or_else(|| self.walk.absence()) {
                    return Ok(Next::Failed(error));
                }
            }
            self.arrivals.take_complete(now).into_iter().for_each(|arrived| self.take(arrived));
            let Some(arrived) = self.next_file(now) else {
                let is_over = self.is_through && self.retries.is_empty() && self.put_away.is_empty();
                return Ok(if is_over && !self.folder.watch { Next::End } else { Next::Nothing });
            };
            if let Some(next) = self.open(arrived, ledger, now) {
                return Ok(next);
            }
        }
    }

    fn is_gone(&self, key: &str) -> bool {
        // Where the folder itself is not there, its files may come back with it.
        key::is_gone(key, |path| match path.starts_with(&self.folder.path) {
            true => !self.folder.path.is_dir(),
            false => key::is_away(path),
        })
    }
}

#[cfg(test)]
mod tests;
