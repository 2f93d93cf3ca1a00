//! A longest-match scanner for the Penn Treebank tokens that CoreNLP's PTBTokenizer 3.4.1 makes.
//!
//! Written from the tokenizer's observed behaviour. Every rule is tried at a position; the one that reaches farthest,
//! what it only looks at included, wins, and the first of equals.

mod abbreviations;
mod apostrophes;
mod characters;
mod numbers;
mod symbols;
mod web;
mod words;

/// What a rule matched at a position of the text.
struct Match {
    /// End of the token, exclusive.
    end: usize,
    /// End of what the rule looked at to decide, at or after `end`.
    seen: usize,
    /// What the token is written as.
    spelling: Spelling,
}

enum Spelling {
    AsWritten,
    WithPlainQuotes,
    Fixed(&'static str),
    /// No token.
    Nothing,
}

type Rule = fn(&[char], usize) -> Option<Match>;

/// First among equals first.
const RULES: [Rule; 24] = [
    apostrophes::fused,
    web::tag,
    apostrophes::before_contraction,
    apostrophes::before_negation,
    words::word,
    apostrophes::apostrophe_word,
    apostrophes::y_apostrophe,
    web::url,
    web::bare_domain,
    web::email,
    web::mention,
    apostrophes::contraction,
    numbers::date,
    numbers::number,
    numbers::fraction,
    words::slashed,
    words::file_name,
    numbers::phone,
    abbreviations::abbreviation,
    abbreviations::before_inner_punctuation,
    words::dotted_hyphenated,
    words::thing,
    words::joined_capitals,
    symbols::symbol,
];

/// The tokens of `sentence`, given the line that follows it.
pub(super) fn tokens(sentence: &str, following: &str) -> Vec<String> {
    let mut text: Vec<char> = sentence.chars().map(characters::without_line_break).collect();
    let end = text.len();
    text.push('\n');
    text.extend(following.chars().map(characters::without_line_break));
    text.push('\n');
    let mut tokens = Vec::new();
    let mut position = 0;
    while position < end {
        let found = longest(&text, position);
        let stop = found.end.clamp(position + 1, end);
        match found.spelling {
            Spelling::AsWritten => tokens.push(characters::written(&text[position..stop])),
            Spelling::WithPlainQuotes => tokens.push(characters::written_with_plain_quotes(&text[position..stop])),
            Spelling::Fixed(token) => tokens.push(token.to_owned()),
            Spelling::Nothing => {}
        }
        position = stop;
    }
    tokens
}

fn longest(text: &[char], start: usize) -> Match {
    let mut best = Match { end: start + 1, seen: start, spelling: Spelling::Nothing };
    for rule in RULES {
        if let Some(found) = rule(text, start).filter(|found| found.seen > best.seen) {
            best = found;
        }
    }
    best
}

impl Match {
    fn written(end: usize) -> Self {
        Self { end, seen: end, spelling: Spelling::AsWritten }
    }

    fn written_before(end: usize, seen: usize) -> Self {
        Self { end, seen, spelling: Spelling::AsWritten }
    }

    fn with_plain_quotes(end: usize, seen: usize) -> Self {
        Self { end, seen, spelling: Spelling::WithPlainQuotes }
    }

    fn fixed(end: usize, token: &'static str) -> Self {
        Self { end, seen: end, spelling: Spelling::Fixed(token) }
    }

    fn nothing(end: usize) -> Self {
        Self { end, seen: end, spelling: Spelling::Nothing }
    }
}
