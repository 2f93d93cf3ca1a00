//! Which objects a caption names, by groups of words that mean the same one: the base of faithfulness and of confidence.
//!
//! A group is *said* when one of its words is among the caption's lower-cased tokens of letters alone.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// The groups that captions of remote-sensing images need, a line a group, `#` before comments.
pub const GROUPS: &str = include_str!("object_groups.txt");

/// Groups of words, each naming one kind of object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectGroups {
    names: Vec<String>,
    group_of: BTreeMap<String, usize>,
}

impl Default for ObjectGroups {
    fn default() -> Self {
        Self::parse(GROUPS)
    }
}

impl ObjectGroups {
    /// From text: a line a group, its words separated by spaces; what follows `#` is a comment. A word of two groups
    /// belongs to the first.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (mut names, mut group_of) = (Vec::new(), BTreeMap::new());
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
        for line in lines.filter(|line| !line.trim().is_empty()) {
            for word in line.split_whitespace() {
                group_of.entry(word.to_lowercase()).or_insert(names.len());
            }
            names.push(line.split_whitespace().next().unwrap_or_default().to_lowercase());
        }
        Self { names, group_of }
    }

    /// How many groups there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// The first word of a group.
    #[must_use]
    pub fn name(&self, group: usize) -> &str {
        &self.names[group]
    }

    /// Every word of the groups.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.group_of.keys().map(String::as_str)
    }

    /// The group of a lower-case word.
    #[must_use]
    pub fn group(&self, word: &str) -> Option<usize> {
        self.group_of.get(word).copied()
    }

    /// The groups that a caption says, each once, in ascending order.
    #[must_use]
    pub fn said(&self, caption: &str) -> Vec<usize> {
        let lower = caption.to_lowercase();
        let words = lower.split(|c: char| !c.is_ascii_lowercase());
        let mut said: Vec<usize> = words.filter_map(|word| self.group(word)).collect();
        said.sort_unstable();
        said.dedup();
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_said_by_any_of_its_words() {
        let groups = ObjectGroups::default();
        let said: Vec<&str> =
            groups.said("A bridge over a River, with buildings.").into_iter().map(|group| groups.name(group)).collect();
        assert_eq!(said, ["building", "river", "bridge"]);
        let own = ObjectGroups::parse("kiln kilns # brick works\n\n# nothing\nriver kiln");
        assert_eq!(
            (own.count(), own.group("kiln"), own.group("kilns"), own.group("river")),
            (2, Some(0), Some(0), Some(1))
        );
    }
}
