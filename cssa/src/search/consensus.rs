//! Consensus decoding (minimum Bayes risk; Kumar and Byrne 2004): of the candidates, the caption that agrees best with what else
//! the model might have said,
//!
//! c* = argmax_c Σ_e w_e CIDEr-D(c, e), with the document frequencies of the train images.
//!
//! The evidence e are captions drawn from the model, each with its share of the draws; where none are drawn, the beam's captions
//! with their probabilities. Candidates are the beam's captions and the drawn ones.

use super::{DocumentFrequencies, Hypothesis, Settings, Step, draw_all, n_best_all};
use crate::model::Consensus;
use crate::tf_idf::TfIdf;
use crate::vocabulary::TokenId;
use alloc::vec::Vec;

/// Searches a caption for each of `images` images: `settings` are the beam's, but for its width, which is `consensus.beam`. Behind
/// it stand the other candidates.
pub fn consensus_all<S: Step>(
    step: &mut S,
    images: usize,
    settings: Settings,
    consensus: Consensus,
    frequencies: &DocumentFrequencies,
) -> Result<Vec<Vec<Hypothesis>>, S::Error> {
    let settings = Settings { beam: consensus.beam, ..settings };
    let lists = n_best_all(step, images, settings, consensus.beam)?;
    let drawn = draw_all(step, images, consensus.draws, settings)?;
    let choose_one = |(list, drawn): (Vec<Hypothesis>, Vec<super::Drawn>)| {
        let mut candidates: Vec<(Hypothesis, f64)> = list.into_iter().map(|hypothesis| (hypothesis, 0.0)).collect();
        for drawn in drawn {
            match candidates.iter_mut().find(|(known, _)| known.tokens == drawn.hypothesis.tokens) {
                Some((_, weight)) => *weight += drawn.count as f64,
                None => candidates.push((drawn.hypothesis, drawn.count as f64)),
            }
        }
        if consensus.draws == 0 {
            weigh_by_probability(&mut candidates);
        }
        let best = choose(&candidates, frequencies);
        let mut list: Vec<Hypothesis> = candidates.into_iter().map(|(hypothesis, _)| hypothesis).collect();
        if best < list.len() {
            list[..=best].rotate_right(1);
        }
        list
    };
    Ok(lists.into_iter().zip(drawn).map(choose_one).collect())
}

fn weigh_by_probability(candidates: &mut [(Hypothesis, f64)]) {
    let highest = candidates.iter().map(|(known, _)| known.log_probability).fold(f32::NEG_INFINITY, f32::max);
    for (known, weight) in candidates {
        *weight = f64::from(libm::expf(known.log_probability - highest));
    }
}

/// The number of the candidate with the highest expected CIDEr-D over all candidates with their weights; the first of equals.
#[must_use]
pub fn choose(candidates: &[(Hypothesis, f64)], frequencies: &DocumentFrequencies) -> usize {
    let borrowed: Vec<(&Hypothesis, f64)> =
        candidates.iter().map(|(hypothesis, weight)| (hypothesis, *weight)).collect();
    let mut best = (0, f64::NEG_INFINITY);
    for (number, found) in expected(&borrowed, frequencies).into_iter().enumerate() {
        if found > best.1 {
            best = (number, found);
        }
    }
    best.0
}

/// Σ_e w_e CIDEr-D(c, e) / 10 of every candidate c over all candidates e with their weights.
#[must_use]
pub fn expected(candidates: &[(&Hypothesis, f64)], frequencies: &DocumentFrequencies) -> Vec<f64> {
    let words = |tokens: &[TokenId]| tokens.iter().map(|token| u32::from(token.0)).collect::<Vec<u32>>();
    let vectors: Vec<TfIdf> = candidates
        .iter()
        .map(|(hypothesis, _)| TfIdf::new(&words(&hypothesis.tokens), |ngram| frequencies.idf(ngram)))
        .collect();
    let over_all = |vector: &TfIdf| {
        let evidence = vectors.iter().zip(candidates).filter(|(_, (_, weight))| *weight > 0.0);
        evidence.map(|(other, (_, weight))| weight * vector.similarity(other)).sum::<f64>()
    };
    vectors.iter().map(over_all).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::chain;
    use super::*;

    fn hypothesis(tokens: &[u16]) -> Hypothesis {
        let tokens = tokens.iter().map(|&token| TokenId(token)).collect();
        Hypothesis { tokens, log_probability: -1.0, token_log_probabilities: Vec::new() }
    }

    /// Words 3 to 20, each in a document of its own, word 3 in all.
    fn frequencies() -> DocumentFrequencies {
        DocumentFrequencies::count((4..20).map(|word| alloc::vec![alloc::vec![TokenId(3), TokenId(word)]]))
    }

    #[test]
    fn the_caption_that_most_others_resemble_is_chosen() {
        let alone = (hypothesis(&[3, 10, 11, 12, 13]), 3.0);
        let alike = [[3, 4, 5, 6, 7], [3, 4, 5, 6, 8], [3, 4, 5, 9, 7]].map(|tokens| (hypothesis(&tokens), 2.0));
        let candidates: Vec<_> = core::iter::once(alone).chain(alike).collect();
        assert_eq!(
            choose(&candidates, &frequencies()),
            1,
            "less likely than the first, but two more say nearly the same"
        );
        assert_eq!(choose(&candidates[..2], &frequencies()), 0, "of two the likelier");
    }

    #[test]
    fn words_that_every_image_has_do_not_count() {
        let candidates = [(hypothesis(&[3]), 2.0), (hypothesis(&[3, 5]), 1.0), (hypothesis(&[4, 5]), 1.0)];
        assert_eq!(choose(&candidates, &frequencies()), 1, "the last two share 5; to say 3 alone is to say nothing");
    }

    #[test]
    fn a_search_without_draws_weighs_the_beams_captions() {
        let settings = Settings { beam: 1, longest: 8, length_exponent: 0.0, ..Settings::GREEDY };
        let wide = Consensus { beam: 3, draws: 0 };
        let Ok(found) = consensus_all(&mut chain(), 1, settings, wide, &frequencies());
        assert_eq!(found[0][0].tokens, [TokenId(4), TokenId(5)]);
        assert!(found[0].len() > 1 && found[0][1..].iter().all(|other| other.tokens != found[0][0].tokens));
        let Ok(found) = consensus_all(&mut chain(), 1, settings, Consensus { beam: 3, draws: 32 }, &frequencies());
        assert!(found[0][0].log_probability.is_finite());
    }

    #[test]
    fn nothing_possible_gives_an_empty_caption() {
        let mut silent = chain();
        silent.transitions = [[0.0; 6]; 6];
        let settings = Settings { beam: 3, longest: 4, length_exponent: 0.0, ..Settings::GREEDY };
        let Ok(found) = consensus_all(&mut silent, 1, settings, Consensus { beam: 3, draws: 0 }, &frequencies());
        assert!(found[0].iter().all(|found| found.tokens.is_empty() && found.score() == 0.0));
    }
}
