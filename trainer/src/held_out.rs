//! Images that are not for training, with their features.

use crate::data::features::Source;
use crate::data::rows::Rows;
use crate::error::{Error, Result, ensure};
use crate::evaluate::{self, Captioner};
use crate::progress::Progress;
use crate::ranks::Ranks;
use cssa::dataset::{Captioned, Dataset, Split};

/// Held-out images of all datasets.
#[derive(Debug)]
pub(crate) struct HeldOut<'a>(pub(crate) Vec<HeldOutImages<'a>>);

/// Those of one dataset.
#[derive(Debug)]
pub(crate) struct HeldOutImages<'a> {
    /// The dataset's name.
    pub(crate) name: String,
    /// 0: the images as they are; above, augmented.
    pub(crate) view: usize,
    /// The images.
    pub(crate) images: Vec<&'a Captioned>,
    /// A row of features each, as the backbone's frozen layers give them.
    pub(crate) features: Rows,
}

impl<'a> HeldOut<'a> {
    /// The images of a split, as they are.
    pub(crate) fn collect(
        source: &Source<'_>,
        datasets: impl IntoIterator<Item = &'a Dataset>,
        split: Split,
        progress: &Progress,
    ) -> Result<Self> {
        Self::collect_views(source, datasets, split, 1, progress)
    }

    /// The first `views` views of the images of a split.
    pub(crate) fn collect_views(
        source: &Source<'_>,
        datasets: impl IntoIterator<Item = &'a Dataset>,
        split: Split,
        views: usize,
        progress: &Progress,
    ) -> Result<Self> {
        let datasets: Vec<&Dataset> = datasets.into_iter().collect();
        let mut held = Vec::new();
        for dataset in &datasets {
            if dataset.missing > 0 {
                progress.say(&format!("warning: {} lacks {} images of its description", dataset.name, dataset.missing));
            }
            let images: Vec<&Captioned> = dataset.split(split).collect();
            if images.is_empty() {
                progress.say(&format!("warning: {} has no image of split {}", dataset.name, split.name()));
                continue;
            }
            for view in 0..views {
                let features = source.split_features(dataset, split, view, progress)?;
                held.push(HeldOutImages { name: dataset.name.clone(), view, images: images.clone(), features });
            }
        }
        ensure!(
            !held.is_empty(),
            Error::NoImages { datasets: datasets.iter().map(|dataset| dataset.name.clone()).collect(), split }
        );
        Ok(Self(held))
    }

    /// Mean over the datasets and their views, each scored as a corpus of its own; nothing where there is no image. Each rank
    /// captions its share.
    pub(crate) fn score(
        &self,
        captioner: &Captioner<'_>,
        ranks: &Ranks,
        progress: &Progress,
    ) -> Result<Option<cssa::metrics::Scores>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let mut mean = cssa::metrics::Scores { bleu: [0.0; 4], rouge_l: 0.0, cider: 0.0 };
        for HeldOutImages { name, view, images, features } in &self.0 {
            let own = ranks.share().range(images.len());
            let name = if *view == 0 { format!("{name} dev") } else { format!("{name} dev, view {view},") };
            let captions = captioner.captions(features, own, &name, progress)?;
            let captions = ranks.gather(captions)?;
            let scores = evaluate::score(images, &captions)?;
            progress.say(&format!("{name} CIDEr {:.4}", scores.cider));
            let share = 1.0 / self.0.len() as f64;
            mean.cider += scores.cider * share;
            mean.rouge_l += scores.rouge_l * share;
            for (sum, bleu) in mean.bleu.iter_mut().zip(scores.bleu) {
                *sum += bleu * share;
            }
        }
        Ok(Some(mean))
    }
}
