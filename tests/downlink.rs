//! Captions through packets to the ground and back, with the default bundle.

#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use anyhow::{Context, Result};
use cross_crate_tests::{json_lines, program, succeed};
use std::path::PathBuf;

fn captions(images: &[PathBuf], packets: &std::path::Path) -> Result<Vec<serde_json::Value>> {
    let mut arguments: Vec<std::ffi::OsString> = ["caption", "--json", "--packets"].map(Into::into).into();
    arguments.push(packets.into());
    arguments.extend(images.iter().map(Into::into));
    json_lines(&succeed("edge", arguments)?)
}

#[test]
fn every_caption_comes_back_to_the_letter() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let packets = folder.path().join("packets.bin");
    let mut images: Vec<PathBuf> = Vec::new();
    match fixtures::shared_data() {
        Some(data) => {
            for dataset in ["ucm", "rsicd"] {
                let dataset = cssa::dataset::Dataset::read(&data.join(dataset), cssa::dataset::DevRule::Hash)?;
                images.extend(dataset.split(cssa::dataset::Split::Test).take(100).map(|image| image.path.clone()));
            }
        }
        None => {
            eprintln!(
                "skipped: ../shared/data is not here, so the run has 12 rendered scenes instead of 200 real images"
            );
            images.extend(cssa_image::images(&[fixtures::scenes()])?);
        }
    }
    let sent = captions(&images, &packets)?;
    assert_eq!(sent.len(), images.len());
    let received = json_lines(&succeed("ground", ["decode".as_ref(), "--json".as_ref(), packets.as_os_str()])?)?;
    assert_eq!(sent.len(), received.len());
    let mut bytes = 0;
    for (n, (sent, received)) in sent.iter().zip(&received).enumerate() {
        assert_eq!(sent["caption"], received["caption"]);
        assert_eq!(received["sequence"], n);
        assert!(received.get("score").is_none(), "{received}");
        assert_eq!(sent["reasons"].get(0), received.get("outside"), "{received}");
        let confidence = |line: &serde_json::Value| line["confidence"].as_f64().context("confidence");
        assert!((confidence(sent)? - confidence(received)?).abs() <= 0.5 / 31.0 + 1e-3, "{received}");
        let length = sent["packet_bytes"].as_u64().context("packet_bytes")?;
        assert_eq!(sent["packet_hex"].as_str().context("packet_hex")?.len() as u64, 2 * length);
        assert!(sent["caption"].as_str().is_some_and(|caption| caption.split(' ').count() >= 3));
        bytes += length;
    }
    let mean = bytes as f64 / sent.len() as f64;
    assert!(mean <= 22.0, "{mean} bytes a packet");
    Ok(())
}

#[test]
fn a_damaged_packet_is_named_and_the_others_are_decoded() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let packets = folder.path().join("packets.bin");
    let images = cssa_image::images(&[fixtures::scenes()])?;
    let sent = captions(&images[..4], &packets)?;
    let mut bytes = std::fs::read(&packets)?;
    // A zero before and after each.
    let second = (0..bytes.len()).filter(|&at| bytes[at] == 0).nth(2).context("no packet")? + 1;
    bytes[second + 9] ^= 4;
    std::fs::write(&packets, bytes)?;
    let output = program("ground")?.arg("decode").arg(&packets).output()?;
    assert!(!output.status.success());
    let errors = String::from_utf8(output.stderr)?;
    assert!(errors.contains(&format!("packet 2 at byte {second}")), "{errors}");
    let text = String::from_utf8(output.stdout)?;
    // A line says how sure it is, and why its image is none that the model knows.
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    for (line, sent) in lines.iter().zip([0, 2, 3].map(|n: usize| &sent[n])) {
        let (caption, trust) = line.trim_end_matches(')').rsplit_once(" (").context("no confidence")?;
        assert_eq!(Some(caption), sent["caption"].as_str());
        let (confidence, reason) = trust.split_once(", ").unwrap_or((trust, ""));
        let sure = sent["confidence"].as_f64().context("confidence")?;
        assert!((confidence.parse::<f64>()? - sure).abs() <= 0.5 / 31.0 + 0.006, "{line}: {sure}");
        assert_eq!((!reason.is_empty()).then_some(reason), sent["reasons"][0].as_str(), "{line}");
    }
    assert!(lines.iter().any(|line| line.ends_with(", unfamiliar)")), "{lines:?}");
    Ok(())
}

#[test]
fn sixteen_bits_say_the_same_as_eight() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let scene = cssa_image::read(&fixtures::scenes().join("images/scene_00001.jpg"))?;
    let eight = image::DynamicImage::ImageRgb8(scene);
    eight.save(folder.path().join("a.png"))?;
    image::DynamicImage::ImageRgb16(eight.to_rgb16()).save(folder.path().join("b.tiff"))?;
    let found = captions(&[folder.path().join("a.png"), folder.path().join("b.tiff")], &folder.path().join("p"))?;
    assert_eq!(found[0]["caption"], found[1]["caption"]);
    assert_eq!(found[0]["score"], found[1]["score"]);
    Ok(())
}

/// Captions of the default bundle with time, place, confidence and vehicle, closed by a CRC-32: what they take alone, and when ten
/// share a packet, without a key and with one.
#[test]
fn captions_take_a_few_bytes() -> Result<()> {
    use cssa::trust::Confidence;
    use cssa_wire::{Caption, CaptionPacket, Checksum, KEY, Key, Position, Verification, payload};
    let language = cssa::bundle::Language::read(&fixtures::bundle())?;
    let results = cross_crate_tests::root().join("fixtures/results/onboard-rsicd/hypotheses.json");
    let hypotheses: std::collections::BTreeMap<String, String> = serde_json::from_slice(&std::fs::read(results)?)?;
    let caption = |(n, text): (usize, &String)| Caption {
        sequence: 5000 + n as u32,
        time: 1_763_928_000 + 11 * n as u32,
        // A flight line with tiles 150 m apart, at 1.1 m.
        position: Position::new(48.2 + 0.00135 * n as f64, 16.37 + 0.00011 * (n % 13) as f64),
        confidence: Confidence::from_thousandths(650 + 30 * (n % 12) as u16),
        outside: None,
        priority: u8::from(n % 40 == 0),
        repeat: n % 30 == 0,
        text: text.clone(),
    };
    let captions: Vec<Caption> = hypotheses.values().enumerate().map(caption).collect();
    let packet = |captions: &[Caption]| CaptionPacket {
        vehicle: 12,
        bundle: language.id,
        decimals: 5,
        captions: captions.to_vec(),
    };
    let mean = |total: usize| total as f64 / captions.len() as f64;
    let texts =
        captions.iter().map(|caption| Ok(payload(&caption.text, &language.model)?.len())).sum::<Result<usize>>()?;
    let texts = mean(texts);
    // The design's targets are 8.5 and 9 bytes shared. Alone they were 25 and 30: what stands around the message takes four bytes more
    // than in version 2, whose captions took 22.6 alone.
    let key = Key::new([7; KEY]);
    for (name, key, most_alone, most_shared) in [("no key", None, 27.0, 8.5), ("a key", Some(&key), 31.0, 9.0)] {
        let bytes = |captions: &[Caption]| -> Result<usize> {
            Ok(packet(captions).encode(&language.model, key, Checksum::Crc32)?.len())
        };
        let alone = mean(captions.chunks(1).map(bytes).sum::<Result<usize>>()?);
        let shared = mean(captions.chunks(10).map(bytes).sum::<Result<usize>>()?);
        eprintln!("{name}: {texts:.2} bytes of text, {alone:.2} a caption alone, {shared:.2} when ten share a packet");
        assert!(
            texts <= 2.5 && alone <= most_alone && shared <= most_shared,
            "{texts:.2} {alone:.2} {shared:.2} bytes"
        );
    }
    // The best of several rounds: other programs may be at work.
    let (mut encoding, mut decoding) = (f64::MAX, f64::MAX);
    for _ in 0..5 {
        let mut packets = Vec::new();
        let began = std::time::Instant::now();
        for caption in &captions {
            packets.push(packet(std::slice::from_ref(caption)).encode(&language.model, None, Checksum::Crc32)?);
        }
        encoding = encoding.min(began.elapsed().as_secs_f64());
        let began = std::time::Instant::now();
        for packet in &packets {
            CaptionPacket::decode(packet, language.id, &language.model, Verification::Off, Checksum::Crc32)?;
        }
        decoding = decoding.min(began.elapsed().as_secs_f64());
    }
    let [encoding, decoding] = [encoding, decoding].map(|seconds| seconds / captions.len() as f64 * 1e6);
    assert!(encoding < 100.0 && decoding < 100.0, "{encoding:.0} and {decoding:.0} µs");
    eprintln!("{encoding:.0} µs to encode a caption, {decoding:.0} µs to decode it");
    Ok(())
}
