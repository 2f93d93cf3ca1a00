//! Scores every epoch on dev and keeps the best checkpoint; without dev, the last.

use crate::error::{Error, Result};
use crate::evaluate::Captioner;
use crate::held_out::HeldOut;
use crate::log::{Epoch, Log};
use crate::net::{BackboneNet, Parts, Store};
use crate::progress::Progress;
use crate::ranks::Ranks;
use crate::trained::{Trained, lengths};
use cssa::checkpoint::{Checkpoint, Description, GOLDEN, WEIGHTS};
use cssa::files::FileError;
use cssa::language_model::LanguageModel;
use cssa::metrics::Scores;
use cssa::model::{Model, Search};
use cssa::search::{DocumentFrequencies, Strategy};
use cssa::vocabulary::Vocabulary;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tch::Device;

/// Scores every epoch on dev and keeps the best checkpoint.
pub(super) struct Evaluator<'a> {
    pub(super) dev: &'a HeldOut<'a>,
    pub(super) description: Description,
    /// The recipe's.
    pub(super) search: Search,
    pub(super) vocabulary: &'a Vocabulary,
    pub(super) language_model: LanguageModel,
    pub(super) document_frequencies: Arc<DocumentFrequencies>,
    pub(super) store: &'a Store,
    pub(super) backbone: &'a BackboneNet,
    pub(super) golden: Vec<(PathBuf, String)>,
    pub(super) epochs: Vec<Epoch>,
    pub(super) log: &'a Log,
    pub(super) out: &'a Path,
    pub(super) ranks: &'a Ranks,
    pub(super) progress: &'a Progress,
}

impl Evaluator<'_> {
    pub(super) fn epoch(
        &mut self,
        stage: &str,
        epoch: usize,
        train_loss: f64,
        patience: usize,
    ) -> Result<ControlFlow<()>> {
        self.epochs.retain(|known| known.stage != stage || known.epoch < epoch);
        let (search, scores) = self.score()?;
        self.description.search = search;
        let (dev_cider, dev_bleu_4) = (scores.as_ref().map(|scores| scores.cider), scores.map(|scores| scores.bleu[3]));
        let best = self.epochs.iter().filter_map(|epoch| epoch.dev_cider).fold(f64::NEG_INFINITY, f64::max);
        let chosen = dev_cider.is_none_or(|cider| cider > best) || self.epochs.is_empty();
        let on_dev = dev_cider.map_or("no dev, the last epoch counts".into(), |cider| format!("dev CIDEr {cider:.4}"));
        // Before the first epoch nothing was lost yet.
        let loss = if epoch == 0 { String::new() } else { format!("train loss {train_loss:.4}, ") };
        self.progress.say(&format!("{stage} epoch {epoch}: {loss}{on_dev}"));
        self.epochs.push(Epoch { stage: stage.into(), epoch, train_loss, dev_cider, dev_bleu_4, chosen });
        if chosen && self.ranks.is_first() {
            self.write()?;
        }
        self.log.finished(&self.epochs)?;
        let since = self.epochs.iter().rev().take_while(|epoch| epoch.stage == stage && !epoch.chosen).count();
        let ends = self.ranks.decide(|| patience > 0 && since >= patience);
        Ok(if ends { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// The scores on dev with the recipe's search; where it leaves the length class open, of the class with which they are best.
    fn score(&self) -> Result<(Search, Option<Scores>)> {
        let Self { description: Description { model, .. }, store, backbone, vocabulary, .. } = self;
        let score = |search| -> Result<(Search, Option<Scores>)> {
            let strategy = Strategy::new(model, search, vocabulary, Some(&self.document_frequencies))?;
            let captioner = Captioner::new(Parts { model, store, backbone }, vocabulary, strategy)?;
            Ok((search, self.dev.score(&captioner, self.ranks, self.progress)?))
        };
        if self.search.length.is_some() || vocabulary.lengths() == 0 {
            return score(self.search);
        }
        let mut best: Option<(Search, Option<Scores>)> = None;
        let cider = |scores: &Option<Scores>| scores.as_ref().map_or(f64::NEG_INFINITY, |scores| scores.cider);
        for length in lengths(vocabulary) {
            let found = score(Search { length, ..self.search })?;
            if best.as_ref().is_none_or(|best| cider(&found.1) > cider(&best.1)) {
                best = Some(found);
            }
        }
        let best = best.ok_or(Error::Broken("a vocabulary without length classes"))?;
        self.progress.say(&format!("chosen on dev: {}", best.0));
        Ok(best)
    }

    fn write(&self) -> Result<()> {
        let mut tensors = self.backbone.tensors()?;
        tensors.extend(self.store.arrays()?);
        let (description, vocabulary) = (self.description.clone(), self.vocabulary.clone());
        let language_model = self.language_model.clone();
        let document_frequencies = Some(Arc::clone(&self.document_frequencies));
        Checkpoint { description, tensors, vocabulary, language_model, document_frequencies }.write(self.out)?;
        // In FP32 on a CPU wherever training runs: other runtimes have to agree with it, and GPUs convolve in TF32.
        let golden = Trained::read(self.out, Device::Cpu)?.golden(&self.golden)?;
        Ok(golden.write(&self.out.join(GOLDEN))?)
    }

    /// Puts the best checkpoint so far into the store of rank 0, which gives it to the others when the next stage begins.
    pub(super) fn restore_best(&self, model: &Model) -> Result<()> {
        if self.epochs.is_empty() || !self.ranks.is_first() {
            return Ok(());
        }
        let best = Checkpoint::read(self.out)?;
        if best.description.model != *model {
            return Err(FileError::content(&self.out.join(WEIGHTS), "its model differs from the run's").into());
        }
        self.store.restore(&best.tensors)?;
        self.backbone.restore(&best.tensors)
    }
}
