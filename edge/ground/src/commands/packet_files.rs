//! `ground decode` and `ground encode`: files of packets, and sentences as packets.

use super::{printable, trust};
use anyhow::{Context, Result, ensure};
use cssa::bundle::{Language, named_or_default};
use cssa::trust::{Confidence, Reason};
use cssa::{clock, files};
use cssa_terminal::print;
use cssa_wire::{self as wire, CaptionPacket, Checksum, DEFAULT_DECIMALS};
use ground::{Message, Taken, packet_file};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Damaged packets that are named; all are counted.
const MAX_LINES: usize = 20;

/// Options of `ground decode`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ground decode pass.bin --json
      Prints a JSON object per caption of a file that `edge caption --packets` wrote.")]
pub(crate) struct DecodeOptions {
    /// File of packets.
    file: PathBuf,
    /// Bundle that made them: a folder or a `.cssa` file. Default: the default bundle.
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// Print one JSON object per caption.
    #[arg(long)]
    json: bool,
}

/// Options of `ground encode`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ground encode captions.txt
      Prints each sentence's packet and its bytes on the link.
  echo 'many planes are parked next to a terminal' | ground encode -
      The same of a sentence from standard input.")]
pub(crate) struct EncodeOptions {
    /// File of sentences, one per line. -: standard input.
    file: PathBuf,
    /// Bundle whose language model packs them: a folder or a `.cssa` file. Default: the default bundle.
    #[arg(long)]
    bundle: Option<PathBuf>,
}

/// A caption that arrived, as `--json` prints it.
#[derive(Serialize)]
struct Decoded<'a> {
    sequence: u32,
    /// Seconds since 1970; none where the vehicle did not know the time.
    time: Option<u32>,
    /// Seconds since the vehicle's start, where that is all that it knew.
    #[serde(skip_serializing_if = "Option::is_none")]
    after_start: Option<u32>,
    vehicle: u16,
    bundle: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outside: Option<Reason>,
    priority: u8,
    repeat: bool,
    latitude: Option<f64>,
    longitude: Option<f64>,
    caption: &'a str,
}

/// A packet without captions, as `--json` prints it.
#[derive(Serialize)]
struct DecodedMessage<'a> {
    kind: &'a str,
    vehicle: u16,
    bundle: String,
    content: &'a serde_json::Value,
}

/// A packed sentence, as `ground encode` prints it.
#[derive(Serialize)]
struct Encoded<'a> {
    text: &'a str,
    payload_bytes: usize,
    packet_bytes: usize,
    packet_hex: String,
}

/// Prints every packet's captions, or what else it says; damaged packets are reported, the others are decoded, and the command fails at the end.
pub(crate) fn decode(options: &DecodeOptions) -> Result<()> {
    let language = Language::read(&named_or_default(options.bundle.as_deref())?)?;
    let stream = packet_file::read(&options.file)?;
    let (mut total, mut failures) = (0, 0);
    for packet in packet_file::decode(&stream, &language) {
        total += 1;
        let packet = match packet {
            Ok(packet) => packet,
            Err(rejected) => {
                failures += 1;
                if failures <= MAX_LINES {
                    tracing::error!("error: {}: {rejected}", options.file.display());
                }
                continue;
            }
        };
        match packet {
            Taken::Captions(packet) if options.json => show_captions(&packet)?,
            Taken::Captions(packet) => packet.captions.iter().try_for_each(|caption| print(&said(caption)))?,
            Taken::Message(Message { kind, vehicle, bundle, content, .. }) if options.json => {
                let bundle = format!("{bundle:04x}");
                print(&serde_json::to_string(&DecodedMessage { kind, vehicle, bundle, content: &content })?)?;
            }
            Taken::Message(message) => print(&printable(&message.to_string()))?,
        }
    }
    ensure!(total > 0, "{}: holds no packet, expected what edge caption --packets writes", options.file.display());
    ensure!(
        failures == 0,
        "{}: {failures} of {total} packets could not be decoded; what was made with another checksum or framing is read by ground receive --from file:… --checksum … --framing …",
        options.file.display()
    );
    Ok(())
}

/// A caption's words, and how far they can be believed.
fn said(caption: &wire::Caption) -> String {
    format!("{}{}", printable(&caption.text), trust(caption))
}

/// Prints a JSON object a caption.
fn show_captions(packet: &CaptionPacket) -> Result<()> {
    for caption in &packet.captions {
        let (place, time) = (caption.position.map(wire::Position::degrees), wire::Time::from(caption.time));
        print(&serde_json::to_string(&Decoded {
            sequence: caption.sequence,
            time: time.utc(),
            after_start: time.after_start(),
            vehicle: packet.vehicle,
            bundle: format!("{:04x}", packet.bundle),
            confidence: caption.confidence.map(thousandths),
            outside: caption.outside,
            priority: caption.priority,
            repeat: caption.repeat,
            latitude: place.map(|place| place.0),
            longitude: place.map(|place| place.1),
            caption: &caption.text,
        })?)?;
    }
    Ok(())
}

/// 0 to 1, with three decimals.
fn thousandths(confidence: Confidence) -> f64 {
    f64::from(confidence.thousandths()) / 1000.0
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
        let caption =
            wire::Caption { sequence: n as u32, time: clock::now(), text: line.into(), ..wire::Caption::default() };
        let captions = vec![caption];
        let packet = CaptionPacket { vehicle: 0, bundle: language.id, decimals: DEFAULT_DECIMALS, captions };
        let packet = packet.encode(&language.model, None, Checksum::Crc32).with_context(place)?;
        print(&serde_json::to_string(&Encoded {
            text: line,
            payload_bytes: payload.len(),
            packet_bytes: packet.len(),
            packet_hex: cssa::bundle::hexadecimal(&packet),
        })?)?;
    }
    Ok(())
}
