//! Words and their ids, ranked by how often the train captions use them, so that a frequent word has a small id and
//! takes one byte on the wire.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

/// The id of a word: its line in `vocabulary.txt`, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub u16);

impl TokenId {
    /// Ends a caption.
    pub const END: Self = Self(0);
    /// Starts a caption.
    pub const START: Self = Self(1);
    /// Stands for a word that the vocabulary lacks; training sees it, captions never contain it.
    pub const UNKNOWN: Self = Self(2);
    /// The first id that is a word.
    pub const FIRST_WORD: Self = Self(3);

    /// The id as an index.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// How the tokens of styles begin; no word of a sentence does.
const STYLE: &str = "<style:";

/// How the tokens of length classes begin; no word of a sentence does.
const LENGTH: &str = "<length:";
/// What stands in the last class's token in a bound's place.
const MORE: &str = "more";
/// Most length classes that a vocabulary may have.
pub const MAX_LENGTHS: usize = 8;

const SPECIAL: [&str; 3] = ["<end>", "<start>", "<unknown>"];

/// Most lines a vocabulary may have: ids are 16 bits.
pub const MAX_SIZE: usize = 65_536;

/// The words of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    words: Vec<String>,
    ids: BTreeMap<String, TokenId>,
    /// The longest caption of each length class, in words; the last class has no bound.
    lengths: Vec<usize>,
}

/// What is wrong with a vocabulary's text.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum VocabularyError {
    /// The three special tokens do not stand first.
    #[error("line {line} is {found:?}, expected {expected:?}")]
    Special {
        /// Line, from 1.
        line: usize,
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// A line is empty, contains white space or repeats an earlier one.
    #[error("line {line} is {found:?}, expected one new word without white space")]
    Word {
        /// Line, from 1.
        line: usize,
        /// What stands there.
        found: String,
    },
    /// The tokens of length classes are not 2 to 8 after the special tokens, with bounds that rise, the last without one.
    #[error(
        "line {line} is {found:?}, expected <length:N> with rising N and at the end <length:more>, 2 to 8 classes after <unknown>"
    )]
    Length {
        /// Line, from 1.
        line: usize,
        /// What stands there.
        found: String,
    },
    /// More words than ids.
    #[error("{found} lines, expected at most 65536")]
    Size {
        /// Number of lines.
        found: usize,
    },
}

impl Vocabulary {
    /// Counts the words of `captions` and keeps those that occur at least `minimum` times, most frequent first, equally
    /// frequent ones in alphabetical order.
    #[must_use]
    pub fn build<'a>(captions: impl IntoIterator<Item = &'a str>, minimum: usize) -> Self {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for caption in captions {
            for word in words(caption) {
                *counts.entry(word).or_default() += 1;
            }
        }
        let mut ranked: Vec<(String, usize)> = counts.into_iter().filter(|(_, count)| *count >= minimum).collect();
        ranked.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
        ranked.truncate(MAX_SIZE - SPECIAL.len());
        let special = SPECIAL.iter().map(|&word| String::from(word));
        Self::index(special.chain(ranked.into_iter().map(|(word, _)| word)).collect())
    }

    /// The same with a style before the words for each name: a token that stands first in a caption and says whose manner it
    /// is written in. No caption shows it.
    #[must_use]
    pub fn with_styles<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut words = self.words;
        let styles = names.into_iter().map(|name| format!("{STYLE}{}>", name.replace(char::is_whitespace, "_")));
        let first = SPECIAL.len() + self.lengths.len();
        words.splice(first..first, styles);
        words.truncate(MAX_SIZE);
        Self::index(words)
    }

    /// The same with length classes: captions of at most `bounds[n]` words, rising, and longer ones. The token of its class begins
    /// a caption in the start's place and tells the decoder how long it is to be. No caption contains one.
    #[must_use]
    pub fn with_lengths(self, bounds: &[usize]) -> Self {
        let mut words = self.words;
        words.splice(SPECIAL.len()..SPECIAL.len() + self.lengths.len(), length_tokens(bounds));
        words.truncate(MAX_SIZE);
        Self::index(words)
    }

    /// The same with the words and styles of `other` that it lacks after its own, in their order: no id changes.
    #[must_use]
    pub fn extended(&self, other: &Self) -> Self {
        let new = other.words.iter().filter(|word| !self.ids.contains_key(*word) && !word.starts_with(LENGTH));
        let mut words: Vec<String> = self.words.iter().chain(new).cloned().collect();
        words.truncate(MAX_SIZE);
        Self::index(words)
    }

    /// Whether there is a style.
    #[must_use]
    pub fn has_styles(&self) -> bool {
        self.words.iter().any(|word| word.starts_with(STYLE))
    }

    /// The style of a name, where the vocabulary has one.
    #[must_use]
    pub fn style(&self, name: &str) -> Option<TokenId> {
        self.ids.get(&format!("{STYLE}{}>", name.replace(char::is_whitespace, "_"))).copied()
    }

    /// How many length classes there are; 0 where captions begin with [`TokenId::START`].
    #[must_use]
    pub fn lengths(&self) -> usize {
        self.lengths.len()
    }

    /// The first id that a caption may contain, behind the special tokens and the length classes.
    #[must_use]
    pub fn first_word(&self) -> TokenId {
        TokenId(TokenId::FIRST_WORD.0 + self.lengths.len() as u16)
    }

    /// What a caption of so many words begins with.
    #[must_use]
    pub fn start(&self, words: usize) -> TokenId {
        let class = self.lengths.iter().position(|&bound| words <= bound);
        class.map_or(TokenId::START, |class| TokenId(TokenId::FIRST_WORD.0 + class as u16))
    }

    /// What the captions of a length class, from 1, begin with; without classes those of none. `None` where there is no such class.
    #[must_use]
    pub fn start_of(&self, class: Option<u8>) -> Option<TokenId> {
        match class {
            None => self.lengths.is_empty().then_some(TokenId::START),
            Some(class) => {
                let is_there = (1..=self.lengths.len()).contains(&usize::from(class));
                is_there.then(|| TokenId(TokenId::START.0 + 1 + u16::from(class)))
            }
        }
    }

    /// Reads `vocabulary.txt`: one word a line, the special tokens first.
    pub fn parse(text: &str) -> Result<Self, VocabularyError> {
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() > MAX_SIZE {
            return Err(VocabularyError::Size { found: lines.len() });
        }
        for (n, expected) in SPECIAL.into_iter().enumerate() {
            let found = lines.get(n).copied().unwrap_or_default();
            if found != expected {
                return Err(VocabularyError::Special { line: n + 1, found: found.into(), expected });
            }
        }
        let vocabulary = Self::index(lines.iter().map(|&line| line.into()).collect());
        for (n, &word) in lines.iter().enumerate() {
            let repeated = vocabulary.ids.get(word).is_none_or(|id| id.index() != n);
            if word.is_empty() || word.contains(char::is_whitespace) || repeated {
                return Err(VocabularyError::Word { line: n + 1, found: word.into() });
            }
        }
        vocabulary.check_lengths()?;
        Ok(vocabulary)
    }

    /// The text of `vocabulary.txt`.
    #[must_use]
    pub fn text(&self) -> String {
        self.words.iter().flat_map(|word| [word.as_str(), "\n"]).collect()
    }

    /// Number of ids, special tokens included.
    #[must_use]
    pub fn size(&self) -> usize {
        self.words.len()
    }

    /// The id of a word, [`TokenId::UNKNOWN`] where the vocabulary lacks it.
    #[must_use]
    pub fn id(&self, word: &str) -> TokenId {
        self.ids.get(word).copied().unwrap_or(TokenId::UNKNOWN)
    }

    /// The word of an id, `None` past the end.
    #[must_use]
    pub fn word(&self, id: TokenId) -> Option<&str> {
        self.words.get(id.index()).map(String::as_str)
    }

    /// The ids of a sentence's [`words`], without start and end.
    #[must_use]
    pub fn encode(&self, sentence: &str) -> Vec<TokenId> {
        words(sentence).map(|word| self.id(&word)).collect()
    }

    /// The caption of ids that are all words or styles: the words with one blank between. `None` where an id is special, a length
    /// class or past the end.
    #[must_use]
    pub fn decode(&self, tokens: &[TokenId]) -> Option<String> {
        let mut caption = String::new();
        for &token in tokens {
            if token < self.first_word() {
                return None;
            }
            let word = self.word(token)?;
            if word.starts_with(STYLE) {
                continue;
            }
            if !caption.is_empty() {
                caption.push(' ');
            }
            caption.push_str(word);
        }
        Some(caption)
    }

    fn index(words: Vec<String>) -> Self {
        let numbered = words.iter().enumerate().rev();
        let ids = numbered.map(|(n, word)| (word.clone(), TokenId(n as u16))).collect();
        let bound = |word: &String| word.strip_prefix(LENGTH).map(|bound| bound.trim_end_matches('>').parse());
        let lengths = words.iter().skip(SPECIAL.len()).map_while(bound).map(|bound| bound.unwrap_or(usize::MAX));
        Self { lengths: lengths.take(MAX_LENGTHS).collect(), words, ids }
    }

    /// Whether the length classes are as [`Vocabulary::with_lengths`] makes them, and nowhere else.
    fn check_lengths(&self) -> Result<(), VocabularyError> {
        let bounds = self.lengths.split_last().map_or(&[][..], |(_, bounds)| bounds);
        let rises = bounds.is_sorted_by(|a, b| a < b) && bounds.first().is_none_or(|&first| first > 0);
        let expected = if bounds.is_empty() || !rises { Vec::new() } else { length_tokens(bounds) };
        let numbered = self.words.iter().enumerate().filter(|(_, word)| word.starts_with(LENGTH));
        for (n, word) in numbered {
            if n.checked_sub(SPECIAL.len()).and_then(|n| expected.get(n)) != Some(word) {
                return Err(VocabularyError::Length { line: n + 1, found: word.clone() });
            }
        }
        Ok(())
    }
}

/// The tokens of the length classes with these bounds.
fn length_tokens(bounds: &[usize]) -> Vec<String> {
    let bounded = bounds.iter().map(|bound| format!("{LENGTH}{bound}>"));
    bounded.chain([format!("{LENGTH}{MORE}>")]).collect()
}

/// The words of a sentence as the model sees them: lower case, split at white space and at every sign that is neither
/// letter, digit, apostrophe nor hyphen between letters; the signs themselves are dropped, as the metrics drop them.
pub fn words(sentence: &str) -> impl Iterator<Item = String> {
    let separates = |c: char| !(c.is_alphanumeric() || c == '\'' || c == '-');
    sentence
        .split(separates)
        .map(|word| word.trim_matches(|c| c == '\'' || c == '-').to_lowercase())
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn words_are_lower_case_without_signs() {
        let found: Vec<String> = words("There is, a baseball-field's  edge (grey) - NOT 3 'roads'.").collect();
        assert_eq!(found, ["there", "is", "a", "baseball-field's", "edge", "grey", "not", "3", "roads"]);
    }

    #[test]
    fn frequent_words_come_first_and_the_text_round_trips() {
        let vocabulary = Vocabulary::build(["a b b", "b c a", "rare"], 2);
        assert_eq!(vocabulary.text(), "<end>\n<start>\n<unknown>\nb\na\n");
        assert_eq!(Vocabulary::parse(&vocabulary.text()), Ok(vocabulary.clone()));
        assert_eq!(vocabulary.encode("A rare B"), [TokenId(4), TokenId::UNKNOWN, TokenId(3)]);
        assert_eq!(vocabulary.decode(&[TokenId(3), TokenId(4)]).as_deref(), Some("b a"));
        assert_eq!(vocabulary.decode(&[TokenId::END]), None);
        assert_eq!(vocabulary.decode(&[TokenId(5)]), None);
    }

    #[test]
    fn an_extended_vocabulary_keeps_its_ids() {
        let known = Vocabulary::build(["a b b"], 1).with_styles(["old"]);
        let extended = known.extended(&Vocabulary::build(["d a c c"], 1).with_styles(["new", "old"]));
        assert_eq!(extended.text(), known.text() + "<style:new>\nc\nd\n");
        assert_eq!(extended.encode("b a"), known.encode("b a"));
        assert_eq!(Vocabulary::parse(&extended.text()), Ok(extended));
    }

    #[test]
    fn length_classes_begin_captions_and_are_no_words() {
        let plain = Vocabulary::build(["a b b"], 1).with_styles(["one"]);
        let vocabulary = plain.clone().with_lengths(&[2, 4]);
        let text = "<end>\n<start>\n<unknown>\n<length:2>\n<length:4>\n<length:more>\n<style:one>\nb\na\n";
        assert_eq!(vocabulary.text(), text);
        assert_eq!(Vocabulary::parse(text), Ok(vocabulary.clone()));
        assert_eq!([1, 2, 3, 4, 5, 99].map(|words| vocabulary.start(words).0), [3, 3, 4, 4, 5, 5]);
        assert_eq!(
            [Some(1), Some(3), Some(4), Some(0), None].map(|class| vocabulary.start_of(class)),
            [Some(TokenId(3)), Some(TokenId(5)), None, None, None]
        );
        assert_eq!(
            (plain.start(9), plain.start_of(None), plain.start_of(Some(1))),
            (TokenId::START, Some(TokenId::START), None)
        );
        assert_eq!(
            (vocabulary.lengths(), vocabulary.first_word(), plain.first_word()),
            (3, TokenId(6), TokenId::FIRST_WORD)
        );
        assert_eq!(vocabulary.decode(&[TokenId(6), TokenId(8), TokenId(7)]).as_deref(), Some("a b"));
        assert_eq!(vocabulary.decode(&[TokenId(4), TokenId(8)]), None);
        // Styles and words may come later; the classes of other data do not.
        assert_eq!(vocabulary.clone().with_styles(["new"]).with_lengths(&[1]).lengths(), 2);
        let extended = vocabulary.extended(&Vocabulary::build(["c"], 1).with_lengths(&[7]));
        assert_eq!(extended.text(), format!("{text}c\n"));
    }

    #[test]
    fn broken_text_names_its_line() {
        let broken = vec![
            ("<end>\n<start>\na\n", 3),
            ("<end>\n<start>\n<unknown>\na\n\nb\n", 5),
            ("<end>\n<start>\n<unknown>\na\na\n", 5),
            ("<end>\n<start>\n<unknown>\na b\n", 4),
            ("<end>\n<start>\n<unknown>\n<length:more>\na\n", 4),
            ("<end>\n<start>\n<unknown>\n<length:4>\n<length:3>\n<length:more>\n", 4),
            ("<end>\n<start>\n<unknown>\n<length:4>\n<length:9>\na\n", 5),
            ("<end>\n<start>\n<unknown>\n<length:04>\n<length:more>\na\n", 4),
            ("<end>\n<start>\n<unknown>\na\n<length:4>\n<length:more>\n", 5),
        ];
        for (text, expected) in broken {
            match Vocabulary::parse(text) {
                Err(
                    VocabularyError::Special { line, .. }
                    | VocabularyError::Word { line, .. }
                    | VocabularyError::Length { line, .. },
                ) => {
                    assert_eq!(line, expected);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
