use super::*;
use crate::error::chain;
use anyhow::{Context, Result};
use std::cell::RefCell;
use std::os::unix::fs::{MetadataExt, chown, symlink};

fn golden(caption: &str) -> Golden {
    Golden { computed_by: String::new(), caption: caption.into(), memory: vec![0.5, -0.25], largest: 0.5 }
}

/// Slots with a good bundle in each, the second one active.
fn both(state: &Path) -> Result<Slots> {
    let mut slots = Slots::open(state);
    slots.install(&fixtures::bundle(), None, |_| Ok(golden("a river")))?;
    slots.install(&fixtures::bundle(), None, |_| Ok(golden("a river")))?;
    assert_eq!(slots.order(), [Slot::B, Slot::A]);
    Ok(slots)
}

#[test]
fn a_bundle_flies_only_after_it_proved_itself() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bundle = fixtures::bundle();
    let mut slots = Slots::open(folder.path());
    assert!(slots.order().is_empty());
    assert!(slots.install(&bundle, None, |_| Err("no caption".into())).is_err());
    assert!(Slots::open(folder.path()).order().is_empty());
    let (first, id) = slots.install(&bundle, None, |path| {
        assert!(Bundle::read(path).is_ok());
        Ok(golden("a river"))
    })?;
    assert_eq!((first, slots.order()), (Slot::A, vec![Slot::A]));
    let failed = slots.install(&bundle, None, |_| Err("no caption".into()));
    assert!(failed.is_err_and(|error| chain(&error).contains("failed its test: no caption")));
    assert_eq!(Slots::open(folder.path()).order(), [Slot::A]);
    let (second, _) = slots.install(&bundle, None, |_| Ok(golden("a road")))?;
    assert_eq!(second, Slot::B);
    let again = Slots::open(folder.path());
    assert_eq!(again.order(), [Slot::B, Slot::A]);
    let expected = ValidatedBundle { id, failed: None, golden: golden("a road") };
    assert_eq!(again.good(Slot::B), Some(&expected));
    Ok(())
}

/// A start removes what a killed install has left, and not while an install is at work.
#[test]
fn leftovers_of_killed_installs_are_removed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    Slots::open(folder.path()).clean();
    assert!(!folder.path().join("slots").exists(), "nothing is made");
    let mut slots = Slots::open(folder.path());
    slots.install(&fixtures::bundle(), None, |_| Ok(golden("a river")))?;
    let left = folder.path().join("slots/.part-a1B2c3");
    let installing = slots.lock()?;
    std::fs::create_dir(&left)?;
    std::fs::write(left.join("encoder.onnx"), b"half")?;
    Slots::open(folder.path()).clean();
    assert!(left.exists());
    drop(installing);
    Slots::open(folder.path()).clean();
    assert!(!left.exists());
    assert_eq!(Slots::open(folder.path()).order(), [Slot::A]);
    Ok(())
}

#[test]
fn a_power_cut_leaves_the_other_slot() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut slots = Slots::open(folder.path());
    slots.install(&fixtures::bundle(), None, |_| Ok(golden("a river")))?;
    // Cut while the second is being written: half a folder, and no word of it in the record.
    let half = slots.path(Slot::B);
    std::fs::create_dir_all(&half)?;
    std::fs::write(half.join("encoder.onnx"), b"half")?;
    let mut again = Slots::open(folder.path());
    assert_eq!(again.order(), [Slot::A]);
    again.install(&fixtures::bundle(), None, |_| Ok(golden("a road")))?;
    assert_eq!(again.order(), [Slot::B, Slot::A]);
    Ok(())
}

/// Only a record that is not there means empty slots; with any other that cannot be read nothing is written.
#[test]
fn a_record_that_cannot_be_read_stops_an_install() -> Result<()> {
    let folder = tempfile::tempdir()?;
    assert!(Slots::open(folder.path()).unknown().is_none());
    both(folder.path())?;
    let record = folder.path().join("slots").join(RECORD);
    let whole = std::fs::read(&record)?;
    type Damage = fn(&Path, &[u8]) -> std::io::Result<()>;
    let damages: [Damage; 6] = [
        |path, whole| std::fs::write(path, &whole[..whole.len() / 2]),
        |path, _| std::fs::write(path, b""),
        |path, _| std::fs::write(path, b"\xff\xfe"),
        |path, _| std::fs::write(path, b"active = \"c\"\n"),
        |path, _| std::fs::create_dir(path),
        // The system does not even say whether it is there.
        |path, _| symlink(path, path),
    ];
    for damage in damages {
        if std::fs::symlink_metadata(&record)?.is_dir() {
            std::fs::remove_dir(&record)?;
        } else {
            std::fs::remove_file(&record)?;
        }
        damage(&record, &whole)?;
        let mut found = Slots::open(folder.path());
        assert!(found.order().is_empty());
        let said = found.unknown().map(|unknown| chain(&unknown)).unwrap_or_default();
        assert!(said.contains("slots.toml: nothing says which slot is good"), "{said}");
        let mut again = Slots::open(folder.path());
        let refused = again.install(&fixtures::bundle(), None, |_| Ok(golden("a road")));
        let said = chain(&refused.err().context("an install wrote into slots of which nothing is known")?);
        assert!(said.contains("slots.toml: "), "{said}");
        for slot in [Slot::A, Slot::B] {
            Bundle::read(&found.path(slot))?;
        }
    }
    Ok(())
}

/// The record says that B flies; where it does not load, A does.
#[test]
fn an_install_never_takes_the_slot_that_flies() -> Result<()> {
    for (flying, expected) in [(vec!["b", "a"], Slot::A), (vec!["a"], Slot::B), (vec!["b"], Slot::A), (vec![], Slot::A)]
    {
        let folder = tempfile::tempdir()?;
        let mut slots = both(folder.path())?;
        let asked = RefCell::new(Vec::new());
        let (slot, _) = slots.install(&fixtures::bundle(), None, |place| {
            let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
            asked.borrow_mut().push(name.clone());
            let is_new = place == fixtures::bundle();
            if is_new || flying.contains(&name.as_str()) { Ok(golden("a river")) } else { Err("damaged".into()) }
        })?;
        assert_eq!(slot, expected, "{flying:?}: {asked:?}");
    }
    // A bundle that loads and sees something else does not fly, either.
    let folder = tempfile::tempdir()?;
    let mut slots = both(folder.path())?;
    let prove = |place: &Path| Ok(golden(if place.ends_with("b") { "a cloud" } else { "a river" }));
    assert_eq!(slots.install(&fixtures::bundle(), None, prove)?.0, Slot::B);
    Ok(())
}

#[test]
fn one_program_at_a_time_changes_the_slots() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut slots = both(folder.path())?;
    let lock = slots.lock()?;
    let mut other = Slots::open(folder.path());
    let refused = other.install(&fixtures::bundle(), None, |_| Ok(golden("a road")));
    assert!(refused.is_err_and(|error| error.to_string().contains("slots: another `edge` is")));
    assert_eq!(Slots::open(folder.path()).order(), [Slot::B, Slot::A]);
    drop(lock);
    other.install(&fixtures::bundle(), None, |_| Ok(golden("a river")))?;
    Ok(())
}

/// What came of a load is on the disk in one piece: who flies, who does not and why; an install in between is left as
/// it is.
#[test]
fn what_came_of_a_load_is_recorded() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut slots = both(folder.path())?;
    let known = |slots: &Slots, slot| slots.good(slot).cloned().context("no bundle");
    let (a, b) = (known(&slots, Slot::A)?, known(&slots, Slot::B)?);
    let newer = Golden { computed_by: "a newer program".into(), ..golden("a stream") };
    let loaded = |golden: &Golden| Some((Slot::A, a.clone(), Some(golden.clone())));
    assert!(!slots.is_news(&LoadReport { failed: Vec::new(), loaded: loaded(&a.golden) }));
    let report = LoadReport { failed: vec![(Slot::B, b, "bits flipped".into())], loaded: loaded(&newer) };
    assert!(slots.is_news(&report));
    let lock = slots.lock()?;
    slots.keep(&lock, &report)?;
    drop(lock);
    let mut again = Slots::open(folder.path());
    assert_eq!(
        (again.order(), again.has_failed(Slot::B), again.has_failed(Slot::A)),
        (vec![Slot::A, Slot::B], true, false)
    );
    assert_eq!(again.good(Slot::B).and_then(|good| good.failed.as_deref()), Some("bits flipped"));
    assert_eq!(again.good(Slot::A).map(|good| &good.golden), Some(&newer));
    let text = std::fs::read_to_string(folder.path().join("slots").join(RECORD))?;
    assert!(text.contains("active = \"a\""), "{text}");
    again.install(&fixtures::bundle(), None, |place| {
        if place.ends_with("b") { Err("no".into()) } else { Ok(newer.clone()) }
    })?;
    let lock = again.lock()?;
    again.keep(&lock, &report)?;
    assert!(!again.has_failed(Slot::B), "the bundle that failed is not there any more");
    Ok(())
}

#[test]
fn what_root_writes_belongs_to_the_owner_of_the_state_folder() -> Result<()> {
    let folder = tempfile::tempdir()?;
    if chown(folder.path(), Some(1234), Some(1235)).is_err() {
        return Ok(());
    }
    both(folder.path())?;
    for entry in walkdir::WalkDir::new(folder.path()) {
        let entry = entry?;
        let about = entry.metadata()?;
        assert_eq!((about.uid(), about.gid()), (1234, 1235), "{}", entry.path().display());
    }
    Ok(())
}

/// What 42b033e wrote: golden values that name no program, nothing of failures.
#[test]
fn the_record_of_an_earlier_program_is_read() -> Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("slots"))?;
    let text = "# Which slot flies, and what is known of each.\nactive = \"b\"\n\n[b]\nid = 46161\n\n[b.golden]\n\
                caption = \"a river\"\nmemory = [\n    0.5,\n    -0.25,\n]\nlargest = 0.5\n";
    std::fs::write(folder.path().join("slots").join(RECORD), text)?;
    let mut slots = Slots::open(folder.path());
    let expected = ValidatedBundle { id: 46161, failed: None, golden: golden("a river") };
    assert_eq!((slots.order(), slots.good(Slot::B)), (vec![Slot::B], Some(&expected)));
    assert!(slots.unknown().is_none());
    Ok(())
}
