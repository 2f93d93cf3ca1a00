//! How far captions are faithful to what references say, by groups of words that mean the same object ([`crate::objects`]).
//!
//! A caption *invents* a group that it says and no reference does and *misses* one that at least three references say; it is
//! *wrong* when it invents one.

use super::Item;
pub use crate::objects::ObjectGroups;
use std::collections::BTreeMap;

/// From this many references on, an object is surely there.
const AGREED: usize = 3;

impl ObjectGroups {
    /// The groups that `caption` says and none of `references` does.
    #[must_use]
    pub fn invented(&self, caption: &str, references: &[String]) -> Vec<usize> {
        let told = self.told(references);
        self.said(caption).into_iter().filter(|group| !told.contains_key(group)).collect()
    }

    /// The groups that at least three of `references` say and `caption` does not.
    #[must_use]
    pub fn missed(&self, caption: &str, references: &[String]) -> Vec<usize> {
        let said = self.said(caption);
        self.agreed(references).filter(|group| !said.contains(group)).collect()
    }

    /// How many references say each group that one of them says.
    fn told(&self, references: &[String]) -> BTreeMap<usize, usize> {
        let mut told = BTreeMap::new();
        for group in references.iter().flat_map(|reference| self.said(reference)) {
            *told.entry(group).or_default() += 1;
        }
        told
    }

    fn agreed(&self, references: &[String]) -> impl Iterator<Item = usize> + use<> {
        self.told(references).into_iter().filter(|&(_, count)| count >= AGREED).map(|(group, _)| group)
    }
}

/// How far the words of a corpus of captions can be believed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faithfulness {
    /// Groups invented, as a share of all groups said; 0 where none is said.
    pub invented: f64,
    /// Groups missed, as a share of all groups that three references of an image say; 0 where there is none.
    pub missed: f64,
    /// Share of captions that invent a group.
    pub wrong: f64,
}

/// What one caption says, invents and misses, in groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObjectCounts {
    /// Groups that the caption says.
    pub said: usize,
    /// Of these, the groups that no reference says.
    pub invented: usize,
    /// Groups that at least three references say.
    pub agreed: usize,
    /// Of these, the groups that the caption does not say.
    pub missed: usize,
}

impl ObjectCounts {
    /// Counts the groups of one caption and its references.
    #[must_use]
    pub fn of(Item { hypothesis, references }: &Item, groups: &ObjectGroups) -> Self {
        Self {
            said: groups.said(hypothesis).len(),
            invented: groups.invented(hypothesis, references).len(),
            agreed: groups.agreed(references).count(),
            missed: groups.missed(hypothesis, references).len(),
        }
    }

    /// Whether the caption invents a group.
    #[must_use]
    pub fn is_wrong(self) -> bool {
        self.invented > 0
    }
}

/// Faithfulness of a corpus; all 0 for an empty one.
#[must_use]
pub fn faithfulness(items: &[Item], groups: &ObjectGroups) -> Faithfulness {
    let counts: Vec<ObjectCounts> = items.iter().map(|item| ObjectCounts::of(item, groups)).collect();
    Faithfulness::of(&counts)
}

impl Faithfulness {
    /// From the counts of each caption; all 0 without captions.
    #[must_use]
    pub fn of(counts: &[ObjectCounts]) -> Self {
        let sum = |count: fn(&ObjectCounts) -> usize| counts.iter().map(count).sum::<usize>();
        let share = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let wrong = counts.iter().filter(|counts| counts.is_wrong()).count();
        Self {
            invented: share(sum(|counts| counts.invented), sum(|counts| counts.said)),
            missed: share(sum(|counts| counts.missed), sum(|counts| counts.agreed)),
            wrong: share(wrong, counts.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_and_missed_objects_are_counted_by_groups() {
        let groups = ObjectGroups::default();
        let references = ["many planes are parked", "two airplanes near a building", "aircraft on a road", "planes ."];
        let item = |hypothesis: &str| Item {
            hypothesis: hypothesis.into(),
            references: references.map(str::to_owned).to_vec(),
        };
        let name = |found: Vec<usize>| found.into_iter().map(|group| groups.name(group).to_owned()).collect::<Vec<_>>();
        let wrong = item("A bridge over a River, with buildings.");
        assert_eq!(name(groups.said(&wrong.hypothesis)), ["building", "river", "bridge"]);
        assert_eq!(name(groups.invented(&wrong.hypothesis, &wrong.references)), ["river", "bridge"]);
        assert_eq!(name(groups.missed(&wrong.hypothesis, &wrong.references)), ["airplane"]);
        let counts = ObjectCounts::of(&wrong, &groups);
        assert_eq!(counts, ObjectCounts { said: 3, invented: 2, agreed: 1, missed: 1 });
        assert!(counts.is_wrong());
        let found = faithfulness(&[wrong, item("a plane")], &groups);
        assert_eq!(found, Faithfulness { invented: 0.5, missed: 0.5, wrong: 0.5 });
        assert_eq!(faithfulness(&[], &groups).wrong, 0.0);
    }
}
