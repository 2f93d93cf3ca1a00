//! `ground decode` and `ground encode`: files of packets, and sentences as packets.

use anyhow::{Context, Result, ensure};
use cssa::bundle::{Language, named_or_default};
use cssa::{clock, files};
use cssa_terminal::print;
use cssa_wire::{self as wire, Checksum, DEFAULT_DECIMALS, MAX_SCORE, Packet};
use ground::packet_file;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Options of `ground decode`.
#[derive(Debug, clap::Args)]
pub(crate) struct DecodeOptions {
    /// A file of packets.
    file: PathBuf,
    /// The bundle that made them, a folder or a `.cssa` file; left out, the default bundle.
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// One JSON object a caption.
    #[arg(long)]
    json: bool,
}

/// Options of `ground encode`.
#[derive(Debug, clap::Args)]
pub(crate) struct EncodeOptions {
    /// Sentences, one a line; - for standard input.
    file: PathBuf,
    /// The bundle whose language model packs them, a folder or a `.cssa` file; left out, the default bundle.
    #[arg(long)]
    bundle: Option<PathBuf>,
}

/// A caption that arrived, as `--json` prints it.
#[derive(Serialize)]
struct Decoded<'a> {
    sequence: u32,
    time: u32,
    bundle: String,
    score: f32,
    priority: u8,
    repeat: bool,
    latitude: Option<f64>,
    longitude: Option<f64>,
    caption: &'a str,
}

/// A packed sentence, as `ground encode` prints it.
#[derive(Serialize)]
struct Encoded<'a> {
    text: &'a str,
    payload_bytes: usize,
    packet_bytes: usize,
    packet_hex: String,
}

/// Prints every packet's captions; damaged packets are reported, the others are decoded, and the command fails at the end.
pub(crate) fn decode(options: &DecodeOptions) -> Result<()> {
    let language = Language::read(&named_or_default(options.bundle.as_deref())?)?;
    let stream = packet_file::read(&options.file)?;
    let (mut total, mut failures) = (0, 0);
    for packet in packet_file::decode(&stream, &language) {
        total += 1;
        let packet = match packet {
            Ok(packet) => packet,
            Err(rejected) => {
                tracing::error!("error: {}: {rejected}", options.file.display());
                failures += 1;
                continue;
            }
        };
        for caption in packet.captions {
            if !options.json {
                print(&caption.text)?;
                continue;
            }
            let place = caption.position.map(wire::Position::degrees);
            print(&serde_json::to_string(&Decoded {
                sequence: caption.sequence,
                time: caption.time,
                bundle: format!("{:04x}", packet.bundle),
                score: f32::from(caption.score) / f32::from(MAX_SCORE),
                priority: caption.priority,
                repeat: caption.repeat,
                latitude: place.map(|place| place.0),
                longitude: place.map(|place| place.1),
                caption: &caption.text,
            })?)?;
        }
    }
    ensure!(total > 0, "{}: holds no packet, expected what edge caption --packets writes", options.file.display());
    ensure!(failures == 0, "{}: {failures} of {total} packets could not be decoded", options.file.display());
    Ok(())
}

/// Packs sentences and prints a JSON object for each.
pub(crate) fn encode(options: &EncodeOptions) -> Result<()> {
    const MAX_FILE: u64 = 1 << 30;
    let language = Language::read(&named_or_default(options.bundle.as_deref())?)?;
    let text = if options.file == Path::new("-") {
        std::io::read_to_string(std::io::stdin()).context("standard input")?
    } else {
        files::read_text(&options.file, MAX_FILE)?
    };
    for (n, line) in text.lines().enumerate() {
        let place = || format!("{}: line {}", options.file.display(), n + 1);
        let payload = wire::payload(line, &language.model).with_context(place)?;
        let caption = wire::Caption {
            sequence: n as u32,
            time: clock::now(),
            position: None,
            score: MAX_SCORE,
            priority: 0,
            repeat: false,
            text: line.into(),
        };
        let packet = Packet { bundle: language.id, decimals: DEFAULT_DECIMALS, captions: vec![caption] };
        let packet = packet.encode(&language.model, Checksum::Crc32).with_context(place)?;
        print(&serde_json::to_string(&Encoded {
            text: line,
            payload_bytes: payload.len(),
            packet_bytes: packet.len(),
            packet_hex: cssa::bundle::hexadecimal(&packet),
        })?)?;
    }
    Ok(())
}
