//! Packs the sentences named on the command line into one packet and unpacks it again:
//! `cargo run --release -p cssa-wire --example packet -- "a bridge over a river" "a road in a forest"`
#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use cssa::language_model::LanguageModel;
use cssa::trust::Confidence;
use cssa_wire::{Caption, CaptionPacket, Checksum, DEFAULT_DECIMALS, Position, Verification};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    // A bundle brings one that was counted on its train captions.
    let model = LanguageModel::build(["a bridge over a river", "many cars on a road"].map(String::from));
    let caption = |(n, text): (usize, String)| Caption {
        sequence: n as u32,
        time: 1_795_824_000 + n as u32,
        position: Position::new(48.20849, 16.37208),
        confidence: Confidence::from_thousandths(900),
        text,
        ..Caption::default()
    };
    let captions: Vec<Caption> = std::env::args().skip(1).enumerate().map(caption).collect();
    let packet = CaptionPacket { vehicle: 12, bundle: 0xbeef, decimals: DEFAULT_DECIMALS, captions };
    let bytes = packet.encode(&model, None, Checksum::Crc32)?;
    println!("{} captions in {} bytes: {bytes:02x?}", packet.captions.len(), bytes.len());
    for caption in CaptionPacket::decode(&bytes, 0xbeef, &model, Verification::Off, Checksum::Crc32)?.captions {
        println!("{} {:?} {}", caption.sequence, caption.position.map(Position::degrees), caption.text);
    }
    Ok(())
}
