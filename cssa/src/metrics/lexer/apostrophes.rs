//! Words with apostrophes: contractions, fused pairs, clipped words.

use super::Match;
use super::characters::{
    apostrophe_and, at, is_apostrophe, is_digit, is_letter, is_loose_apostrophe, is_space_or_end, is_vowel, literal,
    longest_literal, run, some_run,
};
use super::words::word_end;

/// Pairs written as one word and the length of the first part.
const FUSED: [(&str, usize); 8] =
    [("cannot", 3), ("gonna", 3), ("gotta", 3), ("lemme", 3), ("gimme", 3), ("wanna", 3), ("'tis", 2), ("'twas", 2)];
/// After the apostrophe of a contraction.
const ENDINGS: [&str; 6] = ["s", "m", "d", "re", "ve", "ll"];
/// Words kept whole in spite of their apostrophe, which has to be the ASCII one.
const WHOLE: [&str; 9] = ["o'o", "c'mon", "nor'easter", "li'l", "ev'ry", "nat'l", "s'mores", "e'er", "o'er"];
/// Kept whole with what follows an apostrophe of any form.
const CLIPPED_BEFORE: [&str; 4] = ["em", "cause", "til", "till"];
/// Kept whole with an apostrophe of any form after.
const CLIPPED_AFTER: [&str; 6] = ["l", "d", "j", "ol", "dunkin", "somethin"];

pub(super) fn fused(text: &[char], start: usize) -> Option<Match> {
    FUSED
        .iter()
        .find_map(|(pair, first)| literal(text, start, pair).map(|end| Match::written_before(start + first, end)))
}

/// `it` of `it's`.
pub(super) fn before_contraction(text: &[char], start: usize) -> Option<Match> {
    let end = word_end(text, start)?;
    ending(text, end).map(|seen| Match::written_before(end, seen))
}

/// `do` of `don't`.
pub(super) fn before_negation(text: &[char], start: usize) -> Option<Match> {
    let letters = some_run(text, start, |character| character.is_ascii_alphabetic())?;
    let end = letters.checked_sub(1).filter(|&end| end > start && !at(text, end - 1).eq_ignore_ascii_case(&'n'))?;
    negation_end(text, end).map(|seen| Match::written_before(end, seen))
}

fn ending(text: &[char], start: usize) -> Option<usize> {
    ENDINGS.iter().filter_map(|rest| apostrophe_and(text, start, rest)).max()
}

fn negation_end(text: &[char], start: usize) -> Option<usize> {
    let matches = at(text, start).eq_ignore_ascii_case(&'n')
        && is_loose_apostrophe(at(text, start + 1))
        && at(text, start + 2).eq_ignore_ascii_case(&'t');
    matches.then_some(start + 3)
}

/// `'s`, `n't` by themselves. An ASCII apostrophe opens a quotation where a letter follows the ending.
pub(super) fn contraction(text: &[char], start: usize) -> Option<Match> {
    let end = ending(text, start).or_else(|| negation_end(text, start))?;
    let opens = at(text, start) == '\'' || at(text, start + 1) == '\'';
    if !opens {
        return Some(Match::with_plain_quotes(end, end));
    }
    (!at(text, end).is_ascii_alphabetic()).then(|| Match::with_plain_quotes(end, end + 1))
}

pub(super) fn apostrophe_word(text: &[char], start: usize) -> Option<Match> {
    [
        longest_literal(text, start, &WHOLE),
        clipped(text, start),
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

/// `'n'`, and `'n` before a space or with a typographic apostrophe.
fn shortened_and(text: &[char], start: usize) -> Option<usize> {
    let end = apostrophe_and(text, start, "n")?;
    if is_apostrophe(at(text, end)) {
        return Some(end + 1);
    }
    (at(text, start) != '\'' || is_space_or_end(at(text, end))).then_some(end)
}

fn clipped(text: &[char], start: usize) -> Option<usize> {
    let before = CLIPPED_BEFORE.iter().filter_map(|rest| apostrophe_and(text, start, rest));
    let after = CLIPPED_AFTER
        .iter()
        .filter_map(|word| literal(text, start, word).filter(|&end| is_apostrophe(at(text, end))).map(|end| end + 1));
    before.chain(after).max()
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
    let matches = at(text, start).eq_ignore_ascii_case(&'y')
        && is_apostrophe(at(text, start + 1))
        && is_letter(at(text, start + 2));
    matches.then(|| Match::written_before(start + 2, start + 3))
}
