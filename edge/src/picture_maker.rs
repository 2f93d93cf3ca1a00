//! Makes the pictures that the ground asks for, beside the flight: a large one takes seconds, which no frame waits for.

use super::config::Config;
use super::control::{Control, Faults, TICK};
use super::error::{Result, chain};
use super::pictures::{NotMade, Pictures, Source};
use super::store::{Number, Store};
use super::vitals::Pulse;
use cssa_wire::FaultKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender as Outbox;
use std::sync::{Arc, Mutex, PoisonError};

/// What is kept of frames, where a ground can ask for it.
pub(super) type Shared = Option<Arc<Mutex<Pictures>>>;

/// Opens it; the flight goes on without where the disk does not take it.
pub(super) fn open(config: &Config, faults: &Faults) -> Shared {
    config.link.key.as_ref()?;
    let mut pictures = Pictures::of(&config.state, &config.pictures);
    pictures.open().iter().for_each(|error| faults.record(FaultKind::PictureErrors, chain(error)));
    Some(Arc::new(Mutex::new(pictures)))
}

/// The thread's own.
pub(super) struct PictureMaker {
    pub(super) store: Arc<Store>,
    pub(super) pictures: Shared,
    pub(super) control: Control,
    /// Where it is said that a picture was made, or was not.
    pub(super) answered: Outbox<Number>,
    pub(super) faults: Faults,
    pub(super) pulse: Pulse,
}

impl PictureMaker {
    /// Makes what is asked for until it is over.
    pub(super) fn run(self, over: &AtomicBool) {
        while !over.load(Ordering::Relaxed) && !self.control.is_stopped() {
            self.pulse.beat();
            if self.control.asked.swap(false, Ordering::Relaxed)
                && let Err(error) = self.make_all()
            {
                self.faults.record(FaultKind::StoreErrors, chain(&error));
                self.control.asked.store(true, Ordering::Relaxed);
            }
            std::thread::sleep(TICK);
        }
    }

    fn make_all(&self) -> Result<()> {
        while let Some(open) = self.store.next_ask()? {
            if self.control.is_stopped() {
                return Ok(());
            }
            self.pulse.beat();
            let source = self.pictures.as_ref().map_or(Ok(Err(NotMade::NotKept)), |pictures| {
                pictures.lock().unwrap_or_else(PoisonError::into_inner).source(&open.ask)
            });
            // A frame that cannot be read is as one that is not there.
            let source = source.unwrap_or_else(|error| {
                self.faults.record(FaultKind::PictureErrors, chain(&error));
                Err(NotMade::NotKept)
            });
            self.store.made(&open, &source.and_then(Source::picture))?;
            // Where the link's thread has ended, nobody waits for it.
            self.answered.send(open.number).ok();
        }
        Ok(())
    }
}
