//! CIDEr-D (Vedantam et al., 2015) as coco-caption computes it.
//!
//! For n = 1..4, with g the tf-idf vector of a sentence's n-grams (tf the plain count, idf = ln N − ln max(1, df)):
//!
//! CIDEr-D_n = 10/m · Σ_j exp(−(l(c) − l(s_j))² / 2σ²) · min(g(c), g(s_j))·g(s_j) / (‖g(c)‖ ‖g(s_j)‖), σ = 6,
//!
//! and the score is the mean over n. Two details differ from the paper: l counts a sentence's *bigrams*, and words
//! are not stemmed. A one-image corpus scores 0, because ln N = 0.

use super::TokenizedItem;
use super::ngrams::MAX_ORDER;
use std::collections::{HashMap, HashSet};

const SIGMA: f64 = 6.0;
const SCALE: f64 = 10.0;

/// An n-gram: 32 bits a word, each word's number plus 1, so that orders differ.
type Ngram = u128;

/// CIDEr-D against fixed document frequencies, as a self-critical training stage needs it.
#[derive(Clone, Debug)]
pub struct CiderScorer {
    words: HashMap<String, u32>,
    document_frequency: HashMap<Ngram, u32>,
    log_documents: f64,
}

/// What references become once, where many captions are scored against them.
#[derive(Clone, Debug)]
pub struct References(Vec<TfIdf>);

/// Tf-idf weights of one sentence in the order of the n-grams, their norms per order and its length in bigrams.
#[derive(Clone, Debug)]
struct TfIdf {
    weights: [Vec<(Ngram, f64)>; MAX_ORDER],
    norms: [f64; MAX_ORDER],
    bigrams: usize,
}

impl CiderScorer {
    /// Counts document frequencies. A document is the set of one image's references, each a list of tokens from
    /// [`tokenize`](super::tokenize).
    #[must_use]
    pub fn new(reference_sets: &[Vec<Vec<String>>]) -> Self {
        Self::count(reference_sets.iter().map(|set| set.iter().map(|tokens| split(tokens))))
    }

    /// Prepares references for [`CiderScorer::score_against`].
    #[must_use]
    pub fn prepare(&self, references: &[Vec<String>]) -> References {
        References(references.iter().map(|tokens| self.tf_idf(split(tokens))).collect())
    }

    /// CIDEr-D of one hypothesis; 0 without references.
    #[must_use]
    pub fn score(&self, hypothesis: &[String], references: &[Vec<String>]) -> f64 {
        self.score_against(hypothesis, &self.prepare(references))
    }

    /// CIDEr-D of one hypothesis against references prepared by the same scorer; 0 without references.
    #[must_use]
    pub fn score_against(&self, hypothesis: &[String], references: &References) -> f64 {
        self.compare(&self.tf_idf(split(hypothesis)), references)
    }

    fn compare(&self, hypothesis: &TfIdf, References(references): &References) -> f64 {
        if references.is_empty() {
            return 0.0;
        }
        let total: f64 = references.iter().map(|reference| similarity(hypothesis, reference)).sum();
        SCALE * total / (MAX_ORDER * references.len()) as f64
    }

    fn count<'a, S: Iterator<Item = &'a str>, D: Iterator<Item = S>>(documents: impl Iterator<Item = D>) -> Self {
        let mut scorer = Self { words: HashMap::new(), document_frequency: HashMap::new(), log_documents: 0.0 };
        let mut count = 0_usize;
        for document in documents {
            count += 1;
            let mut distinct = HashSet::new();
            for sentence in document {
                let numbers: Vec<u32> = sentence.map(|word| scorer.learn(word)).collect();
                for_each_ngram(&numbers, |_, ngram| {
                    distinct.insert(ngram);
                });
            }
            for ngram in distinct {
                *scorer.document_frequency.entry(ngram).or_default() += 1;
            }
        }
        scorer.log_documents = (count as f64).ln();
        scorer
    }

    fn learn(&mut self, word: &str) -> u32 {
        if let Some(&number) = self.words.get(word) {
            return number;
        }
        let next = self.words.len() as u32;
        self.words.insert(word.to_owned(), next);
        next
    }

    fn tf_idf<'a>(&self, words: impl Iterator<Item = &'a str>) -> TfIdf {
        let mut unknown: HashMap<&str, u32> = HashMap::new();
        let mut number = |word: &'a str| {
            self.words.get(word).copied().unwrap_or_else(|| {
                let next = (self.words.len() + unknown.len()) as u32;
                *unknown.entry(word).or_insert(next)
            })
        };
        let numbers: Vec<u32> = words.map(&mut number).collect();
        let mut found: [Vec<Ngram>; MAX_ORDER] = Default::default();
        for_each_ngram(&numbers, |order, ngram| found[order].push(ngram));
        let bigrams = found[1].len();
        let weights = found.map(|mut ngrams| {
            ngrams.sort_unstable();
            let runs = ngrams.chunk_by(|a, b| a == b);
            runs.map(|run| (run[0], run.len() as f64 * self.idf(run[0]))).collect::<Vec<_>>()
        });
        let norms =
            std::array::from_fn(|order| weights[order].iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt());
        TfIdf { weights, norms, bigrams }
    }

    fn idf(&self, ngram: Ngram) -> f64 {
        let document_frequency = self.document_frequency.get(&ngram).copied().unwrap_or_default();
        self.log_documents - f64::from(document_frequency.max(1)).ln()
    }
}

/// CIDEr-D of each item with document frequencies from the corpus itself.
pub(super) fn cider_d_per_item(corpus: &[TokenizedItem]) -> Vec<f64> {
    let documents = corpus.iter().map(|item| item.references.iter().map(|reference| reference.split_whitespace()));
    let scorer = CiderScorer::count(documents);
    corpus
        .iter()
        .map(|item| {
            let prepared = item.references.iter().map(|reference| scorer.tf_idf(reference.split_whitespace()));
            scorer.compare(&scorer.tf_idf(item.hypothesis.split_whitespace()), &References(prepared.collect()))
        })
        .collect()
}

fn split(tokens: &[String]) -> impl Iterator<Item = &str> {
    tokens.iter().flat_map(|token| token.split_whitespace())
}

/// Calls `then` with order − 1 and n-gram for all n-grams up to the highest order.
fn for_each_ngram(words: &[u32], mut then: impl FnMut(usize, Ngram)) {
    for start in 0..words.len() {
        let mut ngram = 0;
        for (order, &word) in words[start..].iter().take(MAX_ORDER).enumerate() {
            ngram = (ngram << 32) | (Ngram::from(word) + 1);
            then(order, ngram);
        }
    }
}

/// Clipped cosine of the tf-idf vectors with the length penalty, summed over the orders.
fn similarity(hypothesis: &TfIdf, reference: &TfIdf) -> f64 {
    let difference = hypothesis.bigrams.abs_diff(reference.bigrams) as f64;
    let penalty = (-difference * difference / (2.0 * SIGMA * SIGMA)).exp();
    (0..MAX_ORDER)
        .map(|order| {
            let common = clipped_product(&hypothesis.weights[order], &reference.weights[order]);
            let norms = hypothesis.norms[order] * reference.norms[order];
            penalty * if norms == 0.0 { common } else { common / norms }
        })
        .sum()
}

fn clipped_product(hypothesis: &[(Ngram, f64)], reference: &[(Ngram, f64)]) -> f64 {
    let (mut product, mut others) = (0.0, reference.iter().peekable());
    for &(ngram, weight) in hypothesis {
        while others.next_if(|&&(other, _)| other < ngram).is_some() {}
        if let Some(&&(other, reference)) = others.peek()
            && other == ngram
        {
            product += weight.min(reference) * reference;
        }
    }
    product
}
