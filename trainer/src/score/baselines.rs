//! What a caption model should beat: one sentence a scene class, and the caption of the nearest train image.

use super::is_in;
use crate::data::features::Source;
use crate::progress::Progress;
use anyhow::{Context, Result, ensure};
use cssa::dataset::{Captioned, Listed, Listing, Split, scene_class};
use cssa::metrics::{self, Item};
use std::collections::BTreeMap;
use tch::{Kind, Tensor};

/// Every image gets the train caption that its class has most often, the first of equally frequent ones.
pub fn class_lookup(listing: &Listing, split: Split) -> Result<Vec<Item>> {
    let mut counts: BTreeMap<String, Vec<(String, &str, usize)>> = BTreeMap::new();
    for entry in listing.entries.iter().filter(|entry| is_in(entry, Split::Train)) {
        let Some(class) = scene_class(&entry.filename) else { continue };
        let known = counts.entry(class).or_default();
        for caption in &entry.captions {
            let tokens = metrics::tokenize(caption).join(" ");
            match known.iter_mut().find(|(other, _, _)| *other == tokens) {
                Some((_, _, count)) => *count += 1,
                None => known.push((tokens, caption, 1)),
            }
        }
    }
    let sentence = |class: &String| {
        let known = counts.get(class)?;
        known.iter().rev().max_by_key(|(_, _, count)| *count).map(|(_, caption, _)| (*caption).to_owned())
    };
    let wanted = listing.entries.iter().filter(|entry| is_in(entry, split));
    wanted
        .map(|entry| {
            let class =
                scene_class(&entry.filename).with_context(|| format!("{}: its name tells no class", entry.filename))?;
            let hypothesis = sentence(&class).with_context(|| format!("no train image is of class {class}"))?;
            Ok(Item { hypothesis, references: entry.captions.clone() })
        })
        .collect()
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
    let of = |split: Split| listing.entries.iter().filter(move |entry| is_in(entry, split)).collect::<Vec<_>>();
    let (train, wanted) = (of(Split::Train), of(split));
    let means = |entries: &[&Listed], name: &str| means(&listing.name, entries, name, retrieval);
    let (known, asked) = (means(&train, "train")?, means(&wanted, split.name())?);
    let nearest = Vec::<i64>::try_from(asked.matmul(&known.transpose(0, 1)).argmax(1, false))?;
    let item = |(entry, nearest): (&&Listed, i64)| Item {
        hypothesis: central(&train[nearest as usize].captions),
        references: entry.captions.clone(),
    };
    Ok(wanted.iter().zip(nearest).map(item).collect())
}

/// Mean grid features of length 1, `[n, C]`.
fn means(dataset: &str, entries: &[&Listed], name: &str, retrieval: Retrieval<'_>) -> Result<Tensor> {
    let captioned = |entry: &&Listed| Captioned {
        filename: entry.filename.clone(),
        path: entry.path.clone(),
        split: entry.split,
        captions: entry.captions.clone(),
        back_translations: Vec::new(),
    };
    let missing = entries.iter().find(|entry| !entry.path.is_file());
    ensure!(
        missing.is_none(),
        "{} is missing",
        missing.map_or(String::new(), |entry| entry.path.display().to_string())
    );
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
        let own: std::collections::BTreeSet<&String> = tokens[n].iter().collect();
        let shared = |other: &Vec<String>| other.iter().filter(|token| own.contains(token)).count() as f64;
        tokens.iter().map(|other| 2.0 * shared(other) / (other.len() + tokens[n].len()).max(1) as f64).sum::<f64>()
    };
    let best = (0..captions.len()).rev().max_by(|&a, &b| likeness(a).total_cmp(&likeness(b)));
    best.map(|n| captions[n].clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_central_caption_is_most_like_the_others() {
        let captions = ["a lake .", "many green trees are around a pond .", "many green trees ."].map(String::from);
        assert_eq!(central(&captions), captions[1]);
    }
}
