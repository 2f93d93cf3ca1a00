//! Watch-words as the captions of a bundle have them: an `airplane` is a plane and several are planes, whatever word
//! the model has learned for it.

use super::error::Error;
use cssa::bundle::Bundle;
use cssa::objects::ObjectGroups;
use cssa::vocabulary::{TokenId, Vocabulary, words};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Nearest words that an error names.
const NEAREST: usize = 3;
/// Least Jaro–Winkler similarity of a near word.
const SIMILAR: f64 = 0.8;

/// The words that captions of a bundle have, and which of them mean the same.
#[derive(Clone, Debug)]
pub struct Lexicon {
    place: PathBuf,
    words: BTreeSet<String>,
    groups: ObjectGroups,
}

/// Watch-words and phrases with their priorities.
#[derive(Clone, Debug, Default)]
pub struct WatchList(Vec<Phrase>);

/// For each word of a phrase those that mean the same, and the priority of its captions.
#[derive(Clone, Debug)]
struct Phrase {
    words: Vec<BTreeSet<String>>,
    priority: u8,
}

impl Lexicon {
    /// The words of a bundle, with its own groups where it has some.
    #[must_use]
    pub fn of(bundle: &Bundle) -> Self {
        let groups = bundle.trust.as_ref().map_or_else(ObjectGroups::default, |trust| trust.groups.clone());
        Self::new(bundle.folder.clone(), &bundle.vocabulary, groups)
    }

    fn new(place: PathBuf, vocabulary: &Vocabulary, groups: ObjectGroups) -> Self {
        let ids = TokenId::FIRST_WORD.0..u16::try_from(vocabulary.size()).unwrap_or(u16::MAX);
        let words = ids.filter_map(|id| vocabulary.word(TokenId(id))).filter(|word| !word.starts_with('<'));
        Self { place, words: words.map(str::to_owned).collect(), groups }
    }

    /// The words of captions that a lower-case word stands for: those of its group of objects, in the singular and the
    /// plural.
    fn meant_by(&self, word: &str) -> BTreeSet<String> {
        let group = numbers(word).iter().find_map(|form| self.groups.group(form));
        let same = self.groups.words().filter(|other| group.is_some() && self.groups.group(other) == group);
        let all = same.chain([word]).flat_map(numbers);
        all.filter(|form| self.words.contains(form)).collect()
    }

    fn nearest(&self, word: &str) -> Vec<String> {
        let similarity = |other: &String| (strsim::jaro_winkler(word, other), other.clone());
        let mut near: Vec<(f64, String)> = self.words.iter().map(similarity).filter(|(by, _)| *by >= SIMILAR).collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0));
        near.into_iter().take(NEAREST).map(|(_, word)| word).collect()
    }
}

impl WatchList {
    /// The list for a bundle's captions, and an error for every word of it that none of them can have: its phrase is
    /// left out.
    #[must_use]
    pub fn new(watch: &BTreeMap<String, u8>, lexicon: &Lexicon) -> (Self, Vec<Error>) {
        let (mut phrases, mut unsaid) = (Vec::new(), Vec::new());
        for (phrase, &priority) in watch {
            let spelt: Vec<String> = words(phrase).collect();
            let meant: Vec<BTreeSet<String>> = spelt.iter().map(|word| lexicon.meant_by(word)).collect();
            let refused = |word: &str| Error::WatchWord {
                phrase: phrase.clone(),
                word: word.into(),
                bundle: lexicon.place.clone(),
                nearest: lexicon.nearest(word),
            };
            let missing = spelt.iter().zip(&meant).filter(|(_, meant)| meant.is_empty()).map(|(word, _)| refused(word));
            let before = unsaid.len();
            unsaid.extend(missing);
            if spelt.is_empty() {
                unsaid.push(refused(phrase));
            } else if unsaid.len() == before {
                phrases.push(Phrase { words: meant, priority });
            }
        }
        (Self(phrases), unsaid)
    }

    /// The priority that a caption's words give it.
    #[must_use]
    pub fn priority(&self, caption: &str) -> u8 {
        let caption: Vec<String> = words(caption).collect();
        let has = |phrase: &&Phrase| {
            let matches = |said: &[String]| said.iter().zip(&phrase.words).all(|(said, meant)| meant.contains(said));
            caption.windows(phrase.words.len()).any(matches)
        };
        self.0.iter().filter(has).map(|phrase| phrase.priority).max().unwrap_or(0)
    }
}

/// A word and its regular plurals and singulars, spelt as they would be.
fn numbers(word: &str) -> Vec<String> {
    let mut forms = vec![word.to_owned(), format!("{word}s"), format!("{word}es")];
    forms.extend(word.strip_suffix('y').map(|stem| format!("{stem}ies")));
    // Shorter words that end so are no plurals.
    if word.len() > 3 {
        forms.extend(["s", "es"].iter().filter_map(|ending| Some(word.strip_suffix(ending)?.to_owned())));
        forms.extend(word.strip_suffix("ies").map(|stem| format!("{stem}y")));
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::chain;
    use anyhow::Result;

    fn lexicon() -> Result<Lexicon> {
        Ok(Lexicon::of(&Bundle::read(&fixtures::bundle())?))
    }

    fn list(watch: &[(&str, u8)]) -> Result<(WatchList, Vec<Error>)> {
        let watch = watch.iter().map(|&(word, priority)| (word.to_owned(), priority)).collect();
        Ok(WatchList::new(&watch, &lexicon()?))
    }

    #[test]
    fn watch_words_are_whole_words_of_one_meaning() -> Result<()> {
        let (list, unsaid) = list(&[("airplane", 3), ("Storage Tank", 2), ("ship", 1), ("factory", 1)])?;
        assert!(unsaid.is_empty(), "{unsaid:?}");
        for (caption, expected) in [
            ("an airplane and a storage tank", 3),
            ("some planes are parked near a terminal", 3),
            ("two aircraft", 3),
            ("a storage tank", 2),
            ("many storage tanks", 2),
            ("storage", 0),
            ("a tank for storage", 0),
            ("many boats in a port", 1),
            ("factories beside a road", 1),
            ("a plain with a tanker", 0),
        ] {
            assert_eq!(list.priority(caption), expected, "{caption}");
        }
        Ok(())
    }

    #[test]
    fn what_no_caption_can_say_is_named_with_the_nearest_words() -> Result<()> {
        let (list, unsaid) = list(&[("airplain", 3), ("storage zeppelin", 2), ("?!", 1), ("bridge", 1)])?;
        let said: Vec<String> = unsaid.iter().map(|error| chain(error)).collect();
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[1].contains("policy.watch.\"airplain\"") && said[1].contains("such as airplane"), "{said:?}");
        assert!(said[2].contains("policy.watch.\"storage zeppelin\"") && said[2].contains("\"zeppelin\""), "{said:?}");
        assert_eq!((list.priority("two bridges"), list.priority("a storage tank")), (1, 0));
        Ok(())
    }

    #[test]
    fn every_number_of_a_word_is_one() {
        assert!(numbers("factory").contains(&"factories".to_owned()));
        assert!(numbers("churches").contains(&"church".to_owned()));
        assert!(numbers("planes").contains(&"plane".to_owned()));
        assert_eq!(numbers("gas"), ["gas", "gass", "gases"]);
    }
}
