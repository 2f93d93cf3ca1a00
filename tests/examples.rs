//! The examples in Rust, as `cargo build --all-targets` leaves them: what they print is true.

use anyhow::{Context, Result};
use cross_crate_tests::{json_lines, program, succeed};
use cssa::bundle::Language;
use cssa_wire::{CaptionPacket, Checksum, Verification};
use std::path::Path;

fn scene(n: usize) -> String {
    fixtures::scenes().join(format!("images/scene_{n:05}.jpg")).display().to_string()
}

/// What `edge caption` says of images, with the packets that it writes.
fn captions(images: &[String], packets: &Path) -> Result<Vec<String>> {
    let packets = packets.display().to_string();
    let arguments =
        ["caption", "--json", "--packets", &packets].map(str::to_owned).into_iter().chain(images.iter().cloned());
    let lines = json_lines(&succeed("edge", arguments)?)?;
    lines.iter().map(|line| Ok(line["caption"].as_str().context("no caption")?.to_owned())).collect()
}

#[test]
fn images_are_captioned_and_packets_decoded() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let packets = folder.path().join("packets.bin");
    let images = [scene(0), scene(1)];
    let expected = captions(&images, &packets)?;
    let said = succeed("examples/caption", &images)?;
    let lines: Vec<String> = images.iter().zip(&expected).map(|(image, text)| format!("{image}: {text}")).collect();
    assert_eq!(said.lines().collect::<Vec<_>>(), lines);

    let decoded = succeed("examples/decode", [&packets])?;
    assert_eq!(decoded.lines().count(), 2, "{decoded}");
    assert!(decoded.lines().zip(&expected).all(|(line, text)| line.ends_with(text.as_str())), "{decoded} {expected:?}");
    let packed = succeed("examples/packet", ["a bridge over a river"])?;
    assert!(packed.lines().last().is_some_and(|line| line.ends_with("a bridge over a river")), "{packed}");
    for name in ["caption", "decode", "own_source", "own_link"] {
        let output = program(&format!("examples/{name}"))?.arg("/no/such/file").output()?;
        assert!(!output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
    }
    Ok(())
}

/// A source of one's own flies, and what is settled does not fly again.
#[test]
fn frames_of_an_own_source_are_captioned_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let arguments = [scene(2), path("state"), path("packets.bin")];
    let status: serde_json::Value = serde_json::from_str(&succeed("examples/own_source", &arguments)?)?;
    assert_eq!(status["counters"]["frames"], 4, "{status}");
    let decoded = json_lines(&succeed("ground", ["decode", &path("packets.bin"), "--json"])?)?;
    let captions: Vec<&serde_json::Value> = decoded.iter().filter(|line| !line["caption"].is_null()).collect();
    assert_eq!(captions.len(), 4, "{decoded:?}");
    let again: serde_json::Value = serde_json::from_str(&succeed("examples/own_source", &arguments)?)?;
    assert_eq!(again["counters"]["frames"], 4, "{again}");
    Ok(())
}

/// Packets go out over a port of one's own, with the configuration's vehicle in them.
#[test]
fn packets_go_out_over_an_own_link() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (images, state) = (folder.path().join("images"), folder.path().join("state"));
    std::fs::create_dir(&images)?;
    std::fs::copy(scene(3), images.join("a.jpg"))?;
    let lines = succeed("examples/own_link", [&images, &state])?;
    let language = Language::read(&fixtures::bundle())?;
    let mut captions = Vec::new();
    for line in lines.lines() {
        let digits = |at: usize| u8::from_str_radix(line.get(at..at + 2).unwrap_or(""), 16);
        let bytes =
            (0..line.len()).step_by(2).map(digits).collect::<Result<Vec<u8>, _>>().context("no hexadecimal line")?;
        // Others are housekeeping.
        if let Ok(packet) =
            CaptionPacket::decode(&bytes, language.id, &language.model, Verification::Off, Checksum::Crc32)
        {
            assert_eq!(packet.vehicle, 12);
            captions.extend(packet.captions);
        }
    }
    assert_eq!(captions.len(), 1, "{lines}");
    Ok(())
}
