//! Where the images of a description lie: as it says, or in one of the folders that datasets come with.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// A name as it stands in a description, with `/` between its parts and without `./` in front.
pub(super) fn plain(name: &str) -> String {
    let slashed = if name.contains('/') { name.to_owned() } else { name.replace('\\', "/") };
    let parts = Path::new(&slashed).components().filter(|part| *part != Component::CurDir);
    parts.collect::<PathBuf>().to_string_lossy().into_owned()
}

/// Looks for images below a dataset's folder.
#[derive(Debug)]
pub(super) struct Places {
    root: PathBuf,
    /// The files of a folder by their names in small letters.
    listed: BTreeMap<PathBuf, BTreeMap<String, PathBuf>>,
}

impl Places {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.into(), listed: BTreeMap::new() }
    }

    /// Where an image lies: in `images/`, or where its name says from the dataset's folder, or there in a subfolder of the given names.
    /// Where nothing is at any of these places, not even in other letters (`A.JPG`), the first of them.
    pub(super) fn find(&mut self, filename: &str, subfolders: &[&str]) -> PathBuf {
        let subfolders = std::iter::once("").chain(subfolders.iter().copied());
        let places: Vec<PathBuf> = subfolders
            .flat_map(|folder| ["images", ""].map(|top| self.root.join(top).join(folder).join(filename)))
            .collect();
        let there = places.iter().find(|place| place.is_file()).cloned();
        let there = there.or_else(|| places.iter().find_map(|place| self.in_other_letters(place)));
        there.unwrap_or_else(|| places.into_iter().next().unwrap_or_default())
    }

    fn in_other_letters(&mut self, place: &Path) -> Option<PathBuf> {
        let (folder, name) = (place.parent()?, place.file_name()?.to_str()?.to_lowercase());
        let files = self.listed.entry(folder.into()).or_insert_with(|| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
            let named = |path: PathBuf| Some((path.file_name()?.to_str()?.to_lowercase(), path));
            entries.filter_map(named).collect()
        });
        files.get(&name).filter(|path| path.is_file()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_says_nothing() {
        for (name, expected) in [
            ("a.jpg", "a.jpg"),
            ("./a.jpg", "a.jpg"),
            ("././b//a.jpg", "b/a.jpg"),
            (".\\b\\a.jpg", "b/a.jpg"),
            ("b/./a\\x.jpg", "b/a\\x.jpg"),
            ("../a.jpg", "../a.jpg"),
            ("..\\a.jpg", "../a.jpg"),
            ("/a.jpg", "/a.jpg"),
        ] {
            assert_eq!(plain(name), expected);
        }
    }
}
