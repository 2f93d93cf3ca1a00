//! What a caption model should beat: one sentence a scene class (the most frequent one, the most expected one), and the caption of
//! the nearest train image.

use super::is_in;
use crate::data::features::Source;
use crate::error::Result;
use crate::progress::Progress;
use cssa::dataset::{Captioned, Listed, Listing, Split, scene_class};
use cssa::metrics::{self, CiderScorer, Item};
use std::collections::{BTreeMap, HashSet};
use tch::{Kind, Tensor};

/// A caption for each image whose class is known.
#[derive(Clone, Debug)]
pub struct ByClass {
    /// The images that have one.
    pub items: Vec<Item>,
    /// Images of the split without one: their name tells no class, or no train image is of it.
    pub left_out: usize,
}

/// Every image gets the train caption that its class has most often, the first of equally frequent ones.
pub fn class_lookup(listing: &Listing, split: Split) -> ByClass {
    let sentences = train_classes(listing, split).into_iter().filter_map(|(class, entries)| {
        let mut known: Vec<(String, &str, usize)> = Vec::new();
        for caption in entries.iter().flat_map(|entry| &entry.captions) {
            let tokens = metrics::tokenize(caption).join(" ");
            match known.iter_mut().find(|(other, _, _)| *other == tokens) {
                Some((_, _, count)) => *count += 1,
                None => known.push((tokens, caption, 1)),
            }
        }
        let sentence = known.iter().rev().max_by_key(|(_, _, count)| *count)?.1.to_owned();
        Some((class, sentence))
    });
    captioned(listing, split, &sentences.collect())
}

/// Every image gets the train caption of its class that an image of the class can expect the highest CIDEr-D of: the highest mean
/// against all references of the class's train images, with the document frequencies of all train images; the first of equally
/// good ones. It is what naming the class right brings at best.
pub fn class_consensus(listing: &Listing, split: Split) -> ByClass {
    let tokens = |entry: &Listed| entry.captions.iter().map(|caption| metrics::tokenize(caption)).collect::<Vec<_>>();
    let scorer = CiderScorer::new(&train(listing, split).map(tokens).collect::<Vec<_>>());
    let sentences = train_classes(listing, split).into_iter().filter_map(|(class, entries)| {
        let captions: Vec<&String> = entries.iter().flat_map(|entry| &entry.captions).collect();
        let references: Vec<Vec<String>> = entries.iter().flat_map(|entry| tokens(entry)).collect();
        let prepared = scorer.prepare(&references);
        let mut seen = HashSet::new();
        let mut best: Option<(f64, &String)> = None;
        for (caption, tokens) in captions.into_iter().zip(&references).filter(|(_, tokens)| seen.insert(*tokens)) {
            let expected = scorer.score_against(tokens, &prepared);
            if best.is_none_or(|(other, _)| expected > other) {
                best = Some((expected, caption));
            }
        }
        Some((class, best?.1.clone()))
    });
    captioned(listing, split, &sentences.collect())
}

/// What a baseline of `split` may know: the file's train images, without dev where dev is what is scored.
fn train(listing: &Listing, split: Split) -> impl Iterator<Item = &Listed> {
    listing
        .entries
        .iter()
        .filter(move |entry| is_in(entry, Split::Train) && (split, entry.split) != (Split::Dev, Split::Dev))
}

/// The train images of each class.
fn train_classes(listing: &Listing, split: Split) -> BTreeMap<String, Vec<&Listed>> {
    let mut classes: BTreeMap<String, Vec<&Listed>> = BTreeMap::new();
    for entry in train(listing, split) {
        if let Some(class) = scene_class(&listing.name, &entry.filename) {
            classes.entry(class).or_default().push(entry);
        }
    }
    classes
}

/// The images of a split with their class's sentence.
fn captioned(listing: &Listing, split: Split, sentences: &BTreeMap<String, String>) -> ByClass {
    let wanted: Vec<&Listed> = listing.entries.iter().filter(|entry| is_in(entry, split)).collect();
    let item = |entry: &&Listed| {
        let hypothesis = sentences.get(&scene_class(&listing.name, &entry.filename)?)?.clone();
        Some(Item { hypothesis, references: entry.captions.clone() })
    };
    let items: Vec<Item> = wanted.iter().filter_map(item).collect();
    ByClass { left_out: wanted.len() - items.len(), items }
}

/// What retrieval compares images with.
#[derive(Clone, Copy, Debug)]
pub struct Retrieval<'a> {
    /// Backbone and cache.
    pub source: &'a Source<'a>,
    /// What the user sees.
    pub progress: &'a Progress,
}

/// Every image gets the caption of the train image whose mean grid feature is nearest (cosine): of its captions the one that is
/// most like the others (CIDEr-D).
pub fn train_retrieval(listing: &Listing, split: Split, retrieval: Retrieval<'_>) -> Result<Vec<Item>> {
    let train: Vec<&Listed> = train(listing, split).collect();
    let wanted: Vec<&Listed> = listing.entries.iter().filter(|entry| is_in(entry, split)).collect();
    let means = |entries: &[&Listed], name: &str| means(&listing.name, entries, name, retrieval);
    let (known, asked) = (means(&train, "train")?, means(&wanted, split.name())?);
    let nearest = Vec::<i64>::try_from(asked.matmul(&known.transpose(0, 1)).argmax(1, false))?;
    let item = |(entry, nearest): (&&Listed, i64)| Item {
        hypothesis: central(&train[nearest as usize].captions),
        references: entry.captions.clone(),
    };
    Ok(wanted.iter().zip(nearest).map(item).collect())
}

/// The first image, of those that retrieval looks at, whose file is not there.
pub(super) fn missing_image(listing: &Listing, split: Split) -> Option<&str> {
    let wanted = listing.entries.iter().filter(|entry| is_in(entry, split));
    let missing = train(listing, split).chain(wanted).find(|entry| !entry.path.is_file());
    missing.map(|entry| entry.filename.as_str())
}

/// Mean grid features of length 1, `[n, C]`.
fn means(dataset: &str, entries: &[&Listed], name: &str, retrieval: Retrieval<'_>) -> Result<Tensor> {
    let captioned = |entry: &&Listed| Captioned {
        filename: entry.filename.clone(),
        path: entry.path.clone(),
        split: entry.split,
        captions: entry.captions.clone(),
        back_translations: Vec::new(),
        further: Vec::new(),
    };
    let images: Vec<Captioned> = entries.iter().map(captioned).collect();
    let images: Vec<&Captioned> = images.iter().collect();
    let source = retrieval.source;
    let rows = source.features(&format!("{dataset}-{name}"), &images, 0, retrieval.progress)?;
    let mut all = Vec::with_capacity(images.len());
    for row in 0..images.len() {
        let mut bytes = Vec::new();
        rows.read(row, &mut bytes)?;
        let features = crate::data::features::to_tensor(&bytes, source.backbone.frozen_output(), tch::Device::Cpu);
        all.push(features.mean_dim([0i64, 1].as_slice(), false, Kind::Float));
    }
    Ok(crate::net::normalize(&Tensor::stack(&all, 0)))
}

/// The caption that is most like the others.
fn central(captions: &[String]) -> String {
    let tokens: Vec<Vec<String>> = captions.iter().map(|caption| metrics::tokenize(caption)).collect();
    let likeness = |n: usize| {
        let own: HashSet<&String> = tokens[n].iter().collect();
        let shared = |other: &Vec<String>| other.iter().filter(|token| own.contains(token)).count() as f64;
        tokens.iter().map(|other| 2.0 * shared(other) / (other.len() + tokens[n].len()).max(1) as f64).sum::<f64>()
    };
    let best = (0..captions.len()).rev().max_by(|&a, &b| likeness(a).total_cmp(&likeness(b)));
    best.map(|n| captions[n].clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(images: &[(&str, Split, &[&str])]) -> Listing {
        let entry = |&(filename, split, captions): &(&str, Split, &[&str])| Listed {
            filename: filename.into(),
            path: filename.into(),
            split,
            captions: captions.iter().map(|&caption| caption.to_owned()).collect(),
        };
        let entries = images.iter().map(entry).collect();
        Listing { file: "test.json".into(), name: "test".into(), entries, null_captions: 0 }
    }

    /// "a blue pond" is said most often; "a pond near trees" shares most with all the class's references.
    #[test]
    fn a_class_has_its_most_frequent_and_its_most_expected_sentence() {
        let listing = listing(&[
            ("pond_1.jpg", Split::Train, &["a blue pond .", "a pond near trees ."]),
            ("pond_2.jpg", Split::Dev, &["a blue pond .", "a pond near trees and a road ."]),
            ("pond_3.jpg", Split::Train, &["a pond near trees and houses .", "a dark pond near trees ."]),
            ("road_1.jpg", Split::Train, &["a road ."]),
            ("pond_4.jpg", Split::Test, &["water"]),
            ("00007.jpg", Split::Test, &["a road"]),
            ("farm_1.jpg", Split::Test, &["a farm"]),
        ]);
        let (lookup, consensus) = (class_lookup(&listing, Split::Test), class_consensus(&listing, Split::Test));
        assert_eq!((lookup.items.len(), lookup.left_out), (1, 2));
        assert_eq!(lookup.items[0].hypothesis, "a blue pond .");
        assert_eq!((consensus.items.len(), consensus.left_out), (1, 2));
        assert_eq!(consensus.items[0].hypothesis, "a pond near trees .");
        assert_eq!(consensus.items[0].references, ["water"]);
        let of_dev = class_lookup(&listing, Split::Dev);
        assert_eq!(of_dev.items[0].hypothesis, "a blue pond .", "the first of equals, of train without dev");
        assert_eq!(missing_image(&listing, Split::Test), Some("pond_1.jpg"));
    }

    #[test]
    fn the_central_caption_is_most_like_the_others() {
        let captions = ["a lake .", "many green trees are around a pond .", "many green trees ."].map(String::from);
        assert_eq!(central(&captions), captions[1]);
    }
}
