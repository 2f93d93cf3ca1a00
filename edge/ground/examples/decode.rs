//! Turns a file of packets, as `edge caption --packets` and a link `file:` write them, back into captions:
//! `cargo run --release -p ground --example decode -- packets.bin`
#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use cssa::bundle::{Language, named_or_default};
use cssa_wire::Position;
use ground::{Taken, packet_file};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("name a file of packets")?;
    // The bundle that flew: its words are what makes packets short.
    let language = Language::read(&named_or_default(None)?)?;
    for packet in packet_file::decode(&packet_file::read(file.as_ref())?, &language) {
        match packet? {
            Taken::Captions(packet) => {
                for caption in packet.captions {
                    let place = caption.position.map(Position::degrees);
                    println!("{} {place:?} {:?} {}", caption.sequence, caption.confidence, caption.text);
                }
            }
            Taken::Message(message) => println!("{message}"),
        }
    }
    Ok(())
}
