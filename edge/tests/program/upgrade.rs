//! What an upgrade keeps of what revision 42b033e wrote: `edge/tests/upgrade`.

use super::{Result, edge, flip, fly, said};
use cssa::bundle::{Bundle, BundleWriter, Language, Manifest, OBJECT_GROUPS, TRUST, contents};
use cssa_wire::{CaptionPacket, Checksum, Verification, frames};
use edge::slots::{Slot, Slots};
use edge::store::{Caption, ChangeKind, FRAMES, Outcome, QUEUED, RETIRED, Store};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What waited, the most urgent first: number, how often it was tried, priority, words.
const WAITED: [(u32, bool, u8, &str); 5] = [
    (4, true, 1, "six buildings and green trees can be seen in the picture"),
    (3, true, 0, "a wharf is on the right of the harbor"),
    (5, false, 0, "nine storage tanks are on the ground"),
    (6, false, 0, "a roundabout with four cars is in the middle"),
    (7, false, 0, "many cars are parked in the parking lot"),
];
/// When the first of them were made.
const MADE: u32 = 1_795_901_317;

fn written(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade").join(name)
}

/// A state folder with the store.
fn state(folder: &Path) -> Result<PathBuf> {
    let state = folder.join("state");
    fs::create_dir_all(state.join("slots"))?;
    fs::copy(written("store.redb"), state.join("store.redb"))?;
    Ok(state)
}

/// Every caption waits under its number with its words, what was settled stays so, no number is given again.
#[test]
fn the_queue_and_what_was_settled_are_kept() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let state = state(folder.path())?;
    for _ in 0..2 {
        let store = Store::open(&state, 100)?;
        assert_eq!(store.damage(), None);
        let waiting = store.peek(9, |_| true)?;
        let of = |n: usize| {
            let waiting = &waiting[n];
            let caption = &waiting.caption;
            (waiting.sequence, waiting.tries > 0, caption.priority, caption.text.as_str())
        };
        assert_eq!((0..waiting.len()).map(of).collect::<Vec<_>>(), WAITED);
        assert!(waiting.iter().all(|waiting| (MADE..MADE + 10).contains(&waiting.caption.time)), "{waiting:?}");
        let counters = store.counters()?;
        assert_eq!([FRAMES, QUEUED, RETIRED].map(|name| counters[name]), [8, 8, 3]);
        assert!(store.is_done("incoming/scene_00001.jpg|13359|1795901316023943120")?);
        assert!(store.is_done("incoming/scene_00008.jpg|17243|1795901322180125004")?);
        assert!(!store.is_done("incoming/scene_00009.jpg|1|1")?);
    }
    let store = Store::open(&state, 100)?;
    store.settle(
        store.change(ChangeKind::Captioned),
        None,
        &Outcome::Queued(Caption { time: MADE, priority: 3, text: "new".into(), ..Caption::default() }),
    )?;
    assert_eq!(store.peek(1, |_| true)?[0].sequence, 8);
    Ok(())
}

/// The default bundle of 42b033e, where git has it.
fn earlier_bundle(folder: &Path) -> Result<Option<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut git = Command::new("git");
    git.arg("-C")
        .arg(root)
        .args(["archive", "42b033e", "fixtures/bundle"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let Ok(mut archive) = git.spawn() else { return Ok(None) };
    let content = archive.stdout.take().ok_or("no output")?;
    let unpacked = Command::new("tar").arg("-x").arg("-C").arg(folder).stdin(content).stderr(Stdio::null()).status()?;
    let found = archive.wait()?.success() && unpacked.success();
    Ok(found.then(|| folder.join("fixtures/bundle")))
}

/// The default bundle as format 2 had it: without what confidence is computed from.
fn of_format_2(folder: &Path) -> Result<PathBuf> {
    let mut contents = contents(&fixtures::bundle())?;
    let text = String::from_utf8(contents["manifest.toml"].clone())?;
    let mut manifest = Manifest::parse(&fixtures::bundle(), &text)?;
    (manifest.format, manifest.trust) = (2, None);
    for name in [TRUST, OBJECT_GROUPS] {
        manifest.files.remove(name);
        contents.remove(name);
    }
    contents.insert("manifest.toml".into(), toml::to_string(&manifest)?.into_bytes());
    let path = folder.join("format-2");
    BundleWriter::create(&path)?.write(&contents)?;
    Ok(path)
}

/// A bundle of format 2 loads and captions: the real one where git has it, and this one without what is new.
#[test]
fn bundles_of_format_2_fly() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bundles = [Some(of_format_2(folder.path())?), earlier_bundle(folder.path())?];
    for bundle in bundles.into_iter().flatten() {
        assert_eq!(Bundle::read(&bundle)?.manifest.format, 2);
        let output = edge().args(["self-test", "--bundle"]).arg(&bundle).output()?;
        assert!(output.status.success(), "{}: {}", bundle.display(), said(&output));
        assert!(String::from_utf8(output.stdout)?.contains("parking lot"));
    }
    Ok(())
}

/// The vehicle starts anew with its store, its slots and its configuration: the slot that flew flies, every caption that waited goes out
/// under its number.
#[test]
fn an_upgraded_vehicle_sends_what_waited() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(bundle) = earlier_bundle(folder.path())? else { return Ok(()) };
    let state = state(folder.path())?;
    fs::copy(written("slots.toml"), state.join("slots/slots.toml"))?;
    for slot in ["a", "b"] {
        BundleWriter::create(&state.join("slots").join(slot))?.write(&contents(&bundle)?)?;
    }
    assert_eq!(Slots::open(&state).order(), [Slot::B, Slot::A]);
    let (config, packets) = (folder.path().join("edge.toml"), folder.path().join("packets.bin"));
    fs::create_dir(folder.path().join("none"))?;
    fs::write(
        &config,
        format!(
            "state = {state:?}\n[source]\nkind = \"folder\"\npath = {:?}\nwatch = false\n[link]\nto = \"file:{}\"\n",
            folder.path().join("none"),
            packets.display()
        ),
    )?;
    let (status, told) = fly(&config)?;
    assert!(told.contains("slots/b: "), "{told}");
    assert_eq!((&status["faults"], &status["waiting"]), (&serde_json::json!({}), &0.into()), "{status}");
    let (language, stream) = (Language::read(&bundle)?, fs::read(&packets)?);
    let mut sent = Vec::new();
    for frame in frames(&stream) {
        let bytes = frame.packet?;
        let packet = CaptionPacket::decode(&bytes, language.id, &language.model, Verification::Off, Checksum::Crc32)?;
        sent.extend(packet.captions.into_iter().map(|sent| (sent.sequence, sent.repeat, sent.priority, sent.text)));
    }
    assert_eq!(sent, WAITED.map(|(number, repeat, priority, text)| (number, repeat, priority, text.to_owned())));
    // The other slot is there, too.
    flip(&state.join("slots/b/encoder.onnx"))?;
    let (_, told) = fly(&config)?;
    assert!(told.contains("slots/a: "), "{told}");
    Ok(())
}

/// The one key that is no more is refused by the name of the one that took its place; all others mean what they meant.
#[test]
fn the_packaged_configuration_is_read() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (config, place) = (folder.path().join("edge.toml"), folder.path().display().to_string());
    fs::create_dir(folder.path().join("incoming"))?;
    let text = fs::read_to_string(written("edge.toml"))?.replace("/var/lib/cssa", &place);
    let check = |text: &str| -> Result<(bool, String)> {
        fs::write(&config, text)?;
        let output = edge().args(["run", "--check", "--config"]).arg(&config).output()?;
        Ok((output.status.success(), said(&output)))
    };
    let (passes, told) = check(&text)?;
    assert!(!passes && told.contains("least_score is no more") && told.contains("Give least_confidence"), "{told}");
    let (passes, told) = check(&text.replace("least_score = 0.75", "least_confidence = 0.5"))?;
    assert!(passes, "{told}");
    Ok(())
}
