//! In how many train images' captions each n-gram occurs: the document frequencies of CIDEr-D, for [consensus](super::consensus).
//!
//! The file `document-frequencies.bin`: the bytes `CSSADF` and 1, the number of images as u32 little-endian; then the n-grams that
//! at least two images have as a tree, depth first: the number of children, and for each the difference of its word's id to the
//! one before (to −1 for the first) and its images, then its own children; all as varints (seven bits a byte, lowest first).
//! N-grams that are left out count as one image's, as CIDEr-D counts those that no image has.

use crate::tf_idf::{MAX_ORDER, Ngram, for_each_ngram};
use crate::varint::{Reader, VarintError, push_varint};
use crate::vocabulary::TokenId;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

const MAGIC: &[u8] = b"CSSADF\x01";
/// Most n-grams that a file may have.
const MAX_NGRAMS: usize = 4_000_000;

/// Document frequencies over token ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentFrequencies {
    images: u32,
    /// By n-gram; each at least 2.
    counts: Vec<(Ngram, u32)>,
}

/// Why bytes are no document frequencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("are no document frequencies: {problem} at byte {offset}")]
pub struct FrequenciesError {
    problem: &'static str,
    offset: usize,
}

impl From<VarintError> for FrequenciesError {
    fn from(VarintError { problem, offset }: VarintError) -> Self {
        Self { problem, offset }
    }
}

impl DocumentFrequencies {
    /// Counts over images, each with its captions without start and end.
    #[must_use]
    pub fn count(images: impl IntoIterator<Item = Vec<Vec<TokenId>>>) -> Self {
        Self { images: 0, counts: Vec::new() }.extended(images)
    }

    /// The same with more images. What a single image had before is not known any more and counts from these alone.
    #[must_use]
    pub fn extended(&self, images: impl IntoIterator<Item = Vec<Vec<TokenId>>>) -> Self {
        let mut counts: BTreeMap<Ngram, u32> = self.counts.iter().copied().collect();
        let mut all = self.images;
        for captions in images {
            all += 1;
            let mut distinct = BTreeSet::new();
            for caption in captions {
                let words: Vec<u32> = caption.iter().map(|token| u32::from(token.0)).collect();
                for_each_ngram(&words, |_, ngram| {
                    distinct.insert(ngram);
                });
            }
            for ngram in distinct {
                *counts.entry(ngram).or_default() += 1;
            }
        }
        Self { images: all, counts: counts.into_iter().filter(|&(_, images)| images > 1).collect() }
    }

    /// ln N − ln max(1, df).
    #[must_use]
    pub fn idf(&self, ngram: Ngram) -> f64 {
        let found = self.counts.binary_search_by_key(&ngram, |&(known, _)| known);
        let images = found.map_or(1, |at| self.counts[at].1);
        libm::log(f64::from(self.images.max(1))) - libm::log(f64::from(images))
    }

    /// Whether every word is one of the first `vocabulary`.
    #[must_use]
    pub fn fits(&self, vocabulary: usize) -> bool {
        self.counts.iter().all(|&(ngram, _)| words(ngram).iter().all(|&word| (word as usize) < vocabulary))
    }

    /// The bytes of the file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.images.to_le_bytes());
        let mut sorted: Vec<(Vec<u32>, u32)> =
            self.counts.iter().map(|&(ngram, images)| (words(ngram), images)).collect();
        sorted.sort_unstable();
        write(&sorted, 0, &mut bytes);
        bytes
    }

    /// Reads the file; nothing in it is trusted.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrequenciesError> {
        let mut reader = Reader::new(bytes);
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(FrequenciesError { problem: "they do not begin with CSSADF 1", offset: 0 });
        }
        let mut images = [0; 4];
        images.copy_from_slice(reader.take(4)?);
        let mut found = Self { images: u32::from_le_bytes(images), counts: Vec::new() };
        found.tree(&mut reader, 0, 0)?;
        if !reader.is_at_end() {
            return Err(reader.error("more bytes than n-grams").into());
        }
        found.counts.sort_unstable();
        Ok(found)
    }

    /// Reads the n-grams that begin with `before`, of `order` words.
    fn tree(&mut self, reader: &mut Reader<'_>, before: Ngram, order: usize) -> Result<(), FrequenciesError> {
        let count = reader.varint()?;
        if count > 0 && order == MAX_ORDER {
            return Err(reader.error("an n-gram that is too long").into());
        }
        let mut next = 0_u32;
        for _ in 0..count {
            let word = reader.varint()?.checked_add(next).filter(|&word| word <= u32::from(u16::MAX));
            let word = word.ok_or(reader.error("a word that is no token"))?;
            let images = reader.varint()?;
            if images < 2 || images > self.images {
                return Err(reader.error("an n-gram of fewer than two images, or of more than there are").into());
            }
            if self.counts.len() == MAX_NGRAMS {
                return Err(reader.error("too many n-grams").into());
            }
            let ngram = (before << 32) | (Ngram::from(word) + 1);
            self.counts.push((ngram, images));
            self.tree(reader, ngram, order + 1)?;
            next = word + 1;
        }
        Ok(())
    }
}

/// The words of an n-gram.
fn words(ngram: Ngram) -> Vec<u32> {
    let parts = (0..MAX_ORDER).rev().map(|place| (ngram >> (32 * place)) as u32);
    parts.filter(|&part| part > 0).map(|part| part - 1).collect()
}

/// Writes the n-grams of `sorted` that are longer than `order`; all begin with the same words up to there.
fn write(sorted: &[(Vec<u32>, u32)], order: usize, bytes: &mut Vec<u8>) {
    let longer = &sorted[sorted.partition_point(|(words, _)| words.len() <= order)..];
    let children = longer.chunk_by(|(a, _), (b, _)| a[order] == b[order]);
    push_varint(bytes, children.clone().count() as u32);
    let mut next = 0;
    for child in children {
        // Sorted, the shortest comes first; what an n-gram begins with occurs wherever it does.
        let (words, images) = &child[0];
        push_varint(bytes, words[order] - next);
        push_varint(bytes, *images);
        write(&child[1..], order + 1, bytes);
        next = words[order] + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caption(words: &[u16]) -> Vec<TokenId> {
        words.iter().map(|&word| TokenId(word)).collect()
    }

    fn three_images() -> DocumentFrequencies {
        DocumentFrequencies::count([
            alloc::vec![caption(&[3, 4, 5, 6, 7]), caption(&[3, 4])],
            alloc::vec![caption(&[3, 4, 5, 6])],
            alloc::vec![caption(&[3, 9, 9, 9, 9, 9])],
        ])
    }

    #[test]
    fn images_are_counted_not_captions() {
        let found = three_images();
        let ngram = |words: &[u32]| words.iter().fold(0, |all: Ngram, &word| (all << 32) | (Ngram::from(word) + 1));
        for (words, images) in [(&[3][..], 3.0_f64), (&[3, 4], 2.0), (&[3, 4, 5, 6], 2.0), (&[9], 1.0), (&[8], 1.0)] {
            assert!((found.idf(ngram(words)) - (3.0 / images).ln()).abs() < 1e-12, "{words:?}");
        }
        assert!(found.fits(7) && !found.fits(6));
    }

    #[test]
    fn more_images_are_counted_on() {
        let more = || [alloc::vec![caption(&[3, 4])], alloc::vec![caption(&[8, 9])], alloc::vec![caption(&[8])]];
        let found = three_images().extended(more());
        let ngram = |words: &[u32]| words.iter().fold(0, |all: Ngram, &word| (all << 32) | (Ngram::from(word) + 1));
        // 9 was in one image before, which is not kept.
        for (words, images) in [(&[3][..], 4.0_f64), (&[3, 4], 3.0), (&[8], 2.0), (&[9], 1.0)] {
            assert!((found.idf(ngram(words)) - (6.0 / images).ln()).abs() < 1e-12, "{words:?}");
        }
        assert_eq!(DocumentFrequencies::count([]).extended(more()), DocumentFrequencies::count(more()));
    }

    #[test]
    fn the_file_comes_back_and_its_bytes_are_these() {
        let bytes = three_images().to_bytes();
        assert_eq!(DocumentFrequencies::from_bytes(&bytes), Ok(three_images()));
        let few = DocumentFrequencies::count([alloc::vec![caption(&[3, 5])], alloc::vec![caption(&[3, 5])]]);
        // Two images; two words: 3 (of two images, followed by one: 5), then 5 (one further on than 4).
        assert_eq!(few.to_bytes(), b"CSSADF\x01\x02\0\0\0\x02\x03\x02\x01\x05\x02\0\x01\x02\0");
    }

    #[test]
    fn damaged_files_are_refused() {
        let bytes = three_images().to_bytes();
        for length in 0..bytes.len() {
            assert!(DocumentFrequencies::from_bytes(&bytes[..length]).is_err(), "{length}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let _ = DocumentFrequencies::from_bytes(&damaged);
            }
        }
        assert!(DocumentFrequencies::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
    }
}
