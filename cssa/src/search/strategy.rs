//! The one way from a model's settings to its captions.

use super::{DocumentFrequencies, Hypothesis, Settings, Step, consensus_all, finished_all};
use crate::model::{Consensus, Model, Search};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// How captions are searched: by a beam, or by consensus.
#[derive(Clone, Debug)]
pub struct Strategy {
    settings: Settings,
    consensus: Option<(Consensus, Arc<DocumentFrequencies>)>,
}

/// Consensus decoding without what it compares captions by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "consensus decoding needs document-frequencies.bin: `trainer language-model --run RUN --data DATASET` makes it"
)]
pub struct MissingFrequencies;

impl Strategy {
    /// The search of a model; `frequencies` may be absent where it is no consensus.
    pub fn new(
        model: &Model,
        search: Search,
        frequencies: Option<&Arc<DocumentFrequencies>>,
    ) -> Result<Self, MissingFrequencies> {
        let Search { beam, length_exponent, consensus } = search;
        let with = |consensus| Ok((consensus, Arc::clone(frequencies.ok_or(MissingFrequencies)?)));
        let settings = Settings { beam, longest: model.max_tokens - 1, length_exponent };
        Ok(Self { settings, consensus: consensus.map(with).transpose()? })
    }

    /// The beam's settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// A caption for each of `images` images.
    pub fn captions<S: Step>(&self, step: &mut S, images: usize) -> Result<Vec<Hypothesis>, S::Error> {
        let first = |list: Vec<Hypothesis>| list.into_iter().next().unwrap_or(Hypothesis::NOTHING);
        Ok(self.candidates(step, images)?.into_iter().map(first).collect())
    }

    /// For each of `images` images its caption and, behind it, what else the search found on the way.
    pub fn candidates<S: Step>(&self, step: &mut S, images: usize) -> Result<Vec<Vec<Hypothesis>>, S::Error> {
        match &self.consensus {
            Some((consensus, frequencies)) => consensus_all(step, images, self.settings, *consensus, frequencies),
            None => finished_all(step, images, self.settings),
        }
    }
}
