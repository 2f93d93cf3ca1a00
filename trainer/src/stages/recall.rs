//! What the first stage has learned: how often it finds an image's sentence among all of dev, and a sentence's image.
//!
//! A sentence counts as an image's where it is one of its captions, whoever else has it too: the datasets repeat sentences.

use super::mccl::Net;
use crate::data::batches::Batcher;
use crate::data::captions::with_ends;
use crate::data::features::to_tensor;
use crate::error::Result;
use crate::held_out::HeldOutImages;
use crate::net::{FeatureShape, Images, Mode};
use crate::ranks::Ranks;
use cssa::vocabulary::TokenId;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use tch::{Kind, Tensor};

/// Rows that are encoded together.
const BATCH: usize = 64;

/// Recall among `images` images and their `sentences` distinct sentences, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Recall {
    /// Images.
    pub images: usize,
    /// Their distinct sentences.
    pub sentences: usize,
    /// Images with a sentence of their own among the first 1 and 5 sentences.
    pub image_to_sentence: [f64; 2],
    /// Sentences with an image of theirs among the first 1 and 5 images.
    pub sentence_to_image: [f64; 2],
}

impl fmt::Display for Recall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [[image_1, image_5], [sentence_1, sentence_5]] = [self.image_to_sentence, self.sentence_to_image];
        write!(
            f,
            "of {} images {image_1:.3} find a sentence of theirs first, {image_5:.3} among five; of {} sentences \
             {sentence_1:.3} find their image first, {sentence_5:.3} among five",
            self.images, self.sentences
        )
    }
}

/// Recall of a dataset's held-out images, whose features have the shape `shape`; each rank encodes its share of them.
pub(crate) fn of(
    net: &Net<'_>,
    batcher: &Batcher<'_>,
    HeldOutImages { images, features, .. }: &HeldOutImages<'_>,
    shape: FeatureShape,
    ranks: &Ranks,
) -> Result<Recall> {
    tch::no_grad(|| {
        let mut numbers: BTreeMap<Vec<TokenId>, usize> = BTreeMap::new();
        let mut owned: Vec<Vec<usize>> = Vec::with_capacity(images.len());
        for image in images {
            let own = image.captions.iter().map(|caption| {
                let (next, words) = (numbers.len(), batcher.vocabulary.encode(caption));
                let start = batcher.vocabulary.start(words.len());
                *numbers.entry(with_ends(start, words, batcher.max_tokens)).or_insert(next)
            });
            owned.push(own.collect());
        }
        let mut sentences: Vec<Vec<TokenId>> = vec![Vec::new(); numbers.len()];
        for (tokens, number) in numbers {
            sentences[number] = tokens;
        }
        let mut embedded = Vec::new();
        let own = ranks.share().range(images.len());
        for start in own.clone().step_by(BATCH) {
            let mut values = Vec::new();
            for row in start..own.end.min(start + BATCH) {
                features.read(row, &mut values)?;
            }
            let batch = Images::of_features(to_tensor(&values, shape, batcher.device));
            embedded.push(net.images(&batch, Mode::Evaluate)?);
        }
        let own = &sentences[ranks.share().range(sentences.len())];
        let said: Vec<Tensor> =
            own.chunks(BATCH).map(|some| net.sentences(&batcher.sentences(some), Mode::Evaluate)).collect();
        let none = Tensor::zeros([0, net.width()], (Kind::Float, batcher.device));
        let all =
            |parts: &[Tensor]| ranks.gather_rows(&if parts.is_empty() { none.copy() } else { Tensor::cat(parts, 0) });
        let similarity = all(&embedded)?.matmul(&all(&said)?.transpose(0, 1));
        let similarity = similarity.to_kind(Kind::Float).to_device(tch::Device::Cpu).contiguous();
        let values = Vec::<f32>::try_from(similarity.view(-1))?;
        Ok(recall(&values, &owned, sentences.len()))
    })
}

/// Of the similarities `[images, sentences]`, where `owned` are each image's sentences.
fn recall(similarity: &[f32], owned: &[Vec<usize>], sentences: usize) -> Recall {
    let mut owners: Vec<Vec<usize>> = vec![Vec::new(); sentences];
    for (image, own) in owned.iter().enumerate() {
        own.iter().for_each(|&sentence| owners[sentence].push(image));
    }
    // The best of one's own is among the first k where fewer than k others are better.
    let better = |all: &dyn Fn(usize) -> f32, count: usize, own: &[usize]| {
        let best = own.iter().map(|&other| all(other)).fold(f32::NEG_INFINITY, f32::max);
        (0..count).filter(|&other| all(other) > best).count()
    };
    let share = |ranks: Vec<usize>| {
        let within = |k: usize| ranks.iter().filter(|&&rank| rank < k).count() as f64 / ranks.len().max(1) as f64;
        [within(1), within(5)]
    };
    let by_image = owned
        .iter()
        .enumerate()
        .map(|(image, own)| better(&|sentence| similarity[image * sentences + sentence], sentences, own));
    let by_sentence = owners
        .iter()
        .enumerate()
        .map(|(sentence, owners)| better(&|image| similarity[image * sentences + sentence], owned.len(), owners));
    Recall {
        images: owned.len(),
        sentences,
        image_to_sentence: share(by_image.collect()),
        sentence_to_image: share(by_sentence.collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_sentences_are_anyones_who_has_them() {
        // Two images, three sentences; the second belongs to both.
        let owned = [vec![0, 1], vec![1, 2]];
        let found = recall(&[0.1, 0.9, 0.5, 0.2, 0.8, 0.3], &owned, 3);
        assert_eq!((found.image_to_sentence, found.sentence_to_image), ([1.0, 1.0], [1.0 / 3.0, 1.0]));
        let found = recall(&[0.1, 0.2, 0.5, 0.9, 0.1, 0.3], &owned, 3);
        assert_eq!(found.image_to_sentence, [0.0, 1.0]);
    }
}
