//! Streams of frames: bytes as they come, and behind a header of each kind whose length is right, too long or too short.
#![no_main]

use edge::sources::survey;
use libfuzzer_sys::fuzz_target;
use std::io::Read;

/// Bytes that are read at once, as `edge` does.
const CHUNK: usize = 1 << 16;

/// Gives a few bytes at a time.
struct Dripping<'a>(&'a [u8], usize);

impl Read for Dripping<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(into.len());
        (&mut self.0).take(length as u64).read(into)
    }
}

fn read(bytes: &[u8]) {
    let whole = survey(bytes).unwrap_or_default();
    assert_eq!(whole.frame_bytes + whole.debris, bytes.len() as u64, "bytes that belong to nothing: {whole:?}");
    assert!(whole.held <= 2 * bytes.len() + 4 * CHUNK, "{whole:?}");
    // What a stream holds does not depend on how it comes.
    let dripping = survey(Dripping(bytes, 1 + bytes.len() / 7)).unwrap_or_default();
    assert_eq!((whole.frames, whole.damaged, whole.debris), (dripping.frames, dripping.damaged, dripping.debris));
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    let Some((&kind, rest)) = bytes.split_first() else { return };
    let length = rest.len() / 2 + usize::from(kind / 8);
    let header = match kind % 4 {
        0 => format!("--frame\r\nContent-Length: {length}\r\n\r\n").into_bytes(),
        1 => format!("P5 {length} 1 255\n").into_bytes(),
        2 => format!("P7\nWIDTH 1\nHEIGHT {length}\nDEPTH 1\nMAXVAL 255\nENDHDR\n").into_bytes(),
        _ => [&[0xFF, 0xD8, 0xFF, 0xE1], (length as u16).to_be_bytes().as_slice()].concat(),
    };
    read(&[&header, rest].concat());
});
