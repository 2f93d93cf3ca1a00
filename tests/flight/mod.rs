//! `edge run` in a hostile world: kills, a link that is down, a full disk, damaged images and models, a camera that goes away.
//! Every frame must be accounted for.

mod faults;
mod places;

use anyhow::{Result, ensure};
use cross_crate_tests::{program, succeed};
use cssa::bundle::Language;
use cssa_wire::{Caption, CaptionPacket, Checksum, Down, DownPacket, Verification, frames};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Frames of the soak.
const SOAK: usize = 10_000;

/// An `edge.toml` in `folder`, with `source`, the link and what else it says.
fn configure(folder: &Path, source: &str, link: &str, more: &str) -> Result<PathBuf> {
    let path = folder.join("edge.toml");
    let state = folder.join("state");
    // Rendered scenes are nothing that the model knows, and here every frame is to be seen.
    let policy = if more.contains("[policy]") { "" } else { "[policy]\noutside = \"send\"\n" };
    let text = format!("state = {state:?}\n{more}\n{policy}[source]\n{source}\n[link]\nto = {link:?}\n");
    std::fs::write(&path, text)?;
    Ok(path)
}

fn start(config: &Path) -> Result<Child> {
    let mut edge = program("edge")?;
    edge.args(["run", "--config"]).arg(config).stdout(Stdio::piped()).stderr(Stdio::null());
    Ok(edge.spawn()?)
}

fn finish(config: &Path) -> Result<serde_json::Value> {
    let arguments = ["run", "--config"].map(Into::into).into_iter().chain([config.as_os_str().to_owned()]);
    Ok(serde_json::from_str(&succeed("edge", arguments)?)?)
}

/// Waits until the status of the run says something, or says in the end what it said last.
fn wait_for(folder: &Path, seconds: u64, says: impl Fn(&serde_json::Value) -> bool) -> Result<serde_json::Value> {
    let (began, path) = (Instant::now(), folder.join("state/status.json"));
    loop {
        let status: serde_json::Value =
            std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        if says(&status) {
            return Ok(status);
        }
        ensure!(began.elapsed().as_secs() < seconds, "after {seconds} s the status is {status}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn counter(status: &serde_json::Value, name: &str) -> u64 {
    status["counters"][name].as_u64().unwrap_or(0)
}

fn dropped(status: &serde_json::Value) -> u64 {
    let counters = status["counters"].as_object().into_iter().flatten();
    counters.filter(|(name, _)| name.starts_with("dropped_")).filter_map(|(_, count)| count.as_u64()).sum()
}

/// The captions in a link's file. Each number is sent unmarked once at most. Half packets, which kills leave, are counted.
fn received(path: &Path) -> Result<(BTreeMap<u32, Caption>, usize)> {
    let language = Language::read(&fixtures::bundle())?;
    let (bytes, mut captions, mut half, mut first) = (std::fs::read(path)?, BTreeMap::new(), 0, BTreeSet::new());
    for frame in frames(&bytes) {
        let decode = |bytes: Vec<u8>| {
            CaptionPacket::decode(&bytes, language.id, &language.model, Verification::Off, Checksum::Crc32)
        };
        match frame.packet.and_then(decode) {
            Ok(packet) => {
                for caption in packet.captions {
                    assert!(
                        caption.repeat || first.insert(caption.sequence),
                        "{} came twice unmarked",
                        caption.sequence
                    );
                    captions.insert(caption.sequence, caption);
                }
            }
            Err(_) => half += 1,
        }
    }
    Ok((captions, half))
}

/// Images of all kinds: rendered scenes, a cut-off one, one that is none, one whose header promises far too much.
fn images(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut images = cssa_image::images(&[fixtures::scenes()])?;
    let whole = std::fs::read(&images[0])?;
    let mut huge = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\x0f\0\0\0\x0f\0\0\x08\x02\0\0\0".to_vec();
    huge.extend([0; 32]);
    for (name, bytes) in [("cut.jpg", &whole[..whole.len() / 2]), ("none.jpg", b"no image"), ("huge.png", &huge)] {
        let path = folder.join(name);
        std::fs::write(&path, bytes)?;
        images.push(path);
    }
    Ok(images)
}
