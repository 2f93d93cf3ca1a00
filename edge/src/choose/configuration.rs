//! The choice in `edge.toml`, whose comments and other lines stay as they are.

use super::Candidate;
use crate::config::Config;
use crate::error::{Error, Result};
use cssa::files::{self, FileError};
use std::path::Path;
use toml_edit::{DocumentMut, Item, Table, value};

/// Largest configuration, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The text of a configuration with what was chosen in it; the bundle only where the configuration names one.
pub fn configured(path: &Path, text: &str, chosen: &Candidate) -> Result<String> {
    let wrong = |problem: String| Error::from(FileError::content(path, problem));
    let mut document: DocumentMut = text.parse().map_err(|error| wrong(format!("is no TOML: {error}")))?;
    let model = document.entry("model").or_insert_with(|| Item::Table(Table::new()));
    let model = model.as_table_like_mut().ok_or_else(|| wrong("model is no table".into()))?;
    if model.contains_key("bundle") {
        set(model, "bundle", value(chosen.bundle.display().to_string()));
    }
    set(model, "runtime", value(chosen.runtime.to_string()));
    set(model, "provider", value(chosen.provider.to_string()));
    set(model, "threads", value(chosen.threads as i64));
    set(model, "batch", value(chosen.batch as i64));
    Ok(document.to_string())
}

/// Sets a key; what stands behind it on its line stays.
fn set(table: &mut dyn toml_edit::TableLike, key: &str, mut item: Item) {
    if let (Some(new), Some(known)) = (item.as_value_mut(), table.get(key).and_then(Item::as_value)) {
        *new.decor_mut() = known.decor().clone();
    }
    match table.get_mut(key) {
        Some(known) => *known = item,
        None => {
            table.insert(key, item);
        }
    }
}

/// Writes the choice into a configuration, which is one afterwards as well. Gives what the file's section `model` says now.
pub fn written(path: &Path, chosen: &Candidate) -> Result<()> {
    let text = files::read_text(path, MAX_FILE)?;
    let new = configured(path, &text, chosen)?;
    let _: Config = files::parse_toml(path, &new)?;
    Ok(files::write(path, new.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cssa_captioner::{Choice, Provider};

    fn candidate() -> Candidate {
        let (runtime, provider) = (Choice::Ort, Provider::Cuda);
        Candidate { bundle: "/data/fp16.cssa".into(), runtime, provider, threads: 4, batch: 8 }
    }

    #[test]
    fn other_lines_and_comments_stay() -> Result<()> {
        let text = "# mine\nstate = \"s\"\n\n[model]\nthreads = 2 # two\n# Frames\nbatch = 4\nlooks = 8\n\n[policy]\nwatch = { ship = 2 }\n";
        let found = configured(Path::new("edge.toml"), text, &candidate())?;
        let expected = "# mine\nstate = \"s\"\n\n[model]\nthreads = 4 # two\n# Frames\nbatch = 8\nlooks = 8\nruntime = \"ort\"\nprovider = \"cuda\"\n\n[policy]\nwatch = { ship = 2 }\n";
        assert_eq!(found, expected);
        assert_eq!(configured(Path::new("edge.toml"), &found, &candidate())?, found, "chosen again, nothing changes");
        Ok(())
    }

    /// The slots have the bundle where the configuration names none.
    #[test]
    fn the_bundle_is_named_where_it_was() -> Result<()> {
        let found = configured(Path::new("edge.toml"), "[model]\nbundle = \"old\"\n", &candidate())?;
        assert!(found.contains("bundle = \"/data/fp16.cssa\""), "{found}");
        let found = configured(Path::new("edge.toml"), "state = \"s\"\n", &candidate())?;
        assert!(!found.contains("bundle") && found.contains("[model]\nruntime = \"ort\""), "{found}");
        let wrong = configured(Path::new("edge.toml"), "model = 3", &candidate()).map_err(|error| error.to_string());
        assert!(wrong.is_err_and(|error| error.contains("edge.toml") && error.contains("model")));
        Ok(())
    }
}
