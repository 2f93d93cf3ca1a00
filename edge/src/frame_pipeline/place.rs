//! Where a frame lies on the ground.

use super::FramePipeline;
use crate::error::chain;
use crate::footprint::Footprint;
use crate::position::Unseen;
use crate::sources::Frame;
use cssa_wire::{FaultKind, Position};

/// Counts frames that have a footprint.
const FOOTPRINTS: &str = "footprints";

impl FramePipeline {
    /// The place of a frame's caption, and what it shows of the ground: where the camera looked, where that is known, else where it was.
    pub(super) fn locate(&mut self, frame: &Frame) -> (Option<Position>, Option<Footprint>) {
        let at = frame.taken.at();
        let position = frame.position.or(at.and_then(|at| self.receiver.position(at)));
        let Some(camera) = &self.config.camera else { return (position, None) };
        let footprint = frame.view.footprint(camera, position, &self.receiver, at);
        let counter = footprint.as_ref().map_or_else(|unseen| unseen.counter(), |_| FOOTPRINTS);
        if let Err(error) = self.store.count(counter) {
            self.faults.record(FaultKind::StoreErrors, chain(&error));
        }
        match footprint {
            Ok(footprint) => (Some(footprint.centre), Some(footprint)),
            Err(unseen) => {
                self.say_unseen(frame, unseen);
                (position, None)
            }
        }
    }

    /// Says once for each reason why a frame has no footprint; `status.json` counts them.
    fn say_unseen(&mut self, frame: &Frame, unseen: Unseen) {
        if self.unseen.insert(unseen.counter()) {
            let problem = frame.view.problem().map_or(String::new(), |problem| format!(" ({problem})"));
            tracing::warn!("{}: no footprint: {unseen}{problem}; more are counted", frame.name);
        }
    }
}
