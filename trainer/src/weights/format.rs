//! What a file is, by its first bytes: weights, or what is often found in their place.

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `.safetensors`.
    SafeTensors,
    /// `torch.save`, zipped or as a stream of pickles.
    StateDict,
    /// Something else, by its name.
    Other(&'static str),
}

/// First bytes of files that are no weights, or not those of a format that is read.
const OTHERS: [(&[u8], &str); 17] = [
    (b"version https://git-lfs", "a pointer of Git LFS (`git lfs pull` gets what it points to)"),
    (b"\x89HDF\r\n", "an HDF5 file, as Keras saves weights"),
    (b"\x93NUMPY", "an array of NumPy"),
    (b"GGUF", "a GGUF file"),
    (b"\x1f\x8b", "compressed by gzip, which is to be unpacked first"),
    (b"\xfd7zXZ\0", "compressed by xz, which is to be unpacked first"),
    (b"BZh", "compressed by bzip2, which is to be unpacked first"),
    (b"(\xb5/\xfd", "compressed by Zstandard, which is to be unpacked first"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"%PDF", "a PDF"),
    (b"\x7fELF", "a program or library"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG", "a PNG image"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\xef\xbb\xbf", "a text"),
];

/// Where a tar archive says what it is, and how.
const TAR: (usize, &[u8]) = (257, b"ustar");

impl Format {
    /// What a file with these bytes is.
    pub(super) fn of(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::Other("empty");
        }
        if let Some((_, name)) = OTHERS.iter().find(|(start, _)| bytes.starts_with(start)) {
            return Self::Other(name);
        }
        if bytes.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1)) {
            return Self::Other("a tar archive");
        }
        if bytes.starts_with(b"PK") {
            return if has(bytes, b".npy") && !has(bytes, b"data.pkl") {
                Self::Other("an .npz archive of NumPy")
            } else if has(bytes, b"/code/__torch__") {
                Self::Other("a program of TorchScript, whose state_dict is to be saved instead")
            } else {
                Self::StateDict
            };
        }
        // A header's length in 8 bytes, then the header, JSON.
        if bytes.get(8) == Some(&b'{') && bytes[..8] != *b"{\"__meta" && bytes[5..8] == [0; 3] {
            return Self::SafeTensors;
        }
        let text = bytes.trim_ascii_start();
        if text.starts_with(b"<") {
            return Self::Other("a page of HTML or XML, as a download gives that needs a login");
        }
        if text.starts_with(b"{") || text.starts_with(b"[") {
            return Self::Other("JSON");
        }
        // A pickle of protocol 2 and later says so; earlier ones begin with a number or a mark.
        if bytes[0] == 0x80 || matches!(bytes[0], b'L' | b'I' | b'(' | b'J' | b'c') {
            return Self::StateDict;
        }
        let is_text =
            bytes[..bytes.len().min(512)].iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
        Self::Other(if is_text { "a text" } else { "of no known format" })
    }
}

/// Whether the directory of a ZIP archive, at its end, has a name.
fn has(bytes: &[u8], name: &[u8]) -> bool {
    let end = &bytes[bytes.len().saturating_sub(1 << 18)..];
    end.windows(name.len()).any(|window| window == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_bytes_say() {
        let header = b"\x08\0\0\0\0\0\0\0{}      ";
        assert_eq!(Format::of(header), Format::SafeTensors);
        assert_eq!(Format::of(b"\x80\x02\x8a"), Format::StateDict);
        assert_eq!(Format::of(b"PK\x03\x04 archive/data.pkl"), Format::StateDict);
        let mut tar = vec![b'm'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        let others: [(&[u8], &str); 10] = [
            (b"", "empty"),
            (b"<!DOCTYPE html>", "HTML"),
            (b"\n<html>", "HTML"),
            (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
            (b"\x89HDF\r\n\x1a\n", "HDF5"),
            (b"PK\x03\x04 weights.npy", ".npz"),
            (b"{\"a\": 1, \"b\": 2}", "JSON"),
            (b"Sorry, too many requests", "a text"),
            (&tar, "tar"),
            (b"\x08\x07\x12\x07pytorch", "no known format"),
        ];
        for (bytes, name) in others {
            assert!(matches!(Format::of(bytes), Format::Other(found) if found.contains(name)), "{name}");
        }
    }
}
