//! Pictures of captioned frames: kept while a ground may ask for them.

use super::FramePipeline;
use crate::error::{Error, Result, chain};
use crate::pictures::{IsNotable, Pictures, Subject};
use crate::sources::Frame;
use crate::store::Caption;
use cssa_wire::FaultKind;
use std::sync::{MutexGuard, PoisonError};

impl FramePipeline {
    fn pictures(&self) -> Option<MutexGuard<'_, Pictures>> {
        self.pictures.as_ref().map(|pictures| pictures.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps the picture of a frame whose caption is queued under a number. One that the disk does not take is not kept, and no caption
    /// waits for it.
    pub(super) fn keep_picture(&self, number: u32, caption: &Caption, frame: &Frame) {
        let (Some(mut pictures), Ok(pixels)) = (self.pictures(), &frame.pixels) else { return };
        let is_notable = if caption.outside.is_some() || caption.priority > 0 { IsNotable::Yes } else { IsNotable::No };
        for error in pictures.keep(Subject::of(number, caption.time, &caption.text), pixels, is_notable) {
            self.faults.record(FaultKind::PictureErrors, chain(&error));
        }
    }

    /// The store does not take a caption: where the disk is full, the oldest frame that is kept goes.
    pub(super) fn give_way(&self, error: &Error) {
        if error.is_disk_full()
            && let Some(Err(error)) = self.pictures().map(|mut pictures| pictures.give_way())
        {
            self.faults.record(FaultKind::PictureErrors, chain(&error));
        }
    }

    /// Forgets all pictures.
    pub(super) fn forget_pictures(&self) -> Result<()> {
        self.store.forget_pictures()?;
        self.pictures().map_or(Ok(()), |mut pictures| pictures.forget())
    }
}
