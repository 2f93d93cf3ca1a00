//! Which train images are *dev*, on which checkpoints are chosen and everything is tuned.
//!
//! Neighbours within a class are near-copies of each other, so a dev drawn image by image is nearer to train than val and
//! test are, and rewards learning by heart. Blocks of neighbours are as far away as val is.

use super::listed::{Listed, Split};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How dev is cut out of train. A description that names `dev` images itself is left as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DevRule {
    /// The last images, by file number, of each scene class or flight: a tenth, of 5,000 train images and more a
    /// twentieth. Files that are only a number and no hundred of UCM-Captions count as one class.
    #[default]
    Blocks,
    /// Every image whose file name hashes into 5 %: what runs before `blocks` used.
    Hash,
    /// No image: a refit on train and dev for the number of epochs that dev chose before, for scores that are reported. Nothing
    /// is left to choose confidence or thresholds on, so such a model does not fly.
    None,
}

impl std::str::FromStr for DevRule {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "blocks" => Ok(Self::Blocks),
            "hash" => Ok(Self::Hash),
            "none" => Ok(Self::None),
            other => Err(format!("unknown dev rule {other:?}, expected blocks, hash or none")),
        }
    }
}

impl std::fmt::Display for DevRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Blocks => "blocks",
            Self::Hash => "hash",
            Self::None => "none",
        })
    }
}

/// From this many train images on, a twentieth is enough.
const LARGE: usize = 5_000;
/// Of a thousand train images, this many hash into dev.
const HASHED_PER_THOUSAND: u64 = 50;
/// Images of UCM-Captions in a class: `1.jpg` to `100.jpg` are the first.
const NUMBERED: u32 = 100;

/// What the description of UCM-Captions calls it: its classes are hundreds of numbers, which no other dataset's are.
const UCM: &str = "UCM";

/// The scene class that a file name of a dataset tells: `airport_12.jpg` is an airport, `137.jpg` of UCM-Captions in the second
/// hundred. A number alone in another dataset (Sydney's `137.jpg`), a name without a small letter before its number (`00012.jpg`, a
/// drone's `07_013.jpg`, a camera's `DJI_0001.jpg`) tells none.
#[must_use]
pub fn scene_class(dataset: &str, filename: &str) -> Option<String> {
    let stem = stem(filename);
    if let Ok(number) = stem.parse::<u32>() {
        let plain = stem.starts_with(|first: char| matches!(first, '1'..='9'));
        return (plain && dataset.eq_ignore_ascii_case(UCM)).then(|| format!("{}", (number - 1) / NUMBERED));
    }
    let (name, number) = stem.rsplit_once('_')?;
    let named = name.chars().any(char::is_lowercase) && number.parse::<u32>().is_ok();
    named.then(|| name.to_owned())
}

fn stem(filename: &str) -> &str {
    filename.rsplit('/').next().unwrap_or(filename).split('.').next().unwrap_or_default()
}

/// Turns some train images into dev, or the description's own dev into train for a refit.
pub(super) fn assign(dataset: &str, entries: &mut [Listed], rule: DevRule) {
    if rule != DevRule::None && entries.iter().any(|entry| entry.split == Split::Dev) {
        return;
    }
    match rule {
        DevRule::Hash => {
            for entry in entries.iter_mut().filter(|entry| entry.split == Split::Train) {
                if hashes_into_dev(&entry.filename) {
                    entry.split = Split::Dev;
                }
            }
        }
        DevRule::None => {
            for entry in entries.iter_mut().filter(|entry| entry.split == Split::Dev) {
                entry.split = Split::Train;
            }
        }
        DevRule::Blocks => {
            for n in blocks(dataset, entries) {
                entries[n].split = Split::Dev;
            }
        }
    }
}

/// The entries that end their class or flight.
fn blocks(dataset: &str, entries: &[Listed]) -> Vec<usize> {
    let mut groups: BTreeMap<String, Vec<(u64, &str, usize)>> = BTreeMap::new();
    let mut total = 0;
    for (n, entry) in entries.iter().enumerate().filter(|(_, entry)| entry.split == Split::Train) {
        let (group, number) = neighbourhood(dataset, &entry.filename);
        groups.entry(group).or_default().push((number, &entry.filename, n));
        total += 1;
    }
    let share = if total >= LARGE { 20 } else { 10 };
    let mut found = Vec::new();
    for mut group in groups.into_values() {
        group.sort_unstable();
        // Rounded to the nearest; one of a small group.
        let last = ((group.len() + share / 2) / share).max(usize::from(group.len() > 1));
        found.extend(group[group.len() - last..].iter().map(|&(_, _, n)| n));
    }
    found
}

/// The class or flight of a file and its place in it.
fn neighbourhood(dataset: &str, filename: &str) -> (String, u64) {
    let stem = stem(filename);
    let digits = stem.len() - stem.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (name, number) = stem.split_at(stem.len() - digits);
    let group = scene_class(dataset, filename).unwrap_or_else(|| name.to_owned());
    (group, number.parse().unwrap_or_default())
}

/// FNV-1a over the file name: stable across machines and versions.
fn hashes_into_dev(filename: &str) -> bool {
    let hash = filename
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 32) % 1000 < HASHED_PER_THOUSAND
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dev(names: impl IntoIterator<Item = String>) -> Vec<String> {
        let listed =
            |filename: String| Listed { path: Default::default(), filename, split: Split::Train, captions: Vec::new() };
        let mut entries: Vec<Listed> = names.into_iter().map(listed).collect();
        assign("UCM", &mut entries, DevRule::Blocks);
        entries.into_iter().filter(|entry| entry.split == Split::Dev).map(|entry| entry.filename).collect()
    }

    #[test]
    fn blocks_of_ucm_are_the_last_of_each_hundred() {
        let train = (0..21).flat_map(|class| (1..=80).map(move |n| format!("{}.jpg", class * 100 + n)));
        let found = dev(train);
        assert_eq!(found.len(), 168);
        let within = |name: &String| name.trim_end_matches(".jpg").parse::<u32>().is_ok_and(|n| (n - 1) % 100 >= 72);
        assert!(found.iter().all(within), "{found:?}");
    }

    #[test]
    fn classes_and_flights_go_by_number_and_bare_numbers_are_one_class() {
        let names = (1..=20).flat_map(|n| [format!("bridge_{n}.jpg"), format!("07_{n:03}.jpg"), format!("{n:05}.jpg")]);
        let expected = ["bridge_19.jpg", "07_019.jpg", "00019.jpg", "bridge_20.jpg", "07_020.jpg", "00020.jpg"];
        assert_eq!(dev(names), expected);
        let many = (1..=5000).map(|n| format!("bridge_{n}.jpg"));
        assert_eq!(dev(many).len(), 250);
    }

    #[test]
    fn a_description_that_names_dev_is_left_alone() {
        let entry = |filename: &str, split| Listed {
            path: Default::default(),
            filename: filename.into(),
            split,
            captions: Vec::new(),
        };
        let mut entries: Vec<Listed> = (0..30).map(|n| entry(&format!("a_{n}.jpg"), Split::Train)).collect();
        entries[3].split = Split::Dev;
        assign("UCM", &mut entries, DevRule::Blocks);
        assert_eq!(entries.iter().filter(|entry| entry.split == Split::Dev).count(), 1);
    }

    #[test]
    fn only_names_with_letters_tell_a_scene_class() {
        let cases = [("airport_12.jpg", Some("airport")), ("137.jpg", Some("1")), ("100.tif", Some("0"))];
        for (name, class) in
            cases.into_iter().chain([("00012.jpg", None), ("07_013.jpg", None), ("x.png", None), ("+0.jpg", None)])
        {
            assert_eq!(scene_class("UCM", name).as_deref(), class, "{name}");
        }
        let sydney = ["137.jpg", "DJI_0001.jpg", "IMG_20.png"].map(|name| scene_class("sydney", name));
        assert_eq!(sydney, [None, None, None]);
    }
}
