//! RSIC (paper 3.4.2): word-by-word cross-entropy, L_cap = −Σ_t log p(s_t | I, s_0 … s_{t−1}).

use super::distillation::{Panel, Teachers, divergence};
use super::epochs::{Draws, Epochs, TrainContext};
use super::net::{Net, cross_entropy};
use super::optimizer::Optimizer;
use super::schedule::Settings;
use crate::config::Config;
use crate::data::batches::{Batcher, CaptionBatch};
use crate::data::samples::Views;
use crate::error::Result;
use crate::net::{Mode, Parts, Store};
use cssa::model::Model;
use cssa::parameters;
use std::ops::ControlFlow;
use tch::{Kind, Reduction, Tensor};

/// Copies what the first stage taught its decoder into the second stage's, module by module.
pub fn start_from_mccl(model: &Model, store: &Store) -> Result<()> {
    for (from, to) in parameters::shared_by_decoders(model) {
        store.set(&to, &store.get(&from)?.detach())?;
    }
    Ok(())
}

/// Runs the stage. After each epoch `finished(epoch, loss)` is called with the averaged weights in the store where
/// averaging is on, and says whether to go on.
pub fn run(
    config: &Config,
    parts: Parts<'_>,
    teachers: &Teachers,
    context: TrainContext<'_>,
    mut finished: impl FnMut(usize, f64) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let settings = &config.rsic;
    let (net, store) = (Net::new(parts)?, parts.store);
    let share = if settings.epochs > 0 { settings.scene_weight } else { 0.0 };
    let (scene, panel) = (SceneHead::new(store, share)?, Panel::new(teachers)?);
    let epochs = Epochs {
        stage: "rsic",
        stream: 2,
        seed: config.seed,
        epochs: settings.epochs,
        unit: settings.unit,
        batch: settings.batch,
        ranks: context.ranks.size(),
        draws: Draws::Own,
        accumulate: settings.accumulate,
        whole_batches: false,
    };
    let samples = context.batcher.samples;
    let before =
        if settings.continues_schedule { super::mccl::epochs(config, context.ranks).steps(samples) } else { 0 };
    let optimizer = Settings {
        before,
        weight_decay: settings.weight_decay,
        average: settings.average,
        pull: settings.pull,
        ..Settings::new(config, settings.schedule, settings.clip, before + epochs.steps(samples))
    };
    optimizer.warn("rsic", context.progress);
    let mut optimizer = Optimizer::new(store, optimizer, |name| !name.starts_with(parameters::MCCL));
    let mode = Mode::Train(config.network.dropout);
    let batcher = Batcher { others: &teachers.samples, ..context.batcher };
    let views = Views::augmented(settings.augment);
    epochs.run(
        context,
        &mut optimizer,
        |images, random| batcher.captioning(images, views, random),
        |batch: &CaptionBatch, _| {
            let memory = net.encoder.forward(&batch.images, mode)?;
            let loss = match &panel {
                None => net.cross_entropy(&memory, &batch.captions, settings.label_smoothing, mode),
                Some(panel) => {
                    let logits = net.logits(&memory, &batch.captions, mode);
                    let own = cross_entropy(&logits, &batch.captions, settings.label_smoothing);
                    let taught = divergence(&panel.probabilities(batch)?, &logits, &batch.captions);
                    own * (1.0 - settings.teacher_weight) + taught * settings.teacher_weight
                }
            };
            Ok(scene.as_ref().map_or_else(|| loss.shallow_clone(), |scene| &loss + scene.loss(&memory, batch)))
        },
        |optimizer, epoch, loss| optimizer.with_average(|| finished(epoch, loss)),
    )
}

/// An auxiliary classifier of scenes on the mean of the memory: training alone has it, no checkpoint keeps it.
struct SceneHead {
    weight: Tensor,
    bias: Tensor,
    share: f64,
}

impl SceneHead {
    fn new(store: &Store, share: f64) -> Result<Option<Self>> {
        let part = |part: &str| store.get(&format!("{}scene.{part}", Store::AUXILIARY));
        Ok(if share > 0.0 { Some(Self { weight: part("weight")?, bias: part("bias")?, share }) } else { None })
    }

    /// This rank's part of the cross-entropy over the images whose names tell a class, times the head's share; 0 where none does.
    fn loss(&self, memory: &Tensor, CaptionBatch { scenes, told, .. }: &CaptionBatch) -> Tensor {
        let logits = memory.mean_dim(1, false, Kind::Float).linear(&self.weight, Some(&self.bias));
        let sum = logits.cross_entropy_loss(scenes, None::<&Tensor>, Reduction::Sum, -100, 0.0);
        sum * self.share / told
    }
}
