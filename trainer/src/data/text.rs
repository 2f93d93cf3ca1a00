//! T_txt (paper 3.4.1): another sentence with the same meaning, by back-translation where the dataset has one, else by
//! synonym replacement.
//!
//! The synonyms are learned from the train captions: two words that stand in for each other, all else equal, in two
//! captions of the same image say the same about it.

use crate::random::Random;
use cssa::vocabulary::{TokenId, Vocabulary, words};
use std::collections::{BTreeMap, BTreeSet};

/// On fewer images than this a pair of words is an accident.
const FEWEST_IMAGES: usize = 3;
/// Share of the words with synonyms that are replaced.
const REPLACED: f32 = 0.5;

/// Words that may stand for one another, each with the number of images that say so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synonyms(BTreeMap<TokenId, Vec<(TokenId, usize)>>);

impl Synonyms {
    /// Learns from the distinct captions of each image.
    pub fn learn<'a>(images: impl IntoIterator<Item = Vec<&'a [TokenId]>>) -> Self {
        let mut counts: BTreeMap<(TokenId, TokenId), usize> = BTreeMap::new();
        for captions in images {
            let mut pairs = BTreeSet::new();
            for (n, caption) in captions.iter().enumerate() {
                for other in &captions[n + 1..] {
                    if let Some((a, b)) = only_difference(caption, other) {
                        pairs.insert((a.min(b), a.max(b)));
                    }
                }
            }
            for pair in pairs {
                *counts.entry(pair).or_default() += 1;
            }
        }
        let mut table: BTreeMap<TokenId, Vec<(TokenId, usize)>> = BTreeMap::new();
        for ((a, b), count) in counts.into_iter().filter(|&(_, count)| count >= FEWEST_IMAGES) {
            table.entry(a).or_default().push((b, count));
            table.entry(b).or_default().push((a, count));
        }
        Self(table)
    }

    /// Words that have synonyms.
    pub fn words(&self) -> usize {
        self.0.len()
    }

    fn replace(&self, token: TokenId, random: &mut Random) -> TokenId {
        let Some(others) = self.0.get(&token) else { return token };
        if !random.chance(REPLACED) {
            return token;
        }
        let mut left = random.below(others.iter().map(|(_, count)| count).sum());
        for &(other, count) in others {
            if left < count {
                return other;
            }
            left -= count;
        }
        token
    }
}

/// The one place where two sentences of the same length differ, if it is one and both words are known.
fn only_difference(a: &[TokenId], b: &[TokenId]) -> Option<(TokenId, TokenId)> {
    let mut differing = a.iter().zip(b).filter(|(x, y)| x != y);
    let (&x, &y) = differing.next()?;
    let plain = x >= TokenId::FIRST_WORD && y >= TokenId::FIRST_WORD;
    (a.len() == b.len() && differing.next().is_none() && plain).then_some((x, y))
}

/// T_txt of `tokens` (start and end included); `back_translations` are its image's.
pub fn augment(
    tokens: &[TokenId],
    back_translations: &[String],
    synonyms: &Synonyms,
    (vocabulary, max_tokens): (&Vocabulary, usize),
    random: &mut Random,
) -> Vec<TokenId> {
    if !back_translations.is_empty() && random.below(2) == 0 {
        let sentence = &back_translations[random.below(back_translations.len())];
        if words(sentence).next().is_some() {
            return super::samples::with_ends(vocabulary.encode(sentence), max_tokens);
        }
    }
    tokens.iter().map(|&token| synonyms.replace(token, random)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_stand_in_for_each_other_are_synonyms() {
        let vocabulary = Vocabulary::build(["many planes on a road", "several airplanes near the big house"], 1);
        let encode = |text: &str| super::super::samples::with_ends(vocabulary.encode(text), 20);
        let (many, several, near) =
            (encode("many planes on a road"), encode("several planes on a road"), encode("many planes near a road"));
        let image = || vec![many.as_slice(), several.as_slice()];
        let once = || vec![many.as_slice(), near.as_slice()];
        let synonyms = Synonyms::learn([image(), image(), image(), once(), once()]);
        assert_eq!(synonyms.words(), 2, "many and several; on and near are an accident");
        let mut random = Random::new(7);
        let found: BTreeSet<Vec<TokenId>> =
            (0..20).map(|_| augment(&many, &[], &synonyms, (&vocabulary, 20), &mut random)).collect();
        assert_eq!(found, BTreeSet::from([many.clone(), several.clone()]));
    }

    #[test]
    fn back_translations_are_used() {
        let vocabulary = Vocabulary::build(["a b c"], 1);
        let tokens = super::super::samples::with_ends(vocabulary.encode("a b"), 20);
        let mut random = Random::new(7);
        let other = ["c a".to_owned()];
        let synonyms = Synonyms::default();
        let mut draw = || augment(&tokens, &other, &synonyms, (&vocabulary, 20), &mut random);
        assert!((0..20).any(|_| draw()[1..3] == vocabulary.encode("c a")));
    }
}
