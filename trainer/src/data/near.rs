//! The part of a dataset that was annotated next to another part.
//!
//! Captions are written by several people, stretch by stretch in the order of file names, and each has phrases of their own. A
//! split along that order (RSICD's) leaves whole stretches to val or test; the train images just before are by the same
//! hands. Only file names are looked at, never a held-out image or caption.

use cssa::dataset::{Dataset, Split};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Train images that stand near those of `split` in the order of file names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Near {
    /// Near which images: `val` or `test`.
    pub split: Held,
    /// At most this many places from the nearest of them, all images of the dataset counted.
    pub places: usize,
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
        let mut order: Vec<_> =
            dataset.images.iter().map(|image| (image.filename.to_lowercase(), image.split == split)).collect();
        order.sort();
        let places: BTreeSet<usize> =
            order.iter().enumerate().filter_map(|(place, (_, held))| held.then_some(place)).collect();
        let near = |place: usize| {
            places.range(place.saturating_sub(self.places)..=place.saturating_add(self.places)).next().is_some()
        };
        let kept: BTreeSet<_> =
            order.iter().enumerate().filter(|&(place, _)| near(place)).map(|(_, (name, _))| name.as_str()).collect();
        dataset.images.retain(|image| {
            !matches!(image.split, Split::Train | Split::Dev) || kept.contains(image.filename.to_lowercase().as_str())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cssa::dataset::Captioned;

    #[test]
    fn what_is_far_in_the_order_of_names_is_left_out() {
        let image = |(filename, split): (&str, Split)| Captioned {
            filename: filename.into(),
            path: filename.into(),
            split,
            captions: Vec::new(),
            back_translations: Vec::new(),
        };
        // In the order of names: a_1, A_10, a_11, a_2, a_20, a_3, b_1, b_2.
        let images = [
            ("a_1.jpg", Split::Train),
            ("a_2.jpg", Split::Dev),
            ("a_3.jpg", Split::Val),
            ("A_10.jpg", Split::Train),
            ("a_11.jpg", Split::Train),
            ("a_20.jpg", Split::Test),
            ("b_1.jpg", Split::Train),
            ("b_2.jpg", Split::Train),
        ];
        let dataset = Dataset { name: "d".into(), images: images.into_iter().map(image).collect(), missing: 0 };
        let kept = |split, places| {
            let mut dataset = dataset.clone();
            Near { split, places }.keep(&mut dataset);
            dataset.images.into_iter().map(|image| image.filename).collect::<Vec<_>>()
        };
        assert_eq!(kept(Held::Test, 2), ["a_2.jpg", "a_3.jpg", "a_11.jpg", "a_20.jpg", "b_1.jpg"]);
        assert_eq!(kept(Held::Val, 1), ["a_3.jpg", "a_20.jpg", "b_1.jpg"]);
        assert_eq!(kept(Held::Test, usize::MAX).len(), images.len());
    }
}
