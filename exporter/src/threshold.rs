//! The confidence threshold: what a least score keeps and drops, measured on captioned images.

use crate::error::{At, Error, Result};
use cssa::dataset::{Captioned, Dataset, Split};
use cssa::metrics::{self, CiderScorer};
use cssa::preprocess;
use cssa_captioner::Captioner;
use std::path::Path;

/// Shares of the captions that the table's thresholds drop, in percent.
const DROPPED: [usize; 8] = [0, 5, 10, 20, 30, 40, 50, 70];

/// What a threshold does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Captions with a lower score are dropped.
    pub least_score: f32,
    /// Share of the captions that are kept.
    pub kept: f64,
    /// Mean CIDEr-D of the kept captions, with the document frequencies of all references.
    pub kept_cider: f64,
    /// Mean CIDEr-D of the dropped ones; NaN where there is none.
    pub dropped_cider: f64,
}

/// Captions a part of a dataset and says what thresholds would do; dev is what the bundle's model has not trained on.
pub fn measure(captioner: &mut Captioner, data: &Path, split: Split) -> Result<Vec<Row>> {
    let dataset = Dataset::read(data, captioner.dev())?;
    let images: Vec<&Captioned> = dataset.split(split).collect();
    if images.is_empty() {
        return Err(Error::NoImages { folder: data.into(), part: format!("the split {}", split.name()) });
    }
    let tokens = |image: &&Captioned| image.captions.iter().map(|caption| metrics::tokenize(caption)).collect();
    let references: Vec<Vec<Vec<String>>> = images.iter().map(tokens).collect();
    let scorer = CiderScorer::new(&references);
    let mut scored = Vec::with_capacity(images.len());
    for (image, references) in images.iter().zip(&references) {
        let caption = captioner.caption(&preprocess::read(&image.path)?);
        let caption = caption.at(|| image.path.display().to_string())?;
        scored.push((caption.score, scorer.score(&metrics::tokenize(&caption.text), references)));
    }
    Ok(rows(scored))
}

fn rows(mut scored: Vec<(f32, f64)>) -> Vec<Row> {
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mean = |part: &[(f32, f64)]| part.iter().map(|(_, cider)| cider).sum::<f64>() / part.len() as f64;
    let row = |percent: usize| {
        let (dropped, kept) = scored.split_at(scored.len() * percent / 100);
        let least_score = if percent == 0 { 0.0 } else { kept.first().map_or(1.0, |(score, _)| *score) };
        let share = kept.len() as f64 / scored.len() as f64;
        Row { least_score, kept: share, kept_cider: mean(kept), dropped_cider: mean(dropped) }
    };
    DROPPED.map(row).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_split_by_score() {
        let scored = (0..100).rev().map(|n| (n as f32 / 100.0, f64::from(n))).collect();
        let rows = rows(scored);
        let half = rows[6];
        assert_eq!((half.least_score, half.kept, half.kept_cider, half.dropped_cider), (0.5, 0.5, 74.5, 24.5));
        assert!(rows[0].kept == 1.0 && rows[0].dropped_cider.is_nan());
    }
}
