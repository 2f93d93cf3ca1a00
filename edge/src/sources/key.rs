//! Names of files that the store remembers: the bytes of their paths, as text that says which.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

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

/// Names a file as it is now, its path, size and time of change: one that is written anew under the same name is another. What is not there
/// has no size and no time.
pub(super) fn of_file(path: &Path) -> String {
    let metadata = path.metadata().ok();
    let changed = metadata.as_ref().and_then(|metadata| metadata.modified().ok()).unwrap_or(SystemTime::UNIX_EPOCH);
    of_state(path, metadata.map_or(0, |metadata| metadata.len()), changed)
}

/// As [`of_file`], of a file of so many bytes that was changed then.
pub(super) fn of_state(path: &Path, bytes: u64, changed: SystemTime) -> String {
    let nanoseconds = changed.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{}|{bytes}|{nanoseconds}", of(path))
}

/// Whether a frame needs no second look, under its name now or under an earlier program's.
pub(super) fn is_settled(key: &str, settled: &dyn Fn(&str) -> bool) -> bool {
    settled(key) || earlier(key).is_some_and(|earlier| settled(&earlier))
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

    proptest! {
        #[test]
        fn a_name_is_its_path(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let path = Path::new(OsStr::from_bytes(&bytes));
            prop_assert_eq!(path_of(&of(path)), path);
            prop_assert!(!of(path).contains('|'));
        }
    }
}
