//! Words of captions that name objects and are in no object group: what a table of groups may lack.
//!
//! No dictionary is asked; where a word stands tells a noun. It ends a noun phrase where an end, a verb of being or a preposition
//! follows it, and where an article, a number or a preposition stands up to four words before it with none of these and no known
//! object between: "*a* thick palm **grove** *is*", "*near* the **shrine**". Plurals need no article: "**shrubs** *in*". A word that stands
//! so in two of five of its places is listed, unless it only says where or how much ("side", "number"). Adjectives, participles and
//! verbs stand otherwise; of the words that are listed some are none all the same.

use cssa::metrics::objects::ObjectGroups;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A word that is said by fewer captions is left out.
const MIN_CAPTIONS: usize = 5;
/// Share of a word's places at the end of a noun phrase, from which on it is taken for a noun.
const MIN_SHARE: f64 = 0.4;
/// Most words between a noun and what opens its phrase.
const MAX_BETWEEN: usize = 3;

/// Words that open a noun phrase; they end the one before as well.
const OPENING: &str = "a an the some several many few two three four five six seven eight nine ten one this these those its their no \
    other another each both all every any with of in on at by near beside besides around along from between among amongst into over \
    under through across behind inside outside above below against within without onto upon towards toward amid amidst throughout \
    beyond for";
/// Words that end a noun phrase and open none.
const ENDING: &str = "and or to is are was were be been being there that it which where while as next has have had not but also very so \
    can could may will would them they our us we you i he she his her than then when what who off down up via like";
/// Nouns that say where, how many or what shape, and name no object.
const GENERAL: &str = "amount amounts area areas back background base bit bits body bottom bunch center centre circle circles cluster \
    clusters color colors colour colours corner corners couple direction directions distance edge edges end ends figure form front group \
    groups half image kind kinds left line lines lot lots manner mid middle midst mix most north number numbers ones order others pair \
    pairs part parts pattern patterns photo picture piece pieces place places plenty portion portions position positions presence region \
    regions right row rows scene section sections series set shape shapes side sides size sizes sort sorts south east west spot spots \
    stretch strip strips style styles surface texture textures things top total type types variety view way zone zones";

/// A word and how many captions say it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WordCount {
    /// The word, in small letters.
    pub word: String,
    /// Captions that say it.
    pub captions: usize,
}

/// The words of `captions` that name an object as far as their places tell, and are in none of `groups`; most frequent first.
pub fn ungrouped<'a>(captions: impl IntoIterator<Item = &'a str>, groups: &ObjectGroups) -> Vec<WordCount> {
    let set = |text: &'static str| text.split_whitespace().collect::<HashSet<&str>>();
    let (opening, ending, general) = (set(OPENING), set(ENDING), set(GENERAL));
    let ends = |word: &str| opening.contains(word) || ending.contains(word);
    let mut seen: BTreeMap<String, Places> = BTreeMap::new();
    for caption in captions {
        let lower = caption.to_lowercase();
        let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_lowercase()).filter(|word| !word.is_empty()).collect();
        for word in words.iter().collect::<BTreeSet<_>>() {
            seen.entry((*word).to_owned()).or_default().captions += 1;
        }
        for (n, word) in words.iter().enumerate() {
            let before = words[..n].iter().rev().enumerate();
            let stops = |&(between, word): &(usize, &&str)| {
                between == MAX_BETWEEN || ends(word) || groups.group(word).is_some()
            };
            let opener = before.clone().find(stops).map(|(_, word)| *word);
            let opens = match opener {
                Some(word) if opening.contains(word) => true,
                Some("and" | "or") | None => word.ends_with('s'),
                Some(_) => false,
            };
            let is_last = words.get(n + 1).is_none_or(|next| ends(next));
            let places = seen.entry((*word).to_owned()).or_default();
            places.all += 1;
            places.at_an_end += usize::from(is_last && opens);
        }
    }
    let is_noun = |(word, places): &(String, Places)| {
        let share = places.at_an_end as f64 / places.all.max(1) as f64;
        let is_new = groups.group(word).is_none() && !ends(word) && !general.contains(word.as_str());
        is_new && word.len() > 1 && places.captions >= MIN_CAPTIONS && share >= MIN_SHARE
    };
    let nouns = seen.into_iter().filter(is_noun).map(|(word, places)| WordCount { word, captions: places.captions });
    let mut nouns: Vec<WordCount> = nouns.collect();
    nouns.sort_by(|a, b| b.captions.cmp(&a.captions).then_with(|| a.word.cmp(&b.word)));
    nouns
}

/// Where a word stands.
#[derive(Default)]
struct Places {
    captions: usize,
    all: usize,
    at_an_end: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_without_a_group_are_told_by_their_places() {
        let captions = [
            "a thick palm grove is near the shrine",
            "many sheds are present in the green area",
            "shrubs are spotted near a road",
            "a grove and sheds exist beside two roads",
        ];
        let found = ungrouped(captions.repeat(5), &ObjectGroups::default());
        let found: Vec<(&str, usize)> = found.iter().map(|found| (found.word.as_str(), found.captions)).collect();
        assert_eq!(found, [("grove", 10), ("sheds", 10), ("shrine", 5), ("shrubs", 5)]);
        assert_eq!(ungrouped(captions, &ObjectGroups::default()), [], "said by fewer captions than five");
        let own = ObjectGroups::parse("grove groves\nshed sheds # in fields\nshrub shrubs");
        let left = ungrouped(captions.repeat(5), &own);
        let left: Vec<&str> = left.iter().map(|found| found.word.as_str()).collect();
        assert_eq!(left, ["road", "roads", "shrine"]);
    }
}
