//! Files of packets: written by `edge caption --packets`, read by `edge decode`.

use crate::captioner::Caption;
use crate::wire::{self, Packet};
use anyhow::Result;
use cssa::bundle::Words;
use cssa::files;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Largest packet file, in bytes.
const LARGEST_FILE: u64 = 1 << 30;

/// The packet of a caption that was made now.
pub fn pack(caption: &Caption, bundle: u16, sequence: u32) -> Result<Vec<u8>> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let packet = Packet {
        bundle,
        sequence,
        time: u32::try_from(seconds).unwrap_or(u32::MAX),
        score: wire::score_byte(caption.score),
        priority: 0,
        repeat: false,
        position: None,
        tokens: caption.tokens.clone(),
    };
    Ok(packet.encode()?)
}

/// A caption that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The packet.
    pub packet: Packet,
    /// Its caption in words.
    pub text: String,
}

/// Why a packet gave no caption.
#[derive(Debug, thiserror::Error)]
#[error("packet {number} at byte {offset}: {problem}")]
pub struct Rejected {
    /// Its place in the file, from 1.
    pub number: usize,
    /// Where it starts.
    pub offset: usize,
    /// What is wrong.
    pub problem: String,
}

/// Reads a file of packets.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    Ok(files::read(path, LARGEST_FILE)?)
}

/// A caption or a reason for each packet of a stream, in order.
pub fn decode<'a>(stream: &'a [u8], words: &'a Words) -> impl Iterator<Item = Result<Received, Rejected>> + 'a {
    wire::frames(stream).enumerate().map(|(n, frame)| received(n + 1, frame, words))
}

fn received(number: usize, frame: wire::Frame, words: &Words) -> Result<Received, Rejected> {
    let offset = frame.offset;
    let rejected = |problem: String| Rejected { number, offset, problem };
    let packet = frame.packet.map_err(|error| rejected(error.to_string()))?;
    if packet.bundle != words.id {
        let problem =
            format!("made with bundle {:04x}, this is bundle {:04x}: name the right one", packet.bundle, words.id);
        return Err(rejected(problem));
    }
    match words.vocabulary.decode(&packet.tokens) {
        Some(text) => Ok(Received { packet, text }),
        None => Err(rejected(format!("a word is not among the bundle's {}", words.vocabulary.size()))),
    }
}
