//! Files that appear complete or not at all, also after a power cut, and errors that name them.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Component, Path, PathBuf};

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

    /// What the system refused to do with a file, `action`.
    pub fn system(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::System { path: path.into(), action, cause: plain(cause) }
    }
}

/// The system's own answer: `tempfile` adds the hidden name that nobody asked for.
fn plain(error: std::io::Error) -> std::io::Error {
    match error.to_string().split_once(" at path ") {
        Some((answer, hidden)) if hidden.contains(PART) => std::io::Error::new(error.kind(), answer),
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

/// Refuses to write over what is read: `out` must be none of the files `inputs`, whatever names lead to it and whether or not it is there
/// now, and nothing that is in one of their folders.
///
/// # Errors
/// It is one of them.
pub fn check_is_other<'a>(out: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<(), FileError> {
    let place = resolved(out);
    let is_read = |input: &Path| {
        let input_place = resolved(input);
        input_place == place || place.is_file() && input_place.is_dir() && place.starts_with(&input_place)
    };
    match inputs.into_iter().any(is_read) {
        true => Err(FileError::content(out, "is read here and would be written over, expected another file")),
        false => Ok(()),
    }
}

/// Where a path leads, by links and by `..`, as far as it is there.
#[must_use]
pub fn resolved(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let mut place = PathBuf::new();
    for part in path.components() {
        match part {
            // Of what is not there yet.
            Component::ParentDir => drop(place.pop()),
            part => place.push(part),
        }
        place = place.canonicalize().unwrap_or(place);
    }
    place
}

/// What the hidden names of files and folders begin with that are not complete yet.
const PART: &str = ".part-";
/// Letters and digits after it.
const PART_DIGITS: usize = 6;

/// Writes a file beside its final place, flushes it to the disk and renames it: readers see the old content or the new, and so does
/// whoever reads after a power cut; the new one for certain once this has returned.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_with(path, |file| file.write_all(bytes))
}

/// As [`write()`], for content that is produced piece by piece.
pub fn write_with(
    path: &Path,
    content: impl FnOnce(&mut std::io::BufWriter<&mut File>) -> std::io::Result<()>,
) -> Result<(), FileError> {
    let target = target(path)?;
    let mut file = tempfile::Builder::new()
        .prefix(PART)
        .rand_bytes(PART_DIGITS)
        .permissions(readable())
        .tempfile_in(parent(&target))
        .map_err(FileError::system(path, "cannot be written"))?;
    let mut buffered = std::io::BufWriter::new(file.as_file_mut());
    let written = content(&mut buffered).and_then(|()| buffered.flush());
    drop(buffered);
    written.map_err(FileError::system(path, "cannot be written"))?;
    file.as_file().sync_all().map_err(FileError::system(path, "cannot be flushed"))?;
    file.persist(&target).map_err(|failed| FileError::system(path, "cannot be written")(failed.error))?;
    sync_folder(parent(&target))
}

/// Gives a file or folder, whose content is on the disk, another name in the same file system: when this returns that is on the disk, too.
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    std::fs::rename(from, to).map_err(FileError::system(to, "cannot be created"))?;
    sync_folder(parent(to))?;
    if parent(from) == parent(to) { Ok(()) } else { sync_folder(parent(from)) }
}

/// Waits until the names in a folder are on the disk; a file system that has no such thing is not asked for it.
pub fn sync_folder(folder: &Path) -> Result<(), FileError> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced.map_err(FileError::system(folder, "cannot be flushed")),
    }
}

/// Waits until the names in the folder that a file is in are on the disk: after it was made.
pub fn sync_folder_of(path: &Path) -> Result<(), FileError> {
    sync_folder(parent(path))
}

/// Makes a folder and those that it is in, where they are not there; they are on the disk when this returns.
pub fn create_folder(path: &Path) -> Result<(), FileError> {
    if path.is_dir() {
        return Ok(());
    }
    create_folder(parent(path))?;
    match std::fs::create_dir(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        created => {
            created.map_err(FileError::system(path, "cannot be created")).and_then(|()| sync_folder(parent(path)))
        }
    }
}

/// Removes what programs that were killed while they wrote into a folder have left there, and says how many files and folders that was.
/// The caller sees to it that no program writes into the folder meanwhile. Nothing else has such names.
pub fn remove_leftovers(folder: &Path) -> Result<usize, FileError> {
    let mut removed = 0;
    for entry in std::fs::read_dir(folder).map_err(FileError::system(folder, "cannot be read"))? {
        let entry = entry.map_err(FileError::system(folder, "cannot be read"))?;
        if !is_part(entry.file_name().as_encoded_bytes()) {
            continue;
        }
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let gone = if is_folder { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        gone.map_err(FileError::system(&path, "cannot be removed"))?;
        removed += 1;
    }
    Ok(removed)
}

/// A folder for what is not finished, out of sight in another: it goes when it is dropped, and with [`remove_leftovers`].
pub fn part_folder(parent: &Path) -> Result<tempfile::TempDir, FileError> {
    let made = tempfile::Builder::new().prefix(PART).rand_bytes(PART_DIGITS).tempdir_in(parent);
    made.map_err(FileError::system(parent, "cannot be written"))
}

fn is_part(name: &[u8]) -> bool {
    let digits = name.strip_prefix(PART.as_bytes());
    digits.is_some_and(|digits| digits.len() == PART_DIGITS && digits.iter().all(u8::is_ascii_alphanumeric))
}

/// Whether a file could be written as `path`: better known before long work than after it.
pub fn check_writable(path: &Path) -> Result<(), FileError> {
    let target = target(path)?;
    let unwritable = FileError::system(path, "cannot be written");
    tempfile::Builder::new()
        .prefix(PART)
        .rand_bytes(PART_DIGITS)
        .tempfile_in(parent(&target))
        .map(drop)
        .map_err(unwritable)
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
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(path.into()),
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
        create_folder(parent)?;
        let hidden = tempfile::Builder::new()
            .prefix(PART)
            .rand_bytes(PART_DIGITS)
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
    sync_folder(hidden)?;
    rename(hidden, path)
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

    #[test]
    fn leftovers_are_removed_and_nothing_else() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        // As a process that is killed leaves them.
        std::mem::forget(NewFolder::create(&path("new"))?);
        let killed = tempfile::Builder::new().prefix(PART).rand_bytes(PART_DIGITS).tempfile_in(folder.path())?;
        killed.keep()?;
        let others = [".part-mine", ".part-abcdefg", "part-abcdef", ".part-abc.ef", "file"];
        others.iter().try_for_each(|name| std::fs::write(path(name), b"x"))?;
        assert_eq!((remove_leftovers(folder.path())?, remove_leftovers(folder.path())?), (2, 0));
        assert!(others.iter().all(|name| path(name).is_file()));
        assert_eq!(std::fs::read_dir(folder.path())?.count(), others.len());
        assert!(remove_leftovers(&path("gone")).is_err_and(|error| error.to_string().contains("gone: cannot be read")));
        Ok(())
    }

    #[test]
    fn folders_are_made_and_names_changed() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        create_folder(&path("a/b/c"))?;
        create_folder(&path("a/b/c"))?;
        write(&path("a/file"), b"x")?;
        rename(&path("a/file"), &path("a/b/other"))?;
        assert_eq!(read(&path("a/b/other"), 1)?, b"x");
        let refused = create_folder(&path("a/b/other/d"));
        assert!(refused.is_err_and(|error| error.to_string().contains("b/other: cannot be created")));
        assert!(rename(&path("gone"), &path("b")).is_err() && sync_folder(&path("gone")).is_err());
        Ok(())
    }
}
