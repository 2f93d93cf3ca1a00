//! T_txt (paper 3.4.1): another sentence with the same meaning, by back-translation where the dataset has one, else by
//! synonym replacement. Synonyms are [WordNet's](super::wordnet); where it is not there, there are none.

use super::wordnet;
use crate::error::Result;
use cssa::random::Random;
use cssa::vocabulary::{TokenId, Vocabulary};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// Share of the words with synonyms that are replaced.
const REPLACED: f32 = 0.5;

/// Words that may stand for one another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synonyms(BTreeMap<TokenId, Vec<TokenId>>);

impl Synonyms {
    /// The words of each group may stand for one another.
    pub fn new(groups: &[Vec<TokenId>]) -> Self {
        let others = |group: &[TokenId], word| group.iter().copied().filter(|other| *other != word).collect();
        let entries = groups.iter().flat_map(|group| group.iter().map(move |&word| (word, others(group, word))));
        Self(entries.collect())
    }

    /// WordNet's for a vocabulary; none where `folder` is not there.
    pub fn read(folder: &Path, vocabulary: &Vocabulary) -> Result<Self> {
        Ok(if folder.exists() { Self::new(&wordnet::groups(folder, vocabulary)?) } else { Self::default() })
    }

    /// Words that have synonyms.
    pub fn words(&self) -> usize {
        self.0.len()
    }

    /// SHA-256 of all pairs, `none` without any.
    pub fn digest(&self) -> String {
        if self.0.is_empty() {
            return "none".into();
        }
        let pairs =
            self.0.iter().flat_map(|(word, others)| others.iter().map(|other| format!("{} {}\n", word.0, other.0)));
        cssa::bundle::hexadecimal(&Sha256::digest(pairs.collect::<String>()))
    }

    /// What the program says about them.
    pub fn description(&self, folder: &Path, vocabulary: &Vocabulary) -> String {
        let of = vocabulary.size() - TokenId::FIRST_WORD.index();
        if self.0.is_empty() {
            let reason = if folder.exists() {
                format!("WordNet has none among the {of} words")
            } else {
                format!("tests/fetch-wordnet.sh {} fetches WordNet", folder.display())
            };
            return format!("T_txt has no synonyms and only back-translations: {reason}");
        }
        let text = vocabulary.text();
        let lines: Vec<&str> = text.lines().collect();
        let pair = |(word, others): (&TokenId, &Vec<TokenId>)| {
            let later = others.iter().find(|other| *other > word)?;
            Some(format!("{}/{}", lines[word.index()], lines[later.index()]))
        };
        let examples: Vec<String> = self.0.iter().filter_map(pair).take(5).collect();
        format!("{} of {of} words have synonyms in WordNet: {}, …", self.words(), examples.join(", "))
    }

    fn replace(&self, token: TokenId, random: &mut Random) -> TokenId {
        match self.0.get(&token) {
            Some(others) if random.chance(REPLACED) => random.pick(others),
            _ => token,
        }
    }
}

/// T_txt.
#[derive(Clone, Copy, Debug)]
pub struct Twin<'a> {
    /// Words that may stand for one another.
    pub synonyms: &'a Synonyms,
    /// All words.
    pub vocabulary: &'a Vocabulary,
    /// Longest sentence.
    pub max_tokens: usize,
}

impl Twin<'_> {
    /// T_txt of `tokens` (start and end included); `back_translations` are its image's.
    pub fn draw(self, tokens: &[TokenId], back_translations: &[String], random: &mut Random) -> Vec<TokenId> {
        if !back_translations.is_empty() && random.below(2) == 0 {
            let sentence = &back_translations[random.below(back_translations.len())];
            let said = self.vocabulary.encode(sentence);
            if !said.is_empty() {
                return super::captions::with_ends(self.vocabulary.start(said.len()), said, self.max_tokens);
            }
        }
        tokens.iter().map(|&token| self.synonyms.replace(token, random)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn synonyms_stand_in_for_each_other() {
        let vocabulary = Vocabulary::build(["big large planes on a road"], 1);
        let encode = |text: &str| super::super::captions::with_ends(TokenId::START, vocabulary.encode(text), 20);
        let (big, large) = (encode("big planes on a road"), encode("large planes on a road"));
        let synonyms = Synonyms::new(&[vec![big[1], large[1]]]);
        assert_eq!(synonyms.words(), 2);
        let (mut random, twin) =
            (Random::new(7), Twin { synonyms: &synonyms, vocabulary: &vocabulary, max_tokens: 20 });
        let found: BTreeSet<Vec<TokenId>> = (0..20).map(|_| twin.draw(&big, &[], &mut random)).collect();
        assert_eq!(found, BTreeSet::from([big, large]));
        assert!(synonyms.digest() != "none" && synonyms.description(Path::new("x"), &vocabulary).contains("big/large"));
    }

    #[test]
    fn without_wordnet_there_are_none_and_it_is_said() -> Result<()> {
        let vocabulary = Vocabulary::build(["a"], 1);
        let synonyms = Synonyms::read(Path::new("/no/wordnet"), &vocabulary)?;
        assert_eq!((synonyms.words(), synonyms.digest().as_str()), (0, "none"));
        let said = synonyms.description(Path::new("/no/wordnet"), &vocabulary);
        assert!(said.contains("no synonyms and only back-translations") && !said.contains('\n'), "{said}");
        Ok(())
    }

    #[test]
    fn back_translations_are_used() {
        let vocabulary = Vocabulary::build(["a b c"], 1);
        let tokens = super::super::captions::with_ends(TokenId::START, vocabulary.encode("a b"), 20);
        let mut random = Random::new(7);
        let other = ["c a".to_owned()];
        let synonyms = Synonyms::default();
        let twin = Twin { synonyms: &synonyms, vocabulary: &vocabulary, max_tokens: 20 };
        let mut draw = || twin.draw(&tokens, &other, &mut random);
        assert!((0..20).any(|_| draw()[1..3] == vocabulary.encode("c a")));
    }
}
