//! Synonyms from WordNet 3.1 (Princeton University), out of its file `index.sense`, one sense of a word a line (senseidx(5WN)):
//!
//! `lemma%type:file:id:head:head_id offset number count`, type 1 noun, 2 verb, 3 and 5 adjective, 4 adverb; `offset` is the
//! sense's synset, `count` how often tagged texts have it.
//!
//! A word stands for its most frequent sense over all parts of speech, and words are synonyms where these senses are one
//! synset: `plane` and `airplane`, not `plane` and `flat`. Nouns, adjectives and adverbs count; verbs do not, whose forms would
//! have to agree, nor do function words. A plural (`planes`) that is no lemma stands for its singular's sense, and has plurals
//! for synonyms. Where no tagged text has a word, the order of its senses means nothing: it counts only if it has just one.

use crate::error::Result;
use cssa::files;
use cssa::vocabulary::{TokenId, Vocabulary};
use std::collections::BTreeMap;
use std::path::Path;

/// The file that is read.
pub const FILE: &str = "index.sense";
/// It has 7 MB.
const MAX_BYTES: u64 = 1 << 26;

/// Words that make sentences, not pictures; WordNet knows some of them as chemical elements and units.
const FUNCTION_WORDS: &str = "a about above across after against all along also am among an and another any around as at away \
    back be been before behind being below beneath beside besides between both but by can could do does down each either \
    else every few for from front had has have he her here his how i if in inside into is it its just left like many may \
    more most much near nearby next no nor not of off on one only onto or other others out outside over own right same \
    several she so some such than that the their them then there these they this those through to together too toward \
    towards two under until up upon very was we were what when where which while who whose will with within without would \
    you three four five six seven eight nine ten";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Speech {
    Noun,
    Adjective,
    Adverb,
    Verb,
}

/// A meaning: part of speech and synset.
type Sense = (Speech, u32);

/// What is known of a lemma.
#[derive(Clone, Copy, Debug)]
struct Lemma {
    /// Its most frequent sense; a noun's before an adjective's and so on where counts are equal.
    sense: Sense,
    /// How often a tagged text has that.
    count: u32,
    /// How many senses it has.
    senses: usize,
}

/// The vocabulary's words by what they mean; each group has two words or more.
pub fn groups(folder: &Path, vocabulary: &Vocabulary) -> Result<Vec<Vec<TokenId>>> {
    let index = files::read_text(&folder.join(FILE), MAX_BYTES)?;
    let lemmas = lemmas(&index);
    let function: Vec<&str> = FUNCTION_WORDS.split_whitespace().collect();
    let text = vocabulary.text();
    let mut groups: BTreeMap<(Sense, bool), Vec<TokenId>> = BTreeMap::new();
    for (id, word) in text.lines().enumerate().skip(TokenId::FIRST_WORD.index()) {
        if function.contains(&word) || !word.chars().all(|letter| letter.is_ascii_lowercase()) {
            continue;
        }
        let own = lemmas.get(word).map(|lemma| (*lemma, false));
        let plural = || {
            let found = singulars(word).iter().find_map(|singular| lemmas.get(singular.as_str()));
            found.filter(|lemma| lemma.sense.0 == Speech::Noun).map(|lemma| (*lemma, true))
        };
        let known =
            |(lemma, _): &(Lemma, bool)| lemma.sense.0 != Speech::Verb && (lemma.count > 0 || lemma.senses == 1);
        if let Some((lemma, plural)) = own.or_else(plural).filter(known) {
            groups.entry((lemma.sense, plural)).or_default().push(TokenId(id as u16));
        }
    }
    Ok(groups.into_values().filter(|words| words.len() > 1).collect())
}

fn lemmas(index: &str) -> BTreeMap<&str, Lemma> {
    let mut lemmas: BTreeMap<&str, Lemma> = BTreeMap::new();
    for (name, sense, count) in index.lines().filter_map(parse) {
        let lemma = lemmas.entry(name).or_insert(Lemma { sense, count, senses: 0 });
        lemma.senses += 1;
        if count > lemma.count || (count == lemma.count && sense < lemma.sense) {
            (lemma.sense, lemma.count) = (sense, count);
        }
    }
    lemmas
}

/// Lemma, sense and count of a line.
fn parse(line: &str) -> Option<(&str, Sense, u32)> {
    let mut fields = line.split(' ');
    let (lemma, key) = fields.next()?.split_once('%')?;
    let (offset, _, count) = (fields.next()?.parse().ok()?, fields.next()?, fields.next()?);
    let speech = match key.split(':').next()? {
        "1" => Speech::Noun,
        "2" => Speech::Verb,
        "3" | "5" => Speech::Adjective,
        "4" => Speech::Adverb,
        _ => return None,
    };
    Some((lemma, (speech, offset), count.parse().ok()?))
}

/// What a regular plural may be the plural of.
fn singulars(word: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(stem) = word.strip_suffix("ies") {
        found.push(format!("{stem}y"));
    }
    if let Some(stem) = word.strip_suffix('s') {
        found.push(stem.to_owned());
    }
    found.extend(word.strip_suffix("es").map(str::to_owned));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;

    const SENSES: &str = "\
airplane%1:06:00:: 02694015 1 13
big%3:00:01:: 01385012 1 105
bus%1:06:00:: 02927512 1 14
coach%1:18:01:: 09953364 1 5
coach%1:06:01:: 02927512 5 0
flat%3:00:00:: 00000001 1 20
here%4:02:00:: 00000009 1 50
it%1:09:00:: 00000009 1 0
large%3:00:00:: 01385012 1 127
park%1:15:00:: 08633683 1 9
rails%1:06:00:: 04055004 1 0
runway%1:06:00:: 04055004 1 0
runway%1:06:01:: 04125771 2 0
park%2:35:00:: 01494845 1 2
parkland%1:15:00:: 08633683 1 0
plane%1:06:01:: 02694015 1 8
plane%2:35:01:: 01252225 1 1
plane%5:00:00:level:00 00000001 1 0
walk%2:38:00:: 01908455 1 100
saunter%2:38:00:: 01908455 1 1
";

    #[test]
    fn words_of_one_most_frequent_sense_are_synonyms() -> Result<()> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join(FILE), SENSES)?;
        let words = "plane airplane planes airplanes flat big large bus coach park parkland parks walk saunter runway rails here it";
        let vocabulary = Vocabulary::build([words], 1);
        let found = groups(folder.path(), &vocabulary)?;
        let text = vocabulary.text();
        let lines: Vec<&str> = text.lines().collect();
        let mut named: Vec<Vec<&str>> =
            found.iter().map(|group| group.iter().map(|id| lines[id.index()]).collect()).collect();
        named.sort();
        let expected: [&[&str]; 4] =
            [&["airplane", "plane"], &["airplanes", "planes"], &["big", "large"], &["park", "parkland"]];
        assert_eq!(named, expected, "a coach is a trainer first; verbs and function words have none");
        Ok(())
    }

    #[test]
    fn a_missing_file_is_named() {
        let missing = groups(Path::new("/no/wordnet"), &Vocabulary::build(["a"], 1));
        assert!(missing.is_err_and(|error| error.to_string().contains("/no/wordnet/index.sense")));
    }
}
