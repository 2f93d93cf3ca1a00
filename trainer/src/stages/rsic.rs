//! RSIC (paper 3.4.2): word-by-word cross-entropy, L_cap = −Σ_t log p(s_t | I, s_0 … s_{t−1}).

use super::optimizer::{Optimizer, Settings};
use super::state::State;
use crate::config::Config;
use crate::data::batches::{Batcher, CaptionBatch};
use crate::net::{DgFormer, Mode, RsicDecoder, Store};
use crate::progress::Progress;
use crate::random::Random;
use anyhow::Result;
use cssa::model::Model;
use cssa::parameters;
use tch::{Kind, Tensor};

const STREAM: u64 = 2;

struct Net {
    encoder: DgFormer,
    decoder: RsicDecoder,
}

/// Copies what the first stage taught its decoder into the second stage's, module by module.
pub fn start_from_mccl(model: &Model, store: &Store) -> Result<()> {
    for (from, to) in parameters::shared_by_decoders(model) {
        store.set(&to, &store.get(&from)?.detach())?;
    }
    Ok(())
}

/// Runs the stage from where `state` says it stands. After each epoch `finished(epoch, store)` is called with the
/// averaged weights in the store where averaging is on; training then goes on with its own.
pub fn run(
    config: &Config,
    model: &Model,
    store: &Store,
    batcher: Batcher<'_>,
    state: &State,
    progress: &Progress,
    mut finished: impl FnMut(usize, f64) -> Result<()>,
) -> Result<()> {
    let settings = &config.rsic;
    let net = Net { encoder: DgFormer::new(store, model)?, decoder: RsicDecoder::new(store, model)? };
    let images = batcher.samples.epoch().len();
    let mut optimizer = Optimizer::new(Settings {
        schedule: settings.schedule,
        total: images.div_ceil(settings.batch) * settings.epochs,
        width: model.width,
        clip: settings.clip,
        weight_decay: settings.weight_decay,
        average: settings.average,
        untouched: parameters::MCCL,
    });
    let first = state.resume("rsic", store, &mut optimizer)?;
    for epoch in first..settings.epochs {
        let mut order = batcher.samples.epoch();
        Random::keyed(&[config.seed, STREAM, epoch as u64]).shuffle(&mut order);
        let bar = progress.stage(format!("rsic epoch {}/{}", epoch + 1, settings.epochs), order.len());
        let (mut sum, mut steps) = (0.0, 0.0);
        for images in order.chunks(settings.batch) {
            let mut random = Random::keyed(&[config.seed, STREAM, epoch as u64, optimizer.step as u64]);
            tch::manual_seed(random.bits() as i64);
            let batch = batcher.captioning(images, &mut random)?;
            let loss = net.loss(&batch, Mode::Train(config.network.dropout));
            let rate = optimizer.step(store, &loss)?;
            sum += loss.double_value(&[]);
            steps += 1.0;
            bar.advance(images.len());
            bar.message(format!("loss {:.3} rate {rate:.1e}", sum / steps));
        }
        drop(bar);
        let own = swap_in(store, &optimizer)?;
        finished(epoch + 1, sum / steps)?;
        for (name, values) in own {
            store.set(&name, &values)?;
        }
        state.save("rsic", epoch + 1, store, &optimizer)?;
    }
    Ok(())
}

/// Puts the averaged weights into the store and gives back the trained ones.
fn swap_in(store: &Store, optimizer: &Optimizer) -> Result<Vec<(String, Tensor)>> {
    let mut own = Vec::with_capacity(optimizer.average.len());
    for (name, average) in &optimizer.average {
        own.push((name.clone(), store.get(name)?.detach().copy()));
        store.set(name, average)?;
    }
    Ok(own)
}

impl Net {
    /// Mean over the words, each counted as often as the dataset has its caption.
    fn loss(&self, batch: &CaptionBatch, mode: Mode) -> Tensor {
        let memory = self.encoder.forward(&batch.features, mode);
        let keys: Vec<_> = self.decoder.memory_keys(&memory).iter().map(|keys| keys.select(&batch.image)).collect();
        let logits = self.decoder.forward(&batch.inputs, &keys, mode);
        let vocabulary = logits.size()[2];
        let flat = logits.view([-1, vocabulary]);
        let losses = flat.cross_entropy_loss(&batch.targets.view(-1), None::<&Tensor>, tch::Reduction::None, -100, 0.0);
        let weights = batch.weights.view(-1);
        (losses * &weights).sum(Kind::Float) / weights.sum(Kind::Float)
    }
}
