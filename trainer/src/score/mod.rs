//! `trainer score`: any system's captions against a dataset's references, with the baselines they should beat.

mod baselines;
mod jars;

pub use baselines::{Retrieval, class_lookup, train_retrieval};
pub use jars::{JarError, Jars};

use anyhow::{Context, Result, ensure};
use cssa::dataset::{Listed, Listing, Split};
use cssa::files;
use cssa::metrics::{self, Item, Scores};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Scores under the names that the field's tools use: `bleu_1` … `bleu_4`, `rouge_l`, `cider`, `meteor`, `spice`.
pub type Named = BTreeMap<String, f64>;

/// What `trainer score` found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The scores themselves.
    #[serde(flatten)]
    pub scores: Named,
    /// Images scored.
    pub images: usize,
    /// Why METEOR or SPICE is not among the scores.
    pub absent: BTreeMap<String, String>,
    /// Over the images that keep three references when each reference counts once.
    pub deduplicated: Option<Deduplicated>,
    /// One sentence for each true scene class.
    pub class_lookup: Baseline,
    /// The caption of the most similar train image.
    pub train_retrieval: Baseline,
}

/// The de-duplicated score.
#[derive(Clone, Debug, Serialize)]
pub struct Deduplicated {
    /// Images left.
    pub images: usize,
    /// Their scores.
    #[serde(flatten)]
    pub scores: Named,
}

/// A baseline, or why it cannot be had.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// Its scores.
    Scores(Named),
    /// Why there are none.
    Absent(String),
}

/// BLEU, ROUGE-L and CIDEr by name.
pub fn named(scores: &Scores) -> Named {
    let mut named: Named = scores.bleu.iter().enumerate().map(|(n, &bleu)| (format!("bleu_{}", n + 1), bleu)).collect();
    named.insert("rouge_l".into(), scores.rouge_l);
    named.insert("cider".into(), scores.cider);
    named
}

/// Reads hypotheses, `{filename: caption}`.
pub fn read_hypotheses(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = files::read_text(path, 1 << 30)?;
    serde_json::from_str(&text)
        .with_context(|| format!("{}: expected a JSON object of filename: caption", path.display()))
}

/// Whether an image of the file's split belongs to what was asked for; `dev` is counted to `train` here, as in the file.
fn is_in(entry: &Listed, split: Split) -> bool {
    entry.split == split || (split == Split::Train && entry.split == Split::Dev)
}

/// The images of a split with their hypotheses. Every image needs one, every hypothesis an image of the dataset.
pub fn items(listing: &Listing, split: Split, hypotheses: &BTreeMap<String, String>) -> Result<Vec<Item>> {
    let wanted: Vec<&Listed> = listing.entries.iter().filter(|entry| is_in(entry, split)).collect();
    ensure!(!wanted.is_empty(), "{}: no image is in split {}", listing.file.display(), split.name());
    let missing: Vec<&str> =
        wanted.iter().filter(|entry| !hypotheses.contains_key(&entry.filename)).map(|e| e.filename.as_str()).collect();
    ensure!(
        missing.is_empty(),
        "{} of the {} images of split {} have no hypothesis, the first is {}",
        missing.len(),
        wanted.len(),
        split.name(),
        missing[0]
    );
    for name in hypotheses.keys() {
        let known = listing.entries.iter().any(|entry| entry.filename == *name);
        ensure!(known, "hypothesis for {name}, which {} does not have", listing.file.display());
    }
    Ok(wanted
        .into_iter()
        .map(|entry| Item { hypothesis: hypotheses[&entry.filename].clone(), references: entry.captions.clone() })
        .collect())
}

/// Scores items with everything that is at hand, and the baselines.
pub fn report(
    listing: &Listing,
    split: Split,
    items: &[Item],
    jars: &Result<Jars, JarError>,
    retrieval: Option<Retrieval<'_>>,
) -> Result<Report> {
    let mut scores = named(&metrics::score(items)?);
    let mut absent = BTreeMap::new();
    match jars {
        Ok(jars) => {
            for (name, found) in [("meteor", jars.meteor(items)), ("spice", jars.spice(items))] {
                match found {
                    Ok(score) => drop(scores.insert(name.into(), score)),
                    Err(error) => drop(absent.insert(name.to_owned(), error.to_string())),
                }
            }
        }
        Err(error) => {
            for name in ["meteor", "spice"] {
                absent.insert(name.to_owned(), error.to_string());
            }
        }
    }
    let distinct = metrics::deduplicated(items);
    let deduplicated = if distinct.is_empty() {
        None
    } else {
        Some(Deduplicated { images: distinct.len(), scores: named(&metrics::score(&distinct)?) })
    };
    let scored = |found: Result<Vec<Item>>| match found.and_then(|items| Ok(metrics::score(&items)?)) {
        Ok(scores) => Baseline::Scores(named(&scores)),
        Err(reason) => Baseline::Absent(format!("{reason:#}")),
    };
    let retrieved = match retrieval {
        Some(retrieval) => scored(train_retrieval(listing, split, retrieval)),
        None => Baseline::Absent("needs --backbone-weights to compare images with".into()),
    };
    Ok(Report {
        scores,
        images: items.len(),
        absent,
        deduplicated,
        class_lookup: scored(class_lookup(listing, split)),
        train_retrieval: retrieved,
    })
}
