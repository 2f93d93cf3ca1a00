//! Markup tags, web addresses, e-mail addresses, mentions and hash tags.

use super::Match;
use super::characters::{at, is_letter, is_space_or_end, literal, run, some_run};

const DOMAINS: [&str; 4] = ["com", "net", "org", "edu"];

/// `<unk>`, `</a>`, `<!x>`.
pub(super) fn tag(text: &[char], start: usize) -> Option<Match> {
    if at(text, start) != '<' {
        return None;
    }
    let name = if at(text, start + 1) == '/' { start + 2 } else { start + 1 };
    let special = name == start + 1
        && matches!(at(text, name), '!' | '?')
        && (at(text, name + 1).is_ascii_alphabetic() || at(text, name + 1) == '-');
    if !special && !at(text, name).is_ascii_alphabetic() {
        return None;
    }
    let is_name = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | ':' | '.' | '-');
    let mut end =
        if special { run(text, name, |character| !matches!(character, '>' | '\n')) } else { run(text, name, is_name) };
    if name == start + 1 && at(text, run(text, end, |character| character == ' ')) != '>' {
        end = attributes_end(text, end, is_name);
        if at(text, end) == '/' {
            end += 1;
        }
    }
    end = run(text, end, |character| character == ' ');
    (at(text, end) == '>').then(|| Match::written(end + 1))
}

fn attributes_end(text: &[char], start: usize, is_name: impl Fn(char) -> bool + Copy) -> usize {
    let mut end = start;
    loop {
        let spaces = run(text, end, |character| character == ' ');
        if spaces == end || !at(text, spaces).is_ascii_alphabetic() {
            return spaces;
        }
        end = run(text, spaces, is_name);
        let equals = run(text, end, |character| character == ' ');
        if at(text, equals) != '=' {
            continue;
        }
        let value = run(text, equals + 1, |character| character == ' ');
        if !matches!(at(text, value), '"' | '\'') {
            return equals;
        }
        let close = run(text, value + 1, |character| !matches!(character, '"' | '\'' | '\n'));
        if !matches!(at(text, close), '"' | '\'') {
            return equals;
        }
        end = close + 1;
    }
}

fn in_address(character: char) -> bool {
    !is_space_or_end(character) && !matches!(character, '"' | '<' | '>' | '|' | '(' | ')')
}

fn ends_address(character: char) -> bool {
    in_address(character) && !matches!(character, '.' | '!' | '?' | '{' | '}' | ',' | '-')
}

/// End of two or more address characters, the last of which may end an address.
fn address_end(text: &[char], start: usize) -> Option<usize> {
    let end = run(text, start, in_address);
    (start + 2..=end).rev().find(|&end| ends_address(at(text, end - 1)))
}

pub(super) fn url(text: &[char], start: usize) -> Option<Match> {
    let end = literal(text, start, "https://").or_else(|| literal(text, start, "http://"))?;
    address_end(text, end).map(Match::written)
}

/// `www.example.com`, `example.org/path`.
pub(super) fn bare_domain(text: &[char], start: usize) -> Option<Match> {
    let ends = world_wide_web(text, start).into_iter().chain(plain_domain(text, start));
    ends.map(|end| path_end(text, end)).max().map(Match::written)
}

fn path_end(text: &[char], domain: usize) -> usize {
    if at(text, domain) == '/' { address_end(text, domain + 1).unwrap_or(domain) } else { domain }
}

fn world_wide_web(text: &[char], start: usize) -> Vec<usize> {
    let in_label = |character: char| ends_address(character) || character == '-';
    let mut ends = Vec::new();
    let Some(mut label) = literal(text, start, "www.") else {
        return ends;
    };
    while let Some(dot) = some_run(text, label, in_label).filter(|&end| at(text, end) == '.') {
        label = dot + 1;
        let letters = run(text, label, |character| character.is_ascii_alphabetic()) - label;
        ends.extend((2..=4).filter(|&count| count <= letters).map(|count| label + count));
    }
    ends
}

fn plain_domain(text: &[char], start: usize) -> Vec<usize> {
    let in_label = |character: char| {
        !is_space_or_end(character)
            && !matches!(character, '!' | '"' | '$' | '\'' | '(' | ')' | ','..='`' | '{' | '|' | '}')
    };
    let mut ends = Vec::new();
    let mut label = start;
    while let Some(dot) = some_run(text, label, in_label).filter(|&end| at(text, end) == '.') {
        label = dot + 1;
        ends.extend(DOMAINS.iter().filter_map(|domain| literal(text, label, domain)));
    }
    ends
}

/// `a@b.org`, possibly in angle brackets.
pub(super) fn email(text: &[char], start: usize) -> Option<Match> {
    let first = if at(text, start) == '<' { start + 1 } else { start };
    if !at(text, first).is_ascii_alphanumeric() {
        return None;
    }
    let local = run(text, first + 1, in_email);
    (first + 1..local)
        .filter(|&sign| at(text, sign) == '@')
        .filter_map(|sign| host_end(text, sign + 1))
        .max()
        .map(Match::written)
}

fn host_end(text: &[char], start: usize) -> Option<usize> {
    let in_label = |character: char| in_email(character) && character != '.';
    let mut end = some_run(text, start, in_label)?;
    while at(text, end) == '.' {
        let Some(next) = some_run(text, end + 1, in_label) else {
            break;
        };
        end = next;
    }
    Some(if at(text, end) == '>' { end + 1 } else { end })
}

fn in_email(character: char) -> bool {
    in_address(character) && !matches!(character, '{' | '}')
}

/// `@user` and `#tag`.
pub(super) fn mention(text: &[char], start: usize) -> Option<Match> {
    let name = start + 1;
    let end = match at(text, start) {
        '@' if at(text, name).is_ascii_alphabetic() || at(text, name) == '_' => {
            run(text, name, |character| character.is_ascii_alphanumeric() || character == '_')
        }
        '#' if is_letter(at(text, name)) => run(text, name, is_letter),
        _ => return None,
    };
    Some(Match::written(end))
}
