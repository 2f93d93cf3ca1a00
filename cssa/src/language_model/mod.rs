//! An n-gram model of the train captions: what makes a caption two bytes on the link.
//!
//! Counts are modified Kneser–Ney's (Chen and Goodman 1999): how often an n-gram of the highest order occurs, and, for shorter
//! ones, after how many different words. A word is coded in the longest context that is known, where it may escape to the next
//! shorter one, from which the words that were already ruled out are left out. All tables are integers, so that every machine
//! computes the same bytes.
//!
//! The file `language-model.bin`: the bytes `CSSALM` and 1, the discounts (for each order, 1 to 4, three u16 little-endian: of
//! counts 1, 2 and more, in sixteenths), the number of words as u16 little-endian, each word as its length in a byte and UTF-8;
//! then the n-grams as a tree, depth first: the number of children, and for each the difference of its word's id to the one
//! before (to −1 for the first) and its count, then its own children; all as varints (seven bits a byte, lowest first).

mod build;
mod file;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// Words of the longest n-gram.
pub const ORDER: usize = 4;
/// Parts that counts and discounts are given in.
pub const PARTS: u32 = 16;
/// Stands before a caption; nothing predicts it.
pub const START: u16 = 0;
/// The end of a caption.
pub const END: u16 = 1;
/// A word that the model does not know.
pub const UNKNOWN: u16 = u16::MAX;
/// The id of the first word.
const FIRST_WORD: u16 = 2;

/// The model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanguageModel {
    words: Vec<String>,
    ids: BTreeMap<String, u16>,
    discounts: [[u16; 3]; ORDER],
    /// The root first; the children of a node stand side by side, by word.
    nodes: Vec<Node>,
}

/// An n-gram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Node {
    /// Its last word.
    word: u16,
    /// Its count; 0 where it is a context only.
    count: u32,
    /// Its children: the n-grams that it begins.
    first: u32,
    children: u32,
}

/// A known context: what may follow, and how likely.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    children: &'a [Node],
    discounts: [u16; 3],
}

/// A word in a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follower {
    /// Its id.
    pub word: u16,
    /// Its share: its count less the discount, in [`PARTS`].
    pub weight: u32,
    /// What it gives to the escape.
    pub discount: u32,
}

impl LanguageModel {
    /// The id of a word, [`UNKNOWN`] where the model lacks it.
    #[must_use]
    pub fn id(&self, word: &str) -> u16 {
        self.ids.get(word).copied().unwrap_or(UNKNOWN)
    }

    /// The word with an id; `None` for ids that are no word.
    #[must_use]
    pub fn word(&self, id: u16) -> Option<&str> {
        self.words.get(usize::from(id.checked_sub(FIRST_WORD)?)).map(String::as_str)
    }

    /// Ids below this may occur.
    #[must_use]
    pub fn ids(&self) -> usize {
        usize::from(FIRST_WORD) + self.words.len()
    }

    /// The context of the last words before, the longest that is known first, the empty one last.
    pub fn contexts<'a>(&'a self, before: &'a [u16]) -> impl Iterator<Item = Context<'a>> + 'a {
        let longest = before.len().min(ORDER - 1);
        (0..=longest).rev().filter_map(move |length| {
            let mut node = self.nodes.first()?;
            for &word in &before[before.len() - length..] {
                let children = self.children(node);
                node = &children[children.binary_search_by_key(&word, |child| child.word).ok()?];
            }
            let children = self.children(node);
            (!children.is_empty()).then_some(Context { children, discounts: self.discounts[length] })
        })
    }

    fn children(&self, node: &Node) -> &[Node] {
        let (first, count) = (node.first as usize, node.children as usize);
        self.nodes.get(first..first + count).unwrap_or_default()
    }
}

impl Context<'_> {
    /// The words that may follow, by id.
    pub fn followers(&self) -> impl Iterator<Item = Follower> + '_ {
        self.children.iter().filter(|child| child.count > 0).map(|child| {
            let discount = u32::from(self.discounts[(child.count.min(3) - 1) as usize]);
            let weight = (child.count.min(1 << 20) * PARTS).saturating_sub(discount).max(1);
            Follower { word: child.word, weight, discount }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    pub(super) fn small() -> LanguageModel {
        LanguageModel::build(
            ["a big bridge", "a big river", "a big bridge", "the river and a bridge"].map(String::from),
        )
    }

    #[test]
    fn longer_contexts_come_first() {
        let model = small();
        let (a, big, bridge) = (model.id("a"), model.id("big"), model.id("bridge"));
        let words = |context: Context<'_>| context.followers().map(|follower| follower.word).collect::<Vec<_>>();
        let before = [START, START, START, a, big];
        let found: Vec<Vec<u16>> = model.contexts(&before).map(words).collect();
        let mut expected = vec![bridge, model.id("river")];
        expected.sort_unstable();
        assert_eq!(found[..3], [expected.clone(), expected.clone(), expected]);
        assert_eq!(found[3].len(), 7, "every word and the end");
        assert!(!found[3].contains(&START));
        assert_eq!(model.contexts(&[UNKNOWN, a]).count(), 2);
        assert_eq!((model.word(bridge), model.word(END), model.word(999)), (Some("bridge"), None, None));
    }

    #[test]
    fn shorter_contexts_count_different_words_before() {
        let model = small();
        let count = |word: &str| {
            let context = model.contexts(&[]).next();
            context.and_then(|context| context.followers().find(|follower| follower.word == model.id(word)))
        };
        // "river" follows "big" and "the"; "big" occurs three times, always after "a".
        let (river, big) = (count("river"), count("big"));
        assert!(river.is_some_and(|river| river.weight + river.discount == 2 * PARTS), "{river:?}");
        assert!(big.is_some_and(|big| big.weight + big.discount == PARTS), "{big:?}");
    }
}
