//! CIDEr-D (Vedantam et al., 2015) as coco-caption computes it.
//!
//! For n = 1..4, with g the tf-idf vector of a sentence's n-grams (tf the plain count, idf = ln N − ln max(1, df)):
//!
//! CIDEr-D_n = 10/m · Σ_j exp(−(l(c) − l(s_j))² / 2σ²) · min(g(c), g(s_j))·g(s_j) / (‖g(c)‖ ‖g(s_j)‖), σ = 6,
//!
//! and the score is the mean over n. Two details differ from the paper: l counts a sentence's *bigrams*, and words
//! are not stemmed. A one-image corpus scores 0, because ln N = 0.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::TokenizedItem;
use super::ngrams::{MAX_ORDER, NgramCounts, count_ngrams, words};

const SIGMA: f64 = 6.0;
const SCALE: f64 = 10.0;

/// CIDEr-D against fixed document frequencies, as a self-critical training stage needs it.
#[derive(Clone, Debug)]
pub struct CiderScorer {
    document_frequency: HashMap<Vec<String>, f64>,
    log_documents: f64,
}

/// Tf-idf weights of one sentence, their norms per order and its length in bigrams.
struct TfIdf<'a> {
    weights: [BTreeMap<&'a [&'a str], f64>; MAX_ORDER],
    norms: [f64; MAX_ORDER],
    bigrams: usize,
}

impl CiderScorer {
    /// Counts document frequencies. A document is the set of one image's references, each a list of tokens from
    /// [`tokenize`](super::tokenize).
    #[must_use]
    pub fn new(reference_sets: &[Vec<Vec<String>>]) -> Self {
        let mut scorer = Self { document_frequency: HashMap::new(), log_documents: (reference_sets.len() as f64).ln() };
        for references in reference_sets {
            let references: Vec<Vec<&str>> = references.iter().map(|tokens| as_words(tokens)).collect();
            scorer.add_document(&references);
        }
        scorer
    }

    /// CIDEr-D of one hypothesis; 0 without references.
    #[must_use]
    pub fn score(&self, hypothesis: &[String], references: &[Vec<String>]) -> f64 {
        let references: Vec<Vec<&str>> = references.iter().map(|tokens| as_words(tokens)).collect();
        self.score_words(&as_words(hypothesis), &references)
    }

    fn from_corpus(corpus: &[TokenizedItem]) -> Self {
        let mut scorer = Self { document_frequency: HashMap::new(), log_documents: (corpus.len() as f64).ln() };
        for item in corpus {
            let references: Vec<Vec<&str>> = item.references.iter().map(|reference| words(reference)).collect();
            scorer.add_document(&references);
        }
        scorer
    }

    fn add_document(&mut self, references: &[Vec<&str>]) {
        let distinct: HashSet<&[&str]> = references
            .iter()
            .flat_map(|reference| (1..=MAX_ORDER).flat_map(|order| reference.windows(order)))
            .collect();
        for ngram in distinct {
            let ngram = ngram.iter().map(|&word| word.to_owned()).collect();
            *self.document_frequency.entry(ngram).or_default() += 1.0;
        }
    }

    fn score_words(&self, hypothesis: &[&str], references: &[Vec<&str>]) -> f64 {
        if references.is_empty() {
            return 0.0;
        }
        let counts = count_ngrams(hypothesis);
        let hypothesis = self.tf_idf(&counts);
        let total: f64 = references
            .iter()
            .map(|reference| {
                let counts = count_ngrams(reference);
                similarity(&hypothesis, &self.tf_idf(&counts))
            })
            .sum();
        SCALE * total / (MAX_ORDER * references.len()) as f64
    }

    fn tf_idf<'a>(&self, counts: &NgramCounts<'a>) -> TfIdf<'a> {
        let weights = std::array::from_fn(|index| {
            counts[index].iter().map(|(&ngram, &count)| (ngram, count as f64 * self.idf(ngram))).collect()
        });
        TfIdf { norms: std::array::from_fn(|index| norm(&weights[index])), weights, bigrams: counts[1].values().sum() }
    }

    fn idf(&self, ngram: &[&str]) -> f64 {
        let key: Vec<String> = ngram.iter().map(|&word| word.to_owned()).collect();
        let document_frequency = self.document_frequency.get(&key).copied().unwrap_or(0.0);
        self.log_documents - document_frequency.max(1.0).ln()
    }
}

/// CIDEr-D of each item with document frequencies from the corpus itself.
pub(super) fn cider_d_per_item(corpus: &[TokenizedItem]) -> Vec<f64> {
    let scorer = CiderScorer::from_corpus(corpus);
    corpus
        .iter()
        .map(|item| {
            let references: Vec<Vec<&str>> = item.references.iter().map(|reference| words(reference)).collect();
            scorer.score_words(&words(&item.hypothesis), &references)
        })
        .collect()
}

fn as_words(tokens: &[String]) -> Vec<&str> {
    tokens.iter().flat_map(|token| token.split_whitespace()).collect()
}

fn norm(weights: &BTreeMap<&[&str], f64>) -> f64 {
    weights.values().map(|weight| weight * weight).sum::<f64>().sqrt()
}

/// Clipped cosine of the tf-idf vectors with the length penalty, summed over the orders.
fn similarity(hypothesis: &TfIdf<'_>, reference: &TfIdf<'_>) -> f64 {
    let difference = hypothesis.bigrams.abs_diff(reference.bigrams) as f64;
    let penalty = (-difference * difference / (2.0 * SIGMA * SIGMA)).exp();
    (0..MAX_ORDER)
        .map(|index| {
            let common = clipped_product(&hypothesis.weights[index], &reference.weights[index]);
            let norms = hypothesis.norms[index] * reference.norms[index];
            penalty * if norms == 0.0 { common } else { common / norms }
        })
        .sum()
}

fn clipped_product(hypothesis: &BTreeMap<&[&str], f64>, reference: &BTreeMap<&[&str], f64>) -> f64 {
    hypothesis.iter().filter_map(|(ngram, weight)| reference.get(ngram).map(|other| weight.min(*other) * other)).sum()
}
