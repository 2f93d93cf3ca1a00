//! Character classes of the scanner and small matchers over them.

/// Line breaks inside a sentence would end it; they read as spaces.
pub(super) fn without_line_break(character: char) -> char {
    match character {
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
        other => other,
    }
}

/// A token as it is written out: no plain spaces, no soft hyphens, round brackets by name.
pub(super) fn written(characters: &[char]) -> String {
    let mut token = String::new();
    for &character in characters.iter().filter(|&&character| character != SOFT_HYPHEN) {
        match character {
            ' ' => token.push('\u{a0}'),
            '(' => token.push_str("-lrb-"),
            ')' => token.push_str("-rrb-"),
            other => token.push(other),
        }
    }
    token
}

/// As [`written`], with quotes in the ASCII of the Penn Treebank.
pub(super) fn written_with_plain_quotes(characters: &[char]) -> String {
    let mut token = String::new();
    for &character in characters {
        match character {
            '\u{91}' | '\u{2018}' | '\u{201b}' | '\u{2039}' => token.push('`'),
            '\u{92}' | '\u{2019}' | '\u{203a}' => token.push('\''),
            '\u{93}' | '\u{201c}' | '\u{ab}' => token.push_str("``"),
            '\u{94}' | '\u{201d}' | '\u{bb}' => token.push_str("''"),
            other => token.push(other),
        }
    }
    token
}

pub(super) const SOFT_HYPHEN: char = '\u{ad}';

pub(super) fn at(text: &[char], position: usize) -> char {
    text.get(position).copied().unwrap_or('\n')
}

pub(super) fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{3000}')
}

pub(super) fn is_space_or_end(character: char) -> bool {
    is_space(character) || character == '\n'
}

/// Letters of words; characters beyond the basic plane are unknown to the tokenizer.
pub(super) fn is_letter(character: char) -> bool {
    let basic = u32::from(character) < 0x1_0000;
    basic
        && (character == SOFT_HYPHEN
            || matches!(character, '\u{300}'..='\u{36f}')
            || (character.is_alphabetic() && !matches!(character, '\u{2160}'..='\u{24ff}')))
}

pub(super) fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
}

pub(super) fn is_letter_or_digit(character: char) -> bool {
    is_letter(character) || is_digit(character)
}

pub(super) fn is_apostrophe(character: char) -> bool {
    matches!(character, '\'' | '\u{92}' | '\u{2019}')
}

/// What some words accept as an apostrophe too.
pub(super) fn is_loose_apostrophe(character: char) -> bool {
    is_apostrophe(character) || matches!(character, '`' | '\u{91}' | '\u{2018}' | '\u{201b}')
}

pub(super) fn is_hyphen(character: char) -> bool {
    matches!(character, '-' | '\u{58a}' | '\u{2010}' | '\u{2011}')
}

pub(super) fn is_vowel(character: char) -> bool {
    matches!(character.to_ascii_lowercase(), 'a' | 'e' | 'i' | 'o' | 'u')
}

/// End of the longest run of characters of a class.
pub(super) fn run(text: &[char], start: usize, class: impl Fn(char) -> bool) -> usize {
    start + text.get(start..).unwrap_or(&[]).iter().take_while(|&&character| class(character)).count()
}

/// As [`run`], but `None` for an empty run.
pub(super) fn some_run(text: &[char], start: usize, class: impl Fn(char) -> bool) -> Option<usize> {
    Some(run(text, start, class)).filter(|&end| end > start)
}

/// End of a literal, compared without regard to ASCII case.
pub(super) fn literal(text: &[char], start: usize, literal: &str) -> Option<usize> {
    let mut position = start;
    for expected in literal.chars() {
        let found = at(text, position);
        if !found.eq_ignore_ascii_case(&expected) {
            return None;
        }
        position += 1;
    }
    Some(position)
}

/// End of an apostrophe of any form and a literal after it.
pub(super) fn apostrophe_and(text: &[char], start: usize, rest: &str) -> Option<usize> {
    is_apostrophe(at(text, start)).then(|| literal(text, start + 1, rest)).flatten()
}

/// End of the longest of several literals.
pub(super) fn longest_literal(text: &[char], start: usize, literals: &[&str]) -> Option<usize> {
    literals.iter().filter_map(|candidate| literal(text, start, candidate)).max()
}

/// `u.s.`: two or more single letters, each with its period.
pub(super) fn acronym_end(text: &[char], start: usize) -> Option<usize> {
    let mut end = start;
    while at(text, end).is_ascii_alphabetic() && at(text, end + 1) == '.' {
        end += 2;
    }
    (end >= start + 4).then_some(end)
}
