//! Sentences as tf-idf vectors of their n-grams, and how like each other they are: the heart of CIDEr-D (Vedantam et al. 2015), which
//! scores captions ([`metrics`](crate::metrics)) and chooses among them ([`search::consensus`](crate::search::consensus)).

use alloc::vec::Vec;

/// Words of the longest n-gram that counts.
pub const MAX_ORDER: usize = 4;

const SIGMA: f64 = 6.0;

/// An n-gram: 32 bits a word, each word's number plus 1, so that orders differ.
pub type Ngram = u128;

/// Tf-idf weights of one sentence in the order of the n-grams, their norms per order and its length in bigrams.
#[derive(Clone, Debug)]
pub struct TfIdf {
    weights: [Vec<(Ngram, f64)>; MAX_ORDER],
    norms: [f64; MAX_ORDER],
    bigrams: usize,
}

impl TfIdf {
    /// Of a sentence's words by number; tf is the plain count.
    #[must_use]
    pub fn new(words: &[u32], idf: impl Fn(Ngram) -> f64) -> Self {
        let mut found: [Vec<Ngram>; MAX_ORDER] = Default::default();
        for_each_ngram(words, |order, ngram| found[order].push(ngram));
        let bigrams = found[1].len();
        let weights = found.map(|mut ngrams| {
            ngrams.sort_unstable();
            let runs = ngrams.chunk_by(|a, b| a == b);
            runs.map(|run| (run[0], run.len() as f64 * idf(run[0]))).collect::<Vec<_>>()
        });
        let norm = |order: usize| libm::sqrt(weights[order].iter().map(|(_, weight)| weight * weight).sum::<f64>());
        let norms = core::array::from_fn(norm);
        Self { weights, norms, bigrams }
    }

    /// CIDEr-D of this sentence against one reference, 0 to 1: the clipped cosine with the length penalty, mean over the orders.
    #[must_use]
    pub fn similarity(&self, reference: &Self) -> f64 {
        let difference = self.bigrams.abs_diff(reference.bigrams) as f64;
        let penalty = libm::exp(-difference * difference / (2.0 * SIGMA * SIGMA));
        let order = |order: usize| {
            let common = clipped_product(&self.weights[order], &reference.weights[order]);
            let norms = self.norms[order] * reference.norms[order];
            if norms == 0.0 { common } else { common / norms }
        };
        penalty * (0..MAX_ORDER).map(order).sum::<f64>() / MAX_ORDER as f64
    }
}

/// Calls `then` with order − 1 and n-gram for all n-grams up to the highest order.
pub fn for_each_ngram(words: &[u32], mut then: impl FnMut(usize, Ngram)) {
    for start in 0..words.len() {
        let mut ngram = 0;
        for (order, &word) in words[start..].iter().take(MAX_ORDER).enumerate() {
            ngram = (ngram << 32) | (Ngram::from(word) + 1);
            then(order, ngram);
        }
    }
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
