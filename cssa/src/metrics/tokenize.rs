//! Tokenization of the caption metrics: CoreNLP PTBTokenizer 3.4.1 with `-preserveLines -lowerCase`, without
//! punctuation tokens.
//!
//! The brackets survive as `-lrb-`, `-rrb-`, …: the list names them in capitals, and the tokens are lower case.

use super::lexer;

/// Tokens that pycocoevalcap drops, as far as lower-cased text can hold them.
const PUNCTUATION: [&str; 13] = ["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"];

/// Tokens of one sentence.
#[must_use]
pub fn tokenize(sentence: &str) -> Vec<String> {
    tokenize_before(sentence, "")
}

/// Tokens of each sentence of a file with one sentence a line.
///
/// The sentence after decides whether a single letter with a period at the end of a line (`in the shape of a c.`)
/// loses the period, as it does before `The`, `There` and other words that start sentences.
#[must_use]
pub fn tokenize_lines(sentences: &[&str]) -> Vec<Vec<String>> {
    let following = sentences.iter().skip(1).copied().chain(std::iter::once(""));
    sentences.iter().zip(following).map(|(sentence, following)| tokenize_before(sentence, following)).collect()
}

fn tokenize_before(sentence: &str, following: &str) -> Vec<String> {
    lexer::tokens(sentence, following)
        .into_iter()
        .map(|token| token.to_lowercase())
        .filter(|token| !PUNCTUATION.contains(&token.as_str()))
        .collect()
}
