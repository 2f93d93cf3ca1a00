//! A finished run with more words: those of new data that it lacks.

use cssa::checkpoint::Checkpoint;
use cssa::parameters;
use cssa::tensors::Array;
use cssa::vocabulary::{TokenId, Vocabulary};

/// The run with the words of `other` that it lacks. Each tensor with a row a word gets rows for them: the mean of its words' rows.
/// The run says what it said before, since a new word is as likely as the mean of all.
pub(super) fn extended(run: Checkpoint, other: &Vocabulary) -> Checkpoint {
    let vocabulary = run.vocabulary.extended(other);
    let (mut description, first) = (run.description, run.vocabulary.first_word());
    description.model.vocabulary = vocabulary.size();
    let expected = parameters::all(&description.model);
    let fitted = |((name, array), parameter): ((String, Array), &parameters::Parameter)| {
        let missing = parameter.shape[0].saturating_sub(array.shape[0]);
        (name, if missing > 0 { with_mean_rows(array, first, missing) } else { array })
    };
    let tensors = run.tensors.into_iter().zip(&expected).map(fitted).collect();
    Checkpoint { description, tensors, vocabulary, ..run }
}

/// An array with `count` more rows, each the mean of those from `first` on, which belong to words.
fn with_mean_rows(Array { mut shape, mut data }: Array, first: TokenId, count: usize) -> Array {
    let width = data.len() / shape[0].max(1);
    let words = data.get(first.index() * width..).unwrap_or_default();
    let rows = words.len() / width.max(1);
    let mut mean = vec![0.0; width];
    for row in words.chunks(width.max(1)) {
        mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += value / rows as f32);
    }
    data.extend(mean.repeat(count));
    shape[0] += count;
    Array { shape, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_rows_are_the_mean_of_the_words_rows() {
        let data = vec![9.0, 9.0, 8.0, 8.0, 7.0, 7.0, 1.0, 2.0, 3.0, 6.0];
        let found = with_mean_rows(Array { shape: vec![5, 2], data: data.clone() }, TokenId::FIRST_WORD, 2);
        assert_eq!(
            (found.shape, &found.data[..10], &found.data[10..]),
            (vec![7, 2], &data[..], &[2.0, 4.0, 2.0, 4.0][..])
        );
        let array = Array { shape: vec![5], data: vec![9.0, 8.0, 7.0, -1.0, 3.0] };
        let bias = with_mean_rows(array, TokenId::FIRST_WORD, 1);
        assert_eq!((bias.shape, bias.data[5]), (vec![6], 1.0));
    }
}
