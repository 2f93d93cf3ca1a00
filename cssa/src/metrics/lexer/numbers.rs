//! Numbers, fractions and telephone numbers.

use super::Match;
use super::characters::{at, is_digit, run};

pub(super) fn number(text: &[char], start: usize) -> Option<Match> {
    let unsigned = if matches!(at(text, start), '-' | '+') { start + 1 } else { start };
    number_end(text, unsigned).map(Match::written)
}

/// Digits in groups that `.`, `,` or `:` begins.
pub(super) fn number_end(text: &[char], start: usize) -> Option<usize> {
    let mut end = run(text, start, is_digit);
    while is_separator(at(text, end)) && is_digit(at(text, end + 1)) {
        end = run(text, end + 1, is_digit);
    }
    (end > start).then_some(end)
}

fn is_separator(character: char) -> bool {
    matches!(character, '.' | ',' | ':' | '\u{ad}' | '\u{66b}' | '\u{66c}')
}

/// `20/11/2003`, `1-2-03`.
pub(super) fn date(text: &[char], start: usize) -> Option<Match> {
    let is_joint = |character: char| matches!(character, '-' | '/');
    let day = digits(text, start, 1, 2).filter(|&end| is_joint(at(text, end)))?;
    let month = digits(text, day + 1, 1, 2).filter(|&end| is_joint(at(text, end)))?;
    let end = run(text, month + 1, is_digit).min(month + 5);
    (end >= month + 3).then(|| Match::written(end))
}

/// `3/4`, `1 3/4`, `1-3/4`.
pub(super) fn fraction(text: &[char], start: usize) -> Option<Match> {
    let whole = digits(text, start, 1, 4)
        .filter(|&end| matches!(at(text, end), ' ' | '-' | '\u{a0}'))
        .and_then(|end| simple_fraction(text, end + 1));
    whole.or_else(|| simple_fraction(text, start)).map(Match::written)
}

fn simple_fraction(text: &[char], start: usize) -> Option<usize> {
    let numerator = digits(text, start, 1, 4)?;
    let slash = if at(text, numerator) == '\\' { numerator + 1 } else { numerator };
    if !matches!(at(text, slash), '/' | '\u{2044}') {
        return None;
    }
    let end = run(text, slash + 1, is_digit).min(slash + 5);
    (end > slash + 1).then_some(end)
}

/// A whole run of `least` to `most` digits.
fn digits(text: &[char], start: usize, least: usize, most: usize) -> Option<usize> {
    let end = run(text, start, is_digit);
    (least..=most).contains(&(end - start)).then_some(end)
}

/// The longest telephone number: optional country and area parts, then 3–4 and 3–5 digits.
pub(super) fn phone(text: &[char], start: usize) -> Option<Match> {
    let mut ends = Vec::new();
    for area in area_ends(text, start) {
        for middle in digit_ends(text, area, 3, 4) {
            let joint = if is_phone_gap(at(text, middle)) { middle + 1 } else { middle };
            for from in [middle, joint] {
                ends.extend(digit_ends(text, from, 3, 5));
            }
        }
    }
    ends.extend(dotted_phone(text, start));
    ends.into_iter().max().map(Match::written)
}

fn is_phone_gap(character: char) -> bool {
    matches!(character, '-' | ' ' | '\u{a0}')
}

/// Ends of every prefix of the digits at `start` that has `least` to `most` of them.
fn digit_ends(text: &[char], start: usize, least: usize, most: usize) -> std::ops::RangeInclusive<usize> {
    let available = run(text, start, is_digit) - start;
    start + least..=start + most.min(available)
}

fn area_ends(text: &[char], start: usize) -> Vec<usize> {
    if at(text, start) == '(' {
        return digits(text, start + 1, 2, 3)
            .filter(|&end| at(text, end) == ')')
            .map(|end| if matches!(at(text, end + 1), ' ' | '\u{a0}') { vec![end + 1, end + 2] } else { vec![end + 1] })
            .unwrap_or_default();
    }
    let first = country_start(text, start);
    let mut ends = Vec::new();
    if let Some(code) = digits(text, first, 2, 4).filter(|&end| is_phone_gap(at(text, end))) {
        ends.push(code + 1);
        ends.extend(digits(text, code + 1, 2, 4).filter(|&end| is_phone_gap(at(text, end))).map(|end| end + 1));
    }
    ends
}

fn country_start(text: &[char], start: usize) -> usize {
    run(text, start, |character| character == '+').min(start + 2)
}

/// `212.555.1234`, possibly with a leading code.
fn dotted_phone(text: &[char], start: usize) -> Option<usize> {
    let mut parts = Vec::new();
    let mut position = country_start(text, start);
    while parts.len() < 4 {
        let end = run(text, position, is_digit);
        parts.push((position, end));
        if at(text, end) != '.' {
            break;
        }
        position = end + 1;
    }
    (3..=parts.len()).rev().find_map(|count| {
        let lengths: Vec<usize> = parts[..count].iter().map(|(from, to)| to - from).collect();
        let (last, leading) = lengths.split_last()?;
        let (middle, codes) = leading.split_last()?;
        let matches = (3..=4).contains(middle) && *last >= 3 && codes.iter().all(|code| (2..=4).contains(code));
        matches.then(|| parts[count - 1].0 + (*last).min(5))
    })
}
