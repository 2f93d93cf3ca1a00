//! The batches of all stages. Every rank draws the whole batch, so that all have the same random numbers, and reads its own share.

use super::samples::{Drawn, Entry, Samples, Shown, Views};
use super::text::{self, Synonyms};
use crate::error::Result;
use crate::net::Images;
use crate::ranks::Share;
use cssa::random::Random;
use cssa::vocabulary::{TokenId, Vocabulary};
use std::ops::Range;
use tch::{Device, Tensor};

/// A batch of MCCL: `b` images, one sentence each, and their augmented twins; all ranks together have `n`.
#[derive(Debug)]
pub struct MatchBatch {
    /// The places of these `b` among the `n`.
    pub own: Range<usize>,
    /// I, and where the image branch is on I′ after it: `b` or `2b` images.
    pub images: Images,
    /// S, and where the text branch is on S′ after it.
    pub sentences: Sentences,
    /// What else than I and S there is.
    pub twins: Twins,
    /// `[n, n]`, true where two rows must not be told apart: the same image, or, where asked, a sentence that is also
    /// a caption of the other image.
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

/// A batch of RSIC: `b` images, each with all its captions, `m` in sum; all ranks together have `n`.
#[derive(Debug)]
pub struct CaptionBatch {
    /// The places of these `b` among the `n`.
    pub own: Range<usize>,
    /// n.
    pub of: usize,
    /// The images.
    pub images: Images,
    /// The same images as [`Batcher::others`] see them.
    pub others: Vec<Images>,
    /// Their numbers among the samples.
    pub numbers: Vec<usize>,
    /// Their captions.
    pub captions: Captions,
    /// `[b]`: the number of each image's scene class, −100 where its name tells none.
    pub scenes: Tensor,
    /// How many of the `n` images' names tell a class, at least 1.
    pub told: Tensor,
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
    /// What all words count together, those of the other ranks' captions included.
    pub counted: Tensor,
}

impl Captions {
    /// From captions with start and end, each with the row of its image and what its words count; `counted` is the sum of that.
    pub fn new(captions: &[(i64, &[TokenId], f32)], counted: f32, device: Device) -> Self {
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
            counted: Tensor::from(counted).to_device(device),
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
    /// A sentence is no negative of an image that has it among its captions.
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
    /// Which rows of a batch are read here.
    pub share: Share,
    /// Where the tensors go.
    pub device: Device,
    /// The images as further backbones see them, for captioning.
    pub others: &'a [Samples],
}

impl Batcher<'_> {
    /// The MCCL batch of `entries`; an image alone gets one of its captions. I′ and S′ are drawn from streams of their own, so
    /// that I and S are the same with them and without.
    pub fn matching(&self, entries: &[Entry], twins: Twins, random: &mut Random) -> Result<MatchBatch> {
        let own = self.share.range(entries.len());
        let (mut image_twins, mut sentence_twins) = (Random::new(random.bits()), Random::new(random.bits()));
        let images: Vec<usize> = entries.iter().map(|entry| entry.image).collect();
        let mut shown: Vec<(usize, Shown)> = images.iter().map(|&image| (image, Shown::Itself)).collect();
        if twins.images {
            shown.extend(images.iter().map(|&image| (image, Shown::Augmented)));
        }
        let (mut sentences, mut other_sentences, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        for entry in entries {
            let sample = &self.samples.images[entry.image];
            let drawn = entry.caption.unwrap_or_else(|| pick(&sample.captions, random));
            let tokens = &sample.captions[drawn].0;
            if twins.sentences {
                let twin =
                    text::Twin { synonyms: self.synonyms, vocabulary: self.vocabulary, max_tokens: self.max_tokens };
                other_sentences.push(twin.draw(tokens, &sample.back_translations, &mut sentence_twins));
            }
            sentences.push(tokens.clone());
            numbers.push(sample.numbers[drawn]);
        }
        let has = |image: usize, number: usize| self.samples.images[image].numbers.contains(&number);
        let shared = |i: usize, j: usize| has(images[i], numbers[j]) || has(images[j], numbers[i]);
        let same: Vec<bool> = (0..images.len())
            .flat_map(|i| (0..images.len()).map(move |j| (i, j)))
            .map(|(i, j)| images[i] == images[j] || (twins.equal_sentences && shared(i, j)))
            .collect();
        let n = images.len();
        let drawn = self.samples.draw(&shown, &mut image_twins);
        let shown: Vec<Drawn> = drawn.chunks(n).flat_map(|some| &some[own.clone()]).cloned().collect();
        let mut said = sentences[own.clone()].to_vec();
        said.extend(other_sentences.drain(..).skip(own.start).take(own.len()));
        Ok(MatchBatch {
            images: self.samples.read(&shown, self.device)?,
            sentences: self.sentences(&said),
            own,
            twins,
            same: Tensor::from_slice(&same).view([n as i64, n as i64]).to_device(self.device),
        })
    }

    /// The RSIC batch of `entries`, an image alone with all its captions.
    pub fn captioning(&self, entries: &[Entry], views: Views, random: &mut Random) -> Result<CaptionBatch> {
        let mut show = |image: usize| match views {
            Views::All => self.samples.shown(image, random),
            Views::Original => Shown::Itself,
        };
        let mut shown: Vec<(Entry, Shown)> = entries.iter().map(|&entry| (entry, show(entry.image))).collect();
        shown.sort_by_key(|&(entry, shown)| self.samples.is_fresh(entry.image, shown));
        let (own, of) = (self.share.range(shown.len()), shown.len());
        // Whole numbers below 2²⁴: their sum is the same in any order.
        let counted = shown.iter().flat_map(|(entry, _)| self.captions(*entry));
        let counted = counted.map(|(tokens, count)| count * (tokens.len() - 1) as f32).sum();
        let scene = |image: usize| self.samples.images[image].scene.map_or(-100, |scene| scene as i64);
        let told = shown.iter().filter(|(entry, _)| scene(entry.image) >= 0).count().max(1);
        let images: Vec<(usize, Shown)> = shown.iter().map(|&(entry, shown)| (entry.image, shown)).collect();
        let drawn = self.samples.draw(&images, random);
        let shown = &shown[own.clone()];
        let captions = shown
            .iter()
            .enumerate()
            .flat_map(|(n, (entry, _))| self.captions(*entry).map(move |(tokens, count)| (n as i64, tokens, count)));
        let captions: Vec<(i64, &[TokenId], f32)> = captions.collect();
        let numbers: Vec<usize> = shown.iter().map(|(entry, _)| entry.image).collect();
        let scenes: Vec<i64> = numbers.iter().map(|&image| scene(image)).collect();
        let read = |samples: &Samples| samples.read(&drawn[own.clone()], self.device);
        Ok(CaptionBatch {
            images: read(self.samples)?,
            others: self.others.iter().map(read).collect::<Result<_>>()?,
            captions: Captions::new(&captions, counted, self.device),
            scenes: Tensor::from_slice(&scenes).to_device(self.device),
            told: Tensor::from(told as f32).to_device(self.device),
            numbers,
            own,
            of,
        })
    }

    /// The captions that an entry stands for, each with what its words count.
    fn captions(&self, entry: Entry) -> impl Iterator<Item = (&[TokenId], f32)> {
        let all = self.samples.images[entry.image].captions.iter().enumerate();
        let wanted = all.filter(move |(caption, _)| entry.caption.is_none_or(|wanted| wanted == *caption));
        wanted.map(move |(_, (tokens, count))| (tokens.as_slice(), if entry.caption.is_some() { 1.0 } else { *count }))
    }

    /// Sentences with start and end.
    pub fn sentences(&self, sentences: &[Vec<TokenId>]) -> Sentences {
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

/// The place of one caption, as likely as it is frequent.
fn pick(captions: &[(Vec<TokenId>, f32)], random: &mut Random) -> usize {
    let mut left = random.range(0.0, captions.iter().map(|(_, count)| count).sum());
    for (n, (_, count)) in captions.iter().enumerate() {
        if left < *count {
            return n;
        }
        left -= count;
    }
    captions.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::rows::{Rows, Writer};
    use crate::data::samples::{Cached, Caches, Unit};
    use crate::net::FeatureShape;
    use anyhow::Result;
    use cssa::dataset::{Captioned, Dataset, Split};
    use std::collections::BTreeMap;

    #[test]
    fn an_epoch_draws_from_a_dataset_anew() {
        let vocabulary = Vocabulary::build(["a b"], 1);
        let dataset = |name: &str| {
            let image = |n: usize| Captioned {
                filename: format!("{n}.png"),
                path: format!("{n}.png").into(),
                split: Split::Train,
                captions: vec!["a b".into()],
                back_translations: Vec::new(),
                further: Vec::new(),
            };
            Dataset { name: name.into(), images: (0..8).map(image).collect(), missing: 0, uncaptioned: 0 }
        };
        let caches = Caches { cached: Vec::new(), shape: FeatureShape { cells: 1, channels: 1 }, size: 8 };
        let samples = Samples::new(&["own", "old"].map(dataset), caches, &vocabulary, 8, &BTreeMap::new());
        assert_eq!(samples.epoch(Unit::Images, &mut Random::new(1)).len(), 16);
        let samples = samples.with_drawn(BTreeMap::from([(1, 3)]));
        let drawn = |seed| {
            let mut shown: Vec<usize> =
                samples.epoch(Unit::Images, &mut Random::new(seed)).iter().map(|entry| entry.image).collect();
            shown.sort_unstable();
            assert_eq!((&shown[..8], shown.len()), (&[0, 1, 2, 3, 4, 5, 6, 7][..], 11));
            shown[8..].to_vec()
        };
        assert!((2..8).any(|seed| drawn(seed) != drawn(1)));
    }

    #[test]
    fn images_and_sentences_are_the_same_with_twins_and_without() -> Result<()> {
        const IMAGES: usize = 6;
        let vocabulary = Vocabulary::build(["a b c d e f"], 1);
        let images = (0..IMAGES).map(|n| Captioned {
            filename: format!("{n}.png"),
            path: format!("{n}.png").into(),
            split: Split::Train,
            captions: ["a b", "c d e", "f a", "b c d"].map(str::to_owned).to_vec(),
            back_translations: vec!["e e".into()],
            further: Vec::new(),
        });
        let dataset = Dataset { name: "made up".into(), images: images.collect(), missing: 0, uncaptioned: 0 };
        let folder = tempfile::tempdir()?;
        let mut views = Vec::new();
        for view in 0..3_u8 {
            let path = folder.path().join(format!("{view}"));
            let (mut writer, _) = Writer::start(&path, 2)?;
            for n in 0..IMAGES as u8 {
                writer.push(&[n, view])?;
            }
            writer.finish()?;
            views.push(Rows::open(path, IMAGES, 2)?);
        }
        let cached = vec![Cached { features: views, pixels: None }];
        let caches = Caches { cached, shape: FeatureShape { cells: 1, channels: 1 }, size: 8 };
        let samples = Samples::new(&[dataset], caches, &vocabulary, 8, &BTreeMap::new());
        let synonyms = Synonyms::default();
        let (samples, vocabulary, synonyms) = (&samples, &vocabulary, &synonyms);
        let (share, device) = (Share::ALL, Device::Cpu);
        let batcher = Batcher { samples, vocabulary, synonyms, max_tokens: 8, share, device, others: &[] };
        let entries: Vec<Entry> = (0..IMAGES).map(|image| Entry { image, caption: None }).collect();
        let batch = |images, sentences| {
            let twins = Twins { images, sentences, equal_sentences: true };
            batcher.matching(&entries, twins, &mut Random::new(3))
        };
        let (b, both) = (IMAGES as i64, batch(true, true)?);
        let first = |batch: &MatchBatch| -> Result<(Tensor, Tensor)> {
            let features = batch.images.features.as_ref().map(|features| features.narrow(0, 0, b));
            let tokens = batch.sentences.tokens.narrow(0, 0, b).narrow(1, 0, 4);
            Ok((anyhow::Context::context(features, "no features")?, tokens))
        };
        for (images, sentences) in [(false, false), (true, false), (false, true)] {
            let batch = batch(images, sentences)?;
            assert_eq!(first(&batch)?, first(&both)?, "{images} {sentences}");
            if images {
                assert_eq!(batch.images.features, both.images.features, "I′ is the same with S′ and without");
            }
        }
        Ok(())
    }
}
