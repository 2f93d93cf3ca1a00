//! Self-critical sequence training (Rennie et al. 2017) after both stages of the paper: captions are drawn from the model
//! and made likelier the more CIDEr-D (and BLEU-4) they win over the image's other drawn captions (Luo 2020).
//!
//! ∇L = −Σ_k (r_k − mean of the other r) ∇log p(s_k | I). CIDEr-D has the document frequencies of the train images. The end
//! of a sentence counts as a word in rewards: without it, captions learn to stop after "with a".

use super::epochs::{Epochs, Surroundings};
use super::optimizer::{Optimizer, Settings};
use super::rsic::Net;
use crate::config::Config;
use crate::data::batches::{CaptionBatch, Captions};
use crate::data::samples::Samples;
use crate::net::{BackboneNet, Mode, StepCache, Store};
use anyhow::Result;
use cssa::metrics::{self, CiderScorer};
use cssa::model::Model;
use cssa::parameters;
use cssa::vocabulary::{TokenId, Vocabulary};
use std::ops::ControlFlow;
use tch::{Kind, Tensor};

/// What stands for the end of a sentence in rewards; no tokenizer gives it.
const END: &str = "<end>";

/// Rewards of drawn captions.
#[derive(Debug)]
pub struct Rewards<'a> {
    scorer: CiderScorer,
    references: Vec<Vec<Vec<String>>>,
    vocabulary: &'a Vocabulary,
    bleu: f64,
}

impl<'a> Rewards<'a> {
    /// Against the captions of the train images; BLEU-4 has the weight `bleu` beside CIDEr-D's 1.
    pub fn new(samples: &Samples, vocabulary: &'a Vocabulary, bleu: f64) -> Self {
        let ended = |caption: &String| {
            let mut tokens = metrics::tokenize(caption);
            tokens.push(END.into());
            tokens
        };
        let references: Vec<Vec<Vec<String>>> =
            samples.images.iter().map(|sample| sample.references.iter().map(ended).collect()).collect();
        Self { scorer: CiderScorer::new(&references), references, vocabulary, bleu }
    }

    /// The reward of words (without start) for image number `image`.
    pub fn reward(&self, image: usize, words: &[TokenId]) -> f64 {
        let ended = words.last() == Some(&TokenId::END);
        let body = if ended { &words[..words.len() - 1] } else { words };
        let mut tokens = metrics::tokenize(&self.vocabulary.decode(body).unwrap_or_default());
        if ended {
            tokens.push(END.into());
        }
        let references = &self.references[image];
        let bleu = if self.bleu > 0.0 { self.bleu * metrics::sentence_bleu(&tokens, references)[3] } else { 0.0 };
        self.scorer.score(&tokens, references) + bleu
    }
}

/// Runs the stage, as [`rsic::run`](super::rsic::run) does.
pub fn run(
    config: &Config,
    model: &Model,
    (store, backbone): (&Store, &BackboneNet),
    surroundings: Surroundings<'_>,
    mut finished: impl FnMut(usize, f64) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let settings = &config.scst;
    let net = Net::new(model, store, backbone)?;
    let batcher = surroundings.batcher;
    let rewards = Rewards::new(batcher.samples, batcher.vocabulary, settings.bleu);
    let epochs = Epochs {
        stage: "scst",
        stream: 3,
        seed: config.seed,
        epochs: settings.epochs,
        batch: settings.batch,
        accumulate: settings.accumulate,
        whole_batches: false,
    };
    let total = epochs.steps(batcher.samples.epoch().len());
    let optimizer =
        Settings { average: settings.average, ..Settings::new(config, settings.schedule, settings.clip, total) };
    let mut optimizer = Optimizer::new(store, optimizer, |name| !name.starts_with(parameters::MCCL));
    epochs.run(
        surroundings,
        &mut optimizer,
        |images, random| batcher.captioning(images, random),
        |batch: &CaptionBatch, _| {
            let memory = net.encoder.forward(&batch.images, Mode::Evaluate);
            let drawn = draw(&net, &memory.detach(), settings.samples, model.max_tokens)?;
            let images = batch.numbers.iter().flat_map(|&image| std::iter::repeat_n(image, settings.samples));
            let won: Vec<f64> = images.zip(&drawn).map(|(image, words)| rewards.reward(image, &words[1..])).collect();
            let captions: Vec<(i64, &[TokenId], f32)> = drawn
                .iter()
                .zip(advantages(&won, settings.samples))
                .enumerate()
                .map(|(n, (words, advantage))| ((n / settings.samples) as i64, words.as_slice(), advantage as f32))
                .collect();
            let words = drawn.iter().map(|words| words.len() - 1).sum::<usize>();
            let captions = Captions::new(&captions, batcher.device);
            let losses = net.losses(&memory, &captions, 0.0, Mode::Evaluate);
            Ok((losses * captions.weights.view(-1)).sum(Kind::Float) / words as f64)
        },
        |optimizer, epoch, loss| optimizer.with_average(|| finished(epoch, loss)),
    )
}

/// r_k minus the mean of the other rewards of the same image, for `samples` rewards an image.
fn advantages(rewards: &[f64], samples: usize) -> Vec<f64> {
    let one_image = |rewards: &[f64]| {
        let sum: f64 = rewards.iter().sum();
        rewards.iter().map(|reward| reward - (sum - reward) / (samples - 1) as f64).collect::<Vec<_>>()
    };
    rewards.chunks(samples).flat_map(one_image).collect()
}

/// Draws `samples` captions for each row of `memory`, word by word; each begins with the start and, if it did not grow too
/// long, ends with the end.
fn draw(net: &Net<'_>, memory: &Tensor, samples: usize, max_tokens: usize) -> Result<Vec<Vec<TokenId>>> {
    tch::no_grad(|| {
        let (images, device) = (memory.size()[0], memory.device());
        let rows = images * samples as i64;
        let owner = Tensor::arange(images, (Kind::Int64, device)).repeat_interleave_self_int(samples as i64, 0, rows);
        let keys: Vec<_> = net.decoder.memory_keys(memory).iter().map(|keys| keys.select(&owner)).collect();
        let mut captions = vec![vec![TokenId::START]; rows as usize];
        let mut cache = StepCache::default();
        let parents = Tensor::arange(rows, (Kind::Int64, device));
        let mut newest = Tensor::full([rows], i64::from(TokenId::START.0), (Kind::Int64, device));
        for position in 0..max_tokens as i64 - 1 {
            let logits = net.decoder.step(&newest, position, &parents, &mut cache, &keys).to_kind(Kind::Float);
            for special in [TokenId::START, TokenId::UNKNOWN] {
                let _ = logits.select(1, i64::from(special.0)).fill_(f64::NEG_INFINITY);
            }
            newest = logits.softmax(-1, Kind::Float).multinomial(1, false).squeeze_dim(1);
            let words = Vec::<i64>::try_from(newest.to_device(tch::Device::Cpu))?;
            for (caption, word) in captions.iter_mut().zip(words) {
                if caption.last() != Some(&TokenId::END) {
                    caption.push(TokenId(word as u16));
                }
            }
            if captions.iter().all(|caption| caption.last() == Some(&TokenId::END)) {
                break;
            }
        }
        Ok(captions)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advantages_compare_with_the_other_samples() {
        assert_eq!(advantages(&[1.0, 2.0, 6.0, 0.0, 0.0, 3.0], 3), [-3.0, -1.5, 4.5, -1.5, -1.5, 3.0]);
    }
}
