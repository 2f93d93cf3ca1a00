//! `trainer score`: any system's captions against a dataset's references, with the baselines they should beat.

mod baselines;
mod jars;
mod spice;
mod statistics;
mod text;

pub use baselines::{ByClass, Retrieval, class_consensus, class_lookup, train_retrieval};
pub use jars::{JarError, Jars};
pub use statistics::{ClassRow, Images, Statistics};
pub use text::lines;

use crate::error::{Error, Result, ensure};
use cssa::dataset::{Listed, Listing, Split};
use cssa::files::{self, FileError};
use cssa::metrics::{self, Item, Scores};
use serde::Serialize;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
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
    /// Variety, length and faithfulness, with intervals.
    #[serde(flatten)]
    pub statistics: Statistics,
    /// The most frequent sentence of each true scene class.
    pub class_lookup: ClassBaseline,
    /// The most expected sentence of each true scene class: what naming the class right brings at best.
    pub class_consensus: ClassBaseline,
    /// The caption of the most similar train image.
    pub train_retrieval: Baseline,
    /// Each class, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_class: Option<Vec<ClassRow>>,
}

/// A baseline over the images whose class is known.
#[derive(Clone, Debug, Serialize)]
pub struct ClassBaseline {
    /// Images that have a class, and train images of it.
    pub images: usize,
    /// The other images of the split.
    pub left_out: usize,
    /// Its scores.
    #[serde(flatten)]
    pub baseline: Baseline,
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
    let problem = |error| format!("expected a JSON object of filename: caption: {error}");
    let Unique(hypotheses) = serde_json::from_str(&text).map_err(|error| FileError::content(path, problem(error)))?;
    Ok(hypotheses)
}

/// A map of a file that names no key twice: of two captions of an image nobody knows which one is meant.
struct Unique(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of captions")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Unique, A::Error> {
        let mut found = BTreeMap::new();
        while let Some((name, caption)) = entries.next_entry::<String, String>()? {
            if found.contains_key(&name) {
                return Err(de::Error::custom(format_args!("{name} has two captions")));
            }
            found.insert(name, caption);
        }
        Ok(Unique(found))
    }
}

/// Whether an image of the file's split belongs to what was asked for; `dev` is counted to `train` here, as in the file.
fn is_in(entry: &Listed, split: Split) -> bool {
    entry.split == split || (split == Split::Train && entry.split == Split::Dev)
}

/// The images of a split with their hypotheses. Every image needs one, every hypothesis an image of the dataset.
pub fn items(listing: &Listing, split: Split, hypotheses: &BTreeMap<String, String>) -> Result<Vec<Item>> {
    let wanted: Vec<&Listed> = listing.entries.iter().filter(|entry| is_in(entry, split)).collect();
    let wrong = |problem: String| Error::from(FileError::content(&listing.file, problem));
    ensure!(!wanted.is_empty(), wrong(format!("no image is in split {}", split.name())));
    let bare = wanted.iter().find(|entry| entry.captions.iter().all(|caption| caption.trim().is_empty()));
    if let Some(entry) = bare {
        return Err(wrong(format!("image {} has no caption to score against", entry.filename)));
    }
    let missing: Vec<&str> =
        wanted.iter().filter(|entry| !hypotheses.contains_key(&entry.filename)).map(|e| e.filename.as_str()).collect();
    if let Some(&first) = missing.first() {
        let (missing, images, first) = (missing.len(), wanted.len(), first.to_owned());
        return Err(Error::NoHypothesis { missing, images, split, first });
    }
    for name in hypotheses.keys() {
        let known = listing.entries.iter().any(|entry| entry.filename == *name);
        ensure!(known, Error::NoSuchImage { image: name.clone(), dataset: listing.file.clone() });
    }
    Ok(wanted
        .into_iter()
        .map(|entry| Item { hypothesis: hypotheses[&entry.filename].clone(), references: entry.captions.clone() })
        .collect())
}

/// What to score with, and how much to tell.
#[derive(Debug)]
pub struct Request<'a> {
    /// METEOR and SPICE, or why they cannot run.
    pub jars: &'a Result<Jars, JarError>,
    /// What the train-retrieval baseline compares images with.
    pub retrieval: Option<Retrieval<'a>>,
    /// Whether to tell each class apart.
    pub by_class: bool,
}

/// Scores items, as [`items`] gives them, with everything that is at hand, and the baselines.
pub fn report(listing: &Listing, split: Split, items: &[Item], request: &Request<'_>) -> Result<Report> {
    let mut scores = named(&metrics::score(items)?);
    let mut absent = BTreeMap::new();
    for (name, found) in with_jars(request.jars, items) {
        match found {
            Ok(score) => drop(scores.insert(name.into(), score)),
            Err(reason) => drop(absent.insert(name.to_owned(), reason)),
        }
    }
    let distinct = metrics::deduplicated(items);
    let deduplicated = if distinct.is_empty() {
        None
    } else {
        Some(Deduplicated { images: distinct.len(), scores: named(&metrics::score(&distinct)?) })
    };
    let images = Images::score(items)?;
    let names = listing.entries.iter().filter(|entry| is_in(entry, split)).map(|entry| entry.filename.as_str());
    Ok(Report {
        scores,
        images: items.len(),
        absent,
        deduplicated,
        statistics: images.statistics()?,
        class_lookup: ClassBaseline::score(&class_lookup(listing, split)),
        class_consensus: ClassBaseline::score(&class_consensus(listing, split)),
        train_retrieval: retrieved(listing, split, request.retrieval)?,
        by_class: request.by_class.then(|| images.by_class(&listing.name, names)),
    })
}

/// METEOR and SPICE, or the reason why one is absent.
fn with_jars(jars: &Result<Jars, JarError>, items: &[Item]) -> [(&'static str, Result<f64, String>); 2] {
    let with = |score: fn(&Jars, &[Item]) -> Result<f64, JarError>| match jars {
        Ok(jars) => score(jars, items).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    [("meteor", with(Jars::meteor)), ("spice", with(Jars::spice))]
}

impl ClassBaseline {
    fn score(ByClass { items, left_out }: &ByClass) -> Self {
        let baseline = match metrics::score(items) {
            Ok(scores) => Baseline::Scores(named(&scores)),
            Err(_) if items.is_empty() => Baseline::Absent("no image's name tells a class of the train images".into()),
            Err(error) => Baseline::Absent(error.to_string()),
        };
        Self { images: items.len(), left_out: *left_out, baseline }
    }
}

fn retrieved(listing: &Listing, split: Split, retrieval: Option<Retrieval<'_>>) -> Result<Baseline> {
    let Some(retrieval) = retrieval else {
        return Ok(Baseline::Absent("needs --backbone-weights to compare images with".into()));
    };
    if !listing.entries.iter().any(|entry| entry.split == Split::Train) {
        return Ok(Baseline::Absent("the dataset has no train image".into()));
    }
    if let Some(name) = baselines::missing_image(listing, split) {
        return Ok(Baseline::Absent(format!("image {name} of the dataset is missing")));
    }
    Ok(Baseline::Scores(named(&metrics::score(&train_retrieval(listing, split, retrieval)?)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_with_two_captions_is_refused() -> Result<(), std::io::Error> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("hypotheses.json");
        std::fs::write(&path, r#"{"a.jpg": "a road", "a.jpg": "a river"}"#)?;
        let said = read_hypotheses(&path).map_err(|error| error.to_string());
        assert!(said.is_err_and(|said| said.contains("hypotheses.json") && said.contains("a.jpg has two captions")));
        std::fs::write(&path, r#"{"a.jpg": "a road", "b.jpg": "a road"}"#)?;
        assert!(read_hypotheses(&path).is_ok_and(|found| found.len() == 2));
        Ok(())
    }
}
