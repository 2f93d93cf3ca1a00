//! The batches of both stages.

use super::features::to_tensor;
use super::samples::Samples;
use super::text;
use crate::random::Random;
use anyhow::Result;
use cssa::vocabulary::{TokenId, Vocabulary};
use tch::{Device, Tensor};

/// A batch of MCCL: `b` images, one sentence each, and their augmented twins.
#[derive(Debug)]
pub struct MatchBatch {
    /// I: `[b, N, C]`.
    pub features: Tensor,
    /// I′, another view of the same images.
    pub other_features: Option<Tensor>,
    /// S.
    pub sentences: Sentences,
    /// S′.
    pub other_sentences: Option<Sentences>,
    /// `[b, b]`, true where two rows must not be told apart: same image or same sentence.
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
    /// `[b, N, C]`.
    pub features: Tensor,
    /// `[m]`: the image of each caption.
    pub image: Tensor,
    /// `[m, t]`: s_0 … s_{t−1}.
    pub inputs: Tensor,
    /// `[m, t]`: s_1 … s_t.
    pub targets: Tensor,
    /// `[m, t]`: how often the dataset has the caption; 0 on padding.
    pub weights: Tensor,
}

/// What batches are made of.
#[derive(Debug, Clone, Copy)]
pub struct Batcher<'a> {
    /// The images.
    pub samples: &'a Samples,
    /// The words.
    pub vocabulary: &'a Vocabulary,
    /// Longest caption.
    pub max_tokens: usize,
    /// Where the tensors go.
    pub device: Device,
}

impl Batcher<'_> {
    /// The MCCL batch of `images`.
    pub fn matching(&self, images: &[usize], twins: (bool, bool), random: &mut Random) -> Result<MatchBatch> {
        let views = self.samples.views();
        let (mut features, mut other_features) = (Vec::new(), Vec::new());
        let (mut sentences, mut other_sentences) = (Vec::new(), Vec::new());
        for &image in images {
            let view = random.below(views);
            let other_view = if views > 1 { (view + 1 + random.below(views - 1)) % views } else { view };
            self.samples.features(image, view, &mut features)?;
            if twins.0 {
                self.samples.features(image, other_view, &mut other_features)?;
            }
            let sample = &self.samples.images[image];
            let tokens = pick(&sample.captions, random);
            if twins.1 {
                let back = &sample.back_translations;
                other_sentences.push(text::augment(tokens, back, self.vocabulary, self.max_tokens, random));
            }
            sentences.push(tokens.to_vec());
        }
        let same: Vec<bool> = (0..images.len())
            .flat_map(|i| (0..images.len()).map(move |j| (i, j)))
            .map(|(i, j)| images[i] == images[j] || sentences[i] == sentences[j])
            .collect();
        let b = images.len() as i64;
        let shape = self.samples.shape();
        Ok(MatchBatch {
            features: to_tensor(&features, shape, self.device),
            other_features: twins.0.then(|| to_tensor(&other_features, shape, self.device)),
            sentences: self.sentences(&sentences),
            other_sentences: twins.1.then(|| self.sentences(&other_sentences)),
            same: Tensor::from_slice(&same).view([b, b]).to_device(self.device),
        })
    }

    /// The RSIC batch of `images`.
    pub fn captioning(&self, images: &[usize], random: &mut Random) -> Result<CaptionBatch> {
        let views = self.samples.views();
        let mut features = Vec::new();
        let (mut owner, mut captions) = (Vec::new(), Vec::new());
        for (n, &image) in images.iter().enumerate() {
            self.samples.features(image, random.below(views), &mut features)?;
            for caption in &self.samples.images[image].captions {
                owner.push(n as i64);
                captions.push(caption);
            }
        }
        let length = captions.iter().map(|(tokens, _)| tokens.len() - 1).max().unwrap_or(1);
        let (mut inputs, mut targets, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for (tokens, weight) in captions {
            for place in 0..length {
                let inside = place + 1 < tokens.len();
                inputs.push(if inside { i64::from(tokens[place].0) } else { 0 });
                targets.push(if inside { i64::from(tokens[place + 1].0) } else { 0 });
                weights.push(if inside { *weight } else { 0.0 });
            }
        }
        let rows = [owner.len() as i64, length as i64];
        Ok(CaptionBatch {
            features: to_tensor(&features, self.samples.shape(), self.device),
            image: Tensor::from_slice(&owner).to_device(self.device),
            inputs: Tensor::from_slice(&inputs).view(rows).to_device(self.device),
            targets: Tensor::from_slice(&targets).view(rows).to_device(self.device),
            weights: Tensor::from_slice(&weights).view(rows).to_device(self.device),
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
