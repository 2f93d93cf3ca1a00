//! Which module of a crate names which other, read off its sources.

use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A module's path within its crate; empty for the root.
type Module = Vec<String>;

/// The modules of a crate that are files, and whom each names.
#[derive(Debug, Default)]
pub struct Crate {
    texts: BTreeMap<Module, String>,
    /// What a module gives on from modules below it, by name.
    reexports: BTreeMap<Module, BTreeMap<String, Module>>,
}

impl Crate {
    /// Reads the crate whose `lib.rs` or modules lie in `source`. A `main.rs` stands above all modules and is left out, as are tests.
    pub fn read(source: &Path) -> Result<Self> {
        let mut found = Self::default();
        found.read_folder(source, &Vec::new())?;
        for (module, text) in &found.texts {
            for path in uses(text, true).iter().map(|path| segments(path)) {
                let below = [module.as_slice(), &path[..1]].concat();
                if let (Some(name), true) = (path.last(), found.texts.contains_key(&below)) {
                    let from = [module.as_slice(), &path[..path.len() - 1]].concat();
                    found.reexports.entry(module.clone()).or_default().insert(name.clone(), from);
                }
            }
        }
        Ok(found)
    }

    fn read_folder(&mut self, folder: &Path, module: &Module) -> Result<()> {
        for entry in std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
            let path = entry?.path();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let inner = [module.as_slice(), std::slice::from_ref(&stem)].concat();
            if path.is_dir() {
                self.read_folder(&path, &inner)?;
            } else if path.extension().is_some_and(|ending| ending == "rs") && stem != "main" && stem != "tests" {
                let own = if stem == "mod" || stem == "lib" { module.clone() } else { inner };
                self.texts.insert(own, without_tests(&std::fs::read_to_string(&path)?));
            }
        }
        Ok(())
    }

    /// All circles, as sentences.
    #[must_use]
    pub fn circles(&self) -> Vec<String> {
        let edges = self.edges();
        let mut folders: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for (from, to) in edges.iter().flat_map(|(from, all)| all.iter().map(move |to| (from, to))) {
            if let (Some(a), Some(b)) = (from.first(), to.first())
                && a != b
            {
                folders.entry(vec![a.clone()]).or_default().insert(vec![b.clone()]);
            }
        }
        let mut circles: Vec<String> =
            circles(&edges).iter().map(|circle| format!("modules {}", names(circle))).collect();
        if circles.is_empty() {
            circles.extend(self::circles(&folders).iter().map(|circle| format!("folders {}", names(circle))));
        }
        circles
    }

    fn edges(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let mut edges: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for (module, text) in &self.texts {
            for path in uses(text, false).iter().chain(&paths(text)) {
                let path = segments(path);
                let local = ["crate", "super", "self"].contains(&path[0].as_str())
                    || self.texts.contains_key(&[module.as_slice(), &path[..1]].concat());
                let to = if local { self.resolve(module, &path) } else { continue };
                if to != *module {
                    edges.entry(module.clone()).or_default().insert(to);
                }
            }
        }
        edges
    }

    /// The module that a path of `module` ends in.
    fn resolve(&self, module: &Module, path: &[String]) -> Module {
        let (mut at, mut rest) = (module.clone(), path);
        while let Some((first, behind)) = rest.split_first() {
            match first.as_str() {
                "crate" => at.clear(),
                "super" => drop(at.pop()),
                "self" => {}
                name => {
                    let below = [at.as_slice(), std::slice::from_ref(first)].concat();
                    if !self.texts.contains_key(&below) {
                        let given_on = self.reexports.get(&at).and_then(|all| all.get(name)).cloned();
                        let mut from = given_on.unwrap_or(at);
                        while !self.texts.contains_key(&from) {
                            from.pop();
                        }
                        return from;
                    }
                    at = below;
                }
            }
            rest = behind;
        }
        at
    }
}

fn names(circle: &BTreeSet<Module>) -> String {
    let name = |module: &Module| if module.is_empty() { "the root".into() } else { module.join("::") };
    circle.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// The text up to its test module, without comments.
fn without_tests(text: &str) -> String {
    let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let test = code.windows(2).position(|pair| pair[0].trim() == "#[cfg(test)]" && pair[1].contains("mod "));
    code[..test.unwrap_or(code.len())].join("\n")
}

/// The paths of `use` lines, groups taken apart: those that give on to others (`pub use`), or the rest.
fn uses(text: &str, given_on: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("use ") {
        let before = rest[..at].rsplit('\n').next().unwrap_or_default().trim_start();
        let line_begins = before.is_empty() || before.starts_with("pub");
        let Some(end) = rest[at..].find(';') else { break };
        if line_begins {
            if before.starts_with("pub") == given_on {
                take_apart(&rest[at + 4..at + end], &mut found);
            }
            rest = &rest[at + end..];
        } else {
            rest = &rest[at + 4..];
        }
    }
    found
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`.
fn take_apart(path: &str, found: &mut Vec<String>) {
    let path = path.trim();
    let Some((head, group)) = path.split_once('{') else {
        let plain = path.split(" as ").next().unwrap_or_default();
        found.push(plain.split_whitespace().collect());
        return;
    };
    let (mut depth, mut part) = (0, String::new());
    let group = group.rsplit_once('}').map_or(group, |(group, _)| group);
    for character in group.chars().chain([',']) {
        match character {
            ',' if depth == 0 => {
                if !part.trim().is_empty() {
                    take_apart(&format!("{head}{}", part.trim()), found);
                }
                part.clear();
                continue;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        part.push(character);
    }
}

/// Paths in the code that begin with `crate`, `super` or `self`.
fn paths(text: &str) -> Vec<String> {
    let is_path = |character: char| character.is_alphanumeric() || character == '_' || character == ':';
    let words = text.split(|character: char| !is_path(character));
    let named = |word: &&str| ["crate::", "super::", "self::"].iter().any(|start| word.starts_with(start));
    words.filter(named).map(|word| word.trim_end_matches(':').to_owned()).collect()
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(str::to_owned).collect()
}

/// Sets of two modules and more that reach each other.
fn circles(edges: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<BTreeSet<Module>> {
    let reach = |from: &Module| {
        let (mut reached, mut ahead) = (BTreeSet::new(), vec![from]);
        while let Some(module) = ahead.pop() {
            for next in edges.get(module).into_iter().flatten() {
                if reached.insert(next.clone()) {
                    ahead.push(next);
                }
            }
        }
        reached
    };
    let reached: BTreeMap<&Module, BTreeSet<Module>> = edges.keys().map(|module| (module, reach(module))).collect();
    let mut found: Vec<BTreeSet<Module>> = Vec::new();
    for (module, ahead) in &reached {
        if !ahead.contains(*module) || found.iter().any(|circle| circle.contains(*module)) {
            continue;
        }
        let back = |other: &&Module| reached.get(*other).is_some_and(|theirs| theirs.contains(*module));
        found.push(ahead.iter().filter(back).cloned().collect());
    }
    found
}
