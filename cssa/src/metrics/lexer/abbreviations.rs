//! Abbreviations and acronyms, which keep their period.

use super::Match;
use super::characters::{acronym_end, at, is_digit, is_letter, is_space_or_end, longest_literal, run, some_run};
use super::words::{dotted_hyphenated_end, thing_end, word_end};

/// Titles and the like, which a word follows.
const BEFORE_WORD: &str = "adj adm adv alex asst atty attys ave brig capt cf cie cmdr col comdr cpl dept det dr drs elec \
    ens ft gen gov govs hon insp invt jos lieut lt maj messrs mfg mlle mme mr mrs ms msgr mt mtg natl pfc ph pres prof \
    profs pvt rep reps rev sen sens sfc sgt spc st ste supt supts treas vs wm";
/// Months, days, states and companies, which may end a sentence.
const MAY_END: &str = "al ala apr ariz assn aug bancorp bhd bldg blvd bros calif co colo conn corp cos ct dak dec ed.d esq \
    est etc ext feb fla fri ga inc ind intl jan jr jul jun kan kans ky ltd mar md mich minn mo mon mont neb nev nov oct \
    okla penn ph.d plc ppte ppty pte ptes pty ptys rd rt sep sept seq sq sr sys tel tenn thu thurs tue tues univ va vt \
    wed wis wisc wyo";
/// As [`MAY_END`], but only with a capital: in lower case they are words.
const MAY_END_CAPITALIZED: &str = "ark az del ill la mass miss ore pa tex wash";
/// No abbreviations when in capitals.
const NEVER_CAPITALS: &str = "mfg mtg ppte ppty pte ptes pty ptys";
/// Kept only before a number.
const BEFORE_NUMBER: &str = "art ca fig figs no nos op pp prop";
/// What the tokenizer reads after a [`MAY_END`] abbreviation: `etc.x` splits, `etc.xy` does not.
const CHARACTERS_AFTER_MAY_END: usize = 2;
/// Words that start a sentence: before one, a single letter loses its period.
const SENTENCE_STARTERS: &str = "A About According Additionally After An As At But Earlier He Her Here However If In It \
    Last Many More Now Once One Other Our She Since So Some Such That The Their Then There These They This We What When \
    While Yet You";

pub(super) fn abbreviation(text: &[char], start: usize) -> Option<Match> {
    acronym_end(text, start).map(Match::written).or_else(|| single_letter(text, start)).or_else(|| listed(text, start))
}

fn single_letter(text: &[char], start: usize) -> Option<Match> {
    if !at(text, start).is_ascii_alphabetic() || at(text, start + 1) != '.' {
        return None;
    }
    let starter = run(text, start + 2, is_space_or_end);
    let end = run(text, starter, is_letter);
    let splits = starter > start + 2 && is_space_or_end(at(text, end)) && lists(SENTENCE_STARTERS, &text[starter..end]);
    Some(if splits { Match::written_before(start + 1, end) } else { Match::written(start + 2) })
}

fn listed(text: &[char], start: usize) -> Option<Match> {
    let letters = some_run(text, start, |character| character.is_ascii_alphabetic())?;
    let end = longest_literal(text, start, &["ph.d", "ed.d"]).filter(|&end| at(text, end) == '.').unwrap_or(letters);
    if at(text, end) != '.' {
        return None;
    }
    let name = &text[start..end];
    let lower: Vec<char> = name.iter().map(char::to_ascii_lowercase).collect();
    if lists(NEVER_CAPITALS, &lower) && name.iter().all(char::is_ascii_uppercase) {
        return None;
    }
    let capitalized = name.first().is_some_and(char::is_ascii_uppercase);
    if lists(MAY_END, &lower) || (capitalized && lists(MAY_END_CAPITALIZED, &lower)) {
        return Some(Match::written_before(end + 1, end + 1 + CHARACTERS_AFTER_MAY_END));
    }
    if lists(BEFORE_WORD, &lower) {
        return Some(Match::written(end + 1));
    }
    let number = if is_space_or_end(at(text, end + 1)) { end + 2 } else { end + 1 };
    let numbered = lists(BEFORE_NUMBER, &lower) && is_digit(at(text, number));
    numbered.then(|| Match::written_before(end + 1, number + 1))
}

fn lists(list: &str, name: &[char]) -> bool {
    let name: String = name.iter().collect();
    list.split_whitespace().any(|listed| listed == name)
}

/// A word with a period directly before a comma, semicolon or colon keeps the period: `trees.,`.
pub(super) fn before_inner_punctuation(text: &[char], start: usize) -> Option<Match> {
    let ends = [word_end(text, start), thing_end(text, start), dotted_hyphenated_end(text, start)];
    let end = ends.into_iter().flatten().filter(|&end| at(text, end) == '.').max()?;
    let inner = matches!(at(text, end + 1), ',' | ';' | ':' | '\u{3001}');
    inner.then(|| Match::written_before(end + 1, end + 2))
}
