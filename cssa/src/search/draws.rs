//! Captions drawn from the model, each word with the probability that the model gives it.
//!
//! The draws are the same in every run and do not depend on the other images of the batch: draw `k` takes its numbers from a
//! stream of its own. Draws that have said the same words so far share a row of the decoder.

use super::{Hypothesis, Rows, Settings, Step, log_sum_exp};
use crate::random::{STEP, scramble, unit};
use crate::vocabulary::TokenId;
use alloc::vec::Vec;

/// A caption and how many of the draws it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// The caption.
    pub hypothesis: Hypothesis,
    /// How often it was drawn.
    pub count: usize,
}

/// Draws that have said the same so far.
struct Branch {
    image: usize,
    tokens: Vec<TokenId>,
    log_probability: f32,
    token_log_probabilities: Vec<f32>,
    row: usize,
    draws: Vec<u32>,
}

/// Draws `draws` captions of at most `settings.longest` words for each of `images` images. A caption that has not ended by then is cut.
pub fn draw_all<S: Step>(
    step: &mut S,
    images: usize,
    draws: usize,
    settings: Settings,
) -> Result<Vec<Vec<Drawn>>, S::Error> {
    let mut drawn: Vec<Vec<Drawn>> = alloc::vec![Vec::new(); images];
    let all: Vec<u32> = (0..draws as u32).collect();
    let start = |image| Branch {
        image,
        tokens: Vec::new(),
        log_probability: 0.0,
        token_log_probabilities: Vec::new(),
        row: image,
        draws: all.clone(),
    };
    let mut live: Vec<Branch> = if draws == 0 { Vec::new() } else { (0..images).map(start).collect() };
    let mut logits = Vec::new();
    for position in 0..=settings.longest {
        if live.is_empty() {
            break;
        }
        let numbers: Vec<usize> = live.iter().map(|branch| branch.image).collect();
        let tokens: Vec<TokenId> =
            live.iter().map(|branch| branch.tokens.last().copied().unwrap_or(settings.start)).collect();
        let parents: Vec<usize> = live.iter().map(|branch| if position == 0 { 0 } else { branch.row }).collect();
        step.step(Rows { position, images: &numbers, tokens: &tokens, parents: &parents }, &mut logits)?;
        let vocabulary = logits.len() / live.len();
        let mut next = Vec::with_capacity(live.len());
        for (row, branch) in live.into_iter().enumerate() {
            branch.grow(row, &logits[row * vocabulary..][..vocabulary], settings, &mut next, &mut drawn);
        }
        live = next;
    }
    Ok(drawn)
}

impl Branch {
    /// Draws the next word of each draw; those that agree stay together.
    fn grow(self, row: usize, logits: &[f32], settings: Settings, next: &mut Vec<Self>, drawn: &mut [Vec<Drawn>]) {
        let possible = |id: usize, logit: f32| logit.is_finite() && settings.allows(TokenId(id as u16));
        let last = self.tokens.len() == settings.longest;
        let allowed: Vec<f32> = logits
            .iter()
            .enumerate()
            .map(|(id, &logit)| if possible(id, logit) { logit } else { f32::NEG_INFINITY })
            .collect();
        let normalizer = log_sum_exp(&allowed);
        let full = log_sum_exp(logits);
        let position = self.tokens.len() as u32;
        let mut chosen: Vec<(TokenId, Vec<u32>)> = Vec::new();
        for &draw in &self.draws {
            let token = if last { TokenId::END } else { pick(&allowed, normalizer, uniform(draw, position)) };
            match chosen.iter_mut().find(|(other, _)| *other == token) {
                Some((_, draws)) => draws.push(draw),
                None => chosen.push((token, alloc::vec![draw])),
            }
        }
        for (token, draws) in chosen {
            let token_log_probability = logits.get(token.index()).map_or(f32::NEG_INFINITY, |x| x - full);
            let log_probability = self.log_probability + token_log_probability;
            let mut tokens = self.tokens.clone();
            let mut token_log_probabilities = self.token_log_probabilities.clone();
            token_log_probabilities.push(token_log_probability);
            if token == TokenId::END {
                let hypothesis = Hypothesis { tokens, log_probability, token_log_probabilities };
                drawn[self.image].push(Drawn { hypothesis, count: draws.len() });
            } else {
                tokens.push(token);
                next.push(Self { image: self.image, tokens, log_probability, token_log_probabilities, row, draws });
            }
        }
    }
}

/// The token at `point`, 0 to 1, of the cumulated probabilities; the end where nothing is possible.
fn pick(logits: &[f32], normalizer: f32, point: f32) -> TokenId {
    let (mut sum, mut found) = (0.0, TokenId::END);
    for (id, &logit) in logits.iter().enumerate().filter(|(_, logit)| logit.is_finite()) {
        found = TokenId(id as u16);
        sum += libm::expf(logit - normalizer);
        if sum > point {
            break;
        }
    }
    found
}

/// A number from 0 to below 1, of draw and position.
fn uniform(draw: u32, position: u32) -> f32 {
    let place = (u64::from(draw) << 32 | u64::from(position)).wrapping_add(1).wrapping_mul(STEP);
    unit(scramble(place))
}

#[cfg(test)]
mod tests {
    use super::super::tests::chain;
    use super::*;

    fn longest(longest: usize) -> Settings {
        Settings { longest, ..Settings::GREEDY }
    }

    #[test]
    fn draws_come_as_often_as_they_are_likely() {
        let Ok(drawn) = draw_all(&mut chain(), 1, 2000, longest(12));
        assert_eq!(drawn[0].iter().map(|drawn| drawn.count).sum::<usize>(), 2000);
        let share = |tokens: &[TokenId]| {
            let counts = drawn[0].iter().filter(|drawn| drawn.hypothesis.tokens == tokens).map(|drawn| drawn.count);
            counts.sum::<usize>() as f32 / 2000.0
        };
        assert!((share(&[TokenId(4), TokenId(5)]) - 0.4).abs() < 0.04);
        // Word 3 ends with 0.4, goes on as itself with 0.4; <unknown> with its 0.2 is never drawn.
        assert!((share(&[TokenId(3)]) - 0.6 * 0.5).abs() < 0.04);
        let found = drawn[0].iter().find(|drawn| drawn.hypothesis.tokens == [TokenId(4), TokenId(5)]);
        let expected = libm::logf(0.4 * 0.95);
        assert!(found.is_some_and(|found| (found.hypothesis.log_probability - expected).abs() < 1e-5));
    }

    #[test]
    fn the_same_draws_come_every_time_and_more_draws_keep_the_first() {
        let Ok(once) = draw_all(&mut chain(), 1, 8, longest(6));
        let Ok(again) = draw_all(&mut chain(), 1, 8, longest(6));
        assert_eq!(once, again);
        let Ok(more) = draw_all(&mut chain(), 1, 16, longest(6));
        for drawn in &once[0] {
            let same = more[0].iter().find(|other| other.hypothesis == drawn.hypothesis);
            assert!(same.is_some_and(|same| same.count >= drawn.count));
        }
    }

    #[test]
    fn endless_draws_are_cut() {
        let mut endless = chain();
        endless.transitions[1] = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
        endless.transitions[3] = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
        let Ok(drawn) = draw_all(&mut endless, 1, 3, longest(4));
        assert_eq!((drawn[0].len(), drawn[0][0].count), (1, 3));
        assert_eq!(drawn[0][0].hypothesis.tokens, [TokenId(3); 4]);
    }
}
