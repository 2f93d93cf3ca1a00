//! The link's thread: takes the most urgent captions from the queue, packs them, and gives them to the link until it takes them.

use super::config::LinkConfig;
use super::link::Link;
use super::run::{Faults, TICK};
use super::store::{Store, Waiting};
use crate::wire::Packet;
use anyhow::Result;
use cssa::bundle::Language;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest pause between two tries of a link that is down.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// When the source has ended and the link does not answer for so long, the rest stays in the queue for the next start.
const LAST_TRY: Duration = Duration::from_secs(5);

/// Everything that the thread has.
pub(super) struct Sender {
    pub(super) link: Box<dyn Link>,
    pub(super) store: Arc<Store>,
    pub(super) config: LinkConfig,
    pub(super) language: Arc<Mutex<Arc<Language>>>,
    /// No more captions will come.
    pub(super) finished: Arc<AtomicBool>,
    pub(super) faults: Faults,
}

impl Sender {
    /// Sends until there is nothing left and nothing more to come.
    pub(super) fn run(mut self) {
        let (mut pause, mut down_since) = (TICK, None);
        loop {
            let ending = self.finished.load(Ordering::Relaxed);
            let fault = match self.store.take(usize::from(self.config.captions)) {
                Ok(waiting) if waiting.is_empty() && ending => return,
                Ok(waiting) if waiting.is_empty() => {
                    std::thread::sleep(TICK / 4);
                    continue;
                }
                Ok(waiting) => match self.send(&waiting) {
                    Ok((bytes, count)) => {
                        if !self.retire(&waiting[..count]) {
                            return;
                        }
                        (pause, down_since) = (TICK, None);
                        if self.config.bytes_per_second > 0 {
                            let seconds = bytes as f64 / f64::from(self.config.bytes_per_second);
                            std::thread::sleep(Duration::from_secs_f64(seconds));
                        }
                        continue;
                    }
                    Err(_) => "link_errors",
                },
                Err(_) => "store_errors",
            };
            self.faults.count(fault);
            let since = *down_since.get_or_insert_with(Instant::now);
            if ending && since.elapsed() > LAST_TRY {
                return;
            }
            // In short steps, so that an end is noticed.
            let until = Instant::now() + if ending { TICK } else { pause };
            while Instant::now() < until && self.finished.load(Ordering::Relaxed) == ending {
                std::thread::sleep(TICK / 4);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Sends as many of the captions as a packet holds; gives its bytes and their number.
    fn send(&mut self, waiting: &[Waiting]) -> Result<(usize, usize)> {
        let language = Arc::clone(&self.language.lock().unwrap_or_else(PoisonError::into_inner));
        let numbered = |waiting: &Waiting| waiting.caption.numbered(waiting.sequence, waiting.tries > 1);
        let mut count = waiting.len();
        let packet = loop {
            let captions = waiting[..count].iter().map(numbered).collect();
            match (Packet { bundle: language.id, digits: self.config.digits, captions }).encode(&language.model) {
                Err(_) if count > 1 => count = count.div_ceil(2),
                packed => break packed?,
            }
        };
        self.link.send(&packet)?;
        Ok((packet.len(), count))
    }

    /// Writes down that a packet went out; `false` where the disk takes nothing and the program ends.
    fn retire(&self, waiting: &[Waiting]) -> bool {
        while self.store.sent(waiting, self.config.sends).is_err() {
            self.faults.count("store_errors");
            if self.finished.load(Ordering::Relaxed) {
                return false;
            }
            std::thread::sleep(TICK);
        }
        true
    }
}
