//! n-gram counts of BLEU.

use std::collections::BTreeMap;

pub(super) use crate::tf_idf::MAX_ORDER;

/// How often each n-gram of one sentence occurs, for n = 1..=[`MAX_ORDER`] (index n − 1).
/// Ordered, so that sums over it are the same in every run.
pub(super) type NgramCounts<'a> = [BTreeMap<&'a [&'a str], usize>; MAX_ORDER];

/// Words of a tokenized sentence. A token that holds a no-break space counts as several words here.
pub(super) fn words(sentence: &str) -> Vec<&str> {
    sentence.split_whitespace().collect()
}

/// Counts the n-grams of a sentence.
pub(super) fn count_ngrams<'a>(words: &'a [&'a str]) -> NgramCounts<'a> {
    std::array::from_fn(|index| {
        let mut counts = BTreeMap::new();
        for ngram in words.windows(index + 1) {
            *counts.entry(ngram).or_default() += 1;
        }
        counts
    })
}
