//! Pictures of captioned frames: kept while a ground may ask for them, made when it does.

use super::FramePipeline;
use crate::error::{Result, chain};
use crate::pictures::{IsNotable, NotMade, Pictures, Subject};
use crate::sources::Frame;
use crate::store::Caption;
use cssa_wire::FaultKind;

impl FramePipeline {
    /// Keeps the picture of a frame whose caption was queued under a number. One that the disk does not take is not kept, and no caption
    /// waits for it.
    pub(super) fn keep_picture(&mut self, number: u32, caption: &Caption, frame: &Frame) {
        let (Some(pictures), Ok(pixels)) = (&mut self.pictures, &frame.pixels) else { return };
        let is_notable = if caption.outside.is_some() || caption.priority > 0 { IsNotable::Yes } else { IsNotable::No };
        if let Err(error) = pictures.keep(Subject::of(number, caption.time, &caption.text), pixels, is_notable) {
            self.faults.record(FaultKind::PictureErrors, chain(&error));
        }
    }

    /// Makes all pictures that are asked for; whether the store gave and took what it should.
    pub(super) fn make_pictures(&mut self) -> Result<()> {
        while let Some(open) = self.store.next_ask()? {
            self.pulse.beat();
            let made = self.pictures.as_ref().map_or(Ok(Err(NotMade::NotKept)), |pictures| pictures.make(&open.ask));
            // A frame that cannot be read is as one that is not there.
            let made = made.unwrap_or_else(|error| {
                self.faults.record(FaultKind::PictureErrors, chain(&error));
                Err(NotMade::NotKept)
            });
            self.store.made(&open, &made)?;
            // Where the link's thread has ended, nobody waits for it.
            self.answered.send(open.number).ok();
        }
        Ok(())
    }

    /// Forgets all pictures.
    pub(super) fn forget_pictures(&mut self) -> Result<()> {
        self.store.forget_pictures()?;
        self.pictures.as_mut().map_or(Ok(()), Pictures::forget)
    }
}
