//! CIDEr-D (Vedantam et al., 2015) as coco-caption computes it.
//!
//! For n = 1..4, with g the tf-idf vector of a sentence's n-grams (tf the plain count, idf = ln N − ln max(1, df)):
//!
//! CIDEr-D_n = 10/m · Σ_j exp(−(l(c) − l(s_j))² / 2σ²) · min(g(c), g(s_j))·g(s_j) / (‖g(c)‖ ‖g(s_j)‖), σ = 6,
//!
//! and the score is the mean over n. Two details differ from the paper: l counts a sentence's *bigrams*, and words
//! are not stemmed. A one-image corpus scores 0, because ln N = 0.

use super::TokenizedItem;
use crate::tf_idf::{Ngram, TfIdf, for_each_ngram};
use std::collections::{HashMap, HashSet};

const SCALE: f64 = 10.0;

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
        let total: f64 = references.iter().map(|reference| hypothesis.similarity(reference)).sum();
        SCALE * total / references.len() as f64
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
        TfIdf::new(&numbers, |ngram| self.idf(ngram))
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
