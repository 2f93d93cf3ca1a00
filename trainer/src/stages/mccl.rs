//! MCCL (paper 3.4.1): images and sentences are pulled together where they belong together.
//!
//! L_mccl = L_cl(f, T) + γi · L_cl(f, f′) + γs · L_cl(T, T′)

use super::epochs::{Draws, Epochs, TrainContext};
use super::optimizer::Optimizer;
use super::schedule::Settings;
use crate::config::Config;
use crate::data::batches::{MatchBatch, Sentences, Twins};
use crate::error::Result;
use crate::net::{Encoder, Images, Mode, Parts, SentenceEncoder};
use crate::ranks::Ranks;
use cssa::parameters;
use std::ops::{ControlFlow, Range};
use tch::{Kind, Tensor};

/// τ never falls below this, as in CLIP.
const LOWEST_TEMPERATURE: f64 = 0.01;

/// Images and sentences → one space.
#[derive(Debug)]
pub struct Net<'a> {
    encoder: Encoder<'a>,
    sentences: SentenceEncoder,
    image_projection: Tensor,
    log_temperature: Tensor,
}

/// Runs the stage; `store` then holds the trained encoder and one-way decoder.
pub fn run(config: &Config, parts: Parts<'_>, context: TrainContext<'_>) -> Result<()> {
    let settings = &config.mccl;
    let (net, store) = (Net::new(parts)?, parts.store);
    let epochs = epochs(config, context.ranks);
    let start = Tensor::from_slice(&[settings.temperature.ln() as f32]).to_device(store.device());
    store.set("mccl.log_temperature", &start)?;
    let optimizer = Settings::new(config, settings.schedule, settings.clip, epochs.steps(context.batcher.samples));
    optimizer.warn("mccl", context.progress);
    let learned = |name: &str| settings.learn_temperature || name != "mccl.log_temperature";
    let mut optimizer =
        Optimizer::new(store, optimizer, |name| !name.starts_with(parameters::DECODER) && learned(name));
    let batcher = context.batcher;
    let twins = Twins {
        images: settings.gamma_image > 0.0,
        sentences: settings.gamma_sentence > 0.0,
        equal_sentences: settings.spare_equal_sentences,
    };
    epochs.run(
        context,
        &mut optimizer,
        |images, random| batcher.matching(images, twins, random),
        |batch: &MatchBatch, _| net.loss(config, batch, context.ranks),
        |_, _, _| Ok(ControlFlow::Continue(())),
    )
}

/// How the stage goes over the train images.
pub fn epochs(config: &Config, ranks: &Ranks) -> Epochs {
    let settings = &config.mccl;
    Epochs {
        stage: "mccl",
        stream: 1,
        seed: config.seed,
        epochs: settings.epochs,
        unit: settings.unit,
        batch: settings.batch,
        ranks: ranks.size(),
        draws: Draws::Own,
        accumulate: settings.accumulate,
        whole_batches: true,
    }
}

impl<'a> Net<'a> {
    /// The network of the store.
    pub fn new(parts: Parts<'a>) -> Result<Self> {
        let Parts { model, store, .. } = parts;
        Ok(Self {
            encoder: Encoder::new(parts)?,
            sentences: SentenceEncoder::new(store, model)?,
            image_projection: store.get("mccl.image_projection.weight")?,
            log_temperature: store.get("mccl.log_temperature")?,
        })
    }

    /// This rank's part of L_mccl of a batch. The negatives are those of all ranks: each computes the loss of the whole batch, in
    /// which its own features alone carry a gradient, so that the sum of all ranks' gradients is the loss's.
    pub fn loss(&self, config: &Config, batch: &MatchBatch, ranks: &Ranks) -> Result<Tensor> {
        let (settings, mode) = (&config.mccl, Mode::Train(config.network.dropout));
        let temperature = if settings.learn_temperature {
            // Its gradient is the whole batch's on every rank, and counts once.
            let own =
                if ranks.is_first() { self.log_temperature.shallow_clone() } else { self.log_temperature.detach() };
            own.clamp_min(LOWEST_TEMPERATURE.ln()).exp()
        } else {
            Tensor::from(settings.temperature as f32).to_device(self.log_temperature.device())
        };
        let contrast = |x: &Tensor, y: &Tensor| contrastive_loss(x, y, &temperature, settings.lambda, &batch.same);
        let b = batch.own.len() as i64;
        let images = self.images(&batch.images, mode)?;
        let sentences = self.sentences(&batch.sentences, mode);
        let features = [&images, &sentences].into_iter().flat_map(|both| both.split(b, 0)).collect();
        let features = of_all_ranks(features, &batch.own, batch.same.size()[0], ranks)?;
        let (images, sentences) = features.split_at(1 + usize::from(batch.twins.images));
        let mut loss = contrast(&images[0], &sentences[0]);
        if let Some(twin) = images.get(1) {
            loss += contrast(&images[0], twin) * settings.gamma_image;
        }
        if let Some(twin) = sentences.get(1) {
            loss += contrast(&sentences[0], twin) * settings.gamma_sentence;
        }
        // Rank 0 tells the loss, which all have computed; the others' parts are 0 and have its gradient.
        Ok(if ranks.is_first() { loss } else { &loss - loss.detach() })
    }

    /// p.
    pub(super) fn width(&self) -> i64 {
        self.image_projection.size()[0]
    }

    /// T: projected and normalized, `[b, p]`.
    pub(super) fn sentences(&self, sentences: &Sentences, mode: Mode) -> Tensor {
        self.sentences.forward(&sentences.tokens, &sentences.last, mode)
    }

    /// f: mean over the grid, projected and normalized, `[b, p]`.
    pub(super) fn images(&self, images: &Images, mode: Mode) -> Result<Tensor> {
        let mean = self.encoder.forward(images, mode)?.mean_dim(1, false, Kind::Float);
        Ok(crate::net::normalize(&mean.linear(&self.image_projection, None::<&Tensor>)))
    }
}

/// Features `[b, p]` with those of the other ranks, `[n, p]`: these at the places `own` with their gradient, the others without.
fn of_all_ranks(features: Vec<Tensor>, own: &Range<usize>, of: i64, ranks: &Ranks) -> Result<Vec<Tensor>> {
    if ranks.size() == 1 {
        return Ok(features);
    }
    let (n, width) = (of, features[0].size()[1]);
    let (start, end) = (own.start as i64, own.end as i64);
    // The sum of each rank's rows amid zeros: like the gradient's, it needs no host where the GPUs have joined.
    let rows = Tensor::cat(&features, 1).detach();
    let all = Tensor::zeros([n, rows.size()[1]], (Kind::Float, rows.device()));
    all.narrow(0, start, end - start).copy_(&rows);
    let all = ranks.sum(all)?;
    let joined = |(place, own): (usize, Tensor)| {
        let all = all.narrow(1, place as i64 * width, width);
        Tensor::cat(&[all.narrow(0, 0, start), own, all.narrow(0, end, n - end)], 0)
    };
    Ok(features.into_iter().enumerate().map(joined).collect())
}

/// L_cl(x, y) = −(1/N) Σ_i [λ log softmax_j(x_i·y_j/τ)_i + (1−λ) log softmax_j(x_j·y_i/τ)_i] for rows of length 1.
///
/// `same: [N, N]` marks pairs that are no negatives of each other; they leave the denominators, the diagonal stays.
pub fn contrastive_loss(x: &Tensor, y: &Tensor, temperature: &Tensor, lambda: f64, same: &Tensor) -> Tensor {
    let n = x.size()[0];
    let diagonal = Tensor::eye(n, (Kind::Bool, x.device()));
    let excluded = same.logical_and(&diagonal.logical_not());
    let similarity = (x.matmul(&y.transpose(0, 1)) / temperature).masked_fill(&excluded, f64::NEG_INFINITY);
    let forward = similarity.log_softmax(1, Kind::Float).diagonal(0, 0, 1);
    let backward = similarity.log_softmax(0, Kind::Float).diagonal(0, 0, 1);
    -(forward * lambda + backward * (1.0 - lambda)).mean(Kind::Float)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn loss(x: &[f32], y: &[f32], lambda: f64, same: &[bool]) -> f64 {
        let matrix = |values: &[f32]| Tensor::from_slice(values).view([2, 2]);
        let same = Tensor::from_slice(same).view([2, 2]);
        let temperature = Tensor::from(0.5f32).to_device(Device::Cpu);
        contrastive_loss(&matrix(x), &matrix(y), &temperature, lambda, &same).double_value(&[])
    }

    #[test]
    fn the_loss_is_the_papers_formula() {
        let (x, y) = ([1.0, 0.0, 0.6, 0.8], [0.8, 0.6, 0.0, 1.0]);
        // x·yᵀ/τ by hand: rows [1.6, 0], [1.92, 1.6].
        let log_softmax = |a: f64, b: f64| a - (a.exp() + b.exp()).ln();
        let forward = (log_softmax(1.6, 0.0) + log_softmax(1.6, 1.92)) / 2.0;
        let backward = (log_softmax(1.6, 1.92) + log_softmax(1.6, 0.0)) / 2.0;
        let own = [true, false, false, true];
        assert!((loss(&x, &y, 0.3, &own) + 0.3 * forward + 0.7 * backward).abs() < 1e-5);
        assert!((loss(&x, &y, 1.0, &own) + forward).abs() < 1e-5);
    }

    #[test]
    fn repeated_sentences_are_no_negatives() {
        assert!(loss(&[1.0, 0.0, 1.0, 0.0], &[1.0, 0.0, 1.0, 0.0], 0.5, &[true; 4]).abs() < 1e-6);
    }
}
