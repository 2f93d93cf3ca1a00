//! What the policy says of a whole run.

use super::{Result, configure, fly};

fn count(status: &serde_json::Value, name: &str) -> u64 {
    status["counters"][name].as_u64().unwrap_or(0)
}

/// A start fills no budget: what the first run took is missing in the second.
#[test]
fn the_budget_of_an_hour_is_one_budget_whatever_starts() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let more = "[policy]\nbytes_per_hour = 100\nreserve = 0.0";
    let first = ["scene_00000.jpg", "scene_00001.jpg", "scene_00002.jpg", "scene_00003.jpg", "scene_00004.jpg"];
    let (before, _) = fly(&configure(folder.path(), &first, "", more)?)?;
    let (queued, over) = (count(&before, "queued"), count(&before, "dropped_over_budget"));
    assert!(queued > 0 && over > 0, "{before}");
    let second = ["scene_00005.jpg", "scene_00006.jpg", "scene_00007.jpg", "scene_00009.jpg", "scene_00010.jpg"];
    let (after, _) = fly(&configure(folder.path(), &second, "", more)?)?;
    assert_eq!((count(&after, "frames"), count(&after, "queued")), (10, queued), "{after}");
    Ok(())
}

/// Frames that say nothing of their place are all sent, whatever the ones before said.
#[test]
fn without_a_place_nothing_is_old() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let more = "[policy]\nnovelty_metres = 100\nnovelty_minutes = 30";
    let copies: Vec<_> = (0..3).map(|n| folder.path().join(format!("{n}.jpg"))).collect();
    for copy in &copies {
        std::fs::copy(fixtures::scenes().join("images/scene_00001.jpg"), copy)?;
    }
    let names: Vec<String> = copies.iter().map(|copy| copy.display().to_string()).collect();
    let scenes: Vec<&str> = names.iter().map(String::as_str).collect();
    let (status, _) = fly(&configure(folder.path(), &scenes, "", more)?)?;
    assert_eq!((count(&status, "queued"), count(&status, "dropped_not_novel")), (3, 0), "{status}");
    Ok(())
}

/// A watch-word that the bundle cannot say ends the start with its name.
#[test]
fn a_watch_word_that_no_caption_has_is_an_error_at_the_start() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = configure(folder.path(), &["scene_00001.jpg"], "", "[policy]\nwatch = { airplain = 3, ship = 1 }")?;
    let told = fly(&config).err().map(|told| told.to_string()).unwrap_or_default();
    assert!(told.contains("policy.watch.\"airplain\"") && told.contains("such as airplane"), "{told}");
    Ok(())
}
