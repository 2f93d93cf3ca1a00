//! Self-critical sequence training (Rennie et al. 2017) after both stages of the paper: captions are drawn from the model
//! and made likelier the more CIDEr-D (and BLEU-4) they win over the image's other drawn captions (Luo 2020).
//!
//! ∇L = −Σ_k (r_k − mean of the other r) ∇log p(s_k | I), with a share of the references' cross-entropy where the recipe
//! wants one: the reward alone draws all captions together.

use super::epochs::{Epochs, Surroundings};
use super::optimizer::{Optimizer, Settings};
use super::rewards::Rewards;
use super::rsic::Net;
use crate::config::{Config, Scst};
use crate::data::batches::{CaptionBatch, Captions};
use crate::data::samples::Unit;
use crate::net::{BackboneNet, Mode, StepCache, Store};
use anyhow::Result;
use cssa::model::Model;
use cssa::parameters;
use cssa::vocabulary::TokenId;
use std::ops::ControlFlow;
use tch::{Kind, Tensor};

/// Words drawn between looks at whether all captions have ended.
const LOOK: usize = 4;

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
    let rewards = Rewards::new(batcher.samples, batcher.vocabulary, settings);
    let epochs = Epochs {
        stage: "scst",
        stream: 3,
        seed: config.seed,
        epochs: settings.epochs,
        unit: Unit::Images,
        batch: settings.batch,
        accumulate: settings.accumulate,
        whole_batches: false,
    };
    let total = epochs.steps(batcher.samples);
    let optimizer =
        Settings { average: settings.average, ..Settings::new(config, settings.schedule, settings.clip, total) };
    let mut optimizer = Optimizer::new(store, optimizer, |name| !name.starts_with(parameters::MCCL));
    epochs.run(
        surroundings,
        &mut optimizer,
        |images, random| batcher.captioning(images, settings.augment, random),
        |batch: &CaptionBatch, _| loss(&net, &rewards, batch, settings, model.max_tokens),
        |optimizer, epoch, loss| optimizer.with_average(|| finished(epoch, loss)),
    )
}

/// The loss of a batch: captions are drawn, rewarded and made likelier or less likely.
pub fn loss(
    net: &Net<'_>,
    rewards: &Rewards<'_>,
    batch: &CaptionBatch,
    settings: &Scst,
    max_tokens: usize,
) -> Result<Tensor> {
    let memory = net.encoder.forward(&batch.images, Mode::Evaluate);
    let drawn = draw(net, &memory.detach(), settings.samples, max_tokens)?;
    let won = rewards.all(&batch.numbers, &drawn);
    let captions: Vec<(i64, &[TokenId], f32)> = drawn
        .iter()
        .zip(advantages(&won, settings.samples))
        .enumerate()
        .map(|(n, (words, advantage))| ((n / settings.samples) as i64, words.as_slice(), advantage as f32))
        .collect();
    let words = drawn.iter().map(|words| words.len() - 1).sum::<usize>();
    let captions = Captions::new(&captions, memory.device());
    let losses = net.losses(&memory, &captions, 0.0, Mode::Evaluate);
    let reinforced = (losses * captions.weights.view(-1)).sum(Kind::Float) / words as f64;
    if settings.cross_entropy == 0.0 {
        return Ok(reinforced);
    }
    let learned = net.cross_entropy(&memory, &batch.captions, 0.0, Mode::Evaluate);
    Ok(reinforced * (1.0 - settings.cross_entropy) + learned * settings.cross_entropy)
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
        let mut cache = StepCache::default();
        let parents = Tensor::arange(rows, (Kind::Int64, device));
        let mut words = vec![Tensor::full([rows], i64::from(TokenId::START.0), (Kind::Int64, device))];
        let mut ended = Tensor::zeros([rows], (Kind::Bool, device));
        for position in 0..max_tokens as i64 - 1 {
            let newest = &words[words.len() - 1];
            let logits = net.decoder.step(newest, position, &parents, &mut cache, &keys).to_kind(Kind::Float);
            for special in [TokenId::START, TokenId::UNKNOWN] {
                let _ = logits.select(1, i64::from(special.0)).fill_(f64::NEG_INFINITY);
            }
            let drawn = logits.softmax(-1, Kind::Float).multinomial(1, false).squeeze_dim(1);
            ended = ended.logical_or(&drawn.eq(i64::from(TokenId::END.0)));
            words.push(drawn);
            // A look at a GPU's tensors waits for it.
            if words.len() % LOOK == 0 && bool::try_from(ended.all())? {
                break;
            }
        }
        let length = words.len();
        let words = Vec::<i64>::try_from(Tensor::stack(&words, 1).to_device(tch::Device::Cpu).view(-1))?;
        let caption = |row: &[i64]| {
            let end = row.iter().position(|&word| word == i64::from(TokenId::END.0)).map_or(length, |end| end + 1);
            row[..end].iter().map(|&word| TokenId(word as u16)).collect()
        };
        Ok(words.chunks(length).map(caption).collect())
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
