//! Damaged files of every kind: no panic, bounded time, bounded memory.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::time::{Duration, Instant};

/// Mutations of the healthy files.
const MUTATIONS: u64 = 1_000;
/// Longest that one may take.
const LONGEST: Duration = Duration::from_secs(10);
/// Most bytes that one may take at a time: what a decoder may hold, and as much for what becomes of it.
const MOST: u64 = 1 << 30;

fn healthy() -> Result<Vec<(String, Vec<u8>)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/cases/img");
    let mut paths = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    paths.retain(|path| path.extension().is_some_and(|ending| ending != "csv"));
    let read = |path: &std::path::PathBuf| Ok((path.display().to_string(), std::fs::read(path)?));
    paths.iter().map(read).collect()
}

fn mutate(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) -> &'static str {
    let (from, to) = (random.usize(..bytes.len()), random.usize(..bytes.len()));
    let range = from.min(to)..from.max(to);
    match random.u8(..6) {
        0 => {
            bytes.truncate(from);
            "truncated"
        }
        1 => {
            for _ in 0..random.usize(1..=8) {
                let at = random.usize(..bytes.len());
                bytes[at] ^= 1 << random.u8(..8);
            }
            "flipped"
        }
        2 => {
            // Most of what decoders are led by stands at the beginning.
            let first = bytes.len().min(700);
            bytes[random.usize(..first)] = random.u8(..);
            "one byte of the head"
        }
        3 => {
            bytes[range].fill(0);
            "emptied"
        }
        4 => {
            bytes[range].iter_mut().for_each(|byte| *byte = random.u8(..));
            "random"
        }
        _ => bomb(bytes, random),
    }
}

/// A header that promises more than there is.
fn bomb(bytes: &mut [u8], random: &mut fastrand::Rng) -> &'static str {
    let (width, height) = (random.u32(1 << 9..1 << 20), random.u32(1 << 9..u32::MAX));
    if bytes.starts_with(b"\x89PNG") && bytes.len() > 33 {
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&(height % (1 << 20)).to_be_bytes());
        let sum = crc32fast::hash(&bytes[12..29]).to_be_bytes();
        bytes[29..33].copy_from_slice(&sum);
    } else if bytes.starts_with(&[0xFF, 0xD8]) {
        if let Some(at) = bytes.windows(2).position(|pair| pair[0] == 0xFF && matches!(pair[1], 0xC0..=0xC2)) {
            bytes[at + 5..at + 9].copy_from_slice(&width.max(height).to_be_bytes());
        }
    } else if let Some(at) = bytes.windows(4).position(|tag| tag == [0x00, 0x01, 3, 0] || tag == [0x00, 0x01, 4, 0]) {
        // Tags 256 and 257 of a little-endian directory: width and height.
        for (entry, value) in [(at, width), (at + 12, height)] {
            if let Some(entry) = bytes.get_mut(entry + 2..entry + 12) {
                entry[..2].copy_from_slice(&4u16.to_le_bytes());
                entry[6..].copy_from_slice(&value.to_le_bytes());
            }
        }
    }
    "bomb"
}

#[test]
fn mutations_of_healthy_files_do_no_harm() -> Result<()> {
    let files = healthy()?;
    let started = Instant::now();
    let (mut decoded, mut largest, mut longest) = (0, 0, Duration::ZERO);
    for seed in 0..MUTATIONS {
        let mut random = fastrand::Rng::with_seed(seed);
        let (name, mut bytes) = files[seed as usize % files.len()].clone();
        let kind = mutate(&mut bytes, &mut random);
        let begun = Instant::now();
        let mut outcome = None;
        let memory = allocation_counter::measure(|| {
            outcome = std::panic::catch_unwind(|| cssa_image::decode(&bytes).map(|image| image.dimensions())).ok();
        });
        let taken = begun.elapsed();
        let result = outcome.with_context(|| format!("{name}, {kind}, seed {seed}: a panic"))?;
        ensure!(taken < LONGEST, "{name}, {kind}, seed {seed}: {taken:?}, {result:?}");
        ensure!(memory.bytes_max < MOST, "{name}, {kind}, seed {seed}: {} bytes, {result:?}", memory.bytes_max);
        decoded += usize::from(result.is_ok());
        (largest, longest) = (largest.max(memory.bytes_max), longest.max(taken));
    }
    let found = format!(
        "{decoded} of {MUTATIONS} decoded, {largest} bytes, {longest:?} at most, {:?} together",
        started.elapsed()
    );
    // So that a change of the decoder that refuses everything does not pass for a robust one.
    ensure!(decoded > 100, "{found}");
    std::io::Write::write_all(&mut std::io::stderr(), found.as_bytes())?;
    Ok(())
}

/// 156 bytes that promise 300,000 × 4·10⁹ pixels.
#[test]
fn a_tiff_that_promises_too_much_is_refused_before_anything_is_allocated() -> Result<()> {
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    let tags: [(u16, u16, u32, u32); 11] = [
        (256, 4, 1, 300_000),
        (257, 4, 1, 4_000_000_000),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 146),
        (277, 3, 1, 1),
        (278, 4, 1, 4_000_000_000),
        (279, 4, 1, 10),
        (284, 3, 1, 1),
        (339, 3, 1, 1),
    ];
    bytes.extend((tags.len() as u16).to_le_bytes());
    for (tag, kind, count, value) in tags {
        bytes.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        bytes.extend([count.to_le_bytes(), value.to_le_bytes()].concat());
    }
    bytes.extend([0; 14]);
    assert_eq!(bytes.len(), 156);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("bomb.tif");
    std::fs::write(&path, &bytes)?;
    let mut said = Vec::new();
    let memory = allocation_counter::measure(|| {
        said.push(cssa_image::decode(&bytes).map(drop).map_err(|error| error.to_string()));
        said.push(cssa_image::Raster::open(&path).map(drop).map_err(|error| error.to_string()));
    });
    for said in said {
        let said = said.err().context("it was opened")?;
        assert!(said.contains("300000 × 4000000000 pixels"), "{said}");
    }
    assert!(memory.bytes_max < 100_000, "{} bytes", memory.bytes_max);
    Ok(())
}

/// A drone's 48 megapixels with 16 bits: 288 MB of samples.
#[test]
fn a_large_png_is_reduced_while_it_is_read() -> Result<()> {
    let (width, height) = (8000u32, 6000u32);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Sixteen);
    encoder.set_compression(png::Compression::Fastest);
    let mut writer = encoder.write_header()?;
    let mut stream = writer.stream_writer()?;
    let row: Vec<u8> = (0..width).flat_map(|x| [x as u16, 2000, 1000].map(u16::to_be_bytes)).flatten().collect();
    for _ in 0..height {
        std::io::Write::write_all(&mut stream, &row)?;
    }
    stream.finish()?;
    writer.finish()?;
    let mut size = None;
    let memory = allocation_counter::measure(|| size = cssa_image::decode(&bytes).ok().map(|image| image.dimensions()));
    assert_eq!(size, Some((4000, 3000)));
    assert!(memory.bytes_max < 100_000_000, "{} bytes", memory.bytes_max);
    Ok(())
}
