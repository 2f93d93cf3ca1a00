//! Words: contractions, apostrophe words, hyphenated and slashed compounds.

use super::Match;
use super::characters::{
    at, is_apostrophe, is_digit, is_hyphen, is_letter, is_letter_or_digit, is_loose_apostrophe, is_space_or_end,
    is_vowel, literal, longest_literal, run, some_run,
};

/// Pairs written as one word and the length of the first part.
const FUSED: [(&str, usize); 8] = [
    ("cannot", 3),
    ("gonna", 3),
    ("gotta", 3),
    ("lemme", 3),
    ("gimme", 3),
    ("wanna", 3),
    ("'tis", 2),
    ("'twas", 2),
];
const ENDINGS: [&str; 6] = ["'s", "'m", "'d", "'re", "'ve", "'ll"];
/// Words kept whole in spite of their apostrophe.
const WHOLE: [&str; 19] = [
    "'n'", "'em", "'cause", "'til", "'till", "l'", "d'", "j'", "dunkin'", "somethin'", "ol'", "c'mon",
    "nor'easter", "li'l", "ev'ry", "nat'l", "s'mores", "e'er", "o'er",
];

pub(super) fn fused(text: &[char], start: usize) -> Option<Match> {
    FUSED
        .iter()
        .find_map(|(pair, first)| literal(text, start, pair).map(|end| Match::written_before(start + first, end)))
}

/// A word may hold `.`, `!` and `?` between letters.
pub(super) fn word(text: &[char], start: usize) -> Option<Match> {
    word_end(text, start).map(Match::written)
}

pub(super) fn word_end(text: &[char], start: usize) -> Option<usize> {
    let mut end = simple_word_end(text, start)?;
    while matches!(at(text, end), '.' | '!' | '?') {
        let Some(next) = simple_word_end(text, end + 1) else { break };
        end = next;
    }
    Some(end)
}

fn simple_word_end(text: &[char], start: usize) -> Option<usize> {
    is_letter(at(text, start)).then(|| run(text, start, is_letter_or_digit))
}

/// `it` of `it's`.
pub(super) fn before_contraction(text: &[char], start: usize) -> Option<Match> {
    let end = word_end(text, start)?;
    longest_literal(text, end, &ENDINGS).map(|seen| Match::written_before(end, seen))
}

/// `do` of `don't`.
pub(super) fn before_negation(text: &[char], start: usize) -> Option<Match> {
    let letters = some_run(text, start, |character| character.is_ascii_alphabetic())?;
    let end = letters.checked_sub(1).filter(|&end| end > start && !at(text, end - 1).eq_ignore_ascii_case(&'n'))?;
    negation_end(text, end).map(|seen| Match::written_before(end, seen))
}

fn negation_end(text: &[char], start: usize) -> Option<usize> {
    let matches = at(text, start).eq_ignore_ascii_case(&'n')
        && is_loose_apostrophe(at(text, start + 1))
        && at(text, start + 2).eq_ignore_ascii_case(&'t');
    matches.then_some(start + 3)
}

/// `'s`, `n't` where no letter follows.
pub(super) fn contraction(text: &[char], start: usize) -> Option<Match> {
    let end = longest_literal(text, start, &ENDINGS).or_else(|| negation_end(text, start))?;
    (!at(text, end).is_ascii_alphabetic()).then(|| Match::written_before(end, end + 1))
}

pub(super) fn apostrophe_word(text: &[char], start: usize) -> Option<Match> {
    [
        longest_literal(text, start, &WHOLE),
        short_year(text, start),
        shortened_and(text, start),
        initial_with_apostrophe(text, start),
        apostrophe_between_vowels(text, start),
    ]
    .into_iter()
    .flatten()
    .max()
    .map(Match::written)
}

/// `'90s`, and `'95` before a space.
fn short_year(text: &[char], start: usize) -> Option<usize> {
    let (tens, ones, after) = (at(text, start + 1), at(text, start + 2), at(text, start + 3));
    if !is_apostrophe(at(text, start)) || !is_digit(tens) || !is_digit(ones) {
        return None;
    }
    if matches!(tens, '2'..='9') && ones == '0' && after.eq_ignore_ascii_case(&'s') {
        return Some(start + 4);
    }
    is_space_or_end(after).then_some(start + 3)
}

/// `'n` before a space.
fn shortened_and(text: &[char], start: usize) -> Option<usize> {
    literal(text, start, "'n").filter(|&end| is_space_or_end(at(text, end)))
}

/// `D'Arcy`, `O'Neil`.
fn initial_with_apostrophe(text: &[char], start: usize) -> Option<usize> {
    let initial = at(text, start);
    let named = (initial.is_ascii_uppercase() && !matches!(initial, 'I' | 'Y')) || initial == 'n';
    if !named || !is_loose_apostrophe(at(text, start + 1)) {
        return None;
    }
    some_run(text, start + 2, is_letter).filter(|&end| end >= start + 4)
}

/// `ma'am`: at least two letters, the last a vowel or y, before the apostrophe.
fn apostrophe_between_vowels(text: &[char], start: usize) -> Option<usize> {
    let apostrophe = some_run(text, start, is_letter).filter(|&end| end >= start + 2)?;
    let before = at(text, apostrophe - 1);
    let after = at(text, apostrophe + 1);
    let matches = (is_vowel(before) || before.eq_ignore_ascii_case(&'y'))
        && is_loose_apostrophe(at(text, apostrophe))
        && (matches!(after, 'a' | 'e' | 'i' | 'o' | 'u') || after.is_ascii_uppercase());
    matches.then(|| run(text, apostrophe + 1, is_letter))
}

/// `y'` of `y'all`.
pub(super) fn y_apostrophe(text: &[char], start: usize) -> Option<Match> {
    let end = literal(text, start, "y'")?;
    is_letter(at(text, end)).then(|| Match::written_before(end, end + 1))
}

/// `and/or`, `1/2/3`: up to three parts, each with up to two hyphenated additions.
pub(super) fn slashed(text: &[char], start: usize) -> Option<Match> {
    let mut end = slashed_part(text, start)?;
    let mut parts = 1;
    while parts < 3 {
        let slash = if at(text, end) == '\\' { end + 1 } else { end };
        let Some(next) = (at(text, slash) == '/').then(|| slashed_part(text, slash + 1)).flatten() else { break };
        end = next;
        parts += 1;
    }
    (parts > 1).then(|| Match::written(end))
}

fn slashed_part(text: &[char], start: usize) -> Option<usize> {
    let mut end = some_run(text, start, |character| character.is_ascii_alphanumeric())?;
    for _ in 0..2 {
        let Some(next) = (at(text, end) == '-')
            .then(|| some_run(text, end + 1, |character| character.is_ascii_alphabetic()))
            .flatten()
        else {
            break;
        };
        end = next;
    }
    Some(end)
}

/// `3-d`, `a_b`, `l'art-deco`: letters and digits joined by hyphens or underscores.
pub(super) fn thing(text: &[char], start: usize) -> Option<Match> {
    thing_end(text, start).map(Match::written)
}

pub(super) fn thing_end(text: &[char], start: usize) -> Option<usize> {
    let mut end = thing_part(text, start)?;
    while is_hyphen(at(text, end)) || at(text, end) == '_' {
        let Some(next) = thing_part(text, end + 1) else { break };
        end = next;
    }
    Some(end)
}

fn thing_part(text: &[char], start: usize) -> Option<usize> {
    let prefixed = matches!(at(text, start).to_ascii_lowercase(), 'd' | 'o' | 'l') && is_loose_apostrophe(at(text, start + 1));
    if prefixed && is_letter_or_digit(at(text, start + 2)) && is_letter_or_digit(at(text, start + 3)) {
        return some_run(text, start + 2, is_letter_or_digit);
    }
    some_run(text, start, is_letter_or_digit)
}

/// `1.5-inch`, `u.s.-based`, `pre-u.s.`: the first part may hold periods and commas, a later one may be an acronym.
pub(super) fn dotted_hyphenated(text: &[char], start: usize) -> Option<Match> {
    dotted_hyphenated_end(text, start).map(Match::written)
}

pub(super) fn dotted_hyphenated_end(text: &[char], start: usize) -> Option<usize> {
    let alphanumeric = |character: char| character.is_ascii_alphanumeric();
    some_run(text, start, alphanumeric)?;
    let head = run(text, start, |character| alphanumeric(character) || matches!(character, '.' | ','));
    let mut end = head;
    while at(text, end) == '-' {
        let acronym = super::abbreviations::acronym_end(text, end + 1);
        let Some(next) = acronym.max(some_run(text, end + 1, alphanumeric)) else { break };
        end = next;
    }
    (end > head).then_some(end)
}

/// `AT&T`, `A+B`; also `C++` and `c#`.
pub(super) fn joined_capitals(text: &[char], start: usize) -> Option<Match> {
    let capital = |character: char| character.is_ascii_uppercase();
    let mut end = run(text, start, capital);
    let head = end;
    while end > start {
        let joint = match at(text, end) {
            '+' | '&' => end + 1,
            _ => break,
        };
        let Some(next) = some_run(text, joint, capital) else { break };
        end = next;
    }
    if end > head {
        return Some(Match::written(end));
    }
    longest_literal(text, start, &["c++", "c#", "f#"]).map(Match::written)
}
