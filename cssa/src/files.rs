//! Files that appear complete or not at all, and errors that name them.

use std::io::Write;
use std::path::{Path, PathBuf};

/// A file or folder that cannot be used as asked.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system says no.
    #[error("{path}: {action}: {cause}", path = .path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The answer.
        cause: std::io::Error,
    },
    /// The content is not what it should be.
    #[error("{path}: {problem}", path = .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong and what was expected.
        problem: String,
    },
}

impl FileError {
    /// A [`FileError::Content`] from anything that can be shown.
    pub fn content(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Content { path: path.into(), problem: problem.to_string() }
    }

    fn system(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::System { path: path.into(), action, cause: plain(cause) }
    }
}

/// The system's own answer: `tempfile` adds the hidden name that nobody asked for.
fn plain(error: std::io::Error) -> std::io::Error {
    match error.to_string().split_once(" at path ") {
        Some((answer, hidden)) if hidden.contains(".part-") => std::io::Error::new(error.kind(), answer),
        _ => error,
    }
}

/// Reads a file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let metadata = std::fs::metadata(path).map_err(FileError::system(path, "cannot be opened"))?;
    if !metadata.is_file() {
        return Err(FileError::content(path, "is not a file"));
    }
    if metadata.len() > limit {
        return Err(FileError::content(path, format!("has {} bytes, expected at most {limit}", metadata.len())));
    }
    std::fs::read(path).map_err(FileError::system(path, "cannot be read"))
}

/// Reads a text file of at most `limit` bytes.
pub fn read_text(path: &Path, limit: u64) -> Result<String, FileError> {
    String::from_utf8(read(path, limit)?).map_err(|_| FileError::content(path, "is not UTF-8 text"))
}

/// Reads a TOML file of at most 1 MiB; the error names the line in one line.
pub fn read_toml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    parse_toml(path, &read_text(path, 1 << 20)?)
}

/// Reads a TOML file's text; the error names the file and the line in one line.
pub fn parse_toml<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> Result<T, FileError> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let problem = error.message().lines().collect::<Vec<_>>().join(", ");
        FileError::content(path, format!("line {}: {problem}", before.matches('\n').count() + 1))
    })
}

/// Writes a file beside its final place, flushes it to the disk and renames it: readers see the old content or the new.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_with(path, |file| file.write_all(bytes))
}

/// As [`write()`], for content that is produced piece by piece.
pub fn write_with(
    path: &Path,
    content: impl FnOnce(&mut std::io::BufWriter<&mut std::fs::File>) -> std::io::Result<()>,
) -> Result<(), FileError> {
    let target = target(path)?;
    let mut file = tempfile::Builder::new()
        .prefix(".part-")
        .permissions(readable())
        .tempfile_in(parent(&target))
        .map_err(FileError::system(path, "cannot be written"))?;
    let mut buffered = std::io::BufWriter::new(file.as_file_mut());
    let written = content(&mut buffered).and_then(|()| buffered.flush());
    drop(buffered);
    written.map_err(FileError::system(path, "cannot be written"))?;
    file.as_file().sync_all().map_err(FileError::system(path, "cannot be flushed"))?;
    file.persist(&target).map_err(|failed| FileError::system(path, "cannot be written")(failed.error))?;
    Ok(())
}

/// Whether a file could be written as `path`: better known before long work than after it.
pub fn check_writable(path: &Path) -> Result<(), FileError> {
    let target = target(path)?;
    let unwritable = FileError::system(path, "cannot be written");
    tempfile::Builder::new().prefix(".part-").tempfile_in(parent(&target)).map(drop).map_err(unwritable)
}

/// Where a file that is to be written as `path` really is: behind links. What is there and is no file, a device or a pipe, must
/// not be replaced by one.
fn target(path: &Path) -> Result<PathBuf, FileError> {
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(FileError::content(path, "names a folder, expected the name of a file"));
    }
    match std::fs::metadata(path) {
        Ok(there) if there.is_file() => path.canonicalize().map_err(FileError::system(path, "cannot be opened")),
        Ok(there) if there.is_dir() => Err(FileError::content(path, "is a folder, expected the name of a file")),
        Ok(_) => Err(FileError::content(path, "is a device or a pipe, expected the name of a file")),
        Err(_) if path.is_symlink() => Err(FileError::content(path, "is a link to what is not there, expected a file")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(path.into()),
        Err(error) => Err(FileError::system(path, "cannot be written")(error)),
    }
}

/// A new folder that is filled out of sight and appears under its name only when [`NewFolder::finish`] is called.
/// Dropped before, it leaves nothing behind.
#[derive(Debug)]
pub struct NewFolder {
    hidden: tempfile::TempDir,
    path: PathBuf,
}

impl NewFolder {
    /// Starts a folder that is to appear as `path`, where nothing but an empty folder may be yet.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        if path.is_symlink() {
            return Err(FileError::content(path, "is a link, expected a new or empty folder"));
        }
        if path.exists() {
            let empty = std::fs::read_dir(path).map(|mut entries| entries.next().is_none());
            if !empty.map_err(FileError::system(path, "is not a folder"))? {
                return Err(FileError::content(path, "is there already, expected a new or empty folder"));
            }
        }
        let parent = parent(path);
        std::fs::create_dir_all(parent).map_err(FileError::system(parent, "cannot be created"))?;
        let hidden = tempfile::Builder::new()
            .prefix(".part-")
            .tempdir_in(parent)
            .map_err(FileError::system(path, "cannot be created"))?;
        Ok(Self { hidden, path: path.into() })
    }

    /// Where to put the files.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.hidden.path()
    }

    /// Shows the folder under its name.
    pub fn finish(self) -> Result<(), FileError> {
        let hidden = self.hidden.keep();
        let shown = show(&hidden, &self.path);
        if shown.is_err() {
            let _ = std::fs::remove_dir_all(&hidden);
        }
        shown
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn show(hidden: &Path, path: &Path) -> Result<(), FileError> {
    use std::os::unix::fs::PermissionsExt;
    let permissions = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(hidden, permissions).map_err(FileError::system(path, "cannot be shown"))?;
    std::fs::rename(hidden, path).map_err(FileError::system(path, "cannot be created"))
}

fn readable() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_content() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("file");
        write(&path, b"old")?;
        let failed = write_with(&path, |file| {
            file.write_all(b"ne")?;
            Err(std::io::Error::other("full"))
        });
        assert!(failed.is_err_and(|error| error.to_string().contains("file: cannot be written")));
        assert_eq!(read(&path, 10)?, b"old");
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 1);
        assert!(read(&path, 2).is_err());
        Ok(())
    }

    #[test]
    fn links_lead_to_files_and_devices_stay_devices() -> Result<(), Box<dyn std::error::Error>> {
        use std::os::unix::fs::{FileTypeExt, symlink};
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        write(&path("file"), b"old")?;
        symlink("file", path("link"))?;
        write(&path("link"), b"new")?;
        assert!(path("link").is_symlink());
        assert_eq!(read(&path("file"), 10)?, b"new");
        symlink("nothing", path("dangling"))?;
        let pipe = std::process::Command::new("mkfifo").arg(path("pipe")).status()?;
        assert!(pipe.success());
        symlink(".", path("folder"))?;
        assert!(NewFolder::create(&path("folder")).is_err_and(|error| error.to_string().contains("is a link")));
        let hidden = write(&path("no/file"), b"x");
        assert!(hidden.is_err_and(|error| !error.to_string().contains(".part-")));
        let refused = [
            ("dangling", "a link to what is not there"),
            ("pipe", "a device or a pipe"),
            ("new/", "names a folder"),
            ("folder", "is a folder"),
        ];
        for (name, said) in refused {
            for refused in [write(&path(name), b"x"), check_writable(&path(name))] {
                assert!(refused.is_err_and(|error| error.to_string().contains(said)), "{name}");
            }
        }
        assert!(std::fs::metadata(path("pipe"))?.file_type().is_fifo() && path("dangling").is_symlink());
        Ok(())
    }

    #[test]
    fn a_folder_appears_when_finished() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("new");
        drop(NewFolder::create(&path)?);
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
        let new = NewFolder::create(&path)?;
        write(&new.path().join("a"), b"a")?;
        new.finish()?;
        assert_eq!(read(&path.join("a"), 1)?, b"a");
        assert!(NewFolder::create(&path).is_err());
        Ok(())
    }
}
