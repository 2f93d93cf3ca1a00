//! Sends packets over a link of one's own, here lines of hexadecimal digits on standard output, from the flight loop of `edge run`:
//! `cargo run --release -p edge --example own_link -- images/ state/`
#![expect(clippy::print_stderr, reason = "an example shows what it found")]

use cssa::bundle::{hexadecimal, named_or_default};
use cssa_link::{LinkError, Port, Received};
use edge::Control;
use edge::config::{After, Config, SourceConfig};
use edge::downlink::LinkConfig;
use edge::run::{Own, run_with};
use std::io::{Write, stdout};
use std::time::Duration;

struct Hexadecimal;

impl Port for Hexadecimal {
    fn send(&mut self, packet: &[u8]) -> Result<(), LinkError> {
        let failed = |cause| LinkError::Port { port: "hexadecimal".into(), cause };
        writeln!(stdout(), "{}", hexadecimal(packet)).map_err(failed)
    }

    // Nothing comes up a printer: captions are sent once each, for without link.key none is acknowledged.
    fn receive(&mut self, wait: Duration) -> Result<Received, LinkError> {
        std::thread::sleep(wait);
        Ok(Received::default())
    }

    fn largest(&self) -> usize {
        1024
    }

    fn cost(&self, length: usize) -> usize {
        2 * length + 1
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [images, state] = arguments.as_slice() else { return Err("folder of images and state folder".into()) };
    let mut config = Config::new(state, LinkConfig { vehicle: 12, ..LinkConfig::new("hexadecimal") });
    config.source =
        SourceConfig::Folder { path: images.into(), watch: false, after: After::Keep, memory: config.source.memory() };
    let own = Own { port: Some(Box::new(Hexadecimal)), ..Own::default() };
    let status = run_with(&config, named_or_default(None).ok(), own, &Control::default())?;
    eprintln!("{}", serde_json::to_string(&status)?);
    Ok(())
}
