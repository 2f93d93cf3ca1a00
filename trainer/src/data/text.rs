//! T_txt (paper 3.4.1): another sentence with the same meaning, by back-translation where the dataset has one, else by
//! synonym replacement from a table of our own for the words of aerial scenes.

use crate::random::Random;
use cssa::vocabulary::{TokenId, Vocabulary, words};

/// Groups of words that may stand for one another in a caption.
const SYNONYMS: [&[&str]; 30] = [
    &["many", "several", "some", "numerous"],
    &["building", "house"],
    &["buildings", "houses"],
    &["street", "road"],
    &["streets", "roads"],
    &["plane", "airplane", "aircraft"],
    &["planes", "airplanes"],
    &["car", "vehicle"],
    &["cars", "vehicles"],
    &["grass", "lawn", "grassland", "meadow"],
    &["meadows", "lawns"],
    &["large", "big", "huge"],
    &["small", "little", "tiny"],
    &["near", "beside", "by"],
    &["forest", "woods"],
    &["harbor", "port"],
    &["ship", "boat"],
    &["ships", "boats"],
    &["river", "stream"],
    &["pond", "pool"],
    &["around", "surrounding"],
    &["located", "situated"],
    &["neatly", "orderly", "regularly"],
    &["sea", "ocean"],
    &["dense", "crowded"],
    &["square", "plaza"],
    &["parked", "stopped"],
    &["center", "middle"],
    &["piece", "patch"],
    &["picture", "image"],
];

/// Share of the words with synonyms that are replaced.
const REPLACED: f32 = 0.5;

/// T_txt of `tokens` (start and end included); `back_translations` are its image's.
pub fn augment(
    tokens: &[TokenId],
    back_translations: &[String],
    vocabulary: &Vocabulary,
    max_tokens: usize,
    random: &mut Random,
) -> Vec<TokenId> {
    if !back_translations.is_empty() && random.below(2) == 0 {
        let sentence = &back_translations[random.below(back_translations.len())];
        if words(sentence).next().is_some() {
            return super::samples::with_ends(vocabulary.encode(sentence), max_tokens);
        }
    }
    tokens.iter().map(|&token| synonym(token, vocabulary, random)).collect()
}

fn synonym(token: TokenId, vocabulary: &Vocabulary, random: &mut Random) -> TokenId {
    let word = vocabulary.word(token).unwrap_or_default();
    let Some(group) = SYNONYMS.iter().find(|group| group.contains(&word)) else { return token };
    if random.range(0.0, 1.0) >= REPLACED {
        return token;
    }
    match vocabulary.id(group[random.below(group.len())]) {
        TokenId::UNKNOWN => token,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synonyms_replace_words_and_keep_the_rest() {
        let vocabulary = Vocabulary::build(["many planes on a road", "several airplanes on a street"], 1);
        let tokens = super::super::samples::with_ends(vocabulary.encode("many planes on a road"), 20);
        let mut random = Random::new(7);
        let augmented: Vec<_> = (0..20).map(|_| augment(&tokens, &[], &vocabulary, 20, &mut random)).collect();
        assert!(augmented.iter().any(|other| *other != tokens));
        for other in &augmented {
            assert_eq!(other.len(), tokens.len());
            assert_eq!((other[0], other[3], other[4]), (tokens[0], tokens[3], tokens[4]));
        }
    }

    #[test]
    fn back_translations_are_used() {
        let vocabulary = Vocabulary::build(["a b c"], 1);
        let tokens = super::super::samples::with_ends(vocabulary.encode("a b"), 20);
        let mut random = Random::new(7);
        let other = ["c a".to_owned()];
        let found =
            (0..20).any(|_| augment(&tokens, &other, &vocabulary, 20, &mut random)[1..3] == vocabulary.encode("c a"));
        assert!(found);
    }
}
