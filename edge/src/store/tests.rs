use super::*;
use anyhow::{Context, Result};
use cssa_wire::{SelectiveAck, Up, digest};

fn caption(priority: u8) -> Caption {
    Caption { time: 1, priority, text: "a river".into(), ..Caption::default() }
}

#[test]
fn a_queue_by_priority_and_age_that_survives() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path(), 3)?;
    for (key, priority) in [("a", 0), ("b", 2), ("c", 0), ("d", 3), ("e", 0)] {
        store.settle(store.change(ChangeKind::Captioned), Some(key), &Outcome::Queued(caption(priority)))?;
    }
    store.settle(store.change(ChangeKind::Captioned), None, &Outcome::Dropped(Dropped::LowConfidence))?;
    store.flush()?;
    drop(store);
    let store = Store::open(folder.path(), 3)?;
    assert!(store.is_done("a")? && !store.is_done("f")?);
    let counters = store.counters()?;
    let count = |name: &str| counters.get(name).copied().unwrap_or(0);
    assert_eq!(
        (count(FRAMES), count(QUEUED), count("dropped_queue_full"), count("dropped_low_confidence")),
        (6, 3, 2, 1)
    );
    let all = |taken: &[Waiting]| taken.iter().map(|waiting| (waiting.sequence, waiting.tries)).collect::<Vec<_>>();
    let take = |store: &Store, most| store.mark(store.peek(most, |_| true)?);
    assert_eq!(all(&take(&store, 1)?), [(3, 1)]);
    drop(store);
    let store = Store::open(folder.path(), 3)?;
    let two = take(&store, 2)?;
    assert_eq!(all(&two), [(3, 2), (1, 1)], "what may have gone out is marked");
    store.sent(store.change(ChangeKind::Sent), &two, 50, Some(1), None)?;
    let third = take(&store, 9)?;
    assert_eq!((all(&third), store.waiting()?), (vec![(0, 1)], 1));
    store.sent(store.change(ChangeKind::Sent), &third, 20, Some(2), None)?;
    store.settle(store.change(ChangeKind::Captioned), None, &Outcome::Queued(caption(0)))?;
    assert_eq!(all(&take(&store, 9)?), [(5, 1), (0, 2)], "first sends go before second ones");
    assert_eq!((store.counters()?[BYTES], store.counters()?[AGAIN]), (70, 1));
    store.forget(|key| key == "a")?;
    assert!(!store.is_done("a")?);
    Ok(())
}

#[test]
fn the_ground_retires_captions_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path(), 100)?;
    for priority in [0, 3, 1, 0] {
        store.settle(store.change(ChangeKind::Captioned), None, &Outcome::Queued(caption(priority)))?;
    }
    let sent = store.mark(store.peek(4, |sequence| sequence != 2)?)?;
    assert_eq!(sent.len(), 3);
    store.sent(store.change(ChangeKind::Sent), &sent, 60, Some(9), None)?;
    store.sends_anew()?;
    let arrived = |numbers: &[u32], text: &str| SelectiveAck::of(numbers.iter().map(|&n| (n, digest(n, 1, text))));
    let none = BTreeMap::new();
    let obey = |counter, numbers: &[u32]| {
        store.apply_acknowledgement((7, 1, counter), &Up::Acknowledge(arrived(numbers, "a river")), &none)
    };
    assert_eq!(
        store.apply_acknowledgement((7, 1, 1001), &Up::Acknowledge(arrived(&[0, 1], "a bridge")), &none)?,
        Some(vec![]),
        "other words"
    );
    assert_eq!(obey(1002, &[0, 2])?, Some(vec![]), "one that was never sent");
    let gone: BTreeMap<u32, u32> = obey(1003, &[0, 1])?.unwrap_or_default().into_iter().collect();
    assert_eq!(gone.keys().copied().collect::<Vec<_>>(), [0, 1]);
    assert_eq!(obey(1003, &[3])?, None, "a replay");
    assert_eq!(obey(1004, &[0, 3])?, Some(vec![]), "one is not known any more");
    let twice = [arrived(&[0, 3], "a river"), arrived(&[3], "a river")].concat();
    let both = store.apply_acknowledgement((7, 1, 1005), &Up::Acknowledge(twice), &gone)?;
    assert!(
        both.is_some_and(|gone| gone.iter().all(|gone| gone.0 == 3)),
        "one is known to be gone, one is named twice"
    );
    drop(store);
    let store = Store::open(folder.path(), 100)?;
    assert_eq!(
        store.apply_acknowledgement((7, 1, 1003), &Up::Acknowledge(vec![]), &none)?,
        None,
        "a replay after a start"
    );
    assert_eq!(
        store.apply_acknowledgement((7, 2, 1003), &Up::Acknowledge(vec![]), &none)?,
        Some(vec![]),
        "another station counts by itself"
    );
    assert_eq!(
        store.apply_acknowledgement((8, 1, 1003), &Up::Acknowledge(vec![]), &none)?,
        Some(vec![]),
        "under another key it is another"
    );
    assert_eq!(
        store.apply_acknowledgement((8, 1, 1003), &Up::Acknowledge(vec![]), &none)?,
        None,
        "which is taken once, too"
    );
    assert_eq!(store.waiting()?, 1);
    let counters = store.counters()?;
    assert_eq!((counters[RETIRED], counters[COMMANDS], counters[REFUSED], counters[MISMATCHED]), (3, 7, 3, 3));
    store.give_up(&store.peek(1, |_| true)?[0])?;
    assert_eq!((store.waiting()?, store.counters()?["dropped_too_long"]), (0, 1));
    assert!(store.contact()?.is_none());
    Ok(())
}

#[test]
fn a_damaged_store_is_moved_aside_and_a_healthy_one_is_not() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("store.redb");
    let aside = || -> Result<usize> {
        let entries = std::fs::read_dir(folder.path())?;
        Ok(entries.flatten().filter(|entry| entry.file_name().to_string_lossy().contains("damaged-")).count())
    };
    for n in 0..300 {
        let store = Store::open(folder.path(), 1000)?;
        store.settle(store.change(ChangeKind::Captioned), Some(&format!("{n}")), &Outcome::Queued(caption(0)))?;
        drop(store);
        if n % 100 == 0 {
            assert_eq!(Store::open(folder.path(), 1000)?.damage(), None);
        }
    }
    let whole = std::fs::read(&path)?;
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at..at + 64].iter_mut().for_each(|byte| *byte ^= 0x55);
        bytes
    };
    let half = whole.len() / 2;
    let damaged = [
        vec![7; 5000],
        whole[..half].to_vec(),
        vec![0; whole.len()],
        flipped(0),
        flipped(64),
        flipped(4096),
        flipped(half),
    ];
    let mut moved = 0;
    for bytes in damaged {
        std::fs::write(&path, &bytes)?;
        let store = Store::open(folder.path(), 1000)?;
        // What the file does not need may be anything.
        if let Some(said) = store.damage() {
            moved += 1;
            assert!(said.contains("store.redb") && said.contains("moved to"), "{said}");
            assert_eq!(store.waiting()?, 0);
        }
        store.settle(store.change(ChangeKind::Captioned), Some("x"), &Outcome::Queued(caption(0)))?;
        assert!(store.peek(1000, |_| true)?.iter().all(|waiting| waiting.caption.text == "a river"));
        assert_eq!(aside()?, moved);
    }
    assert!(moved >= 5, "{moved}");
    // Another program that has it open is no damage.
    let held = redb::Database::create(&path)?;
    let error = Store::open(folder.path(), 1000).err().context("an error")?.to_string();
    assert!(error.ends_with("store.redb: another edge run has it open, expected one for a state directory"), "{error}");
    // One that is about to end is waited for.
    let ending = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(700));
        drop(held);
    });
    assert_eq!((Store::open(folder.path(), 1000)?.damage(), aside()?), (None, moved));
    assert!(ending.join().is_ok());
    Ok(())
}

/// What is left of the budget comes to the disk with the caption that took it, and not before.
#[test]
fn the_budget_is_kept_with_what_is_queued() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (first, second) = (Budget { bytes: 900, utc: 7 }, Budget { bytes: 800, utc: 9 });
    let store = Store::open(folder.path(), 100)?;
    assert_eq!(store.budget()?, None);
    store.keep_budget(first)?;
    store.settle(store.change(ChangeKind::Captioned), None, &Outcome::Queued(caption(0)))?;
    store.keep_budget(second)?;
    let copy = tempfile::tempdir()?;
    std::fs::copy(folder.path().join("store.redb"), copy.path().join("store.redb"))?;
    let cut_off = Store::open(copy.path(), 100)?;
    assert_eq!((cut_off.budget()?, cut_off.waiting()?), (Some(first), 1));
    assert_eq!(store.budget()?, Some(second));
    Ok(())
}
