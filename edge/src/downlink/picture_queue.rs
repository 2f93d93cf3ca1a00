//! Which parts of which pictures are to go out.

use crate::store::Asked;
use cssa_wire::MissingParts;
use std::collections::VecDeque;

/// What is to go out.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    pub(super) waiting: VecDeque<Sending>,
    /// The picture that is being sent, so that the store is not asked for each part.
    pub(super) at_hand: Option<(Asked, Vec<u8>)>,
    /// One of those that the ground has not said to be there, and when and how often the last part of it went out for that.
    pub(super) unconfirmed: Option<Asked>,
    pub(super) reminded: Option<(f64, u32)>,
}

/// The parts of a picture that are to go out.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) asked: Asked,
    pub(super) missing: MissingParts,
    pub(super) next: usize,
}

impl Pictures {
    /// Nothing is to go out yet, but this one may be missing.
    pub(super) fn of(unconfirmed: Option<Asked>) -> Self {
        Self { unconfirmed, ..Self::default() }
    }

    /// The ground has spoken of a picture; this one it has not said to be there.
    pub(super) fn heard(&mut self, unconfirmed: Option<Asked>) {
        (self.unconfirmed, self.reminded) = (unconfirmed, None);
    }

    /// A picture was made, perhaps another one under a number that was used before.
    pub(super) fn begin(&mut self, asked: Asked) {
        self.at_hand.take_if(|at_hand| at_hand.0 == asked);
        self.want(asked, MissingParts::all(asked.1));
    }

    /// These parts are missing on the ground, as it saw last.
    pub(super) fn want(&mut self, asked: Asked, missing: MissingParts) {
        if missing.is_whole() {
            self.waiting.retain(|sending| sending.asked != asked);
            self.at_hand.take_if(|at_hand| at_hand.0 == asked);
            return;
        }
        self.unconfirmed = self.unconfirmed.or(Some(asked));
        let anew = Sending { asked, missing, next: 0 };
        match self.waiting.iter_mut().find(|sending| sending.asked == asked) {
            Some(sending) => *sending = anew,
            None => self.waiting.push_back(anew),
        }
    }
}
