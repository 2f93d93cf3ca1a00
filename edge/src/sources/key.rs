//! Names of files that the store remembers: the bytes of their paths, as text that says which.

use super::ledger::Ledger;
use crate::config::TilerConfig;
use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What ends the key of a frame that was not read.
const UNREAD: char = '!';

/// A path as text: its UTF-8 as it is; a byte that is none, a `|` and a `\` as `\x` and two hexadecimal digits. What has none of these has
/// the same name as in earlier stores.
pub(super) fn of(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '|' | '\\' => text.push_str(&escaped(character as u8)),
                other => text.push(other),
            }
        }
        chunk.invalid().iter().for_each(|&byte| text.push_str(&escaped(byte)));
    }
    text
}

fn escaped(byte: u8) -> String {
    format!("\\x{byte:02x}")
}

/// A file's content, as far as it can be told without reading it: one that is written anew under the same name is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Its size.
    pub(super) bytes: u64,
    /// When it was changed.
    pub(super) changed: SystemTime,
}

impl State {
    /// Of what is there now.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::of_metadata(&path.metadata()?))
    }

    /// As the file system has it.
    pub(super) fn of_metadata(metadata: &Metadata) -> Self {
        Self { bytes: metadata.len(), changed: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH) }
    }

    fn nanoseconds(&self) -> u128 {
        self.changed.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos()
    }
}

/// Names a file's frames: its path, its state, and the tiles that it is cut into where it is.
pub(super) fn of_file(path: &Path, state: &State, tiles: Option<TilerConfig>) -> String {
    let cut = tiles.map(|TilerConfig { side, overlap }| format!("@{side},{overlap}")).unwrap_or_default();
    format!("{}|{}|{}{cut}", of(path), state.bytes, state.nanoseconds())
}

/// Under this key a frame is settled that could not be read, or must not be: its file was not captioned.
pub(crate) fn unread(key: &str) -> String {
    format!("{key}{UNREAD}")
}

/// The key without what says that its frame was not read.
pub(crate) fn plain(key: &str) -> &str {
    key.strip_suffix(UNREAD).unwrap_or(key)
}

/// Whether a frame needs no second look: captioned or unread, under its name now or under an earlier program's.
pub(super) fn is_settled(key: &str, ledger: &dyn Ledger) -> bool {
    is_captioned(key, ledger) || ledger.is_settled(&unread(key))
}

/// Whether a frame was captioned, or the policy said what became of it.
pub(super) fn is_captioned(key: &str, ledger: &dyn Ledger) -> bool {
    ledger.is_settled(key) || earlier(key).is_some_and(|earlier| ledger.is_settled(&earlier))
}

/// Whether a key can never come again: its file is another by now, or is not there. What `is_away` has no folder: it may come back.
pub(super) fn is_gone(key: &str, is_away: impl Fn(&Path) -> bool) -> bool {
    let key = key.rsplit_once("|line ").map_or(key, |(file, _)| file);
    let mut parts = key.rsplitn(3, '|');
    let (Some(changed), Some(bytes), Some(path)) = (parts.next(), parts.next(), parts.next()) else { return true };
    let changed = changed.split(['@', '#', UNREAD]).next().unwrap_or(changed);
    // An earlier program wrote | and \ as they are.
    [path_of(path), PathBuf::from(path)].iter().all(|path| match State::of(path) {
        Ok(now) => (bytes, changed) != (now.bytes.to_string().as_str(), now.nanoseconds().to_string().as_str()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => !is_away(path),
        Err(_) => false,
    })
}

/// Whether the folder of a file is not there: on a card that was taken out, for example.
pub(super) fn is_away(path: &Path) -> bool {
    path.parent().is_some_and(|folder| !folder.as_os_str().is_empty() && !folder.is_dir())
}

/// The path that a text of [`of`] names.
pub(super) fn path_of(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = if byte == b'\\' { after.strip_prefix(b"x").and_then(<[u8]>::first_chunk::<2>) } else { None };
        let value = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(value.unwrap_or(byte));
        rest = if value.is_some() { &after[3..] } else { after };
    }
    OsString::from_vec(bytes).into()
}

/// The key by which an earlier program knew what has this one now, where that is another: it wrote `|` and `\` as they are. (Names that are
/// not UTF-8 it did not tell from each other.)
fn earlier(key: &str) -> Option<Cow<'_, str>> {
    let path = path_of(key);
    let earlier = path.to_str()?;
    (earlier != key).then(|| Cow::Owned(earlier.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::ffi::OsStr;

    #[test]
    fn usual_names_stay_and_others_are_told_apart() {
        let usual = "/media/DCIM/100 MEDIA/Straße #1 (2).jpg";
        assert_eq!((of(Path::new(usual)).as_str(), earlier(usual)), (usual, None));
        let name = |bytes: &[u8]| of(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(name(b"a|b\\c\xff\xfe.jpg"), "a\\x7cb\\x5cc\\xff\\xfe.jpg");
        assert_eq!(earlier("a\\x7cb.jpg|3|4#1").as_deref(), Some("a|b.jpg|3|4#1"));
        assert_eq!(earlier("\\xff.jpg|3|4"), None);
        assert_eq!(path_of("a|b\\c\\x.jpg"), Path::new("a|b\\c\\x.jpg"), "an earlier program's name");
    }

    #[test]
    fn keys_of_what_is_there_stay() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a|b.png");
        std::fs::write(&path, "four")?;
        let state = State::of(&path)?;
        let gone = |key: &str| is_gone(key, is_away);
        let key = of_file(&path, &state, None);
        let cut = of_file(&path, &state, Some(TilerConfig { side: 512, overlap: 0.25 }));
        assert!(cut.ends_with("@512,0.25"), "{cut}");
        let earlier = key.replace("\\x7c", "|");
        let keys = [
            key.clone(),
            unread(&key),
            format!("{key}#7"),
            format!("{cut}#7/2"),
            unread(&format!("{cut}#7")),
            format!("{cut}|line 12"),
            format!("{cut}|line 12#3"),
            earlier,
        ];
        keys.iter().for_each(|key| assert!(!gone(key), "{key}"));
        let other = of_file(&path, &State { bytes: 5, ..state }, None);
        assert!(gone(&other) && gone(&format!("{other}#0")) && gone("a.png#0"));
        std::fs::remove_file(&path)?;
        keys.iter().for_each(|key| assert!(gone(key), "{key}"));
        std::fs::remove_dir(folder.path())?;
        keys.iter().for_each(|key| assert!(!gone(key), "{key}: its card may come back"));
        Ok(())
    }

    proptest! {
        #[test]
        fn a_name_is_its_path(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let path = Path::new(OsStr::from_bytes(&bytes));
            prop_assert_eq!(path_of(&of(path)), path);
            prop_assert!(!of(path).contains('|'));
        }
    }
}
