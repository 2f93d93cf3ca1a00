//! The choice in `edge.toml`, whose comments and other lines stay as they are.

use super::Candidate;
use crate::config::Config;
use crate::error::{Error, Result};
use cssa::files::{self, FileError};
use cssa_captioner::{Choice, Provider};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
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
        let bundle = chosen.bundle.to_str();
        let bundle = bundle.ok_or_else(|| wrong(format!("the bundle's path {:?} is no UTF-8", chosen.bundle)))?;
        set(model, "bundle", value(bundle));
    }
    // On a CPU `auto` takes ONNX Runtime, too, and flies on with tract where that is gone.
    let runtime = match (chosen.runtime, chosen.provider) {
        (Choice::Ort, Provider::Cpu) => Choice::Auto,
        (runtime, _) => runtime,
    };
    set(model, "runtime", value(runtime.to_string()));
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

/// Writes the choice into a configuration, which is one afterwards as well, and stays whose it is.
pub fn written(path: &Path, chosen: &Candidate) -> Result<()> {
    let text = files::read_text(path, MAX_FILE)?;
    let new = configured(path, &text, chosen)?;
    let _: Config = files::parse_toml(path, &new)?;
    let path = &path.canonicalize().map_err(Error::path(path.to_path_buf()))?;
    let new = if text.contains("\r\n") { new.replace("\r\n", "\n").replace('\n', "\r\n") } else { new };
    let part = beside(path)?;
    let written = part.as_file().write_all(new.as_bytes()).and_then(|()| part.as_file().sync_all());
    written.map_err(Error::path(path.clone()))?;
    let _shown = part.persist(path).map_err(|error| Error::path(path.clone())(error.error))?;
    Ok(files::sync_folder_of(path)?)
}

/// Whether a choice could be written, before an hour is spent on it.
///
/// # Errors
/// The folder takes no file, or none with this one's owner.
pub fn check_writable(path: &Path) -> Result<()> {
    files::check_writable(path)?;
    beside(&path.canonicalize().map_err(Error::path(path.to_path_buf()))?).map(drop)
}

/// An empty file in the same folder, of the same owner and mode: the service must be able to read it whoever measured, under whatever mask.
fn beside(path: &Path) -> Result<tempfile::NamedTempFile> {
    let known = std::fs::metadata(path).map_err(Error::path(path))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let part = tempfile::NamedTempFile::new_in(folder).map_err(Error::path(folder))?;
    let own = || -> std::io::Result<()> {
        std::os::unix::fs::fchown(part.as_file(), Some(known.uid()), Some(known.gid()))?;
        part.as_file().set_permissions(known.permissions())
    };
    own().map_err(|error| {
        let owner = format!("cannot be written anew for its owner {}:{} ({error})", known.uid(), known.gid());
        FileError::content(path, format!("{owner}: measure as that user, or as root"))
    })?;
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// Mode and line ends stay, a link stays a link, and a CPU's runtime is the one that is there.
    #[test]
    fn the_file_stays_whose_it_is() -> std::result::Result<(), Box<dyn std::error::Error>> {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir()?;
        let (file, link) = (folder.path().join("edge.toml"), folder.path().join("link.toml"));
        std::fs::write(
            &file,
            "state = \"s\"\r\n[source]\r\nkind = \"list\"\r\npath = \"l\"\r\n[link]\r\nto = \"file:f\"\r\n",
        )?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640))?;
        std::os::unix::fs::symlink(&file, &link)?;
        written(&link, &Candidate { provider: Provider::Cpu, ..candidate() })?;
        let text = std::fs::read_to_string(&file)?;
        assert!(link.is_symlink() && text.contains("\r\nruntime = \"auto\"\r\nprovider = \"cpu\"\r\n"), "{text:?}");
        assert!(!text.replace("\r\n", "").contains('\n'), "{text:?}");
        assert_eq!(std::fs::metadata(&file)?.permissions().mode() & 0o7777, 0o640);
        Ok(())
    }
}
