//! `trainer check-data`: what is wrong with a dataset, before a run finds out.

mod ungrouped;

pub use ungrouped::{WordCount, ungrouped};

use crate::error::Result;
use cssa::bundle::hexadecimal;
use cssa::dataset::{DevRule, Listing, Split};
use cssa::metrics::objects::ObjectGroups;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Findings {
    /// The dataset's name.
    pub dataset: String,
    /// Images by split, dev counted apart from train.
    pub images: BTreeMap<&'static str, usize>,
    /// Captions in all.
    pub captions: usize,
    /// Distinct captions.
    pub distinct_captions: usize,
    /// Captions that are null, and left out.
    pub null_captions: usize,
    /// Entries whose file is not there.
    pub missing: Vec<String>,
    /// Files that are no image, with the reason.
    pub damaged: BTreeMap<String, String>,
    /// Images without a caption, or with an empty one.
    pub empty_captions: Vec<String>,
    /// Entries that stand in the description more than once.
    pub repeated: Vec<String>,
    /// Images with the same pixels in different splits.
    pub leaks: Vec<Vec<Place>>,
    /// Images with the same pixels in one split.
    pub duplicates: Vec<Vec<Place>>,
    /// Words that seem to name objects and are in no object group: invented and missed objects are not counted of these.
    pub ungrouped: Vec<WordCount>,
}

/// An image and its split.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Its name.
    pub filename: String,
    /// Its split; dev is train here, being a part of it.
    pub split: &'static str,
}

impl Findings {
    /// Whether training or scores would suffer. Duplicates within a split and words without an object group do no harm.
    pub fn is_clean(&self) -> bool {
        self.missing.is_empty()
            && self.damaged.is_empty()
            && self.empty_captions.is_empty()
            && self.repeated.is_empty()
            && self.leaks.is_empty()
    }

    /// As text, a problem a line.
    pub fn text(&self) -> String {
        let images: Vec<String> = self.images.iter().map(|(split, count)| format!("{count} {split}")).collect();
        let mut lines = vec![format!(
            "{}: {} images, {} captions, {} of them distinct",
            self.dataset,
            images.join(" + "),
            self.captions,
            self.distinct_captions
        )];
        if self.null_captions > 0 {
            lines.push(format!("captions that are null, left out: {}", self.null_captions));
        }
        lines.extend(self.missing.iter().map(|name| format!("missing: {name}")));
        lines.extend(self.damaged.iter().map(|(name, reason)| format!("damaged: {name}: {reason}")));
        lines.extend(self.empty_captions.iter().map(|name| format!("empty caption: {name}")));
        lines.extend(self.repeated.iter().map(|name| format!("described twice: {name}")));
        let group = |places: &Vec<Place>| {
            let each: Vec<String> =
                places.iter().map(|place| format!("{} ({})", place.filename, place.split)).collect();
            each.join(", ")
        };
        lines.extend(self.leaks.iter().map(|places| format!("same pixels in different splits: {}", group(places))));
        lines.extend(self.duplicates.iter().map(|places| format!("same pixels: {}", group(places))));
        if !self.ungrouped.is_empty() {
            let each = self.ungrouped.iter().map(|WordCount { word, captions }| format!("{word} {captions}"));
            let each: Vec<String> = each.collect();
            lines.push(format!("words in no object group, with the captions that say them: {}", each.join(", ")));
        }
        lines.join("\n")
    }
}

/// Reads the description and every image of a dataset, and looks for words that `groups` lacks.
pub fn check(folder: &Path, groups: &ObjectGroups, mut done: impl FnMut(usize)) -> Result<Findings> {
    let Listing { name, entries, null_captions, .. } = Listing::read(folder, DevRule::default())?;
    let mut findings = Findings {
        dataset: name,
        images: BTreeMap::new(),
        captions: 0,
        distinct_captions: 0,
        null_captions,
        missing: Vec::new(),
        damaged: BTreeMap::new(),
        empty_captions: Vec::new(),
        repeated: Vec::new(),
        leaks: Vec::new(),
        duplicates: Vec::new(),
        ungrouped: ungrouped(entries.iter().flat_map(|entry| &entry.captions).map(String::as_str), groups),
    };
    let mut distinct = std::collections::BTreeSet::new();
    let mut names = std::collections::BTreeSet::new();
    let mut pixels: BTreeMap<String, Vec<Place>> = BTreeMap::new();
    for entry in &entries {
        *findings.images.entry(entry.split.name()).or_default() += 1;
        findings.captions += entry.captions.len();
        distinct.extend(entry.captions.iter().map(|caption| caption.trim()));
        if entry.captions.is_empty() || entry.captions.iter().any(|caption| caption.trim().is_empty()) {
            findings.empty_captions.push(entry.filename.clone());
        }
        if !names.insert(&entry.filename) {
            findings.repeated.push(entry.filename.clone());
        } else if !entry.path.is_file() {
            findings.missing.push(entry.filename.clone());
        } else {
            match cssa_image::read(&entry.path) {
                Ok(image) => {
                    let mut hash = Sha256::new();
                    hash.update(image.width().to_le_bytes());
                    hash.update(image.as_raw());
                    let split = if entry.split == Split::Dev { Split::Train } else { entry.split }.name();
                    let place = Place { filename: entry.filename.clone(), split };
                    pixels.entry(hexadecimal(&hash.finalize())).or_default().push(place);
                }
                Err(error) => drop(findings.damaged.insert(entry.filename.clone(), error.to_string())),
            }
        }
        done(1);
    }
    findings.distinct_captions = distinct.len();
    for places in pixels.into_values().filter(|places| places.len() > 1) {
        let across = places.iter().any(|place| place.split != places[0].split);
        if across { findings.leaks.push(places) } else { findings.duplicates.push(places) }
    }
    findings.leaks.sort();
    findings.duplicates.sort();
    Ok(findings)
}
