//! How a run ends, and that it shows signs of life until then.

use super::{Result, edge};
use serde_json::Value;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Told to end, a run is over in this time.
const LIMIT: Duration = Duration::from_secs(2);

/// Writes a configuration for a source, a link, and what else there is.
fn configure(folder: &Path, source: &str, link: &str, more: &str) -> Result<PathBuf> {
    let (config, state) = (folder.join("edge.toml"), folder.join("state"));
    let text = format!(
        "state = {state:?}\n[model]\nlooks = 1\nthreads = 1\n[health]\nheartbeat_seconds = 1\n[policy]\noutside = \"send\"\n\
         [source]\n{source}\n[link]\n{link}\n{more}\n"
    );
    fs::write(&config, text)?;
    Ok(config)
}

fn start(config: &Path, notify: Option<&Path>) -> Result<Child> {
    let mut run = edge();
    run.args(["run", "--config"]).arg(config).stdout(Stdio::piped()).stderr(Stdio::null());
    run.envs(notify.map(|socket| ("NOTIFY_SOCKET", socket)));
    Ok(run.spawn()?)
}

fn terminate(run: &Child) -> Result<()> {
    let told = Command::new("kill").args(["-TERM", &run.id().to_string()]).status()?;
    if told.success() { Ok(()) } else { Err(format!("kill: {told}").into()) }
}

/// Tells it to end; gives its last status, and how long it took.
fn end(run: Child) -> Result<(Value, Duration)> {
    let began = Instant::now();
    terminate(&run)?;
    let output = run.wait_with_output()?;
    assert!(output.status.success(), "{}", output.status);
    Ok((serde_json::from_slice(&output.stdout)?, began.elapsed()))
}

/// Waits until the status says something.
fn wait_for(folder: &Path, says: impl Fn(&Value) -> bool) -> Result<Value> {
    let began = Instant::now();
    loop {
        let read = fs::read(folder.join("state/status.json")).ok();
        let status: Value = read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        if says(&status) {
            return Ok(status);
        }
        if began.elapsed() > Duration::from_secs(60) {
            return Err(format!("the status is {status}").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn count(status: &Value, name: &str) -> u64 {
    status["counters"][name].as_u64().unwrap_or(0)
}

/// A folder with so many images, as a source.
fn images(folder: &Path, count: usize) -> Result<String> {
    let images = folder.join("images");
    fs::create_dir(&images)?;
    let scene = fixtures::scenes().join("images/scene_00001.jpg");
    for n in 0..count {
        fs::copy(&scene, images.join(format!("{n:04}.jpg")))?;
    }
    Ok(format!("kind = \"folder\"\npath = {images:?}"))
}

/// A link of four bytes a second has its queue for the next start; and that start has all of it.
#[test]
fn it_ends_in_two_seconds_and_keeps_what_waits() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (source, out) = (images(folder.path(), 40)?, folder.path().join("packets.bin"));
    let link = format!("to = \"file:{}\"", out.display());
    let slow = format!("{link}\nbytes_per_second = 4");
    let run = start(&configure(folder.path(), &source, &slow, "")?, None)?;
    wait_for(folder.path(), |status| count(status, "frames") >= 10)?;
    let (status, took) = end(run)?;
    assert!(took < LIMIT, "{took:?}");
    let waiting = status["waiting"].as_u64().unwrap_or(0);
    assert!(waiting > 0, "{status}");
    assert_eq!(waiting + count(&status, "retired"), count(&status, "queued"), "{status}");
    // All that is left goes out when there is no hurry.
    let source = source + "\nwatch = false";
    let run = start(&configure(folder.path(), &source, &link, "")?, None)?;
    let status: Value = serde_json::from_slice(&run.wait_with_output()?.stdout)?;
    assert_eq!((status["waiting"].as_u64(), count(&status, "retired"), count(&status, "frames")), (Some(0), 40, 40));
    Ok(())
}

/// What came over `NOTIFY_SOCKET`, and when.
struct Notified {
    socket: UnixDatagram,
    told: Vec<(Instant, String)>,
}

impl Notified {
    fn bind(path: &Path) -> Result<Self> {
        let socket = UnixDatagram::bind(path)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, told: Vec::new() })
    }

    fn take(&mut self) -> Result<()> {
        let mut bytes = [0; 256];
        loop {
            match self.socket.recv(&mut bytes) {
                Ok(length) => self.told.push((Instant::now(), String::from_utf8_lossy(&bytes[..length]).into_owned())),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// While it is warm the captioner rests for up to ten seconds a frame: signs of life go on, and it ends when it is told to.
#[test]
fn signs_of_life_go_on_while_it_is_warm_and_until_the_end() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (zone, socket) = (folder.path().join("temp"), folder.path().join("notify"));
    // Rests of four times what a caption takes; a batch of one big image takes longest.
    fs::write(&zone, "79900\n")?;
    let source = "kind = \"pipe\"\ncommand = [\"sh\", \"-c\", \"while :; do cat SCENE; done\"]\nlive = true";
    let scene = fixtures::scenes().join("images/scene_00001.jpg").display().to_string();
    let more = format!("[peripherals]\ntemperature = {{ zone = {zone:?}, warm = 70.0, limit = 80.0 }}");
    let link = format!("to = \"file:{}\"", folder.path().join("packets.bin").display());
    let config = configure(folder.path(), &source.replace("SCENE", &scene), &link, &more)?;
    let mut notified = Notified::bind(&socket)?;
    let mut run = start(&config, Some(&socket))?;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(6) {
        notified.take()?;
        std::thread::sleep(Duration::from_millis(5));
    }
    let told = Instant::now();
    terminate(&run)?;
    while run.try_wait()?.is_none() {
        notified.take()?;
        assert!(told.elapsed() < LIMIT, "alive {:?} after it was told to end", told.elapsed());
        std::thread::sleep(Duration::from_millis(5));
    }
    notified.take()?;
    let said = |what: &str| notified.told.iter().any(|(_, told)| told.contains(what));
    assert!(said("READY=1") && said("STOPPING=1"), "{:?}", notified.told);
    let pings: Vec<Instant> =
        notified.told.iter().filter(|(_, told)| told.contains("WATCHDOG=1")).map(|(at, _)| *at).collect();
    let gap = pings.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
    assert!(pings.len() > 15 && gap < Duration::from_secs(1), "{} pings, {gap:?} apart at most", pings.len());
    let last = notified.told.iter().find(|(_, told)| told.contains("STOPPING")).map(|(at, _)| *at);
    assert!(last.is_some_and(|last| pings.last().is_some_and(|ping| last - *ping < Duration::from_secs(1))));
    Ok(())
}

/// The first signal waits for what is at hand, a second for nothing; neither is the fault of the frame at work.
#[test]
fn a_second_signal_ends_it_at_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let source = images(folder.path(), 0)?;
    super::sources::slow(&folder.path().join("images/slow.png"))?;
    let mut run = start(&configure(folder.path(), &source, "to = \"udp:127.0.0.1:9\"", "")?, None)?;
    let at_work = folder.path().join("state/at-work");
    let began = Instant::now();
    while !fs::read(&at_work).is_ok_and(|said| String::from_utf8_lossy(&said).contains("slow.png")) {
        assert!(began.elapsed() < Duration::from_secs(60), "it is never at work");
        std::thread::sleep(Duration::from_millis(10));
    }
    terminate(&run)?;
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(run.try_wait()?, None, "the frame at work is waited for");
    terminate(&run)?;
    assert_eq!(run.wait()?.code(), Some(128 + 15));
    assert_eq!(fs::metadata(at_work)?.len(), 0, "no frame is to blame");
    Ok(())
}

/// In the heat what can wait waits, and is neither dropped nor put away; the status says why.
#[test]
fn in_the_heat_files_wait() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let zone = folder.path().join("temp");
    fs::write(&zone, "95000\n")?;
    let source = images(folder.path(), 3)? + "\nafter = \"delete\"";
    let more = format!("[peripherals]\ntemperature = {{ zone = {zone:?}, warm = 70.0, limit = 80.0 }}");
    let run = start(&configure(folder.path(), &source, "to = \"udp:127.0.0.1:9\"", &more)?, None)?;
    let hot = wait_for(folder.path(), |status| status["uptime"].as_u64() >= Some(3))?;
    assert_eq!((count(&hot, "frames"), &hot["faults"]["too_hot"]), (0, &1.into()), "{hot}");
    assert!(hot["last_faults"]["too_hot"].as_str().is_some_and(|why| why.starts_with("95.0 °C")), "{hot}");
    assert_eq!(fs::read_dir(folder.path().join("images"))?.count(), 3);
    fs::write(&zone, "40000\n")?;
    let cool = wait_for(folder.path(), |status| count(status, "queued") == 3)?;
    assert_eq!(count(&cool, "dropped_too_hot"), 0, "{cool}");
    end(run)?;
    Ok(())
}

/// Whether a process still runs, by a word of its command line.
fn runs(word: &str) -> Result<bool> {
    for entry in fs::read_dir("/proc")?.filter_map(std::result::Result::ok) {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).split('\0').any(|argument| argument == word) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A camera's command ends with all that it has started, also where that holds its output open; one that closes its output and lives on
/// is ended and started again.
#[test]
fn a_cameras_command_ends_with_all_that_it_started() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let word = format!("{}.5", 100_000 + std::process::id());
    let source = format!("kind = \"pipe\"\ncommand = [\"sh\", \"-c\", \"sleep {word} & wait\"]");
    let run = start(&configure(folder.path(), &source, "to = \"udp:127.0.0.1:9\"", "")?, None)?;
    wait_for(folder.path(), |status| status["bundle"].is_string() && runs(&word).is_ok_and(|runs| runs))?;
    let (_, took) = end(run)?;
    assert!(took < LIMIT, "{took:?}");
    assert!(!runs(&word)?, "the command's child lives on");
    fs::remove_dir_all(folder.path().join("state"))?;
    let source = "kind = \"pipe\"\ncommand = [\"sh\", \"-c\", \"exec >&-; exec sleep 600\"]";
    let run = start(&configure(folder.path(), source, "to = \"udp:127.0.0.1:9\"", "")?, None)?;
    wait_for(folder.path(), |status| status["last_faults"]["source_errors"].is_string())?;
    assert!(end(run)?.1 < LIMIT);
    Ok(())
}

/// What a container's health check asks: well while it runs, and not well of a status that nobody renews.
#[test]
fn a_run_says_that_it_is_well_from_outside() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let link = format!("to = \"file:{}\"", folder.path().join("packets.bin").display());
    let config = configure(folder.path(), &images(folder.path(), 1)?, &link, "")?;
    let health = || edge().args(["health", "--config"]).arg(&config).output();
    let before = health()?;
    assert_eq!(before.status.code(), Some(1), "nothing runs: {}", String::from_utf8_lossy(&before.stderr));
    let run = start(&config, None)?;
    wait_for(folder.path(), |status| count(status, "queued") == 1)?;
    let during = health()?;
    assert!(during.status.success(), "{}", String::from_utf8_lossy(&during.stderr));
    let said: Value = serde_json::from_slice(&during.stdout)?;
    assert_eq!(said["runtime"], wait_for(folder.path(), |_| true)?["runtime"]);
    end(run)?;
    let not_well = || -> Result<String> {
        let output = health()?;
        assert_eq!(output.status.code(), Some(1));
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert!(not_well()?.contains("says that edge run has ended"), "{}", not_well()?);
    let path = folder.path().join("state/status.json");
    let mut status: Value = serde_json::from_slice(&fs::read(&path)?)?;
    // Of an earlier run: not of this one, which has no model yet.
    status["ended"] = false.into();
    fs::write(&path, status.to_string())?;
    let unloaded = edge().args(["run", "--config"]).arg(&config).env("CSSA_BUNDLE", "/no/bundle").output()?;
    assert!(!unloaded.status.success() && !path.exists(), "{}", String::from_utf8_lossy(&unloaded.stderr));
    assert!(not_well()?.contains("status.json: "), "{}", not_well()?);
    status["time"] = (status["time"].as_u64().unwrap_or(0) - 60).into();
    fs::write(&path, status.to_string())?;
    assert!(not_well()?.contains("s old, expected 12 s at most"), "{}", not_well()?);
    Ok(())
}
