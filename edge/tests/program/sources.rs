//! Folders and frames, as a whole program has them.

use super::{Result, edge};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// A program that is killed when the test is over.
struct Flight(Child);

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Starts `edge run` on `folder/incoming`, which is watched.
fn start(folder: &Path, source: &str) -> Result<Flight> {
    let (config, state) = (folder.join("edge.toml"), folder.join("state"));
    let (incoming, out) = (folder.join("incoming"), folder.join("packets.bin"));
    fs::create_dir_all(&incoming)?;
    let text = format!(
        "state = {state:?}\n[model]\nlooks = 1\n[health]\nheartbeat_seconds = 1\nself_test = false\n[source]\n\
         kind = \"folder\"\npath = {incoming:?}\n{source}\n[link]\nto = \"file:{}\"\n",
        out.display()
    );
    fs::write(&config, text)?;
    let started = edge().args(["run", "--config"]).arg(config).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    Ok(Flight(started))
}

fn status(folder: &Path) -> serde_json::Value {
    let text = fs::read(folder.join("state/status.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Waits until something is true.
fn wait(what: &str, mut is_true: impl FnMut() -> bool) -> Result<()> {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_true() {
        if Instant::now() > until {
            return Err(format!("{what}: not within a minute").into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn count(folder: &Path, counter: &str) -> u64 {
    status(folder)["counters"][counter].as_u64().unwrap_or(0)
}

/// Images that are moved away are not seen again, by whatever name their new folder is called.
#[test]
fn images_are_moved_out_of_the_folder() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("in"))?;
    std::os::unix::fs::symlink("in", at("alias"))?;
    let check = |moved: &str| -> Result<String> {
        let (state, incoming, moved, config) = (at("state"), at("in"), at(moved), at("edge.toml"));
        let text = format!(
            "state = {state:?}\n[source]\nkind = \"folder\"\npath = {incoming:?}\nafter = {{ move = {moved:?} }}\n[link]\nto = \"udp:a:1\"\nvehicle = 1\n"
        );
        fs::write(&config, text)?;
        Ok(super::said(&edge().args(["run", "--check", "--config"]).arg(config).output()?))
    };
    for seen in ["in/done", "./in/done", "in/../in/done", "alias/done", "in/a/../done"] {
        assert!(check(seen)?.contains("source.after.move: it is in source.path"), "{seen}");
    }
    for hidden in ["in/.done", "in/../done", "done", "inside"] {
        assert_eq!(check(hidden)?, "", "{hidden}");
    }
    Ok(())
}

/// A file as if it had been written a minute ago.
fn age(path: &Path) -> Result<()> {
    let old = SystemTime::now() - Duration::from_secs(60);
    Ok(File::options().write(true).open(path)?.set_modified(old)?)
}

fn scene(folder: &Path, number: u32) -> Result<PathBuf> {
    let name = format!("scene_{number:05}.jpg");
    let path = folder.join("incoming").join(&name);
    fs::create_dir_all(folder.join("incoming"))?;
    // In one step: a file whose time changes once it is there is another one.
    let part = folder.join("part");
    fs::copy(fixtures::scenes().join("images").join(name), &part)?;
    age(&part)?;
    fs::rename(part, &path)?;
    Ok(path)
}

/// Seconds of one core that a program has taken.
fn taken(program: &Child) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{}/stat", program.id()))?;
    let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / 100.0)
}

/// 20,000 finished files took 29 % of a core; what an idle program takes is 1 %, a little more of a busy machine's core.
#[test]
fn finished_files_take_no_time() -> Result<()> {
    const FILES: u64 = 20_000;
    let folder = tempfile::tempdir()?;
    let incoming = folder.path().join("incoming");
    fs::create_dir(&incoming)?;
    for n in 0..FILES {
        let path = incoming.join(format!("DJI_{n:05}.jpg"));
        fs::write(&path, "small")?;
        age(&path)?;
    }
    let flight = start(folder.path(), "")?;
    wait("all files are settled", || count(folder.path(), "dropped_unreadable") == FILES)?;
    std::thread::sleep(Duration::from_secs(1));
    let (before, began) = (taken(&flight.0)?, Instant::now());
    std::thread::sleep(Duration::from_secs(5));
    let share = (taken(&flight.0)? - before) / began.elapsed().as_secs_f64();
    assert!(share < 0.03, "{:.1} % of a core", share * 100.0);
    // And a new one is seen at once.
    let (came, queued) = (Instant::now(), count(folder.path(), "frames"));
    scene(folder.path(), 1)?;
    wait("the new image has its outcome", || count(folder.path(), "frames") > queued)?;
    assert!(came.elapsed() < Duration::from_secs(10), "{:?}", came.elapsed());
    Ok(())
}

/// Makes an image that takes its decoder some seconds.
pub(super) fn slow(path: &Path) -> Result<()> {
    image::GrayImage::new(16_000, 16_000).save(path)?;
    age(path)
}

fn is_at_work(folder: &Path, name: &str) -> bool {
    let bytes = fs::read(folder.join("state/at-work")).unwrap_or_default();
    // Its length, a checksum, and the names.
    let Some(&[a, b, c, d, _, _, _, _]) = bytes.first_chunk() else { return false };
    let names = bytes.get(8..8 + u32::from_le_bytes([a, b, c, d]) as usize).unwrap_or_default();
    names.windows(name.len()).any(|part| part == name.as_bytes())
}

/// A frame that was at work twice when the program ended is not tried a third time; others fly on, and one that was there once is
/// captioned.
#[test]
fn a_frame_that_ends_the_program_twice_is_quarantined() -> Result<()> {
    let folder = tempfile::tempdir()?;
    fs::create_dir(folder.path().join("incoming"))?;
    slow(&folder.path().join("incoming/slow.png"))?;
    scene(folder.path(), 1)?;
    for _ in 0..2 {
        let flight = start(folder.path(), "")?;
        wait("it knows what was at work before", || !is_at_work(folder.path(), "slow.png"))?;
        wait("it is at work", || is_at_work(folder.path(), "slow.png"))?;
        drop(flight);
    }
    let flight = start(folder.path(), "")?;
    wait("the others fly", || count(folder.path(), "frames") == 2)?;
    let status = status(folder.path());
    assert_eq!(status["counters"]["dropped_quarantined"], 1, "{status}");
    assert_eq!(status["counters"]["dropped_unreadable"], serde_json::Value::Null, "{status}");
    let said = status["last_faults"]["quarantined"].as_str().unwrap_or_default();
    assert!(said.contains("incoming/slow.png") && said.contains("ended twice"), "{status}");
    assert!(!is_at_work(folder.path(), "slow.png"));
    // Whoever looks later learns of it, too.
    drop(flight);
    let _flight = start(folder.path(), "")?;
    wait("it is said again", || {
        self::status(folder.path())["last_faults"]["quarantined"].as_str().is_some_and(|said| said.contains("slow.png"))
    })
}

/// One end is no proof: a healthy program may be killed at any frame.
#[test]
fn a_frame_at_which_the_program_was_killed_once_is_captioned() -> Result<()> {
    let folder = tempfile::tempdir()?;
    fs::create_dir(folder.path().join("incoming"))?;
    slow(&folder.path().join("incoming/slow.png"))?;
    let flight = start(folder.path(), "")?;
    wait("it is at work", || is_at_work(folder.path(), "slow.png"))?;
    drop(flight);
    let flight = start(folder.path(), "")?;
    wait("it has its outcome", || count(folder.path(), "frames") == 1)?;
    let status = status(folder.path());
    assert_eq!(status["counters"]["dropped_quarantined"], serde_json::Value::Null, "{status}");
    drop(flight);
    // Nothing was at work when this one ended.
    assert!(!is_at_work(folder.path(), "slow.png"));
    Ok(())
}

/// An image that is rewritten in place is captioned each time, and put away with its outcome on the disk.
#[test]
fn files_are_put_away_under_names_that_are_free() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let done = folder.path().join("done");
    let _flight = start(folder.path(), &format!("after = {{ move = {done:?} }}"))?;
    for (number, name) in [(1, "scene_00001.jpg"), (1, "scene_00001-2.jpg"), (2, "scene_00002.jpg")] {
        let path = scene(folder.path(), number)?;
        wait("it is put away", || done.join(name).exists())?;
        assert!(!path.exists());
    }
    wait("all are counted", || count(folder.path(), "frames") >= 3)?;
    assert_eq!(count(folder.path(), "frames"), 3, "{}", status(folder.path()));
    Ok(())
}

/// One path that is not there keeps no image from its caption, and is named.
#[test]
fn a_missing_path_keeps_nothing_from_its_caption() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (image, gone) = (scene(folder.path(), 1)?, folder.path().join("gone.jpg"));
    let output = edge().args(["caption", "--bundle"]).arg(fixtures::bundle()).args([&gone, &image]).output()?;
    let (out, told) = (String::from_utf8_lossy(&output.stdout), super::said(&output));
    assert!(!output.status.success() && out.contains("scene_00001.jpg: ") && out.contains(" (0."), "{out}{told}");
    assert!(told.contains("gone.jpg: no such file") && told.contains("1 path was not read"), "{told}");
    let output = edge().args(["caption", "--bundle"]).arg(fixtures::bundle()).arg(&gone).output()?;
    let told = super::said(&output);
    assert!(!output.status.success() && told.contains("gone.jpg: no such file"), "{told}");
    Ok(())
}
