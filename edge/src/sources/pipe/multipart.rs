//! The lines before each frame of `multipart/x-mixed-replace`, as network cameras send it (RFC 2046), and of an HTTP answer before the
//! first.

/// Longest header, in bytes.
const MAX_HEADER: usize = 4096;
/// Most lines of it: debris of short lines is passed over quickly.
const MAX_LINES: usize = 64;

/// What stands before a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Bytes of the header.
    pub(super) header: usize,
    /// The line that ends the part.
    pub(super) boundary: Vec<u8>,
    /// Bytes of the part behind its header.
    pub(super) length: Option<u64>,
}

/// The header at the first byte: lines such as `Content-Length: 9568` behind a line that begins with `--` (or a status line of
/// HTTP) up to an empty one. `Err(true)` where that needs more bytes, `Err(false)` where it is none.
pub(super) fn part(bytes: &[u8]) -> Result<Part, bool> {
    let bytes = &bytes[..bytes.len().min(MAX_HEADER)];
    let mut part = Part { header: 0, boundary: Vec::new(), length: None };
    let mut is_first = true;
    for _ in 0..MAX_LINES {
        let rest = &bytes[part.header..];
        // Debris may have as many beginnings as bytes: what is none is soon known.
        if is_first && !begins(rest) || bytes.len() == MAX_HEADER && !rest.contains(&b'\n') {
            return Err(false);
        }
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
            return Err(is_text(rest, is_first));
        };
        // As soon as a byte is none of a header, however many are at hand.
        if !is_text(&rest[..end], is_first) {
            return Err(false);
        }
        let line = rest[..end].trim_ascii();
        part.header += end + 1;
        match line {
            line if is_first && begins(line) && !line.starts_with(b"Content-") => {
                if line.starts_with(b"--") {
                    part.boundary = line.to_vec();
                }
                if line.len() > 4 && line.ends_with(b"--") {
                    // The end of the last part has no header.
                    return Ok(part);
                }
            }
            b"" if !is_first => return Ok(part),
            line => {
                let Some(colon) = line.iter().position(|&byte| byte == b':') else { return Err(false) };
                let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
                if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)) {
                    return Err(false);
                }
                if name.eq_ignore_ascii_case(b"Content-Length") {
                    part.length = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
                }
            }
        }
        is_first = false;
    }
    Err(false)
}

/// Whether bytes may stand in a line of a header: in values, which stand behind the first line, also those of other alphabets.
fn is_text(bytes: &[u8], is_first: bool) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace() || !is_first && !byte.is_ascii())
}

/// Whether a header may begin here, as far as there are bytes.
fn begins(bytes: &[u8]) -> bool {
    let begins = |start: &[u8]| bytes.iter().zip(start).all(|(byte, expected)| byte == expected);
    begins(b"--") || begins(b"HTTP/") || begins(b"Content-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_gives_the_length_of_its_part() {
        let header = b"--frame\r\nContent-Type: image/jpeg\r\ncontent-length: 12\r\nX-Time: 1\r\n\r\n";
        let expected = Part { header: header.len(), boundary: b"--frame".to_vec(), length: Some(12) };
        assert_eq!(part(&[header.as_slice(), b"\xff\xd8"].concat()), Ok(expected));
        for length in 0..header.len() {
            assert_eq!(part(&header[..length]), Err(true), "{length}");
        }
        let bare = part(b"--b\nContent-Type: image/jpeg\n\n");
        assert!(bare.is_ok_and(|part| part.length.is_none() && part.header == 30));
        assert!(part(b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\n").is_ok_and(|part| part.boundary.is_empty()));
        assert!(part(b"--frame--\r\n").is_ok_and(|part| part.header == 11));
        assert_eq!(part(b"--\xff\xd8"), Err(false));
        assert_eq!(part(b"--noise\nof no kind\n"), Err(false));
        assert_eq!(part(&[b'-'; 5000]), Err(false));
        // The same, whether the end of the line is there or not.
        for binary in [b"--frame\x01\x00".as_slice(), b"HTTP/1.0 \xf6", b"--b\nX-Place: \x07"] {
            assert_eq!(part(binary), Err(false));
            assert_eq!(part(&[binary, b"\n\n"].concat()), Err(false));
        }
        let place = "--b\nX-Place: Köln\n\n".as_bytes();
        assert!(part(place).is_ok() && (1..place.len()).all(|length| part(&place[..length]) == Err(true)));
    }
}
