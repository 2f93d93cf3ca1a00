//! Dev images with their captions, and how the model's score stands to what is wrong.

use crate::error::Result;
use crate::evaluate;
use crate::score::{Images, Statistics};
use crate::show::gallery::{SIDE, article};
use crate::trained::CaptionedSplit;
use cssa::metrics::objects::ObjectGroups;
use cssa::metrics::reliability::{self, Bin, Pair};
use cssa::metrics::{self, Item};
use cssa::page;
use cssa::trust::Confidence;
use cssa_image::embedded;
use serde::Serialize;
use std::fmt::Write;

/// Images shown of all datasets together.
const SHOWN: usize = 24;

/// How well a dataset's dev images are captioned.
#[derive(Debug, Serialize)]
pub(super) struct Scored<'a> {
    pub(super) dataset: &'a str,
    pub(super) images: usize,
    pub(super) cider: f64,
    pub(super) bleu_4: f64,
    pub(super) rouge_l: f64,
    #[serde(flatten)]
    pub(super) statistics: Statistics,
}

pub(super) fn score<'a>(split: &'a CaptionedSplit<'_>) -> Result<Scored<'a>> {
    let items = items(split);
    let scores = metrics::score(&items)?;
    Ok(Scored {
        dataset: &split.dataset,
        images: items.len(),
        cider: scores.cider,
        bleu_4: scores.bleu[3],
        rouge_l: scores.rouge_l,
        statistics: Images::score(&items)?.statistics()?,
    })
}

fn items(split: &CaptionedSplit<'_>) -> Vec<Item> {
    let captions = split.captions.iter().map(|(caption, _)| caption.clone()).collect::<Vec<_>>();
    evaluate::items(&split.images, &captions)
}

/// The gallery, from the worst captions to the best.
pub(super) fn write(
    body: &mut String,
    all: &[CaptionedSplit<'_>],
    scored: &[Scored<'_>],
    absent: Option<&str>,
) -> Result<()> {
    body.push_str("<h2 id=\"captions\">Captions of dev images</h2>\n");
    if let Some(absent) = absent {
        let _ = writeln!(body, "<p class=\"note\">{absent}</p>");
        return Ok(());
    }
    body.push_str(
        "<p class=\"note\">Evenly from the worst caption to the best, by CIDEr-D. <span class=\"right\">Right</span>: in a \
         reference. <span class=\"wrong\">Wrong</span>: in none. The score is the geometric mean of the words' probabilities.</p>\n",
    );
    let share = (SHOWN / all.len().max(1)).max(2);
    for (split, scored) in all.iter().zip(scored) {
        let each = metrics::cider_per_item(&items(split))?;
        let mut order: Vec<usize> = (0..each.len()).collect();
        order.sort_by(|&a, &b| each[a].total_cmp(&each[b]));
        let shown = share.min(order.len());
        let _ = writeln!(
            body,
            "<h3>{}: {shown} of {} images</h3>\n<div class=\"gallery\">",
            page::escape(scored.dataset),
            scored.images
        );
        for n in 0..shown {
            let image = order[n * (order.len() - 1) / (shown - 1).max(1)];
            let (entry, (caption, hypothesis)) = (split.images[image], &split.captions[image]);
            let picture = match embedded(&entry.path, SIDE) {
                Ok(source) => format!("<img alt=\"\" src=\"{source}\">"),
                Err(_) => "<div class=\"absent\">the image is not here</div>".into(),
            };
            let note = format!(
                "{} · CIDEr {:.3} · score {:.3} · log p {:.2}",
                entry.filename,
                each[image],
                hypothesis.score(),
                hypothesis.log_probability
            );
            body.push_str(&article(&picture, caption, &entry.captions, &note));
        }
        body.push_str("</div>\n");
    }
    Ok(())
}

/// Each caption's score, and whether it invents an object.
pub(super) fn pairs(all: &[CaptionedSplit<'_>]) -> Vec<Pair> {
    let groups = ObjectGroups::default();
    let mut pairs = Vec::new();
    for split in all {
        for (image, (caption, hypothesis)) in split.images.iter().zip(&split.captions) {
            let thousandths = (hypothesis.score() * 1000.0).round().clamp(0.0, 1000.0) as u16;
            let stated = Confidence::from_thousandths(thousandths).unwrap_or(Confidence::MAX);
            pairs.push((stated, !groups.invented(caption, &image.captions).is_empty()));
        }
    }
    pairs
}

pub(super) fn write_reliability(body: &mut String, pairs: &[Pair], bins: &[Bin], absent: Option<&str>) {
    body.push_str("<h2 id=\"reliability\">Reliability of the score</h2>\n");
    if let Some(absent) = absent {
        let _ = writeln!(body, "<p class=\"note\">{absent}</p>");
        return;
    }
    let _ = writeln!(
        body,
        "<p class=\"note\">A run has no calibrated confidence: <code>exporter calibrate</code> fits it. Here the model's own score \
         stands against the share of captions that name no object which no reference names. Calibration error {:.3}, AUROC \
         against wrong {:.3}, {} captions.</p>\n<div class=\"side\">{}</div>",
        reliability::ece(bins),
        reliability::auroc(pairs),
        pairs.len(),
        page::reliability::diagram(bins, "score")
    );
}
