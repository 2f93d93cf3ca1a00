//! What all stages share: passes over the train images in batches that are prepared ahead, accumulation of gradients,
//! saving, and going on after a stop.

use super::optimizer::Optimizer;
use super::state::State;
use crate::data::batches::Batcher;
use crate::data::samples::{Entry, Samples, Unit};
use crate::error::{Error, RanksError, Result, ensure};
use crate::log::Log;
use crate::progress::Progress;
use crate::ranks::Ranks;
use cssa::random::Random;
use std::ops::ControlFlow;
use std::sync::mpsc::sync_channel;
use std::time::Instant;
use tch::{Device, Tensor};

/// Batches that are ready before they are needed.
pub(crate) const AHEAD: usize = 3;
/// On a GPU, steps between looks at the loss: each look waits for the device.
const LOOK: usize = 20;

/// One stage's passes.
#[derive(Clone, Copy, Debug)]
pub struct Epochs {
    /// Its name, which its saved state carries.
    pub stage: &'static str,
    /// Part of the key of its random streams.
    pub stream: u64,
    /// Seed of the run.
    pub seed: u64,
    /// How many passes.
    pub epochs: usize,
    /// What is counted.
    pub unit: Unit,
    /// Images or pairs a batch of each rank; a batch of all has as many times more, and its rows are dealt out in their order.
    pub batch: usize,
    /// How many ranks there are.
    pub ranks: usize,
    /// What libtorch's random numbers belong to.
    pub draws: Draws,
    /// Batches a step.
    pub accumulate: usize,
    /// Leave out a last batch with fewer images.
    pub whole_batches: bool,
}

/// What libtorch draws for in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draws {
    /// For the rows of each rank others: dropout.
    Own,
    /// For those of all ranks, the same on each.
    All,
}

/// What the stages work with.
#[derive(Clone, Copy, Debug)]
pub struct TrainContext<'a> {
    /// Makes the batches.
    pub batcher: Batcher<'a>,
    /// Who trains together.
    pub ranks: &'a Ranks,
    /// Where rank 0 saves the stage.
    pub state: &'a State,
    /// Where its numbers go.
    pub log: &'a Log,
    /// What the user sees.
    pub progress: &'a Progress,
}

impl Epochs {
    /// Rows of a batch of all ranks.
    fn rows(&self, entries: usize) -> usize {
        (self.batch * self.ranks).min(entries).max(1)
    }

    /// Batches of an epoch. A last one that has not a row for every rank is left out.
    fn batches(&self, entries: usize) -> usize {
        let (batches, left) = (entries / self.rows(entries), entries % self.rows(entries));
        batches + usize::from(!self.whole_batches && left > 0 && left >= self.ranks)
    }

    /// Steps of the whole stage.
    pub fn steps(&self, samples: &Samples) -> usize {
        let entries = samples.epoch(self.unit, &mut Random::new(self.seed)).len();
        self.batches(entries).div_ceil(self.accumulate) * self.epochs
    }

    /// Goes on from where the state says the stage stands. `make` prepares a batch in another thread; `loss` gives this rank's part
    /// of the loss, which is the sum of all ranks' parts, and may draw random numbers from its own stream; after each epoch
    /// `finished(optimizer, epoch, mean loss)` says whether to go on.
    pub fn run<B: Send>(
        &self,
        context: TrainContext<'_>,
        optimizer: &mut Optimizer,
        make: impl Fn(&[Entry], &mut Random) -> Result<B> + Sync,
        mut loss: impl FnMut(&B, &mut Random) -> Result<Tensor>,
        mut finished: impl FnMut(&mut Optimizer, usize, f64) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let TrainContext { batcher, ranks, state, log, progress } = context;
        let mut position = ranks.agree(|| state.resume(self.stage, optimizer))?;
        optimizer.take_first(ranks, position.step)?;
        while position.epoch < self.epochs && !position.ended {
            let epoch = position.epoch as u64;
            let mut random = Random::keyed(&[self.seed, self.stream, epoch]);
            let mut order = batcher.samples.epoch(self.unit, &mut random);
            random.shuffle(&mut order);
            let entries = order.len();
            ensure!(entries >= self.ranks, RanksError::TooManyRanks { ranks: self.ranks, entries }.into());
            let count = self.batches(entries);
            let batches: Vec<&[Entry]> = order.chunks(self.rows(entries)).take(count).collect();
            let name = format!("{} epoch {}/{}", self.stage, epoch + 1, self.epochs);
            let bar = progress.stage(name, batches.iter().map(|batch| batch.len()).sum());
            bar.advance_from(batches[..position.batches].iter().map(|batch| batch.len()).sum());
            let mut pending: Vec<Tensor> = Vec::new();
            let mut saved = Instant::now();
            std::thread::scope(|scope| -> Result<()> {
                let (sender, receiver) = sync_channel(AHEAD);
                let (ahead, first, make) = (&batches, position.batches, &make);
                scope.spawn(move || {
                    for (n, images) in ahead.iter().enumerate().skip(first) {
                        let mut random = Random::keyed(&[self.seed, self.stream, epoch, n as u64]);
                        if sender.send(make(images, &mut random)).is_err() {
                            return;
                        }
                    }
                });
                for batch in receiver {
                    let n = position.batches;
                    let mut random = Random::keyed(&self.key(epoch, n, ranks));
                    tch::manual_seed(random.bits() as i64);
                    let group = (n / self.accumulate * self.accumulate..count).take(self.accumulate).len();
                    let loss = loss(&batch?, &mut random)?;
                    optimizer.backward(&(&loss / group as f64));
                    pending.push(loss.detach());
                    position.batches += 1;
                    bar.advance(batches[n].len());
                    let last = position.batches == count;
                    if !last && position.batches % self.accumulate != 0 {
                        continue;
                    }
                    let rate = optimizer.apply(ranks)?;
                    position.step = optimizer.step;
                    let due = ranks.decide(|| state.is_due(saved)) && !last;
                    if last || due || batcher.device == Device::Cpu || optimizer.step.is_multiple_of(LOOK) {
                        let sum = pending.drain(..).map(|loss| loss.double_value(&[])).sum::<f64>();
                        position.loss += ranks.sum_of(sum);
                        let mean = position.loss / position.batches as f64;
                        ensure!(
                            mean.is_finite(),
                            Error::Diverged(format!(
                                "the loss is {mean} at step {}: lower the learning rate",
                                position.step
                            ))
                        );
                        bar.message(format!("loss {mean:.3} rate {rate:.1e}"));
                        log.step(self.stage, position.step, mean, rate, bar.rate())?;
                    }
                    if due {
                        if ranks.is_first() {
                            state.save(self.stage, &position, optimizer)?;
                        }
                        saved = Instant::now();
                    }
                }
                Ok(())
            })?;
            drop(bar);
            let mean = position.loss / position.batches.max(1) as f64;
            position.ended = finished(optimizer, position.epoch + 1, mean)?.is_break();
            position = super::state::Position { epoch: position.epoch + 1, batches: 0, loss: 0.0, ..position };
            optimizer.check_same(ranks)?;
            if ranks.is_first() {
                state.save(self.stage, &position, optimizer)?;
            }
        }
        Ok(())
    }

    /// The key of libtorch's random numbers in batch `n` of an epoch.
    fn key(&self, epoch: u64, n: usize, ranks: &Ranks) -> Vec<u64> {
        let mut key = vec![self.seed, self.stream, epoch, n as u64, 1];
        if self.draws == Draws::Own && ranks.size() > 1 {
            key.push(ranks.share().rank as u64);
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rank_has_a_row_of_every_batch() {
        let epochs = |batch, ranks, whole_batches| Epochs {
            stage: "rsic",
            stream: 2,
            seed: 1,
            epochs: 1,
            unit: Unit::Images,
            batch,
            ranks,
            draws: Draws::Own,
            accumulate: 1,
            whole_batches,
        };
        let batches = |batch, ranks, entries| epochs(batch, ranks, false).batches(entries);
        assert_eq!([batches(16, 1, 18), batches(4, 4, 18), batches(4, 4, 20), batches(4, 4, 10)], [2, 1, 2, 1]);
        assert_eq!([epochs(16, 1, true).batches(18), epochs(4, 4, true).batches(20)], [1, 1]);
    }
}
