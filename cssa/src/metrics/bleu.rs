//! Corpus-level BLEU (Papineni et al., 2002) with the closest reference length and no smoothing.
//!
//! `SMALL` and `TINY` are the guards of coco-caption, which decide what a corpus without any matching n-gram scores.

use std::collections::BTreeMap;

use super::TokenizedItem;
use super::ngrams::{MAX_ORDER, count_ngrams, words};

const SMALL: f64 = 1e-9;
const TINY: f64 = 1e-15;

/// Matches, guesses and lengths summed over the corpus.
#[derive(Default)]
struct Totals {
    correct: [usize; MAX_ORDER],
    guessed: [usize; MAX_ORDER],
    hypothesis_length: usize,
    reference_length: usize,
}

/// BLEU-1 to BLEU-4 of the corpus.
pub(super) fn corpus_bleu(corpus: &[TokenizedItem]) -> [f64; MAX_ORDER] {
    let mut totals = Totals::default();
    for item in corpus {
        totals.add(item);
    }
    totals.bleu()
}

impl Totals {
    fn add(&mut self, item: &TokenizedItem) {
        let hypothesis = words(&item.hypothesis);
        let references: Vec<Vec<&str>> = item.references.iter().map(|reference| words(reference)).collect();
        self.hypothesis_length += hypothesis.len();
        self.reference_length += closest_length(hypothesis.len(), &references);
        for (index, counts) in count_ngrams(&hypothesis).iter().enumerate() {
            let largest = largest_reference_counts(&references, index);
            self.guessed[index] += hypothesis.len().saturating_sub(index);
            self.correct[index] +=
                counts.iter().map(|(ngram, &count)| count.min(largest.get(ngram).copied().unwrap_or(0))).sum::<usize>();
        }
    }

    fn bleu(&self) -> [f64; MAX_ORDER] {
        let ratio = (self.hypothesis_length as f64 + TINY) / (self.reference_length as f64 + SMALL);
        let brevity_penalty = if ratio < 1.0 { (1.0 - 1.0 / ratio).exp() } else { 1.0 };
        let mut product = 1.0;
        std::array::from_fn(|index| {
            product *= (self.correct[index] as f64 + TINY) / (self.guessed[index] as f64 + SMALL);
            product.powf(1.0 / (index as f64 + 1.0)) * brevity_penalty
        })
    }
}

/// Length of the reference nearest to the hypothesis; the shorter one of two at the same distance.
fn closest_length(hypothesis: usize, references: &[Vec<&str>]) -> usize {
    references.iter().map(Vec::len).min_by_key(|&length| (length.abs_diff(hypothesis), length)).unwrap_or(0)
}

/// For each n-gram (n = index + 1), its largest count in a single reference.
fn largest_reference_counts<'a>(references: &'a [Vec<&'a str>], index: usize) -> BTreeMap<&'a [&'a str], usize> {
    let mut largest: BTreeMap<&[&str], usize> = BTreeMap::new();
    for reference in references {
        for (&ngram, &count) in &count_ngrams(reference)[index] {
            let entry = largest.entry(ngram).or_default();
            *entry = (*entry).max(count);
        }
    }
    largest
}
