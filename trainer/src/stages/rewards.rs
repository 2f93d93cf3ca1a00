//! What a drawn caption is worth in self-critical training: CIDEr-D and BLEU-4 against the image's references, less a price
//! for objects that none of them names.

use crate::config::Scst;
use crate::data::samples::Samples;
use cssa::metrics::objects::ObjectGroups;
use cssa::metrics::{self, CiderScorer, References};
use cssa::vocabulary::{TokenId, Vocabulary};

/// What stands for the end of a sentence in rewards; no tokenizer gives it.
const END: &str = "<end>";

/// Rewards of drawn captions. CIDEr-D has the document frequencies of the train images. The end of a sentence counts as
/// a word: without it, captions learn to stop after "with a".
#[derive(Debug)]
pub struct Rewards<'a> {
    scorer: CiderScorer,
    images: Vec<Judged>,
    vocabulary: &'a Vocabulary,
    groups: ObjectGroups,
    bleu: f64,
    invention_price: f64,
}

/// The references of an image.
#[derive(Debug)]
struct Judged {
    tokens: Vec<Vec<String>>,
    prepared: References,
    /// The groups of objects that they say.
    said: Vec<usize>,
}

impl<'a> Rewards<'a> {
    /// Against the captions of the train images.
    pub fn new(samples: &Samples, vocabulary: &'a Vocabulary, settings: &Scst) -> Self {
        let ended = |caption: &String| {
            let mut tokens = metrics::tokenize(caption);
            tokens.push(END.into());
            tokens
        };
        let groups = ObjectGroups::default();
        let references = samples.images.iter().map(|sample| {
            let mut tokens: Vec<Vec<String>> = sample.references.iter().map(ended).collect();
            if settings.distinct_references {
                let mut seen = std::collections::HashSet::new();
                tokens.retain(|tokens| seen.insert(tokens.clone()));
            }
            tokens
        });
        let references: Vec<Vec<Vec<String>>> = references.collect();
        let scorer = CiderScorer::new(&references);
        let judged = |(tokens, sample): (Vec<Vec<String>>, &crate::data::samples::Sample)| {
            let mut said: Vec<usize> = sample.references.iter().flat_map(|caption| groups.said(caption)).collect();
            said.sort_unstable();
            said.dedup();
            Judged { prepared: scorer.prepare(&tokens), tokens, said }
        };
        let images = references.into_iter().zip(&samples.images).map(judged).collect();
        Self { images, scorer, vocabulary, groups, bleu: settings.bleu, invention_price: settings.invention_price }
    }

    /// The reward of words (without start) for image number `image`.
    pub fn reward(&self, image: usize, words: &[TokenId]) -> f64 {
        let ended = words.last() == Some(&TokenId::END);
        let body = if ended { &words[..words.len() - 1] } else { words };
        let caption = self.vocabulary.decode(body).unwrap_or_default();
        let mut tokens = metrics::tokenize(&caption);
        if ended {
            tokens.push(END.into());
        }
        let judged = &self.images[image];
        let bleu = if self.bleu > 0.0 { self.bleu * metrics::sentence_bleu(&tokens, &judged.tokens)[3] } else { 0.0 };
        let invented = if self.invention_price > 0.0 {
            self.groups.said(&caption).iter().filter(|group| !judged.said.contains(group)).count()
        } else {
            0
        };
        self.scorer.score_against(&tokens, &judged.prepared) + bleu - self.invention_price * invented as f64
    }

    /// The rewards of captions (start included), `samples` of each of `images` one after the other; on all cores.
    pub fn all(&self, images: &[usize], captions: &[Vec<TokenId>]) -> Vec<f64> {
        let samples = captions.len() / images.len().max(1);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = captions.len().div_ceil(threads).max(1);
        let mut rewards = vec![0.0; captions.len()];
        std::thread::scope(|scope| {
            for (n, (captions, rewards)) in captions.chunks(share).zip(rewards.chunks_mut(share)).enumerate() {
                scope.spawn(move || {
                    for (place, (words, reward)) in captions.iter().zip(rewards).enumerate() {
                        *reward = self.reward(images[(n * share + place) / samples], &words[1..]);
                    }
                });
            }
        });
        rewards
    }
}
