//! The one way from a model's settings to its captions.

use super::{DocumentFrequencies, Hypothesis, Settings, Step, consensus_all, finished_all};
use crate::model::{Consensus, Model, Search};
use crate::vocabulary::Vocabulary;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// How captions are searched: by a beam, or by consensus.
#[derive(Clone, Debug)]
pub struct Strategy {
    settings: Settings,
    consensus: Option<(Consensus, Arc<DocumentFrequencies>)>,
}

/// A search that a model has not what it takes for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrategyError {
    /// Consensus decoding without what it compares captions by.
    #[error(
        "consensus decoding needs document-frequencies.bin: `trainer language-model --run RUN --data DATASET` makes it"
    )]
    MissingFrequencies,
    /// A length class that the vocabulary does not have, or none where it has some.
    #[error("search.length is {found}, expected {expected}")]
    Length {
        /// The class.
        found: String,
        /// Those that there are.
        expected: String,
    },
}

impl Strategy {
    /// The search of a model; `frequencies` may be absent where it is no consensus.
    pub fn new(
        model: &Model,
        search: Search,
        vocabulary: &Vocabulary,
        frequencies: Option<&Arc<DocumentFrequencies>>,
    ) -> Result<Self, StrategyError> {
        let Search { beam, length_exponent, length, consensus } = search;
        let with = |consensus| Ok((consensus, Arc::clone(frequencies.ok_or(StrategyError::MissingFrequencies)?)));
        let start = vocabulary.start_of(length).ok_or_else(|| StrategyError::Length {
            found: length.map_or("not named".into(), |class| format!("{class}")),
            expected: match vocabulary.lengths() {
                0 => "none: the vocabulary has no length classes".into(),
                classes => format!("a length class of the vocabulary, 1 to {classes}"),
            },
        })?;
        let first_word = vocabulary.first_word();
        let settings = Settings { beam, longest: model.max_tokens - 1, length_exponent, start, first_word };
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

#[cfg(test)]
mod tests {
    use super::super::tests::{Chain, chain};
    use super::*;
    use crate::backbone::{Backbone, Depth, Stride};
    use crate::model::{Decay, Dgp};
    use crate::vocabulary::TokenId;

    fn model(vocabulary: usize) -> Model {
        Model {
            backbone: Backbone::ResNet(Depth::D50, Stride::Middle),
            image_size: 64,
            width: 8,
            heads: 1,
            feed_forward: 8,
            encoder_layers: 1,
            decoder_layers: 1,
            dgp: Dgp { hidden: 1, decay: Decay::None, initial_s: 1.0 },
            contrast_width: 1,
            vocabulary,
            max_tokens: 9,
        }
    }

    /// Class 1 leads to word 5 and class 2 to the end; START would lead to the classes, which are the likeliest everywhere.
    #[test]
    fn captions_begin_with_the_chosen_class_and_contain_none() {
        let vocabulary = Vocabulary::build(["a"], 1).with_lengths(&[1]);
        assert_eq!((vocabulary.first_word(), vocabulary.size()), (TokenId(5), 6));
        let mut transitions = [[0.0, 0.0, 0.0, 0.5, 0.5, 0.0]; 6];
        transitions[3] = [0.02, 0.0, 0.0, 0.3, 0.3, 0.38];
        transitions[4] = [0.3, 0.0, 0.0, 0.3, 0.3, 0.1];
        transitions[5] = [0.2, 0.0, 0.0, 0.4, 0.4, 0.0];
        let searched = |length, consensus| {
            let search = Search { beam: 2, length_exponent: 0.0, length, consensus };
            let frequencies = Arc::new(DocumentFrequencies::count([alloc::vec![alloc::vec![TokenId(5)]]]));
            let strategy = Strategy::new(&model(6), search, &vocabulary, Some(&frequencies))?;
            let mut step = Chain { transitions, ..chain() };
            let Ok(found) = strategy.candidates(&mut step, 1);
            assert!(found.iter().flatten().all(|caption| caption.tokens.iter().all(|&token| token >= TokenId(5))));
            Ok::<_, StrategyError>(found[0][0].tokens.clone())
        };
        for consensus in [None, Some(Consensus { beam: 2, draws: 8 })] {
            assert_eq!(searched(Some(1), consensus), Ok(alloc::vec![TokenId(5)]), "{consensus:?}");
        }
        assert_eq!(searched(Some(2), None), Ok(Vec::new()));
        for wrong in [None, Some(3)] {
            assert!(matches!(searched(wrong, None), Err(StrategyError::Length { .. })), "{wrong:?}");
        }
        let plain = Vocabulary::build(["a b c"], 1);
        let search = Search { length: Some(1), ..Search::default() };
        assert!(matches!(Strategy::new(&model(6), search, &plain, None), Err(StrategyError::Length { .. })));
    }
}
