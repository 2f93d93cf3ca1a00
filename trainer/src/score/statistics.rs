//! What CIDEr does not tell of captions: how varied and how long they are, and which objects they invent and miss. With 95 %
//! intervals over the images ([`cssa::metrics::bootstrap`]).

use crate::error::{Error, Result};
use cssa::dataset::scene_class;
use cssa::metrics::bootstrap::{Interval, mean_interval, ratio_interval};
use cssa::metrics::objects::{Faithfulness, ObjectCounts, ObjectGroups};
use cssa::metrics::{self, Item};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};

/// Statistics of a split's captions.
#[derive(Clone, Debug, Serialize)]
pub struct Statistics {
    /// Different captions, compared by their tokens.
    pub distinct: usize,
    /// Mean length of the captions, in words.
    pub words: f64,
    /// Mean length of all references, in words.
    pub reference_words: f64,
    /// Objects that a caption says and no reference, as a share of all objects said.
    pub invented: f64,
    /// Objects that at least three references say and the caption does not, as a share of all such objects.
    pub missed: f64,
    /// Share of the captions that invent an object.
    pub wrong: f64,
    /// Lower and upper bound of `cider`, `invented`, `missed` and `wrong`.
    pub intervals: BTreeMap<&'static str, [f64; 2]>,
}

/// The images of one scene class.
#[derive(Clone, Debug, Serialize)]
pub struct ClassRow {
    /// What the file names tell; none for the images whose name tells no class.
    pub class: Option<String>,
    /// Images.
    pub images: usize,
    /// Mean CIDEr-D, with the document frequencies of the whole split.
    pub cider: f64,
    /// Different captions.
    pub distinct: usize,
    /// Share of the captions that invent an object.
    pub wrong: f64,
}

/// What each image of a corpus was found to be.
#[derive(Debug)]
pub struct Images<'a> {
    items: &'a [Item],
    cider: Vec<f64>,
    objects: Vec<ObjectCounts>,
    /// Tokens of the caption.
    words: Vec<Vec<String>>,
}

impl<'a> Images<'a> {
    /// Scores each image.
    pub fn score(items: &'a [Item]) -> Result<Self> {
        let groups = ObjectGroups::default();
        Ok(Self {
            items,
            cider: metrics::cider_per_item(items)?,
            objects: items.iter().map(|item| ObjectCounts::of(item, &groups)).collect(),
            words: items.iter().map(|item| metrics::tokenize(&item.hypothesis)).collect(),
        })
    }

    /// Over all images.
    pub fn statistics(&self) -> Result<Statistics> {
        let Faithfulness { invented, missed, wrong } = Faithfulness::of(&self.objects);
        let references: Vec<usize> = self
            .items
            .iter()
            .flat_map(|item| &item.references)
            .map(|reference| metrics::tokenize(reference).len())
            .collect();
        let mean = |lengths: &[usize]| lengths.iter().sum::<usize>() as f64 / lengths.len() as f64;
        Ok(Statistics {
            distinct: self.words.iter().collect::<HashSet<_>>().len(),
            words: mean(&self.words.iter().map(Vec::len).collect::<Vec<_>>()),
            reference_words: mean(&references),
            invented,
            missed,
            wrong,
            intervals: self.intervals()?,
        })
    }

    fn intervals(&self) -> Result<BTreeMap<&'static str, [f64; 2]>> {
        let ratio = |pair: fn(&ObjectCounts) -> (usize, usize)| {
            ratio_interval(&self.objects.iter().map(pair).collect::<Vec<_>>())
        };
        let found = [
            ("cider", mean_interval(&self.cider)),
            ("invented", ratio(|counts| (counts.invented, counts.said))),
            ("missed", ratio(|counts| (counts.missed, counts.agreed))),
            ("wrong", ratio(|counts| (usize::from(counts.is_wrong()), 1))),
        ];
        let bounds = |found: Option<Interval>| found.map(|Interval { low, high }| [low, high]);
        let each =
            found.into_iter().map(|(name, found)| Ok((name, bounds(found).ok_or(Error::Broken("there is no image"))?)));
        each.collect()
    }

    /// Over the images of each class of a dataset, in the order of names or numbers; the file names are given in the order of the images.
    pub fn by_class<'n>(&self, dataset: &str, filenames: impl IntoIterator<Item = &'n str>) -> Vec<ClassRow> {
        let mut classes: BTreeMap<Option<String>, Vec<usize>> = BTreeMap::new();
        for (image, filename) in filenames.into_iter().enumerate().take(self.items.len()) {
            classes.entry(scene_class(dataset, filename)).or_default().push(image);
        }
        let row = |(class, images): (Option<String>, Vec<usize>)| ClassRow {
            class,
            images: images.len(),
            cider: images.iter().map(|&image| self.cider[image]).sum::<f64>() / images.len() as f64,
            distinct: images.iter().map(|&image| &self.words[image]).collect::<HashSet<_>>().len(),
            wrong: images.iter().filter(|&&image| self.objects[image].is_wrong()).count() as f64 / images.len() as f64,
        };
        let mut rows: Vec<ClassRow> = classes.into_iter().map(row).collect();
        rows.sort_by_key(|row| row.class.as_ref().and_then(|class| class.parse::<u32>().ok()));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> Vec<Item> {
        let item = |hypothesis: &str, reference: &str| Item {
            hypothesis: hypothesis.into(),
            references: vec![reference.into(); 3],
        };
        vec![
            item("a bridge over a river .", "a river and a bridge in a town"),
            item("A bridge over a river", "a river"),
            item("a lake", "a large lake near a road"),
        ]
    }

    #[test]
    fn captions_are_described_beside_their_references() -> Result<()> {
        let items = items();
        let found = Images::score(&items)?.statistics()?;
        assert_eq!((found.distinct, found.words, found.reference_words), (2, 4.0, 16.0 / 3.0));
        assert_eq!((found.invented, found.wrong), (1.0 / 5.0, 1.0 / 3.0));
        assert_eq!(found.intervals.keys().copied().collect::<Vec<_>>(), ["cider", "invented", "missed", "wrong"]);
        assert_eq!(found.intervals["wrong"], [0.0, 1.0]);
        let mean = metrics::score(&items)?.cider;
        assert!(found.intervals["cider"][0] < mean && mean < found.intervals["cider"][1], "{found:?}");
        Ok(())
    }

    #[test]
    fn each_class_has_a_row() -> Result<()> {
        let items = items();
        let rows = Images::score(&items)?.by_class("rsicd", ["bridge_1.jpg", "bridge_2.jpg", "00003.jpg"]);
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].class.as_deref(), rows[0].images, rows[0].wrong), (None, 1, 0.0));
        assert_eq!((rows[1].class.as_deref(), rows[1].images), (Some("bridge"), 2));
        assert_eq!((rows[1].distinct, rows[1].wrong), (1, 0.5));
        let whole = (rows[0].cider + 2.0 * rows[1].cider) / 3.0;
        assert!((whole - metrics::score(&items)?.cider).abs() < 1e-12);
        Ok(())
    }
}
