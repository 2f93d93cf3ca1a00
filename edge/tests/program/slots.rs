//! The slots, as `edge run` and `edge install` leave them.

use super::{Result, configure, edge, flip, fly, install, said};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SCENE: &[&str] = &["scene_00001.jpg"];
/// Public keys of minisign's author: nothing here is signed with them.
const KEYS: [&str; 2] = [
    "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
    "RWTk1xXqcTODeYttYMCMLo0YJHaFEHn7a3akqHlb/7QvIQXHVPxKbjB5",
];

/// A state folder with the default bundle in both slots, the second one active.
fn both(folder: &Path, model: &str) -> Result<PathBuf> {
    let config = configure(folder, SCENE, model, "")?;
    for _ in 0..2 {
        let output = install(&config)?;
        assert!(output.status.success(), "{}", said(&output));
    }
    assert!(record(folder)?.contains("active = \"b\""));
    Ok(config)
}

fn record(folder: &Path) -> Result<String> {
    Ok(fs::read_to_string(folder.join("state/slots/slots.toml"))?)
}

/// Whether a run said that it flies the slot.
fn flies(told: &str, slot: &str) -> bool {
    ["ort/", "tract"].iter().any(|runtime| told.contains(&format!("state/slots/{slot}: {runtime}")))
}

/// The start finds the active slot damaged, flies the other, says so and writes it down.
#[test]
fn a_failed_load_is_recorded_and_the_other_slot_flies() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = both(folder.path(), "")?;
    flip(&folder.path().join("state/slots/b/encoder.onnx"))?;
    let (status, told) = fly(&config)?;
    assert!(flies(&told, "a"), "{told}");
    assert_eq!(status["faults"]["slot_failures"], 1, "{status}");
    assert!(status["last_faults"]["slot_failures"].to_string().contains("encoder.onnx"), "{status}");
    let record = record(folder.path())?;
    assert!(
        record.contains("active = \"a\"") && record.contains("failed = ") && record.contains("encoder.onnx"),
        "{record}"
    );
    let (status, told) = fly(&config)?;
    assert!(flies(&told, "a") && status["faults"]["slot_failures"].is_null(), "{told}");
    Ok(())
}

/// Another program has the slots, an install for example: the start does not wait for it.
#[test]
fn a_start_waits_for_no_install() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = both(folder.path(), "")?;
    flip(&folder.path().join("state/slots/b/encoder.onnx"))?;
    let lock = fs::File::open(folder.path().join("state/slots/lock"))?;
    lock.lock()?;
    let (status, told) = fly(&config)?;
    assert!(flies(&told, "a"), "{told}");
    assert!(status["last_faults"]["slot_record_errors"].to_string().contains("another `edge`"), "{status}");
    assert!(record(folder.path())?.contains("active = \"b\""));
    Ok(())
}

/// A file is damaged in flight: the other slot is loaded before anything is written of it.
#[test]
fn a_slot_that_is_damaged_in_flight_is_left_for_the_other() -> Result<()> {
    let folder = tempfile::tempdir()?;
    both(folder.path(), "")?;
    let images = folder.path().join("images");
    fs::create_dir(&images)?;
    let config = folder.path().join("edge.toml");
    let source = format!("kind = \"folder\"\npath = {images:?}\n");
    let health = "[health]\nheartbeat_seconds = 1\nscrub_minutes = 0.01\n";
    let text = fs::read_to_string(&config)?.replace("[link]", &format!("{health}[link]"));
    let (before, after) = text.split_once("kind = ").ok_or("no source")?;
    let rest = after.split_once("[health]").ok_or("no health")?.1;
    fs::write(&config, format!("{before}{source}[health]{rest}"))?;
    let mut flying =
        edge().args(["run", "--config"]).arg(&config).stderr(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let status = || -> serde_json::Value {
        let text = fs::read(folder.path().join("state/status.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    };
    let wait_for = |what: &dyn Fn(&serde_json::Value) -> bool| -> Result<()> {
        let began = Instant::now();
        while !what(&status()) {
            if began.elapsed().as_secs() > 120 {
                return Err(format!("not within two minutes: {}", status()).into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    };
    let flown = (|| {
        wait_for(&|status| status["bundle"].is_string())?;
        flip(&folder.path().join("state/slots/b/encoder.onnx"))?;
        wait_for(&|status| status["faults"]["model_reloads"] == 1)
    })();
    flying.kill()?;
    flying.wait()?;
    flown?;
    assert_eq!(status()["faults"], serde_json::json!({"model_damage": 1, "model_reloads": 1}), "{}", status());
    let record = record(folder.path())?;
    assert!(record.contains("active = \"a\"") && record.contains("failed = \"a file of it changed"), "{record}");
    Ok(())
}

/// Nothing says which slot is good: the default bundle flies, which is a fault, and an install takes neither slot.
#[test]
fn slots_of_which_nothing_is_known_are_left_alone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = both(folder.path(), "")?;
    let slots = folder.path().join("state/slots");
    let text = record(folder.path())?;
    fs::write(slots.join("slots.toml"), &text[..text.len() / 2])?;
    let (status, _) = fly(&config)?;
    assert_eq!(status["faults"]["slots_damaged"], 1, "{status}");
    let output = install(&config)?;
    assert!(!output.status.success() && said(&output).contains("slots.toml: nothing says"), "{}", said(&output));
    for slot in ["a", "b"] {
        cssa::bundle::Bundle::read(&slots.join(slot))?;
    }
    Ok(())
}

/// The active slot is damaged and the other flies: an install that is killed, at whatever moment, leaves that one.
#[test]
fn a_killed_install_leaves_the_slot_that_flies() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = both(folder.path(), "")?;
    let state = folder.path().join("state");
    flip(&state.join("slots/b/decoder.onnx"))?;
    let kept = folder.path().join("kept");
    fs::rename(&state, &kept)?;
    let mut killed = 0;
    for n in 0..12u64 {
        fs::remove_dir_all(&state).ok();
        let copied = Command::new("cp").arg("-a").arg(&kept).arg(&state).status()?;
        assert!(copied.success());
        let before = record(folder.path())?;
        let mut command = edge();
        command.arg("install").arg(fixtures::bundle()).arg("--state").arg(&config).stderr(Stdio::null());
        let mut installing = command.spawn()?;
        // The kill comes so long after the slots have begun to change.
        let began = Instant::now();
        while record(folder.path())? == before && installing.try_wait()?.is_none() && began.elapsed().as_secs() < 60 {
            std::thread::sleep(Duration::from_micros(100));
        }
        std::thread::sleep(Duration::from_millis(n * n));
        installing.kill()?;
        killed += u64::from(!installing.wait()?.success());
        let bundle = cssa::bundle::Bundle::read(&state.join("slots/a"));
        assert!(bundle.is_ok(), "killed after {} ms: {bundle:?}", n * n);
        assert!(record(folder.path())?.contains("[a]"), "killed after {} ms: {}", n * n, record(folder.path())?);
    }
    assert!(killed > 0, "no install was killed");
    // Whatever the last one did to the slot that was damaged.
    fs::remove_dir_all(state.join("slots/b")).ok();
    let (_, told) = fly(&config)?;
    assert!(flies(&told, "a"), "{told}");
    Ok(())
}

/// Golden values of the program before this one are no measure for this one's arithmetic: the bundle proves itself
/// anew.
#[test]
fn an_upgrade_calls_no_slot_damaged() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = both(folder.path(), "")?;
    let path = folder.path().join("state/slots/slots.toml");
    let now = record(folder.path())?;
    assert!(now.contains("computed_by = \"edge "), "{now}");
    let is_of = |line: &&str| !line.starts_with("computed_by");
    let renamed =
        now.lines().filter(is_of).map(|line| line.replace("caption = \"", "caption = \"once ")).collect::<Vec<_>>();
    fs::write(&path, renamed.join("\n"))?;
    let (status, told) = fly(&config)?;
    assert!(flies(&told, "b"), "{told}");
    assert_eq!(status["faults"], serde_json::json!({}), "{status}");
    let after = record(folder.path())?;
    assert!(after.contains("computed_by = \"edge ") && !after.contains("failed"), "{after}");
    // What this program computed itself is a measure.
    fs::write(&path, now.replace("caption = \"", "caption = \"once "))?;
    let (status, _) = fly(&config)?;
    assert_eq!(status["faults"]["slot_failures"], 2, "{status}");
    Ok(())
}

/// The bundle proves itself with the configuration's settings, and what a start would refuse is not installed.
#[test]
fn an_install_proves_what_will_fly() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let refused = |model: &str, more: &str, options: &[&Path], expected: &str| -> Result<()> {
        let config = configure(folder.path(), SCENE, model, more)?;
        let mut command = edge();
        command.arg("install").arg(fixtures::bundle()).arg("--state").arg(config).args(options);
        let output = command.output()?;
        assert!(!output.status.success() && said(&output).contains(expected), "{}\nexpected {expected}", said(&output));
        assert!(!folder.path().join("state/slots/slots.toml").exists(), "{expected}: something was written");
        Ok(())
    };
    let keys = [folder.path().join("a.pub"), folder.path().join("b.pub")];
    keys.iter().zip(KEYS).try_for_each(|(path, key)| fs::write(path, key))?;
    let trust = format!("trust = {:?}", keys[0]);
    refused(&trust, "", &[], "manifest.toml: is not signed")?;
    refused(&trust, "", &[Path::new("--trust"), &keys[0]], "manifest.toml: is not signed")?;
    refused(&trust, "", &[Path::new("--trust"), &keys[1]], "--trust is another key than model.trust")?;
    refused("", "", &[Path::new("--trust"), &keys[1]], "manifest.toml: is not signed")?;
    let named = format!("bundle = {:?}", fixtures::bundle());
    refused(&named, "", &[], "expected none: with it no slot ever flies")?;
    refused("provider = \"tensorrt\"", "", &[], "failed its test")?;
    refused("", "[policy]\nwatch = { zeppelin = 1 }", &[], "policy.watch.\"zeppelin\"")?;
    let config = configure(folder.path(), SCENE, "beam = 1", "")?;
    let output = install(&config)?;
    assert!(output.status.success(), "{}", said(&output));
    assert!(record(folder.path())?.contains("beam 1,"), "{}", record(folder.path())?);
    Ok(())
}

/// Root installs for the service, which must be able to fly it, and to replace all of it.
#[test]
fn what_root_installs_is_the_services() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state");
    let engines = format!("engines = {:?}", state.join("engines"));
    let config = configure(folder.path(), SCENE, &engines, "")?;
    fs::create_dir_all(state.join("engines"))?;
    fs::write(state.join("engines/engine"), "")?;
    if chown(&state, Some(1234), Some(1235)).is_err() {
        return Ok(());
    }
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
    fs::set_permissions(&config, Permissions::from_mode(0o600))?;
    let told = said(&install(&config)?);
    assert!(told.contains("as user 1234") && told.contains("edge.toml: ") && told.contains("denied"), "{told}");
    fs::set_permissions(&config, Permissions::from_mode(0o644))?;
    let output = install(&config)?;
    assert!(output.status.success(), "{}", said(&output));
    let slot = ["slots/a", "slots/a/manifest.toml", "slots/a/encoder.onnx", "engines", "engines/engine"];
    for path in ["slots", "slots/slots.toml", "slots/lock"].into_iter().chain(slot) {
        let about = fs::metadata(state.join(path))?;
        assert_eq!((about.uid(), about.gid()), (1234, 1235), "{path}");
    }
    Ok(())
}
