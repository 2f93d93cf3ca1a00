//! What the looks at a picture found, by objects: evidence for each object, and the choice of the caption.

use super::calibration::{Calibration, ObjectEvidence, Surroundings, logistic};
use super::{Confidence, Neighbourhood};
use crate::objects::ObjectGroups;
use crate::search::Hypothesis;
use crate::vocabulary::{TokenId, Vocabulary};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// λ in 65,536ths: an object that is there with a higher probability speaks for a caption that names it, any other against it.
/// 0.55: `docs/src/results.md` has others, on val and test.
const LAMBDA: i64 = 36_045;
/// In 65,536ths: what is less than a ten-thousandth better than what the picture as it is says is no better.
const EQUAL: i64 = 6;

/// The object group of every word of a vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectWords(Vec<Option<u16>>);

impl ObjectWords {
    /// Of a vocabulary's words.
    #[must_use]
    pub fn new(vocabulary: &Vocabulary, groups: &ObjectGroups) -> Self {
        let group = |id: usize| {
            let word = vocabulary.word(TokenId(id as u16))?;
            groups.group(word).and_then(|group| u16::try_from(group).ok())
        };
        Self((0..vocabulary.size()).map(group).collect())
    }

    /// The objects that a hypothesis names, in order, each with the highest log p of its words.
    #[must_use]
    pub fn named(&self, hypothesis: &Hypothesis) -> BTreeMap<usize, f32> {
        let mut named = BTreeMap::new();
        for (token, &log_probability) in hypothesis.tokens.iter().zip(&hypothesis.token_log_probabilities) {
            if let Some(Some(group)) = self.0.get(token.index()) {
                let best: &mut f32 = named.entry(usize::from(*group)).or_insert(f32::NEG_INFINITY);
                *best = best.max(log_probability);
            }
        }
        named
    }
}

/// The evidence of some looks at one picture.
#[derive(Debug)]
pub struct Evidence<'l, 'a> {
    looks: &'l [Vec<Hypothesis>],
    words: &'a ObjectWords,
    neighbourhood: &'a Neighbourhood,
    /// Mahalanobis distance, in 256ths.
    distance: i32,
    mass: BTreeMap<usize, f32>,
}

impl<'l, 'a> Evidence<'l, 'a> {
    /// Of what each look's search found, best first.
    #[must_use]
    pub fn new(
        looks: &'l [Vec<Hypothesis>],
        words: &'a ObjectWords,
        neighbourhood: &'a Neighbourhood,
        distance: f32,
    ) -> Self {
        let mut mass = BTreeMap::new();
        for list in looks {
            for (hypothesis, share) in list.iter().zip(shares(list)) {
                for group in words.named(hypothesis).into_keys() {
                    *mass.entry(group).or_default() += share / looks.len() as f32;
                }
            }
        }
        let distance = libm::roundf(distance.clamp(0.0, 8.0) * super::calibration::UNITS) as i32;
        Self { looks, words, neighbourhood, distance, mass }
    }

    /// What speaks for each object that a hypothesis names.
    #[must_use]
    pub fn objects(&self, hypothesis: &Hypothesis) -> Vec<(usize, ObjectEvidence)> {
        let count = |counts: &[u8], group: usize| counts.get(group).copied().unwrap_or_default();
        let evidence = |(group, token): (usize, f32)| {
            let mass = self.mass.get(&group).copied().unwrap_or_default();
            let (near, far) = (count(&self.neighbourhood.near, group), count(&self.neighbourhood.far, group));
            (group, ObjectEvidence { token, mass, near, far })
        };
        self.words.named(hypothesis).into_iter().map(evidence).collect()
    }

    /// What tells of every caption of the picture.
    #[must_use]
    pub fn surroundings(&self) -> Surroundings {
        let Neighbourhood { nearest, mean, .. } = *self.neighbourhood;
        Surroundings { nearest, mean, distance: self.distance }
    }

    /// The logits of the objects that a hypothesis names, in 256ths. One that names none says nothing that could be checked, and is as sure
    /// as if it named one for which nothing speaks: neither sure nor preferred to a caption that can be.
    #[must_use]
    pub fn logits(&self, hypothesis: &Hypothesis, calibration: &Calibration) -> Vec<i32> {
        let logits: Vec<i32> =
            self.objects(hypothesis).iter().map(|(_, evidence)| calibration.object(evidence)).collect();
        if logits.is_empty() { [calibration.object(&ObjectEvidence::NOTHING)].into() } else { logits }
    }

    /// The probability that a hypothesis invents nothing.
    #[must_use]
    pub fn confidence(&self, hypothesis: &Hypothesis, calibration: &Calibration) -> Confidence {
        calibration.confidence(&self.logits(hypothesis, calibration), self.surroundings())
    }

    /// The caption to say. Of one look that is its own best; of several the one whose objects are surest, by Σ (p − λ) over its objects;
    /// of equals the first look's best, which the model finds likeliest for the picture as it is. `None` where no look found any.
    #[must_use]
    pub fn choose(&self, calibration: &Calibration) -> Option<&'l Hypothesis> {
        if let [only] = self.looks {
            return only.first();
        }
        let merit = |hypothesis: &Hypothesis| -> i64 {
            self.logits(hypothesis, calibration).iter().map(|&logit| i64::from(logistic(logit)) - LAMBDA).sum()
        };
        let candidates = self.candidates();
        let (own, others) = candidates.split_first()?;
        let (mut highest, mut best) = (merit(own) + EQUAL, *own);
        for hypothesis in others {
            let merit = merit(hypothesis);
            if merit > highest {
                (highest, best) = (merit, *hypothesis);
            }
        }
        Some(best)
    }

    /// The captions that the looks found, in their order; of the same words those of the likeliest.
    fn candidates(&self) -> Vec<&'l Hypothesis> {
        let mut candidates: Vec<&'l Hypothesis> = Vec::new();
        for hypothesis in self.looks.iter().flatten() {
            match candidates.iter_mut().find(|known| known.tokens == hypothesis.tokens) {
                Some(known) if known.log_probability < hypothesis.log_probability => *known = hypothesis,
                Some(_) => {}
                None => candidates.push(hypothesis),
            }
        }
        candidates
    }
}

/// Each hypothesis' share of the list's probability.
fn shares(list: &[Hypothesis]) -> Vec<f32> {
    let highest = list.iter().map(|one| one.log_probability).fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f32> = list.iter().map(|one| libm::expf(one.log_probability - highest)).collect();
    let sum: f32 = weights.iter().sum();
    weights.into_iter().map(|weight| if sum > 0.0 { weight / sum } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// Words in no object group are nothing that could be checked: they are not believed, and no reason to leave a doubtful object out.
    #[test]
    fn a_caption_without_objects_is_neither_sure_nor_preferred() {
        let captions = ["a piece of yellow", "a river"];
        let vocabulary = Vocabulary::build(captions, 1);
        let words = ObjectWords::new(&vocabulary, &ObjectGroups::parse("river rivers\nboat boats\n"));
        let found = |caption: &str| {
            let tokens = vocabulary.encode(caption);
            let token_log_probabilities = alloc::vec![-0.1; tokens.len() + 1];
            [Hypothesis { tokens, log_probability: -0.5, token_log_probabilities }].to_vec()
        };
        let calibration = Calibration {
            object: [0, 1 << 14, 1 << 14, 1 << 15, 1 << 15],
            caption: [1 << 16, 1 << 15, 1 << 15, 0, 0, 0, 0, 0],
        };
        let neighbourhood = Neighbourhood { near: [1, 0].into(), far: [6, 0].into(), ..Neighbourhood::default() };
        let looks = [found(captions[0]), found(captions[1])];
        let evidence = Evidence::new(&looks, &words, &neighbourhood, 1.0);
        let confidence = |look: usize| evidence.confidence(&looks[look][0], &calibration).thousandths();
        assert!(confidence(0) < confidence(1) && confidence(1) < 500, "{} {}", confidence(0), confidence(1));
        let said = evidence.choose(&calibration).and_then(|chosen| vocabulary.decode(&chosen.tokens));
        assert_eq!(said, Some(captions[1].to_string()));
    }
}
