//! Counting.

use super::{END, FIRST_WORD, LanguageModel, Node, ORDER, PARTS, START};
use alloc::collections::BTreeMap;
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
        let captions: Vec<String> = captions.into_iter().collect();
        let words: Vec<Vec<&str>> = captions
            .iter()
            .map(|caption| plain(caption).split(' ').filter(|word| !word.is_empty()).collect())
            .collect();
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for word in words.iter().flatten().filter(|word| word.len() <= usize::from(u8::MAX)) {
            *seen.entry(word).or_default() += 1;
        }
        let mut ranked: Vec<(&str, usize)> = seen.into_iter().collect();
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        ranked.truncate(MAX_WORDS);
        let words_by_id: Vec<String> = ranked.iter().map(|(word, _)| String::from(*word)).collect();
        let ids = index(&words_by_id);
        let counts = count(words.iter().map(|caption| {
            caption.iter().map(|word| ids.get(*word).copied().unwrap_or(super::UNKNOWN)).collect::<Vec<u16>>()
        }));
        let discounts = core::array::from_fn(|order| discounts(&counts[order]));
        let nodes = tree(&counts);
        Self { words: words_by_id, ids, discounts, nodes }
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

/// Kneser–Ney's counts of n-grams of 1 to [`ORDER`] words; none of them has an unknown word.
fn count(captions: impl Iterator<Item = Vec<u16>>) -> [Counts; ORDER] {
    let mut counts: [Counts; ORDER] = core::array::from_fn(|_| Counts::new());
    for caption in captions {
        let mut padded = alloc::vec![START; ORDER - 1];
        padded.extend(caption);
        padded.push(END);
        for gram in padded.windows(ORDER) {
            *counts[ORDER - 1].entry(gram.into()).or_default() += 1;
        }
    }
    for order in (0..ORDER - 1).rev() {
        let longer: Vec<Vec<u16>> = counts[order + 1].keys().map(|gram| gram[1..].to_vec()).collect();
        for gram in longer {
            *counts[order].entry(gram).or_default() += 1;
        }
    }
    let known = |gram: &Vec<u16>| !gram.contains(&super::UNKNOWN);
    let mut seen: BTreeMap<Vec<u16>, u32> = BTreeMap::new();
    for (gram, count) in &counts[ORDER - 1] {
        *seen.entry(gram[..ORDER - 1].to_vec()).or_default() += count;
    }
    for (order, counts) in counts.iter_mut().enumerate() {
        counts.retain(|gram, _| {
            known(gram) && (order <= ALWAYS_KEPT || seen.get(&gram[..order]).is_none_or(|&count| count > 1))
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
