//! The part of a dataset that was annotated next to another part.
//!
//! Datasets are annotated in the order of file numbers, by several people with phrases of their own. On RSICD a caption of
//! the most alike train image scores half as much again when it is looked for among the train images whose numbers are near
//! (README, Results). Nothing but file names is looked at.

use cssa::dataset::{Dataset, Split};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Train images with a number near those of `split`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Near {
    /// Near which images: `val` or `test`.
    pub split: Held,
    /// How far a file's number may be from the nearest of an image of `split` whose name is the same but for the number.
    pub numbers: u64,
}

/// The held-out parts of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Held {
    /// [`Split::Val`]
    Val,
    /// [`Split::Test`]
    Test,
}

impl Near {
    /// Leaves out the train and dev images that are not near.
    pub fn keep(&self, dataset: &mut Dataset) {
        let split = match self.split {
            Held::Val => Split::Val,
            Held::Test => Split::Test,
        };
        let mut numbers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for (rest, number) in dataset.split(split).filter_map(|image| numbered(&image.filename)) {
            numbers.entry(rest).or_default().push(number);
        }
        let near = |filename: &str| {
            let Some((rest, number)) = numbered(filename) else { return false };
            numbers.get(&rest).is_some_and(|known| known.iter().any(|&other| other.abs_diff(number) <= self.numbers))
        };
        dataset.images.retain(|image| !matches!(image.split, Split::Train | Split::Dev) || near(&image.filename));
    }
}

/// A file name without its last run of digits, and their number; letters' case does not matter.
fn numbered(filename: &str) -> Option<(String, u64)> {
    let end = filename.rfind(|character: char| character.is_ascii_digit())? + 1;
    let start = filename[..end].trim_end_matches(|character: char| character.is_ascii_digit()).len();
    let number = filename[start..end].parse().ok()?;
    Some((format!("{}#{}", &filename[..start], &filename[end..]).to_lowercase(), number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cssa::dataset::Captioned;

    #[test]
    fn names_and_numbers() {
        assert_eq!(numbered("airport_12.jpg"), Some(("airport_#.jpg".into(), 12)));
        assert_eq!(numbered("Airport_012.JPG"), Some(("airport_#.jpg".into(), 12)));
        assert_eq!(numbered("00077.jpg"), Some(("#.jpg".into(), 77)));
        assert_eq!(numbered("band3/scene.tif"), Some(("band#/scene.tif".into(), 3)));
        assert_eq!(numbered("scene.tif"), None);
        assert_eq!(numbered("99999999999999999999999.tif"), None);
    }

    #[test]
    fn what_is_far_or_unlike_is_left_out() {
        let image = |(filename, split): (&str, Split)| Captioned {
            filename: filename.into(),
            path: filename.into(),
            split,
            captions: Vec::new(),
            back_translations: Vec::new(),
        };
        let images = [
            ("a_1.jpg", Split::Train),
            ("a_8.jpg", Split::Train),
            ("a_9.jpg", Split::Dev),
            ("a_10.jpg", Split::Test),
            ("a_13.jpg", Split::Val),
            ("a_14.jpg", Split::Train),
            ("b_10.jpg", Split::Train),
            ("river.jpg", Split::Train),
        ];
        let mut dataset = Dataset { name: "d".into(), images: images.into_iter().map(image).collect(), missing: 0 };
        Near { split: Held::Test, numbers: 2 }.keep(&mut dataset);
        let kept: Vec<_> = dataset.images.iter().map(|image| image.filename.as_str()).collect();
        assert_eq!(kept, ["a_8.jpg", "a_9.jpg", "a_10.jpg", "a_13.jpg"]);
    }
}
