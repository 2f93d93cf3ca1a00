//! A sentence by the language model: any text comes back to the letter.

use crate::coder::Coder;
use crate::error::WireError;
use crate::limits::MAX_CAPTION;
use alloc::string::String;
use alloc::vec::Vec;
use cssa::language_model::{END, LanguageModel, ORDER, START, UNKNOWN};

/// Longest word that is spelled, in bytes.
const MAX_WORD: usize = 255;
/// The symbol that ends a spelled word.
const WORD_END: usize = 256;
/// Weights of a spelled word's bytes and its end: letters by how often English has them, anything else rarely.
const SPELLING: [u32; 257] = spelling();

const fn spelling() -> [u32; 257] {
    let letters = b"etaoinshrdlcumwfgypbvkjxqz";
    let shares = [120, 90, 82, 76, 70, 68, 64, 50, 60, 44, 42, 30, 28, 26, 22, 22, 20, 20, 20, 16, 10, 8, 3, 3, 2, 2];
    let mut weights = [1; 257];
    let mut n = 0;
    while n < letters.len() {
        weights[letters[n] as usize] = shares[n];
        n += 1;
    }
    weights[b'-' as usize] = 4;
    weights[WORD_END] = 150;
    weights
}

/// Writes `text`, or reads a text.
pub(crate) fn code<C: Coder>(coder: &mut C, model: &LanguageModel, text: &str) -> Result<String, WireError> {
    let (body, stop) = match text.strip_suffix(" .") {
        Some(body) => (body, 1),
        None => (text, 0),
    };
    let stop = coder.choose(&[1, 1], stop);
    let words: Vec<&str> = if body.is_empty() { Vec::new() } else { body.split(' ').collect() };
    if words.len() > MAX_CAPTION {
        return Err(WireError::Words { found: words.len() });
    }
    let mut before = alloc::vec![START; ORDER - 1];
    let mut excluded = alloc::vec![false; model.ids()];
    let (mut found, mut n) = (String::new(), 0);
    loop {
        let target = words.get(n).map_or(END, |word| model.id(word));
        excluded.fill(false);
        let id = code_word(coder, model, &before, target, &mut excluded);
        if id == END {
            break;
        }
        if n == MAX_CAPTION {
            return Err(WireError::Words { found: n + 1 });
        }
        if n > 0 {
            found.push(' ');
        }
        match model.word(id) {
            Some(word) => found.push_str(word),
            None => found.push_str(&spell(coder, words.get(n).copied().unwrap_or_default())?),
        }
        before.remove(0);
        before.push(id);
        n += 1;
    }
    if stop == 1 {
        found.push_str(" .");
    }
    Ok(found)
}

/// A word, the end, or [`UNKNOWN`]: in the longest known context, or, after an escape, in the next shorter one.
fn code_word<C: Coder>(
    coder: &mut C,
    model: &LanguageModel,
    before: &[u16],
    target: u16,
    excluded: &mut [bool],
) -> u16 {
    let (mut weights, mut ids) = (Vec::new(), Vec::new());
    for context in model.contexts(before) {
        weights.clear();
        ids.clear();
        let mut escape = 0u32;
        for follower in context.followers().filter(|follower| !excluded[usize::from(follower.word)]) {
            weights.push(follower.weight);
            ids.push(follower.word);
            escape = escape.saturating_add(follower.discount);
        }
        if ids.is_empty() {
            continue;
        }
        weights.push(escape.max(1));
        let symbol = ids.iter().position(|&id| id == target).unwrap_or(ids.len());
        match ids.get(coder.choose(&weights, symbol)) {
            Some(&id) => return id,
            None => ids.iter().for_each(|&id| excluded[usize::from(id)] = true),
        }
    }
    // Only a model of no caption does not know the end.
    let end_is_left = !excluded[usize::from(END)];
    if end_is_left && coder.choose(&[1, 1], usize::from(target == END)) == 1 { END } else { UNKNOWN }
}

/// A word byte by byte.
fn spell<C: Coder>(coder: &mut C, word: &str) -> Result<String, WireError> {
    let mut bytes = Vec::new();
    loop {
        let symbol = word.as_bytes().get(bytes.len()).map_or(WORD_END, |&byte| usize::from(byte));
        match coder.choose(&SPELLING, symbol) {
            WORD_END => return String::from_utf8(bytes).map_err(|_| WireError::Malformed),
            _ if bytes.len() == MAX_WORD => return Err(WireError::Word),
            byte => bytes.push(byte as u8),
        }
    }
}
