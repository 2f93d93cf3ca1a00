//! Counting.

use super::{END, FIRST_WORD, LanguageModel, Node, ORDER, PARTS, START};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

/// Most words that get an id; the rarest others are spelled.
const MAX_WORDS: usize = 60_000;
/// Longest context that is kept where it was seen only once.
const ALWAYS_KEPT: usize = ORDER - 2;

/// n-grams of one length and their counts.
type Counts = BTreeMap<Vec<u16>, u32>;

impl LanguageModel {
    /// The model of captions; words are what stands between spaces, a full stop at the end belongs to none.
    #[must_use]
    pub fn build(captions: impl IntoIterator<Item = String>) -> Self {
        let nothing = Self { words: Vec::new(), ids: BTreeMap::new(), discounts: [[0; 3]; ORDER], nodes: Vec::new() };
        nothing.extended(captions)
    }

    /// The model of the captions that it counts already and of more; its words keep their ids.
    ///
    /// The counts of up to three words are those of all captions together. Of four words, the model does not know any more what
    /// followed three words that its captions had once: this count of one is lost, and where these four words come again, they
    /// count as new ones.
    #[must_use]
    pub fn extended(&self, captions: impl IntoIterator<Item = String>) -> Self {
        let captions: Vec<String> = captions.into_iter().collect();
        let captions: Vec<Vec<&str>> = captions
            .iter()
            .map(|caption| plain(caption).split(' ').filter(|word| !word.is_empty()).collect())
            .collect();
        let mut new: BTreeMap<&str, usize> = BTreeMap::new();
        let fits = |word: &&&str| word.len() <= usize::from(u8::MAX) && !self.ids.contains_key(**word);
        for word in captions.iter().flatten().filter(fits) {
            *new.entry(word).or_default() += 1;
        }
        let mut ranked: Vec<(&str, usize)> = new.into_iter().collect();
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let ranked = ranked.iter().map(|(word, _)| String::from(*word));
        let words: Vec<String> = self.words.iter().cloned().chain(ranked).take(MAX_WORDS).collect();
        let ids = index(&words);
        let known = self.counts();
        let counts = count(
            &known,
            captions.iter().map(|caption| {
                caption.iter().map(|word| ids.get(*word).copied().unwrap_or(super::UNKNOWN)).collect::<Vec<u16>>()
            }),
        );
        let discounts = core::array::from_fn(|order| discounts(&counts[order]));
        let nodes = tree(&counts);
        Self { words, ids, discounts, nodes }
    }

    /// The counts of the tree by length.
    fn counts(&self) -> [Counts; ORDER] {
        let mut counts: [Counts; ORDER] = core::array::from_fn(|_| Counts::new());
        let mut left: Vec<(Vec<u16>, &Node)> = self.nodes.first().map(|root| (Vec::new(), root)).into_iter().collect();
        while let Some((before, node)) = left.pop() {
            for child in self.children(node) {
                let gram = [before.as_slice(), &[child.word]].concat();
                if child.count > 0 {
                    counts[before.len()].insert(gram.clone(), child.count);
                }
                left.push((gram, child));
            }
        }
        counts
    }
}

/// A caption without the full stop at its end.
fn plain(caption: &str) -> &str {
    let caption = caption.trim();
    caption.strip_suffix('.').map_or(caption, str::trim_end)
}

pub(super) fn index(words: &[String]) -> BTreeMap<String, u16> {
    words.iter().zip(FIRST_WORD..).map(|(word, id)| (word.clone(), id)).collect()
}

/// Kneser–Ney's counts of n-grams of 1 to [`ORDER`] words, those of `captions` added to `known`; none of them has an unknown word.
fn count(known: &[Counts; ORDER], captions: impl Iterator<Item = Vec<u16>>) -> [Counts; ORDER] {
    let mut counts = known.clone();
    let mut found: BTreeSet<Vec<u16>> = BTreeSet::new();
    for caption in captions {
        let mut padded = alloc::vec![START; ORDER - 1];
        padded.extend(caption);
        padded.push(END);
        for gram in padded.windows(ORDER) {
            *counts[ORDER - 1].entry(gram.into()).or_default() += 1;
            found.insert(gram.into());
        }
    }
    for order in (0..ORDER - 1).rev() {
        for gram in found.iter().filter(|gram| !known[order + 1].contains_key(*gram)) {
            *counts[order].entry(gram[1..].to_vec()).or_default() += 1;
        }
        found = found.iter().map(|gram| gram[1..].to_vec()).collect();
    }
    let mut seen: BTreeMap<Vec<u16>, u32> = BTreeMap::new();
    for (gram, count) in &counts[ORDER - 1] {
        *seen.entry(gram[..ORDER - 1].to_vec()).or_default() += count;
    }
    // What followed a context that was seen once was not kept, but the context was.
    let kept: BTreeSet<&[u16]> = known[ORDER - 1].keys().map(|gram| &gram[..ORDER - 1]).collect();
    for context in known[ALWAYS_KEPT].keys().filter(|context| !kept.contains(context.as_slice())) {
        *seen.entry(context.clone()).or_default() += 1;
    }
    for (order, counts) in counts.iter_mut().enumerate() {
        counts.retain(|gram, _| {
            let is_kept = order <= ALWAYS_KEPT || seen.get(&gram[..order]).is_none_or(|&count| count > 1);
            is_kept && !gram.contains(&super::UNKNOWN)
        });
    }
    counts
}

/// The discounts of modified Kneser–Ney for counts of 1, 2 and more, in [`PARTS`].
fn discounts(counts: &Counts) -> [u16; 3] {
    let with = |wanted: u32| counts.values().filter(|&&count| count == wanted).count().max(1) as f64;
    let (one, two, three, four) = (with(1), with(2), with(3), with(4));
    let y = one / (one + 2.0 * two);
    let exact = [1.0 - 2.0 * y * two / one, 2.0 - 3.0 * y * three / two, 3.0 - 4.0 * y * four / three];
    core::array::from_fn(|n| {
        let largest = f64::from(PARTS) * (n as f64 + 1.0) - 1.0;
        libm::round((exact[n] * f64::from(PARTS)).clamp(1.0, largest)) as u16
    })
}

/// The n-grams as a tree whose children stand side by side.
fn tree(counts: &[Counts; ORDER]) -> Vec<Node> {
    #[derive(Default)]
    struct Branch {
        count: u32,
        children: BTreeMap<u16, Branch>,
    }
    let mut root = Branch::default();
    for (gram, &count) in counts.iter().flatten() {
        let leaf = gram.iter().fold(&mut root, |branch, &word| branch.children.entry(word).or_default());
        leaf.count = count;
    }
    let mut nodes = alloc::vec![Node::default()];
    let mut level = alloc::vec![(0, root)];
    while !level.is_empty() {
        let mut next = Vec::new();
        for (at, branch) in level {
            nodes[at].first = nodes.len() as u32;
            nodes[at].children = branch.children.len() as u32;
            for (word, child) in branch.children {
                next.push((nodes.len(), child));
                let count = next.last().map_or(0, |(_, child): &(usize, Branch)| child.count);
                nodes.push(Node { word, count, first: 0, children: 0 });
            }
        }
        level = next;
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::super::tests::small;
    use super::*;

    /// What may follow, and how likely, in every context of a text: by words.
    fn followers(model: &LanguageModel, text: &[&str]) -> Vec<Vec<(String, u32)>> {
        let name = |word: u16| model.word(word).map_or_else(|| alloc::format!("{word}"), String::from);
        let mut found = Vec::new();
        for caption in text {
            let mut before = alloc::vec![START; ORDER - 1];
            for word in caption.split(' ') {
                for context in model.contexts(&before) {
                    let named = context.followers().map(|follower| (name(follower.word), follower.weight));
                    let mut all: Vec<(String, u32)> = named.collect();
                    all.sort();
                    found.push(all);
                }
                before.push(model.id(word));
            }
        }
        found
    }

    #[test]
    fn more_captions_are_counted_on() {
        let (old, new) = (["a big bridge", "a big river", "the river and a bridge"], ["a solar panel", "a big panel"]);
        let text: Vec<&str> = old.into_iter().chain(new).collect();
        // Each twice: no context is seen once, and nothing is lost.
        let twice =
            |captions: &[&str]| captions.iter().chain(captions).map(|&caption| caption.into()).collect::<Vec<String>>();
        let (together, extended) =
            (LanguageModel::build(twice(&text)), LanguageModel::build(twice(&old)).extended(twice(&new)));
        assert_eq!(followers(&extended, &text), followers(&together, &text));
        assert_eq!(extended.id("river"), LanguageModel::build(twice(&old)).id("river"));
    }

    #[test]
    fn nothing_more_changes_nothing() {
        assert_eq!(small().extended([]), small());
    }
}
