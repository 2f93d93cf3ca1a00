//! Words, hyphenated and slashed compounds, file names.

use super::Match;
use super::characters::{
    acronym_end, at, is_hyphen, is_letter, is_letter_or_digit, is_loose_apostrophe, is_space_or_end, longest_literal,
    run, some_run,
};

const FILE_EXTENSIONS: [&str; 35] = [
    "bat", "bmp", "c", "cgi", "class", "cpp", "dll", "doc", "docx", "exe", "gif", "gz", "h", "htm", "html", "jar",
    "java", "jpeg", "jpg", "mov", "mp3", "pdf", "php", "pl", "png", "ppt", "ps", "py", "sql", "tar", "txt", "wav", "x",
    "xml", "zip",
];

/// A word may hold `.`, `!` and `?` between letters.
pub(super) fn word(text: &[char], start: usize) -> Option<Match> {
    word_end(text, start).map(Match::written)
}

pub(super) fn word_end(text: &[char], start: usize) -> Option<usize> {
    let mut end = simple_word_end(text, start)?;
    while matches!(at(text, end), '.' | '!' | '?') {
        let Some(next) = simple_word_end(text, end + 1) else {
            break;
        };
        end = next;
    }
    Some(end)
}

fn simple_word_end(text: &[char], start: usize) -> Option<usize> {
    is_letter(at(text, start)).then(|| run(text, start, is_letter_or_digit))
}

/// `and/or`, `1/2/3`: up to three parts, each with up to two hyphenated additions.
pub(super) fn slashed(text: &[char], start: usize) -> Option<Match> {
    let mut end = slashed_part(text, start)?;
    let mut parts = 1;
    while parts < 3 {
        let slash = if at(text, end) == '\\' { end + 1 } else { end };
        let Some(next) = (at(text, slash) == '/').then(|| slashed_part(text, slash + 1)).flatten() else {
            break;
        };
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

/// `12.jpg`: other names of files are words.
pub(super) fn file_name(text: &[char], start: usize) -> Option<Match> {
    let mut end = some_run(text, start, is_letter_or_digit)?;
    let mut found = None;
    while at(text, end) == '.' {
        let name = end + 1;
        let Some(next) = some_run(text, name, is_letter_or_digit) else {
            break;
        };
        let ends = is_space_or_end(at(text, next)) || matches!(at(text, next), '.' | ',' | '!' | '?');
        if ends && longest_literal(text, name, &FILE_EXTENSIONS) == Some(next) {
            found = Some(next);
        }
        end = next;
    }
    found.map(Match::written)
}

/// `3-d`, `a_b`, `l'art-deco`: letters and digits joined by hyphens or underscores.
pub(super) fn thing(text: &[char], start: usize) -> Option<Match> {
    thing_end(text, start).map(Match::written)
}

pub(super) fn thing_end(text: &[char], start: usize) -> Option<usize> {
    let mut end = thing_part(text, start)?;
    while is_hyphen(at(text, end)) || at(text, end) == '_' {
        let Some(next) = thing_part(text, end + 1) else {
            break;
        };
        end = next;
    }
    Some(end)
}

fn thing_part(text: &[char], start: usize) -> Option<usize> {
    let prefixed =
        matches!(at(text, start).to_ascii_lowercase(), 'd' | 'o' | 'l') && is_loose_apostrophe(at(text, start + 1));
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
        let acronym = acronym_end(text, end + 1);
        let Some(next) = acronym.max(some_run(text, end + 1, alphanumeric)) else {
            break;
        };
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
        let Some(next) = some_run(text, joint, capital) else {
            break;
        };
        end = next;
    }
    if end > head {
        return Some(Match::written(end));
    }
    longest_literal(text, start, &["c++", "c#", "f#"]).map(Match::written)
}
