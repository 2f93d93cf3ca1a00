//! The batches of all stages.

use super::samples::{Samples, Shown};
use super::text::{self, Synonyms};
use crate::net::Images;
use crate::random::Random;
use anyhow::Result;
use cssa::vocabulary::{TokenId, Vocabulary};
use tch::{Device, Tensor};

/// A batch of MCCL: `b` images, one sentence each, and their augmented twins.
#[derive(Debug)]
pub struct MatchBatch {
    /// I.
    pub images: Images,
    /// I′, the same images augmented.
    pub other_images: Option<Images>,
    /// S.
    pub sentences: Sentences,
    /// S′.
    pub other_sentences: Option<Sentences>,
    /// `[b, b]`, true where two rows must not be told apart: same image, or same sentence where asked.
    pub same: Tensor,
}

/// Sentences padded to one length.
#[derive(Debug)]
pub struct Sentences {
    /// `[b, t]`, start and end included.
    pub tokens: Tensor,
    /// `[b]`: place of the end.
    pub last: Tensor,
}

/// A batch of RSIC: `b` images, each with all its captions, `m` in sum.
#[derive(Debug)]
pub struct CaptionBatch {
    /// The images.
    pub images: Images,
    /// Their numbers among the samples.
    pub numbers: Vec<usize>,
    /// Their captions.
    pub captions: Captions,
}

/// Captions padded to one length.
#[derive(Debug)]
pub struct Captions {
    /// `[m]`: the image of each caption.
    pub image: Tensor,
    /// `[m, t]`: s_0 … s_{t−1}.
    pub inputs: Tensor,
    /// `[m, t]`: s_1 … s_t.
    pub targets: Tensor,
    /// `[m, t]`: what each word counts; 0 on padding.
    pub weights: Tensor,
}

impl Captions {
    /// From captions with start and end, each with the row of its image and what its words count.
    pub fn new(captions: &[(i64, &[TokenId], f32)], device: Device) -> Self {
        let length = captions.iter().map(|(_, tokens, _)| tokens.len() - 1).max().unwrap_or(1);
        let (mut owner, mut inputs, mut targets, mut weights) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for &(image, tokens, weight) in captions {
            owner.push(image);
            for place in 0..length {
                let inside = place + 1 < tokens.len();
                inputs.push(if inside { i64::from(tokens[place].0) } else { 0 });
                targets.push(if inside { i64::from(tokens[place + 1].0) } else { 0 });
                weights.push(if inside { weight } else { 0.0 });
            }
        }
        let rows = [owner.len() as i64, length as i64];
        Self {
            image: Tensor::from_slice(&owner).to_device(device),
            inputs: Tensor::from_slice(&inputs).view(rows).to_device(device),
            targets: Tensor::from_slice(&targets).view(rows).to_device(device),
            weights: Tensor::from_slice(&weights).view(rows).to_device(device),
        }
    }
}

/// What MCCL's batches have besides images and sentences.
#[derive(Clone, Copy, Debug)]
pub struct Twins {
    /// I′ for the image branch.
    pub images: bool,
    /// S′ for the text branch.
    pub sentences: bool,
    /// A sentence that several images of the batch have is no negative of any of them.
    pub equal_sentences: bool,
}

/// What batches are made of.
#[derive(Debug, Clone, Copy)]
pub struct Batcher<'a> {
    /// The images.
    pub samples: &'a Samples,
    /// The words.
    pub vocabulary: &'a Vocabulary,
    /// Words that may stand for one another.
    pub synonyms: &'a Synonyms,
    /// Longest caption.
    pub max_tokens: usize,
    /// Where the tensors go.
    pub device: Device,
}

impl Batcher<'_> {
    /// The MCCL batch of `images`.
    pub fn matching(&self, images: &[usize], twins: Twins, random: &mut Random) -> Result<MatchBatch> {
        let shown = |shown: Shown| images.iter().map(|&image| (image, shown)).collect::<Vec<_>>();
        let (mut sentences, mut other_sentences) = (Vec::new(), Vec::new());
        for &image in images {
            let sample = &self.samples.images[image];
            let tokens = pick(&sample.captions, random);
            if twins.sentences {
                let (back, words) = (&sample.back_translations, (self.vocabulary, self.max_tokens));
                other_sentences.push(text::augment(tokens, back, self.synonyms, words, random));
            }
            sentences.push(tokens.to_vec());
        }
        let equal = |i: usize, j: usize| twins.equal_sentences && sentences[i] == sentences[j];
        let same: Vec<bool> = (0..images.len())
            .flat_map(|i| (0..images.len()).map(move |j| (i, j)))
            .map(|(i, j)| images[i] == images[j] || equal(i, j))
            .collect();
        let b = images.len() as i64;
        let others = shown(Shown::Augmented);
        let other_images = twins.images.then(|| self.samples.read(&others, random, self.device)).transpose()?;
        Ok(MatchBatch {
            images: self.samples.read(&shown(Shown::Itself), random, self.device)?,
            other_images,
            sentences: self.sentences(&sentences),
            other_sentences: twins.sentences.then(|| self.sentences(&other_sentences)),
            same: Tensor::from_slice(&same).view([b, b]).to_device(self.device),
        })
    }

    /// The RSIC batch of `images`.
    pub fn captioning(&self, images: &[usize], random: &mut Random) -> Result<CaptionBatch> {
        let shown: Vec<_> = images.iter().map(|&image| (image, self.samples.shown(image, random))).collect();
        let captions: Vec<(i64, &[TokenId], f32)> = images
            .iter()
            .enumerate()
            .flat_map(|(n, &image)| self.samples.images[image].captions.iter().map(move |caption| (n as i64, caption)))
            .map(|(n, (tokens, count))| (n, tokens.as_slice(), *count))
            .collect();
        Ok(CaptionBatch {
            images: self.samples.read(&shown, random, self.device)?,
            numbers: images.to_vec(),
            captions: Captions::new(&captions, self.device),
        })
    }

    fn sentences(&self, sentences: &[Vec<TokenId>]) -> Sentences {
        let length = sentences.iter().map(Vec::len).max().unwrap_or(1).min(self.max_tokens);
        let padded = sentences.iter().flat_map(|tokens| {
            let shown = tokens.iter().map(|token| i64::from(token.0)).chain(std::iter::repeat(0));
            shown.take(length).collect::<Vec<_>>()
        });
        let padded: Vec<i64> = padded.collect();
        let last: Vec<i64> = sentences.iter().map(|tokens| tokens.len().min(length) as i64 - 1).collect();
        Sentences {
            tokens: Tensor::from_slice(&padded).view([-1, length as i64]).to_device(self.device),
            last: Tensor::from_slice(&last).to_device(self.device),
        }
    }
}

/// One caption, as likely as it is frequent.
fn pick<'a>(captions: &'a [(Vec<TokenId>, f32)], random: &mut Random) -> &'a [TokenId] {
    let mut left = random.range(0.0, captions.iter().map(|(_, count)| count).sum());
    for (tokens, count) in captions {
        if left < *count {
            return tokens;
        }
        left -= count;
    }
    captions.last().map_or(&[], |(tokens, _)| tokens)
}
