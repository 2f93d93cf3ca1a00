//! Caption metrics as the field computes them: the numbers of pycocoevalcap 1.2.
//!
//! Raw sentences are tokenized as CoreNLP's PTBTokenizer 3.4.1 does with `-preserveLines -lowerCase`, the
//! punctuation tokens are dropped, then corpus BLEU-1..4, ROUGE-L and CIDEr-D are computed. A corpus is scored as a
//! whole, in its order: never average scores of its parts.

mod bleu;
pub mod bootstrap;
mod cider;
mod lexer;
mod ngrams;
pub mod objects;
pub mod reliability;
mod rouge;
mod tokenize;

use std::collections::HashSet;

pub use cider::{CiderScorer, References};
pub use tokenize::{tokenize, tokenize_lines};

/// Fewest distinct references an image needs to stay in the de-duplicated score.
pub const FEWEST_DISTINCT_REFERENCES: usize = 3;

/// One image's hypothesis and its references, as raw text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The caption to score.
    pub hypothesis: String,
    /// The captions it is compared with, as annotated.
    pub references: Vec<String>,
}

/// Corpus scores, each on the scale of pycocoevalcap (CIDEr up to 10, the others up to 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// BLEU-1 to BLEU-4: corpus level, closest reference length, no smoothing.
    pub bleu: [f64; 4],
    /// ROUGE-L with beta 1.2, mean over the images.
    pub rouge_l: f64,
    /// CIDEr-D with document frequencies from the items' own references, mean over the images.
    pub cider: f64,
}

/// Why a corpus cannot be scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricsError {
    /// There is nothing to average over.
    #[error("the corpus has no items: give at least one hypothesis with its references")]
    EmptyCorpus,
    /// The item at this position has no references.
    #[error("item {index} has no references: leave the image out or give it at least one")]
    NoReferences {
        /// Position in the corpus, from zero.
        index: usize,
    },
}

/// An item after tokenization: sentences whose tokens are joined by single spaces.
struct TokenizedItem {
    hypothesis: String,
    references: Vec<String>,
}

/// Scores a corpus.
///
/// # Errors
/// [`MetricsError::EmptyCorpus`] without items, [`MetricsError::NoReferences`] for an item that has none.
pub fn score(items: &[Item]) -> Result<Scores, MetricsError> {
    let corpus = tokenize_corpus(items)?;
    Ok(Scores {
        bleu: bleu::corpus_bleu(&corpus),
        rouge_l: mean(&rouge::rouge_l_per_item(&corpus)),
        cider: mean(&cider::cider_d_per_item(&corpus)),
    })
}

/// CIDEr-D of each item, in the order given, with document frequencies from all the items' references.
///
/// # Errors
/// As [`score`].
pub fn cider_per_item(items: &[Item]) -> Result<Vec<f64>, MetricsError> {
    Ok(cider::cider_d_per_item(&tokenize_corpus(items)?))
}

/// BLEU-1 to BLEU-4 of one sentence, as [`score`] gives them for a corpus of one item; both sides as tokens.
#[must_use]
pub fn sentence_bleu(hypothesis: &[String], references: &[Vec<String>]) -> [f64; 4] {
    let references = references.iter().map(|tokens| tokens.join(" ")).collect();
    bleu::corpus_bleu(&[TokenizedItem { hypothesis: hypothesis.join(" "), references }])
}

/// The items with each one's references made distinct (first occurrence kept), without those that then have fewer than
/// [`FEWEST_DISTINCT_REFERENCES`].
#[must_use]
pub fn deduplicated(items: &[Item]) -> Vec<Item> {
    items
        .iter()
        .map(|item| Item { hypothesis: item.hypothesis.clone(), references: distinct(&item.references) })
        .filter(|item| item.references.len() >= FEWEST_DISTINCT_REFERENCES)
        .collect()
}

/// Two references are the same where their tokens are: `A road .` repeats `a road.`
fn distinct(references: &[String]) -> Vec<String> {
    let mut seen = HashSet::new();
    references.iter().filter(|reference| seen.insert(tokenize(reference))).cloned().collect()
}

fn tokenize_corpus(items: &[Item]) -> Result<Vec<TokenizedItem>, MetricsError> {
    if items.is_empty() {
        return Err(MetricsError::EmptyCorpus);
    }
    if let Some(index) = items.iter().position(|item| item.references.is_empty()) {
        return Err(MetricsError::NoReferences { index });
    }
    let hypotheses: Vec<&str> = items.iter().map(|item| item.hypothesis.as_str()).collect();
    let references: Vec<&str> = items.iter().flat_map(|item| item.references.iter().map(String::as_str)).collect();
    let mut references = tokenize_lines(&references).into_iter();
    Ok(items
        .iter()
        .zip(tokenize_lines(&hypotheses))
        .map(|(item, hypothesis)| TokenizedItem {
            hypothesis: hypothesis.join(" "),
            references: references.by_ref().take(item.references.len()).map(|tokens| tokens.join(" ")).collect(),
        })
        .collect())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
