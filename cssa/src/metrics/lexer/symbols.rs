//! Punctuation, brackets, quotes, dashes, currency, smileys and single symbols.

use super::Match;
use super::characters::{at, is_digit, is_letter, literal, longest_literal, run};

/// Characters or entities written as another token.
const REWRITTEN: [(&str, &str); 28] = [
    ("(", "-lrb-"),
    (")", "-rrb-"),
    ("[", "-lsb-"),
    ("]", "-rsb-"),
    ("{", "-lcb-"),
    ("}", "-rcb-"),
    ("\u{80}", "$"),
    ("\u{a4}", "$"),
    ("\u{20a0}", "$"),
    ("\u{20ac}", "$"),
    ("£", "#"),
    ("¢", "cents"),
    ("¼", "1/4"),
    ("½", "1/2"),
    ("¾", "3/4"),
    ("⅓", "1/3"),
    ("⅔", "2/3"),
    ("…", "..."),
    ("\u{ad}", "-"),
    ("\"", "''"),
    ("\u{96}", "--"),
    ("\u{97}", "--"),
    ("&mdash;", "--"),
    ("&ndash;", "--"),
    ("&md;", "--"),
    ("&amp;", "&"),
    ("&lt;", "<"),
    ("&gt;", ">"),
];
const REWRITTEN_ENTITIES: [(&str, &str); 2] = [("&quot;", "''"), ("&apos;", "'")];

pub(super) fn symbol(text: &[char], start: usize) -> Option<Match> {
    let rules = [smiley, face, character_reference, repeated, dots, currency, quotes, rewritten, single];
    let mut best: Option<Match> = None;
    for found in rules.iter().filter_map(|rule| rule(text, start)) {
        if best.as_ref().is_none_or(|best| found.seen > best.seen) {
            best = Some(found);
        }
    }
    best
}

/// `:-)`, `=D`: not before a letter or digit.
fn smiley(text: &[char], start: usize) -> Option<Match> {
    let eyes = if matches!(at(text, start), '<' | '>') { start + 1 } else { start };
    if !matches!(at(text, eyes), ':' | ';' | '=') {
        return None;
    }
    let is_mouth = |character: char| {
        matches!(character, '(' | ')' | 'D' | 'P' | 'd' | 'p' | 'O' | '\\' | '{' | '@' | '|' | '[' | ']')
    };
    let nose = eyes + 1;
    let with_nose = matches!(at(text, nose), '-' | 'o' | '*' | '\'') && is_mouth(at(text, nose + 1));
    let mouth = if with_nose { nose + 1 } else { nose };
    let complete = is_mouth(at(text, mouth)) && !at(text, mouth + 1).is_ascii_alphanumeric();
    complete.then(|| Match::written_before(mouth + 1, mouth + 2))
}

/// `^_^`, `(-_-)`.
fn face(text: &[char], start: usize) -> Option<Match> {
    let is_eye = |character: char| matches!(character, '-' | '^' | 'x' | '=' | '~' | '<' | '>' | '\'');
    let left = if at(text, start) == '(' { start + 1 } else { start };
    let framed = left > start;
    let mouth = left + 1;
    let has_mouth = at(text, mouth) == '_' || (framed && at(text, mouth) == '.');
    let right = if has_mouth { mouth + 1 } else { mouth };
    if !is_eye(at(text, left)) || !is_eye(at(text, right)) || !(has_mouth || framed) {
        return None;
    }
    let end = right + 1;
    if framed { (at(text, end) == ')').then(|| Match::written(end + 1)) } else { Some(Match::written(end)) }
}

/// `&#39;` stays as it is.
fn character_reference(text: &[char], start: usize) -> Option<Match> {
    let digits = literal(text, start, "&#")?;
    let end = run(text, digits, is_digit);
    (end > digits && at(text, end) == ';').then(|| Match::written(end + 1))
}

fn repeated(text: &[char], start: usize) -> Option<Match> {
    let sign = at(text, start);
    let end = match sign {
        '!' | '?' => run(text, start, |character| matches!(character, '!' | '?')),
        '-' | '@' | '#' | '_' => run(text, start, |character| character == sign),
        '\u{b2}' | '\u{b3}' | '\u{b9}' | '\u{2070}' | '\u{2074}'..='\u{207e}' | '\u{2080}'..='\u{208e}' => run(
            text,
            start,
            |character| matches!(character, '\u{b2}' | '\u{b3}' | '\u{b9}' | '\u{2070}' | '\u{2074}'..='\u{207e}' | '\u{2080}'..='\u{208e}'),
        ),
        '*' => run(text, start, |character| character == '*').min(start + 3),
        '\\' if at(text, start + 1) == '*' => start + 2,
        '<' | '>' if at(text, start + 1) == sign => start + 2,
        '\u{2013}' | '\u{2014}' | '\u{2015}' => return Some(Match::fixed(start + 1, "--")),
        _ => return None,
    };
    Some(if sign == '-' && (2..=4).contains(&(end - start)) { Match::fixed(end, "--") } else { Match::written(end) })
}

/// `...` and `. . .`.
fn dots(text: &[char], start: usize) -> Option<Match> {
    let together = run(text, start, |character| character == '.').min(start + 5);
    if together >= start + 3 {
        return Some(Match::fixed(together, "..."));
    }
    let mut end = start;
    let mut pairs = 0;
    while pairs < 4 && at(text, end) == '.' && matches!(at(text, end + 1), ' ' | '\u{a0}') && at(text, end + 2) == '.' {
        end += 2;
        pairs += 1;
    }
    (pairs >= 2).then(|| Match::fixed(end + 1, "..."))
}

/// `$`, `US$`.
fn currency(text: &[char], start: usize) -> Option<Match> {
    let sign = run(text, start, |character| character.is_ascii_uppercase());
    (at(text, sign) == '$').then(|| Match::written(sign + 1))
}

fn rewritten(text: &[char], start: usize) -> Option<Match> {
    if let Some(end) = longest_literal(text, start, &["&nbsp;"]) {
        return Some(Match::nothing(end));
    }
    let find = |(source, token): &(&str, &'static str)| {
        longest_literal(text, start, &[source]).map(|end| Match::fixed(end, token))
    };
    REWRITTEN.iter().chain(&REWRITTEN_ENTITIES).filter_map(find).max_by_key(|found| found.seen)
}

/// One or two quotation marks; apostrophes pair only with themselves.
fn quotes(text: &[char], start: usize) -> Option<Match> {
    let is_quote = |character: char| matches!(character, '`' | '\u{82}' | '\u{84}' | '\u{91}'..='\u{94}' | '\u{2018}'..='\u{201f}' | '\u{2039}' | '\u{203a}' | '«' | '»');
    let pairs = |class: fn(char) -> bool| run(text, start, class).min(start + 2);
    let end = run(text, start, is_quote).min(start + 2).max(pairs(|character| character == '\''));
    (end > start).then(|| Match::with_plain_quotes(end, end))
}

fn single(text: &[char], start: usize) -> Option<Match> {
    let sign = at(text, start);
    (is_symbol(sign) && !is_letter(sign)).then(|| Match::written(start + 1))
}

/// Symbols that stand as tokens; any other character is dropped.
fn is_symbol(character: char) -> bool {
    character.is_ascii_graphic()
        || matches!(character,
            '¡' | '¥'..='©' | '¬' | '®'..='´' | '¶'..='¹' | '¿' | '×' | '÷'
            | '\u{2016}' | '\u{2017}' | '\u{201a}' | '\u{201e}'..='\u{2023}' | '\u{2030}'..='\u{2038}'
            | '\u{203b}' | '\u{203e}'..='\u{2042}' | '\u{2044}' | '\u{2070}' | '\u{2074}'..='\u{207e}'
            | '\u{2080}'..='\u{208e}' | '\u{20a4}' | '\u{2100}'..='\u{214f}' | '\u{2155}'..='\u{215e}'
            | '\u{2190}'..='\u{2bff}' | '\u{3001}' | '\u{3002}' | '\u{3012}' | '\u{30fb}'
            | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}'
            | '\u{ff5b}'..='\u{ff65}' | '\u{ffe0}' | '\u{ffe1}' | '\u{ffe5}' | '\u{ffe6}')
}
