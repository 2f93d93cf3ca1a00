//! The search for captions over any decoder that can do one step: beam search, draws from the model, and of both the caption
//! that most of the model's belief agrees with ([`consensus`]). The same code evaluates in training, checks the export and
//! captions on board.

pub mod consensus;
mod draws;
mod frequencies;
mod strategy;

pub use consensus::consensus_all;
pub use draws::{Drawn, draw_all};
pub use frequencies::{DocumentFrequencies, FrequenciesError};
pub use strategy::{Strategy, StrategyError};

use crate::vector_math;
use crate::vocabulary::TokenId;
use alloc::vec::Vec;

/// The captions that one step of a decoder continues, by one token each.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Where the newest tokens stand.
    pub position: usize,
    /// The image of each caption, by its number in the search.
    pub images: &'a [usize],
    /// The newest token of each caption.
    pub tokens: &'a [TokenId],
    /// The caption of the step before that each caption continues. At position 0 there is no step before: all are 0.
    pub parents: &'a [usize],
}

/// A decoder that can do one step for the beams of one image or several.
pub trait Step {
    /// Why a step may fail.
    type Error;

    /// Writes the logits of the next token of every caption, `[rows, vocabulary]` row-major, into `logits`, whose old content
    /// does not matter. At position 0 there is one caption an image, and its token is the settings' start; afterwards at most
    /// a beam, and none of an image that is done.
    fn step(&mut self, rows: Rows<'_>, logits: &mut Vec<f32>) -> Result<(), Self::Error>;
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
    /// What captions begin with: [`TokenId::START`], or a length class.
    pub start: TokenId,
    /// The first id that captions may contain.
    pub first_word: TokenId,
}

impl Settings {
    /// Greedy search of short captions by a decoder without length classes.
    pub const GREEDY: Self =
        Self { beam: 1, longest: 8, length_exponent: 0.0, start: TokenId::START, first_word: TokenId::FIRST_WORD };

    /// Whether a caption may go on so: with a word or the end.
    fn allows(&self, token: TokenId) -> bool {
        token == TokenId::END || token >= self.first_word
    }
}

/// A caption that the search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// Its words, without start and end.
    pub tokens: Vec<TokenId>,
    /// log p of all its tokens, the end included.
    pub log_probability: f32,
    /// log p of each token after those before it, the end last.
    pub token_log_probabilities: Vec<f32>,
}

impl Hypothesis {
    /// What there is where nothing is possible.
    const NOTHING: Self =
        Self { tokens: Vec::new(), log_probability: f32::NEG_INFINITY, token_log_probabilities: Vec::new() };

    /// Geometric mean of the tokens' probabilities, 0 to 1: how sure the model is of the caption.
    #[must_use]
    pub fn score(&self) -> f32 {
        libm::expf(self.log_probability / (self.tokens.len() + 1) as f32)
    }

    /// What finished captions are ranked by, log p / length^α.
    #[must_use]
    pub fn rank(&self, exponent: f32) -> f32 {
        self.log_probability / libm::powf((self.tokens.len() + 1) as f32, exponent)
    }
}

struct Live {
    tokens: Vec<TokenId>,
    log_probability: f32,
    token_log_probabilities: Vec<f32>,
    /// Its row in the last step.
    row: usize,
}

struct Candidate {
    /// Among the live captions.
    parent: usize,
    token: TokenId,
    /// Of the caption with the token.
    log_probability: f32,
    /// Of the token alone.
    token_log_probability: f32,
}

/// The captions of one image.
struct Beam {
    live: Vec<Live>,
    /// The best that have ended, best first.
    finished: Vec<Hypothesis>,
    /// How many of them must be sure before the search ends.
    best: usize,
    /// How many of them are kept.
    kept: usize,
}

/// Searches the best caption of one image.
///
/// Never yields [`TokenId::UNKNOWN`], [`TokenId::START`] or a length class. Logits that are not finite count as impossible; if no token is
/// possible at all the caption ends there.
pub fn search<S: Step>(step: &mut S, settings: Settings) -> Result<Hypothesis, S::Error> {
    Ok(search_all(step, 1, settings)?.pop().unwrap_or(Hypothesis::NOTHING))
}

/// Searches the best captions of `images` images, all in the same steps.
pub fn search_all<S: Step>(step: &mut S, images: usize, settings: Settings) -> Result<Vec<Hypothesis>, S::Error> {
    let lists = n_best_all(step, images, settings, 1)?;
    Ok(lists
        .into_iter()
        .map(|mut list| if list.is_empty() { Hypothesis::NOTHING } else { list.swap_remove(0) })
        .collect())
}

/// Searches the `best` best captions of each of `images` images, best first; fewer where the beam finishes fewer.
pub fn n_best_all<S: Step>(
    step: &mut S,
    images: usize,
    settings: Settings,
    best: usize,
) -> Result<Vec<Vec<Hypothesis>>, S::Error> {
    beams(step, images, settings, || Beam::new(best, best))
}

/// Searches the best caption of each of `images` images; behind it stand the others that the beam had finished by then, best
/// first, which costs nothing more.
pub fn finished_all<S: Step>(
    step: &mut S,
    images: usize,
    settings: Settings,
) -> Result<Vec<Vec<Hypothesis>>, S::Error> {
    beams(step, images, settings, || Beam::new(1, settings.beam))
}

fn beams<S: Step>(
    step: &mut S,
    images: usize,
    settings: Settings,
    beam: impl FnMut() -> Beam,
) -> Result<Vec<Vec<Hypothesis>>, S::Error> {
    let settings = Settings { beam: settings.beam.max(1), ..settings };
    let mut beams: Vec<Beam> = core::iter::repeat_with(beam).take(images).collect();
    let (mut numbers, mut tokens, mut parents, mut logits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for position in 0..=settings.longest {
        numbers.clear();
        tokens.clear();
        parents.clear();
        for (image, beam) in beams.iter_mut().enumerate() {
            for live in &mut beam.live {
                parents.push(live.row);
                live.row = tokens.len();
                numbers.push(image);
                tokens.push(live.tokens.last().copied().unwrap_or(settings.start));
            }
        }
        if tokens.is_empty() {
            break;
        }
        step.step(Rows { position, images: &numbers, tokens: &tokens, parents: &parents }, &mut logits)?;
        let vocabulary = logits.len() / tokens.len();
        for beam in beams.iter_mut().filter(|beam| !beam.live.is_empty()) {
            beam.advance(&logits, vocabulary, position == settings.longest, settings);
        }
    }
    Ok(beams.into_iter().map(|beam| beam.finished).collect())
}

impl Beam {
    fn new(best: usize, kept: usize) -> Self {
        let live = Live { tokens: Vec::new(), log_probability: 0.0, token_log_probabilities: Vec::new(), row: 0 };
        Self { live: alloc::vec![live], finished: Vec::new(), best: best.max(1), kept: kept.max(1) }
    }

    /// Goes on by one token; no caption stays alive once none can become one of the best.
    fn advance(&mut self, logits: &[f32], vocabulary: usize, last: bool, settings: Settings) {
        let mut next = Vec::with_capacity(settings.beam);
        for candidate in best_candidates(logits, vocabulary, &self.live, settings, last) {
            let parent = &self.live[candidate.parent];
            let (mut tokens, log_probability) = (parent.tokens.clone(), candidate.log_probability);
            let mut token_log_probabilities = parent.token_log_probabilities.clone();
            token_log_probabilities.push(candidate.token_log_probability);
            if candidate.token == TokenId::END {
                let ended = Hypothesis { tokens, log_probability, token_log_probabilities };
                self.finish(ended, settings.length_exponent);
            } else if next.len() < settings.beam {
                tokens.push(candidate.token);
                next.push(Live { tokens, log_probability, token_log_probabilities, row: parent.row });
            }
        }
        self.live = next;
        let hope = self.live.iter().map(|caption| upper_bound(caption, settings)).fold(f32::NEG_INFINITY, f32::max);
        if self.finished.get(self.best - 1).is_some_and(|worst| worst.rank(settings.length_exponent) >= hope) {
            self.live.clear();
        }
    }

    fn finish(&mut self, hypothesis: Hypothesis, exponent: f32) {
        let rank = hypothesis.rank(exponent);
        let place = self.finished.partition_point(|other| other.rank(exponent) > rank);
        self.finished.insert(place, hypothesis);
        self.finished.truncate(self.kept);
    }
}

/// The best rank that a live caption can still reach: its probability only falls.
fn upper_bound(caption: &Live, settings: Settings) -> f32 {
    caption.log_probability / libm::powf((settings.longest + 1) as f32, settings.length_exponent)
}

/// The `2 · beam` best continuations of all live captions, best first; the last step may only end.
fn best_candidates(logits: &[f32], vocabulary: usize, live: &[Live], settings: Settings, last: bool) -> Vec<Candidate> {
    let keep = 2 * settings.beam;
    let mut best: Vec<Candidate> = Vec::with_capacity(keep + 1);
    for (parent, caption) in live.iter().enumerate() {
        let row = &logits[caption.row * vocabulary..][..vocabulary];
        let normalizer = log_sum_exp(row);
        for (id, &logit) in row.iter().enumerate() {
            let token = TokenId(id as u16);
            let forbidden = !settings.allows(token) || (last && token != TokenId::END);
            let token_log_probability = logit - normalizer;
            let log_probability = caption.log_probability + token_log_probability;
            if forbidden || !log_probability.is_finite() {
                continue;
            }
            if best.len() == keep && best[keep - 1].log_probability >= log_probability {
                continue;
            }
            let place = best.partition_point(|other| other.log_probability >= log_probability);
            best.insert(place, Candidate { parent, token, log_probability, token_log_probability });
            best.truncate(keep);
        }
    }
    best
}

fn log_sum_exp(row: &[f32]) -> f32 {
    let largest = row.iter().copied().filter(|x| x.is_finite()).fold(f32::NEG_INFINITY, f32::max);
    largest + libm::logf(vector_math::sum_exp(row, largest))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A language of four tokens with given transition probabilities; remembers the captions to check the parents.
    pub(crate) struct Chain {
        pub(crate) transitions: [[f32; 6]; 6],
        pub(crate) captions: Vec<Vec<TokenId>>,
    }

    impl Step for Chain {
        type Error = core::convert::Infallible;

        fn step(&mut self, rows: Rows<'_>, logits: &mut Vec<f32>) -> Result<(), Self::Error> {
            let Rows { position, tokens, parents, .. } = rows;
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

    pub(crate) fn chain() -> Chain {
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
        let settings = Settings { beam: 1, longest: 8, length_exponent: 0.0, ..Settings::GREEDY };
        let Ok(greedy) = search(&mut chain(), settings);
        assert_eq!(greedy.tokens[0], TokenId(3));
        let Ok(found) = search(&mut chain(), Settings { beam: 3, ..settings });
        assert_eq!(found.tokens, [TokenId(4), TokenId(5)]);
        assert!((found.log_probability - libm::logf(0.4 * 0.95)).abs() < 1e-5);
        let expected = [0.4f32, 1.0, 0.95];
        assert_eq!(found.token_log_probabilities.len(), 3);
        assert!(
            found.token_log_probabilities.iter().zip(expected).all(|(found, p)| (found - libm::logf(p)).abs() < 1e-5)
        );
        assert!((found.score() - libm::powf(0.38, 1.0 / 3.0)).abs() < 1e-5);
    }

    /// Three images with chains of their own.
    struct Chains([Chain; 3]);

    impl Step for Chains {
        type Error = core::convert::Infallible;

        fn step(&mut self, rows: Rows<'_>, logits: &mut Vec<f32>) -> Result<(), Self::Error> {
            let captions: Vec<Vec<TokenId>> = self.0.iter().flat_map(|chain| chain.captions.clone()).collect();
            let mut own = Vec::new();
            logits.clear();
            for (image, chain) in self.0.iter_mut().enumerate() {
                let at: Vec<usize> = (0..rows.images.len()).filter(|&row| rows.images[row] == image).collect();
                let of = |values: &[usize]| at.iter().map(|&row| values[row]).collect::<Vec<usize>>();
                let tokens: Vec<TokenId> = at.iter().map(|&row| rows.tokens[row]).collect();
                assert!(rows.images.is_sorted() && (rows.position > 0 || at.len() == 1));
                chain.captions.clone_from(&captions);
                let (images, parents) = (of(rows.images), of(rows.parents));
                let rows = Rows { position: rows.position, images: &images, tokens: &tokens, parents: &parents };
                let Ok(()) = chain.step(rows, &mut own);
                logits.extend_from_slice(&own);
            }
            Ok(())
        }
    }

    #[test]
    fn images_searched_together_are_searched_as_alone() {
        let mut endless = chain();
        endless.transitions[3] = [0.001, 0.0, 0.0, 0.999, 0.0, 0.0];
        endless.transitions[1] = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
        let mut brief = chain();
        brief.transitions[1] = [0.9, 0.0, 0.0, 0.1, 0.0, 0.0];
        let settings = Settings { beam: 3, longest: 7, length_exponent: 0.5, ..Settings::GREEDY };
        let alone = [&chain(), &endless, &brief].map(|chain| {
            let Ok(found) = search(&mut Chain { captions: Vec::new(), ..*chain }, settings);
            found
        });
        let Ok(together) = search_all(&mut Chains([chain(), endless, brief]), 3, settings);
        assert_eq!(together, alone);
        assert!(alone[0].tokens != alone[1].tokens && alone[2].tokens.is_empty());
    }

    #[test]
    fn n_best_lists_are_in_order_and_begin_with_the_best() {
        let settings = Settings { beam: 3, longest: 8, length_exponent: 0.0, ..Settings::GREEDY };
        let Ok(lists) = n_best_all(&mut chain(), 1, settings, 3);
        assert_eq!(lists[0].len(), 3);
        assert!(lists[0].is_sorted_by(|a, b| a.rank(0.0) >= b.rank(0.0)));
        let Ok(best) = search(&mut chain(), settings);
        assert_eq!(lists[0][0], best);
        assert!(lists[0][1..].iter().all(|other| other.tokens != best.tokens));
        let Ok(finished) = finished_all(&mut chain(), 1, settings);
        assert!(finished[0][0] == best && finished[0].len() <= 3);
    }

    #[test]
    fn captions_end_at_the_longest_length() {
        let mut endless = chain();
        endless.transitions[3] = [0.001, 0.0, 0.0, 0.999, 0.0, 0.0];
        endless.transitions[1] = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
        let Ok(found) =
            search(&mut endless, Settings { beam: 2, longest: 4, length_exponent: 1.0, ..Settings::GREEDY });
        assert_eq!(found.tokens, [TokenId(3); 4]);
    }

    #[test]
    fn nothing_possible_gives_an_empty_caption() {
        let mut silent = chain();
        silent.transitions = [[0.0; 6]; 6];
        let Ok(found) = search(&mut silent, Settings { beam: 3, longest: 4, length_exponent: 0.0, ..Settings::GREEDY });
        assert!(found.tokens.is_empty());
        assert_eq!(found.score(), 0.0);
    }
}
