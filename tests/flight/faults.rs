//! Kills, full disks, damaged models, cameras that go away.

#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use super::*;
use anyhow::Context;
use cross_crate_tests::{ended, signal};

#[test]
fn a_soak_accounts_for_every_frame() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let images = images(folder.path())?;
    let list: Vec<String> = (0..SOAK).map(|n| images[n * 7 % images.len()].display().to_string()).collect();
    std::fs::write(folder.path().join("list.txt"), list.join("\n"))?;
    // The link is down until its folder is there.
    let out = folder.path().join("link/packets.bin");
    let source = format!("kind = \"list\"\npath = {:?}", folder.path().join("list.txt"));
    let more = "[health]\nheartbeat_seconds = 1\nscrub_minutes = 0.02\n[model]\nthreads = 1\nlooks = 1";
    let config = configure(folder.path(), &source, &format!("file:{}", out.display()), more)?;
    for kill in 0..6 {
        let mut running = start(&config)?;
        std::thread::sleep(Duration::from_millis(700 + 431 * kill));
        running.kill()?;
        running.wait()?;
        if kill == 3 {
            std::fs::create_dir(folder.path().join("link"))?;
        }
    }
    let mut running = start(&config)?;
    let early = wait_for(folder.path(), 300, |status| {
        counter(status, "frames") > SOAK as u64 / 2 && status["uptime"].as_u64() > Some(2)
    })?;
    let output = ended(&mut running)?;
    let status: serde_json::Value = serde_json::from_str(&output)?;
    let unreadable = list.iter().filter(|name| !name.contains("scene_")).count() as u64;
    assert_eq!(counter(&status, "frames"), SOAK as u64, "{status}");
    assert_eq!(counter(&status, "dropped_unreadable"), unreadable, "{status}");
    assert_eq!(counter(&status, "queued") + dropped(&status), SOAK as u64, "{status}");
    assert_eq!((status["waiting"].as_u64(), counter(&status, "retired")), (Some(0), counter(&status, "queued")));
    let (packets, half) = received(&out)?;
    assert_eq!(packets.len() as u64, counter(&status, "queued"), "every queued caption arrived");
    assert_eq!(packets.keys().next_back().copied(), Some(packets.len() as u32 - 1), "no number is missing");
    assert!(half <= 6, "{half} half packets after 6 kills");
    assert!(status["faults"].as_object().is_none_or(serde_json::Map::is_empty), "{status}");
    let growth = status["rss_mib"].as_f64().context("rss")? - early["rss_mib"].as_f64().context("rss")?;
    assert!(growth < 1.0, "memory grew by {growth} MiB over the second half");
    Ok(())
}

/// A camera that goes dark is two captions and a report, which a second one completes; when it sees again, captions come.
#[test]
fn a_camera_gone_dark_is_a_report_and_not_a_hundred_captions() -> Result<()> {
    let Some(data) = fixtures::shared_data() else {
        eprintln!("skipped: ../shared/data is not here");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let dark = folder.path().join("dark.png");
    image::RgbImage::from_fn(256, 256, |x, y| image::Rgb([((x * 7 + y * 13) % 3) as u8; 3])).save(&dark)?;
    let seen = ["ucm/images/301.jpg", "ucm/images/501.jpg"].map(|name| data.join(name).display().to_string());
    let dark = dark.display().to_string();
    let list: Vec<&str> = std::iter::once(seen[0].as_str())
        .chain(std::iter::repeat_n(dark.as_str(), 20))
        .chain([seen[1].as_str()])
        .collect();
    std::fs::write(folder.path().join("list.txt"), list.join("\n"))?;
    let source = format!("kind = \"list\"\npath = {:?}", folder.path().join("list.txt"));
    for (outside, of_run) in [("flag", 2), ("drop", 0)] {
        let flight = folder.path().join(outside);
        std::fs::create_dir(&flight)?;
        let packets = flight.join("packets.bin");
        let more = format!("[policy]\noutside = {outside:?}\nwatch = {{ desert = 3 }}\n[model]\nlooks = 1");
        let status = finish(&configure(&flight, &source, &format!("file:{}", packets.display()), &more)?)?;
        assert_eq!((counter(&status, "outside_dark"), counter(&status, "dropped_outside_run")), (20, 18), "{status}");
        let lines = succeed("ground", ["decode".as_ref(), "--json".as_ref(), packets.as_os_str()])?;
        let lines = cross_crate_tests::json_lines(&lines)?;
        let captions: Vec<&serde_json::Value> = lines.iter().filter(|line| line.get("caption").is_some()).collect();
        let flagged: Vec<&serde_json::Value> =
            captions.iter().filter(|line| line.get("outside").is_some()).copied().collect();
        assert_eq!((captions.len(), flagged.len()), (2 + of_run, of_run), "{lines:?}");
        // A watch-word in the words for a black frame raises nothing.
        let says = |line: &&serde_json::Value| line["caption"].as_str().is_some_and(|text| text.contains("desert"));
        assert!(flagged.iter().all(says), "{flagged:?}");
        assert!(flagged.iter().all(|line| line["outside"] == "dark" && line["priority"] == 0), "{flagged:?}");
        let text = std::fs::read(&packets)?;
        let reports: Vec<(u8, u32)> = frames(&text)
            .filter_map(|frame| frame.packet.ok())
            .filter_map(|bytes| match DownPacket::decode(&bytes, Verification::Off, Checksum::Crc32).ok()?.body {
                Down::Report(report) => Some((report.reason, report.frames)),
                _ => None,
            })
            .collect();
        let whole = (cssa::trust::Reason::Dark.code(), 20);
        assert!(reports.last() == Some(&whole) && (1..=2).contains(&reports.len()), "{reports:?}");
    }
    Ok(())
}

#[test]
fn a_camera_that_gives_nothing_does_not_keep_it_from_ending() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let source = "kind = \"pipe\"\ncommand = [\"sleep\", \"600\"]";
    let zone = folder.path().join("temp");
    std::fs::write(&zone, "61500\n")?;
    let more = format!("[peripherals]\ntemperature = {{ zone = {zone:?}, warm = 70.0, limit = 80.0 }}");
    let config = configure(folder.path(), source, "udp:127.0.0.1:9", &more)?;
    let mut running = start(&config)?;
    wait_for(folder.path(), 60, |status| status["bundle"].is_string())?;
    signal(&running, "-TERM")?;
    let began = Instant::now();
    ended(&mut running)?;
    assert!(began.elapsed().as_secs() < 10);
    Ok(())
}

#[test]
fn a_camera_that_goes_away_comes_back() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let scenes = fixtures::scenes().join("images");
    // Three frames and half a one, then it dies; the next start goes on.
    let command = format!(
        "cat {0}/scene_00000.jpg {0}/scene_00001.jpg {0}/scene_00002.jpg; head -c 2000 {0}/scene_00003.jpg; exit 1",
        scenes.display()
    );
    let source = format!("kind = \"pipe\"\nlive = false\ncommand = [\"sh\", \"-c\", {command:?}]");
    let out = folder.path().join("packets.bin");
    let more = "[health]\nheartbeat_seconds = 1";
    let config = configure(folder.path(), &source, &format!("file:{}", out.display()), more)?;
    let mut running = start(&config)?;
    wait_for(folder.path(), 60, |status| counter(status, "frames") >= 8)?;
    let stopped = signal(&running, "-TERM")?;
    let status: serde_json::Value = serde_json::from_str(&ended(&mut running)?)?;
    assert!(stopped && counter(&status, "dropped_unreadable") >= 2, "{status}");
    assert_eq!(counter(&status, "queued") + dropped(&status), counter(&status, "frames"));
    assert_eq!(received(&out)?.0.len() as u64, counter(&status, "retired"));
    Ok(())
}

#[test]
fn a_damaged_model_is_replaced_by_the_other_slot() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let images = folder.path().join("images");
    std::fs::create_dir(&images)?;
    let source = format!("kind = \"folder\"\npath = {images:?}");
    let out = folder.path().join("packets.bin");
    let more = "[health]\nheartbeat_seconds = 1\nscrub_minutes = 0.01";
    let config = configure(folder.path(), &source, &format!("file:{}", out.display()), more)?;
    let install =
        |bundle: PathBuf| succeed("edge", [Path::new("install"), &bundle, Path::new("--state"), config.as_path()]);
    install(fixtures::bundle())?;
    install(fixtures::bundle())?;
    let damaged = folder.path().join("damaged");
    std::fs::create_dir(&damaged)?;
    for entry in std::fs::read_dir(fixtures::bundle())? {
        let path = entry?.path();
        std::fs::copy(&path, damaged.join(path.file_name().context("name")?))?;
    }
    flip(&damaged.join("decoder.onnx"))?;
    assert!(install(damaged).is_err_and(|error| error.to_string().contains("decoder.onnx")));
    let mut running = start(&config)?;
    wait_for(folder.path(), 60, |status| status["bundle"].is_string())?;
    flip(&folder.path().join("state/slots/b/encoder.onnx"))?;
    wait_for(folder.path(), 60, |status| status["faults"]["model_reloads"] == 1)?;
    let record = std::fs::read_to_string(folder.path().join("state/slots/slots.toml"))?;
    assert!(record.contains("active = \"a\"") && record.contains("failed = \"a file of it changed"), "{record}");
    signal(&running, "-USR1")?;
    let scene = fixtures::scenes().join("images/scene_00001.jpg");
    std::fs::copy(scene, images.join("new.jpg"))?;
    wait_for(folder.path(), 60, |status| counter(status, "retired") == 1)?;
    signal(&running, "-TERM")?;
    let status: serde_json::Value = serde_json::from_str(&ended(&mut running)?)?;
    assert_eq!(status["faults"], serde_json::json!({"model_damage": 1, "model_reloads": 1}), "{status}");
    let why = status["last_faults"]["model_damage"].as_str().unwrap_or_default();
    assert!(why.contains("encoder.onnx: damaged"), "the reason is kept: {status}");
    // Damage while it is off: the start finds it. Both damaged: the default bundle flies.
    install(fixtures::bundle())?;
    flip(&folder.path().join("state/slots/b/decoder.onnx"))?;
    let output = program("edge")?.args(["run", "--config"]).arg(&config).stderr(Stdio::piped()).spawn()?;
    std::thread::sleep(Duration::from_secs(2));
    signal(&output, "-TERM")?;
    let told = String::from_utf8(output.wait_with_output()?.stderr)?;
    assert!(told.contains("decoder.onnx") && told.contains("state/slots/a: "), "{told}");
    Ok(())
}

fn flip(path: &Path) -> Result<()> {
    let mut bytes = std::fs::read(path)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    Ok(std::fs::write(path, bytes)?)
}

#[test]
fn an_install_may_be_cut_off_at_any_moment() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state");
    let arguments = |bundle: PathBuf| [PathBuf::from("install"), bundle, "--state".into(), state.clone()];
    succeed("edge", arguments(fixtures::bundle()))?;
    for n in 0..25u64 {
        let mut installing = program("edge")?.args(arguments(fixtures::bundle())).stderr(Stdio::null()).spawn()?;
        std::thread::sleep(Duration::from_millis(n * n * 4));
        installing.kill()?;
        installing.wait()?;
        let slots = edge::slots::Slots::open(&state);
        let order = slots.order();
        assert!(!order.is_empty(), "after {n}: no slot is good");
        for slot in order {
            cssa::bundle::Bundle::read(&slots.path(slot)).with_context(|| format!("after {n}"))?;
        }
    }
    succeed("edge", arguments(fixtures::bundle()))?;
    Ok(())
}

#[test]
fn a_full_disk_is_waited_for() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let small = folder.path().join("state");
    std::fs::create_dir(&small)?;
    let mounted =
        std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m", "none"]).arg(&small).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: a small disk cannot be mounted here");
        return Ok(());
    }
    let checked = full_disk(folder.path(), &small);
    std::process::Command::new("umount").arg("-l").arg(&small).status()?;
    checked
}

fn full_disk(folder: &Path, small: &Path) -> Result<()> {
    let images = cssa_image::images(&[fixtures::scenes()])?;
    let list: Vec<String> = (0..600).map(|n| images[n % images.len()].display().to_string()).collect();
    std::fs::write(folder.join("list.txt"), list.join("\n"))?;
    let source = format!("kind = \"list\"\npath = {:?}", folder.join("list.txt"));
    let out = folder.join("packets.bin");
    let more = "[health]\nheartbeat_seconds = 1\nself_test = false";
    let config = configure(folder, &source, &format!("file:{}", out.display()), more)?;
    let mut running = start(&config)?;
    wait_for(folder, 60, |status| counter(status, "frames") > 20)?;
    let ballast = small.join("ballast");
    let _full = std::fs::write(&ballast, vec![0u8; 8 << 20]);
    std::thread::sleep(Duration::from_secs(3));
    assert!(running.try_wait()?.is_none(), "a full disk does not end the program");
    std::fs::remove_file(&ballast)?;
    let status: serde_json::Value = serde_json::from_str(&ended(&mut running)?)?;
    assert_eq!((counter(&status, "frames"), counter(&status, "queued")), (600, 600), "{status}");
    assert_eq!(received(&out)?.0.len(), 600);
    Ok(())
}

#[test]
fn wrong_configurations_are_one_clear_error() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let source = "kind = \"folder\"\npath = \"/no/such/folder\"\nwatch = false";
    for (more, source, link, expected) in [
        ("", source, "file:/tmp/x", "/no/such/folder"),
        ("", source, "pigeon:home", "expected file:PATH, udp:HOST:PORT, serial:DEVICE:BAUD or mavlink:KIND:ADDRESS"),
        ("", "kind = \"telepathy\"", "file:/tmp/x", "edge.toml: line 6: source.kind: unknown variant `telepathy`"),
        ("[policy]\nleast_confidence = 2.0", source, "file:/tmp/x", "policy.least_confidence is 2, expected 0 to 1"),
        ("[policy]\nleast_score = 0.5", source, "file:/tmp/x", "Give least_confidence, 0 to 1"),
        ("[model]\nlooks = 3", source, "file:/tmp/x", "expected one of"),
        ("[policy]\nwatch = { ship = 9 }", source, "file:/tmp/x", "expected a priority of 1 to 3"),
        ("[model]\nbundle = \"/no/bundle\"", source, "file:/tmp/x", "/no/bundle/manifest.toml"),
        ("[tyler]\nside = 3", source, "file:/tmp/x", "unknown field `tyler`"),
    ] {
        let config = configure(folder.path(), source, link, more)?;
        let error = cross_crate_tests::fail("edge", [Path::new("run"), Path::new("--config"), &config])?;
        assert!(error.contains(expected), "{error}\nexpected {expected}");
    }
    Ok(())
}

/// The program for a Jetson's processor says what this one says, where it is built with tract (`tests/long.sh aarch64`); without, as
/// `test.sh` builds it, it starts, reads a bundle, and names what it lacks.
#[test]
fn the_aarch64_program_says_the_same() -> Result<()> {
    let built = |profile: &str| {
        let edge = cross_crate_tests::root().join("target/aarch64-unknown-linux-gnu").join(profile).join("edge");
        let modified = edge.metadata().and_then(|about| about.modified()).ok()?;
        Some((modified, edge))
    };
    let newest = ["debug", "release"].into_iter().filter_map(built).max();
    let emulator = std::process::Command::new("qemu-aarch64-static").arg("--version").output();
    let Some((_, edge)) = newest.filter(|_| emulator.is_ok_and(|output| output.status.success())) else {
        eprintln!("skipped: no program for aarch64, or no qemu-aarch64-static");
        return Ok(());
    };
    let scenes = fixtures::scenes().join("images");
    let bundle = fixtures::bundle();
    let arguments = |scenes: PathBuf| {
        let fixed = ["caption", "--runtime", "tract", "--json", "--bundle"].map(PathBuf::from);
        fixed.into_iter().chain([bundle.clone(), scenes])
    };
    let mut emulated = std::process::Command::new("qemu-aarch64-static");
    // Debian also has an arm64 C library, whose threads never start under the loader of the other.
    emulated.args(["-E", "LD_LIBRARY_PATH=/usr/aarch64-linux-gnu/lib", "-L", "/usr/aarch64-linux-gnu"]);
    let output = emulated.arg(edge).args(arguments(scenes.clone())).output()?;
    if !output.status.success() {
        let line = cross_crate_tests::error_line(&output)?;
        ensure!(line.contains("this program is built without tract"), "{line}");
        return Ok(());
    }
    let expected = succeed("edge", arguments(scenes))?;
    let captions = |text: &str| -> Result<Vec<(String, String)>> {
        let lines = cross_crate_tests::json_lines(text)?;
        Ok(lines.iter().map(|line| (line["image"].to_string(), line["caption"].to_string())).collect())
    };
    let found = captions(&String::from_utf8(output.stdout)?)?;
    assert_eq!(found, captions(&expected)?);
    assert_eq!(found.len(), 12);
    Ok(())
}
