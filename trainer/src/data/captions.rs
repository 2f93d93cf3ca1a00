//! Captions as the decoder learns them: start, style, words, end.

use cssa::dataset::Captioned;
use cssa::vocabulary::{TokenId, Vocabulary};

/// The image's own captions and further ones, each in its style, with how often each is there.
pub(super) fn distinct_captions(
    image: &Captioned,
    style: &str,
    vocabulary: &Vocabulary,
    max_tokens: usize,
) -> Vec<(Vec<TokenId>, f32)> {
    let mut distinct: Vec<(Vec<TokenId>, f32)> = Vec::new();
    let own = image.captions.iter().map(|caption| (style, caption));
    let further = image.further.iter().map(|further| (further.style.as_str(), &further.caption));
    for (style, caption) in own.chain(further) {
        let words = vocabulary.encode(caption);
        if words.is_empty() {
            continue;
        }
        let start = vocabulary.start(words.len());
        let tokens = with_ends(start, vocabulary.style(style).into_iter().chain(words).collect(), max_tokens);
        match distinct.iter_mut().find(|(known, _)| *known == tokens) {
            Some((_, count)) => *count += 1.0,
            None => distinct.push((tokens, 1.0)),
        }
    }
    distinct
}

/// The start, the words (as many as `max_tokens` leaves room for), the end.
pub fn with_ends(start: TokenId, mut words: Vec<TokenId>, max_tokens: usize) -> Vec<TokenId> {
    words.truncate(max_tokens - 1);
    words.insert(0, start);
    words.push(TokenId::END);
    words
}
