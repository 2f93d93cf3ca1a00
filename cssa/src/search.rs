//! Beam search over any decoder that can do one step: the same code evaluates in training, checks the export and
//! captions on board.

use crate::vocabulary::TokenId;
use alloc::vec::Vec;

/// One step of a decoder for all captions of a beam.
pub trait Step {
    /// Why a step may fail.
    type Error;

    /// Continues `tokens.len()` captions by one token each. Caption `i` of this step continues caption `parents[i]` of
    /// the step before and its newest token is `tokens[i]`, which stands at `position`. Writes the logits of the next
    /// token, `[tokens.len(), vocabulary]` row-major, into `logits`, whose old content does not matter.
    ///
    /// At position 0 there is no step before: `parents` are all 0 and every token is [`TokenId::START`].
    fn step(
        &mut self,
        position: usize,
        tokens: &[TokenId],
        parents: &[usize],
        logits: &mut Vec<f32>,
    ) -> Result<(), Self::Error>;
}

/// How to search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Captions that are followed at once; 1 is greedy search.
    pub beam: usize,
    /// Longest caption, in words.
    pub longest: usize,
    /// Finished captions are ranked by log p / length^α: 0 prefers short ones, 1 is the mean over the tokens.
    pub length_exponent: f32,
}

/// A caption that the search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// Its words, without start and end.
    pub tokens: Vec<TokenId>,
    /// log p of all its tokens, the end included.
    pub log_probability: f32,
}

impl Hypothesis {
    /// Geometric mean of the tokens' probabilities, 0 to 1: how sure the model is of the caption.
    #[must_use]
    pub fn score(&self) -> f32 {
        libm::expf(self.log_probability / (self.tokens.len() + 1) as f32)
    }

    fn rank(&self, exponent: f32) -> f32 {
        self.log_probability / libm::powf((self.tokens.len() + 1) as f32, exponent)
    }
}

struct Live {
    tokens: Vec<TokenId>,
    log_probability: f32,
}

struct Candidate {
    parent: usize,
    token: TokenId,
    log_probability: f32,
}

/// Searches the best caption. Never yields [`TokenId::UNKNOWN`] or [`TokenId::START`]. Logits that are not finite count
/// as impossible; if no token is possible at all the caption ends there.
pub fn search<S: Step>(step: &mut S, settings: Settings) -> Result<Hypothesis, S::Error> {
    let beam = settings.beam.max(1);
    let mut live = alloc::vec![Live { tokens: Vec::new(), log_probability: 0.0 }];
    let mut finished: Vec<Hypothesis> = Vec::new();
    let mut logits = Vec::new();
    let mut tokens = alloc::vec![TokenId::START; beam];
    let mut parents = alloc::vec![0; beam];
    for position in 0..=settings.longest {
        step.step(position, &tokens, &parents, &mut logits)?;
        let last = position == settings.longest;
        let candidates = best_candidates(&logits, &live, beam, last);
        let mut next = Vec::with_capacity(beam);
        parents.clear();
        tokens.clear();
        for candidate in candidates {
            let mut words = live[candidate.parent].tokens.clone();
            if candidate.token == TokenId::END {
                finished.push(Hypothesis { tokens: words, log_probability: candidate.log_probability });
            } else if next.len() < beam {
                words.push(candidate.token);
                next.push(Live { tokens: words, log_probability: candidate.log_probability });
                parents.push(candidate.parent);
                tokens.push(candidate.token);
            }
        }
        live = next;
        let rank = |hypothesis: &Hypothesis| hypothesis.rank(settings.length_exponent);
        let best_finished = finished.iter().map(rank).fold(f32::NEG_INFINITY, f32::max);
        let hope = live.iter().map(|caption| upper_bound(caption, settings)).fold(f32::NEG_INFINITY, f32::max);
        if live.is_empty() || (finished.len() >= beam && best_finished >= hope) {
            break;
        }
        // The decoder's shapes are fixed: rows without a caption of their own repeat the first and are not read.
        tokens.resize(beam, tokens[0]);
        parents.resize(beam, parents[0]);
    }
    let best = finished
        .into_iter()
        .max_by(|a, b| a.rank(settings.length_exponent).total_cmp(&b.rank(settings.length_exponent)));
    Ok(best.unwrap_or(Hypothesis { tokens: Vec::new(), log_probability: f32::NEG_INFINITY }))
}

/// The best rank that a live caption can still reach: its probability only falls.
fn upper_bound(caption: &Live, settings: Settings) -> f32 {
    caption.log_probability / libm::powf((settings.longest + 1) as f32, settings.length_exponent)
}

/// The `2 · beam` best continuations of all live captions, best first; the last step may only end.
fn best_candidates(logits: &[f32], live: &[Live], beam: usize, last: bool) -> Vec<Candidate> {
    let rows = logits.len() / beam.max(1);
    let keep = 2 * beam;
    let mut best: Vec<Candidate> = Vec::with_capacity(keep + 1);
    for (parent, (caption, row)) in live.iter().zip(logits.chunks_exact(rows.max(1))).enumerate() {
        let normalizer = log_sum_exp(row);
        for (id, &logit) in row.iter().enumerate() {
            let token = TokenId(id as u16);
            let forbidden = token == TokenId::UNKNOWN || token == TokenId::START || (last && token != TokenId::END);
            let log_probability = caption.log_probability + (logit - normalizer);
            if forbidden || !log_probability.is_finite() {
                continue;
            }
            if best.len() == keep && best[keep - 1].log_probability >= log_probability {
                continue;
            }
            let place = best.partition_point(|other| other.log_probability >= log_probability);
            best.insert(place, Candidate { parent, token, log_probability });
            best.truncate(keep);
        }
    }
    best
}

fn log_sum_exp(row: &[f32]) -> f32 {
    let largest = row.iter().copied().filter(|x| x.is_finite()).fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = row.iter().filter(|x| x.is_finite()).map(|x| libm::expf(x - largest)).sum();
    largest + libm::logf(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A language of four tokens with given transition probabilities; remembers the captions to check the parents.
    struct Chain {
        transitions: [[f32; 6]; 6],
        captions: Vec<Vec<TokenId>>,
    }

    impl Step for Chain {
        type Error = core::convert::Infallible;

        fn step(
            &mut self,
            position: usize,
            tokens: &[TokenId],
            parents: &[usize],
            logits: &mut Vec<f32>,
        ) -> Result<(), Self::Error> {
            let continued = |(&parent, &token): (&usize, &TokenId)| {
                let mut caption = if position == 0 { Vec::new() } else { self.captions[parent].clone() };
                caption.push(token);
                caption
            };
            self.captions = parents.iter().zip(tokens).map(continued).collect();
            logits.clear();
            for caption in &self.captions {
                assert_eq!(caption.len(), position + 1);
                logits.extend(self.transitions[caption[position].index()].map(libm::logf));
            }
            Ok(())
        }
    }

    fn chain() -> Chain {
        let mut transitions = [[0.0; 6]; 6];
        // Greedy takes word 3 (0.6), which then scatters; word 4 (0.4) goes on surely and wins as a whole.
        transitions[1] = [0.0, 0.0, 0.0, 0.6, 0.4, 0.0];
        transitions[3] = [0.4, 0.0, 0.2, 0.4, 0.0, 0.0];
        transitions[4] = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        transitions[5] = [0.95, 0.05, 0.0, 0.0, 0.0, 0.0];
        Chain { transitions, captions: Vec::new() }
    }

    #[test]
    fn a_beam_finds_what_greedy_misses() {
        let settings = Settings { beam: 1, longest: 8, length_exponent: 0.0 };
        let Ok(greedy) = search(&mut chain(), settings);
        assert_eq!(greedy.tokens[0], TokenId(3));
        let Ok(found) = search(&mut chain(), Settings { beam: 3, ..settings });
        assert_eq!(found.tokens, [TokenId(4), TokenId(5)]);
        assert!((found.log_probability - libm::logf(0.4 * 0.95)).abs() < 1e-5);
        assert!((found.score() - libm::powf(0.38, 1.0 / 3.0)).abs() < 1e-5);
    }

    #[test]
    fn captions_end_at_the_longest_length() {
        let mut endless = chain();
        endless.transitions[3] = [0.001, 0.0, 0.0, 0.999, 0.0, 0.0];
        endless.transitions[1] = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
        let Ok(found) = search(&mut endless, Settings { beam: 2, longest: 4, length_exponent: 1.0 });
        assert_eq!(found.tokens, [TokenId(3); 4]);
    }

    #[test]
    fn nothing_possible_gives_an_empty_caption() {
        let mut silent = chain();
        silent.transitions = [[0.0; 6]; 6];
        let Ok(found) = search(&mut silent, Settings { beam: 3, longest: 4, length_exponent: 0.0 });
        assert!(found.tokens.is_empty());
        assert_eq!(found.score(), 0.0);
    }
}
