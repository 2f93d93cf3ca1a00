//! Self-critical sequence training (Rennie et al. 2017) after both stages of the paper: captions are drawn from the model
//! and made likelier the more CIDEr-D (and BLEU-4) they win over the image's other drawn captions (Luo 2020).
//!
//! ∇L = −Σ_k (r_k − mean of the other r) ∇log p(s_k | I), with a share of the references' cross-entropy where the recipe
//! wants one: the reward alone draws all captions together.

use super::epochs::{Draws, Epochs, TrainContext};
use super::net::Net;
use super::optimizer::Optimizer;
use super::rewards::Rewards;
use super::schedule::Settings;
use crate::config::{Config, Scst};
use crate::data::batches::{CaptionBatch, Captions};
use crate::data::samples::{Unit, Views};
use crate::error::Result;
use crate::net::{Mode, Parts, StepCache};
use crate::ranks::Ranks;
use cssa::model::Search;
use cssa::parameters;
use cssa::search::{self, Strategy};
use cssa::vocabulary::TokenId;
use std::ops::ControlFlow;
use tch::{Kind, Reduction, Tensor};

/// Words drawn between looks at whether all captions have ended.
const LOOK: usize = 4;

/// Runs the stage, as [`rsic::run`](super::rsic::run) does.
pub fn run(
    config: &Config,
    parts: Parts<'_>,
    context: TrainContext<'_>,
    mut finished: impl FnMut(usize, f64) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let settings = &config.scst;
    let Parts { model, store, .. } = parts;
    let net = Net::new(parts)?;
    let batcher = context.batcher;
    let rewards = Rewards::new(batcher.samples, batcher.vocabulary, settings);
    let epochs = Epochs {
        stage: "scst",
        stream: 3,
        seed: config.seed,
        epochs: settings.epochs,
        unit: Unit::Images,
        batch: settings.batch,
        ranks: context.ranks.size(),
        draws: Draws::All,
        accumulate: settings.accumulate,
        whole_batches: false,
    };
    let strategy = Strategy::new(model, Search { consensus: None, ..config.search }, batcher.vocabulary, None)?;
    let drawing = strategy.settings();
    let total = epochs.steps(batcher.samples);
    let optimizer =
        Settings { average: settings.average, ..Settings::new(config, settings.schedule, settings.clip, total) };
    let mut optimizer = Optimizer::new(store, optimizer, |name| !name.starts_with(parameters::MCCL));
    let views = Views::augmented(settings.augment);
    epochs.run(
        context,
        &mut optimizer,
        |images, random| batcher.captioning(images, views, random),
        |batch: &CaptionBatch, _| loss(&net, &rewards, batch, (settings, drawing), context.ranks),
        |optimizer, epoch, loss| optimizer.with_average(|| finished(epoch, loss)),
    )
}

/// This rank's part of the loss of a batch: captions are drawn as `drawing` lets them begin and go on, rewarded and made likelier or
/// less likely.
pub fn loss(
    net: &Net<'_>,
    rewards: &Rewards<'_>,
    batch: &CaptionBatch,
    (settings, drawing): (&Scst, search::Settings),
    ranks: &Ranks,
) -> Result<Tensor> {
    let memory = net.encoder.forward(&batch.images, Mode::Evaluate)?;
    let drawn = draw(net, &memory.detach(), batch, settings.samples, drawing)?;
    let won = rewards.all(&batch.numbers, &drawn);
    let captions: Vec<(i64, &[TokenId], f32)> = drawn
        .iter()
        .zip(advantages(&won, settings.samples))
        .enumerate()
        .map(|(n, (words, advantage))| ((n / settings.samples) as i64, words.as_slice(), advantage as f32))
        .collect();
    let words = ranks.sum_of(drawn.iter().map(|words| words.len() - 1).sum::<usize>() as f64);
    let captions = Captions::new(&captions, words as f32, memory.device());
    let logits = net.logits(&memory, &captions, Mode::Evaluate);
    let losses = drawn_losses(&logits, &captions.targets, drawing.first_word);
    let reinforced = (losses * captions.weights.view(-1)).sum(Kind::Float) / words;
    if settings.cross_entropy == 0.0 {
        return Ok(reinforced);
    }
    let learned = net.cross_entropy(&memory, &batch.captions, 0.0, Mode::Evaluate);
    Ok(reinforced * (1.0 - settings.cross_entropy) + learned * settings.cross_entropy)
}

/// −log p of every word of drawn captions, flat, under the distribution that they were drawn from. With the tokens that are
/// never drawn in its denominator, whatever is drawn and loses would make those likelier, and nothing would ever stop it.
fn drawn_losses(logits: &Tensor, targets: &Tensor, first_word: TokenId) -> Tensor {
    let logits = sayable(logits, first_word);
    let flat = logits.view([-1, logits.size()[2]]);
    flat.cross_entropy_loss(&targets.view(-1), None::<&Tensor>, Reduction::None, -100, 0.0)
}

/// Logits `[…, words]` with those of the tokens that no caption contains at −∞: all before the first word but the end.
fn sayable(logits: &Tensor, first_word: TokenId) -> Tensor {
    let words = logits.size()[logits.dim() - 1];
    let never = Tensor::arange_start(1, i64::from(first_word.0), (Kind::Int64, logits.device()));
    let mask = Tensor::zeros([words], (Kind::Float, logits.device())).index_fill(0, &never, f64::NEG_INFINITY);
    logits + mask
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
fn draw(
    net: &Net<'_>,
    memory: &Tensor,
    batch: &CaptionBatch,
    samples: usize,
    drawing: search::Settings,
) -> Result<Vec<Vec<TokenId>>> {
    tch::no_grad(|| {
        let (images, device) = (memory.size()[0], memory.device());
        let rows = images * samples as i64;
        let owner = Tensor::arange(images, (Kind::Int64, device)).repeat_interleave_self_int(samples as i64, 0, rows);
        let keys: Vec<_> = net.decoder.memory_keys(memory).iter().map(|keys| keys.select(&owner)).collect();
        let mut cache = StepCache::default();
        let parents = Tensor::arange(rows, (Kind::Int64, device));
        let mut words = vec![Tensor::full([rows], i64::from(drawing.start.0), (Kind::Int64, device))];
        let mut ended = Tensor::zeros([rows], (Kind::Bool, device));
        for position in 0..drawing.longest as i64 {
            let newest = &words[words.len() - 1];
            let logits = net.decoder.step(newest, position, &parents, &mut cache, &keys).to_kind(Kind::Float);
            let drawn =
                draw_rows(&sayable(&logits, drawing.first_word).softmax(-1, Kind::Float), batch, samples as i64);
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

/// A column of each row of probabilities, `samples` rows an image: what `multinomial` would draw on one rank for the batch of all,
/// the largest of p / q, where the q of a batch are drawn from the exponential distribution at once.
fn draw_rows(probabilities: &Tensor, CaptionBatch { own, of, .. }: &CaptionBatch, samples: i64) -> Tensor {
    if own.len() == *of {
        return probabilities.multinomial(1, false).squeeze_dim(1);
    }
    let rows = [*of as i64 * samples, probabilities.size()[1]];
    let all = Tensor::empty(rows, (Kind::Float, probabilities.device())).exponential_(1.0);
    let own = all.narrow(0, own.start as i64 * samples, probabilities.size()[0]);
    (probabilities / own).argmax(1, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_leaves_tokens_alone_that_are_never_drawn() {
        tch::manual_seed(1);
        let logits = Tensor::randn([2, 3, 6], (Kind::Float, tch::Device::Cpu)).set_requires_grad(true);
        let targets = Tensor::from_slice(&[5i64, 4, 0, 5, 0, 0]).view([2, 3]);
        let first = TokenId(4);
        let losses = drawn_losses(&logits, &targets, first);
        (&losses * Tensor::from_slice(&[1.0f32, 1.0, 1.0, -2.0, -2.0, 0.0])).sum(Kind::Float).backward();
        let gradient = logits.grad();
        for token in [TokenId::START, TokenId::UNKNOWN, TokenId(3)] {
            assert_eq!(gradient.select(2, i64::from(token.0)).abs().max().double_value(&[]), 0.0);
        }
        assert!(gradient.abs().max().double_value(&[]) > 0.1);
        let drawn = sayable(&logits, first).softmax(-1, Kind::Float).gather(2, &targets.unsqueeze(2), false).view(-1);
        assert!((losses.exp() * drawn - 1.0).abs().max().double_value(&[]) < 1e-5);
    }

    #[test]
    fn advantages_compare_with_the_other_samples() {
        assert_eq!(advantages(&[1.0, 2.0, 6.0, 0.0, 0.0, 3.0], 3), [-3.0, -1.5, 4.5, -1.5, -1.5, 3.0]);
    }
}
