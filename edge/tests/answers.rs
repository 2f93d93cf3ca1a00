//! What a ground hears of its commands, from the real program.

use cssa_wire::{
    Checksum, Command as Order, CommandResult, DeltaPart, Down, DownPacket, FAILED, Housekeeping, Key, Up, UpPacket,
    Verification, WatchWord, WireError,
};
use serde_json::Value;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

mod new_key;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const CHECKSUM: Checksum = Checksum::Crc32;
const PATIENCE: Duration = Duration::from_secs(60);

/// A vehicle and its ground.
struct World {
    folder: tempfile::TempDir,
    ground: UdpSocket,
    key: Key,
    vehicle: Option<Child>,
    address: Option<SocketAddr>,
    counter: u32,
    /// Packets that were under another key than the ground's.
    others: u32,
}

impl World {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("frames"))?;
        std::fs::write(path("key"), format!("{}\n", "05".repeat(32)))?;
        let ground = UdpSocket::bind("127.0.0.1:0")?;
        ground.set_read_timeout(Some(Duration::from_millis(200)))?;
        let text = format!(
            "state = {:?}\n[source]\nkind = \"folder\"\npath = {:?}\n[model]\nlooks = 1\n[policy]\noutside = \"send\"\n\
             [health]\nheartbeat_seconds = 1\n[link]\nto = \"udp:{}\"\nkey = {:?}\nvehicle = 300\nresend_seconds = 0.5\n\
             housekeeping_seconds = 1\n",
            path("state"),
            path("frames"),
            ground.local_addr()?,
            path("key"),
        );
        std::fs::write(path("edge.toml"), text)?;
        Ok(Self { folder, ground, key: Key::new([5; 32]), vehicle: None, address: None, counter: 0, others: 0 })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&mut self) -> Result<()> {
        let mut edge = Command::new(env!("CARGO_BIN_EXE_edge"));
        edge.args(["run", "--config"]).arg(self.path("edge.toml")).stdout(Stdio::null()).stderr(Stdio::null());
        self.vehicle = Some(edge.spawn()?);
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        let Some(mut vehicle) = self.vehicle.take() else { return Ok(()) };
        vehicle.kill()?;
        vehicle.wait()?;
        Ok(())
    }

    /// Hears until `found` gives something of a packet.
    fn hear<T>(&mut self, found: impl Fn(&Down<'_>) -> Option<T>) -> Result<T> {
        let (until, mut buffer) = (Instant::now() + PATIENCE, [0; 4096]);
        while Instant::now() < until {
            let Ok((length, from)) = self.ground.recv_from(&mut buffer) else { continue };
            self.address = Some(from);
            let packet = match DownPacket::decode(&buffer[..length], Verification::Required(&self.key), CHECKSUM) {
                Err(WireError::Mac) => {
                    self.others += 1;
                    continue;
                }
                packet => packet?,
            };
            if let Some(found) = found(&packet.body) {
                return Ok(found);
            }
        }
        Err("nothing was heard in time".into())
    }

    /// A packet up under a number.
    fn packet(&self, counter: u32, order: Order) -> Result<Vec<u8>> {
        Ok(UpPacket { vehicle: 300, station: 9, counter, body: Up::Command(order) }.encode(&self.key, CHECKSUM)?)
    }

    fn send(&self, packet: &[u8]) -> Result<()> {
        self.ground.send_to(packet, self.address.ok_or("no vehicle was heard")?)?;
        Ok(())
    }

    /// Waits for the answer to a number, with what is said beside it.
    fn answer(&mut self, counter: u32) -> Result<(CommandResult, String)> {
        self.hear(|body| match body {
            Down::Answer(answer) if (answer.station, answer.counter) == (9, counter) => {
                Some((answer.result, String::from_utf8_lossy(answer.value).into_owned()))
            }
            _ => None,
        })
    }

    /// Commands something under the next number.
    fn order(&mut self, order: Order) -> Result<(CommandResult, String)> {
        self.counter += 1;
        let packet = self.packet(self.counter, order)?;
        self.send(&packet)?;
        self.answer(self.counter)
    }

    fn housekeeping(&mut self) -> Result<Housekeeping> {
        self.hear(|body| if let Down::Housekeeping(housekeeping) = body { Some(*housekeeping) } else { None })
    }

    /// Waits until the status says something.
    fn status(&self, says: impl Fn(&Value) -> bool) -> Result<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let read = std::fs::read(self.path("state/status.json")).ok();
            let status: Value = read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
            if says(&status) {
                return Ok(status);
            }
            if Instant::now() > until {
                return Err(format!("the status is {status}").into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn put(&self, name: &str) -> Result<()> {
        let (scene, part) = (fixtures::scenes().join("images/scene_00001.jpg"), self.path("part"));
        std::fs::copy(scene, &part)?;
        Ok(std::fs::rename(part, self.path("frames").join(name))?)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Nothing is left of a test that failed.
        let _gone = self.kill();
    }
}

fn install(state: &Path) -> Result<()> {
    let installed = Command::new(env!("CARGO_BIN_EXE_edge"))
        .arg("install")
        .arg(fixtures::bundle())
        .arg("--state")
        .arg(state)
        .output()?;
    if installed.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&installed.stderr).into()) }
}

/// Each command is carried out, answered and in the status; those that cannot be say why; a start keeps what was ordered.
#[test]
fn commands_are_obeyed_answered_and_kept() -> Result<()> {
    let mut world = World::new()?;
    (0..2).try_for_each(|_| install(&world.path("state")))?;
    world.start()?;
    let first = world.housekeeping()?;
    assert_eq!((first.period, first.slot, first.frames), (1, 2, 0));
    let done = (CommandResult::Done, String::new());
    let words = |word: &str| Order::SetWatchWords(vec![WatchWord { word: word.into(), priority: 3 }]);
    for order in [
        Order::SelfTest,
        Order::SetThreshold { thousandths: 125 },
        words("airplane"),
        Order::SetNovelty { metres: 50, minutes: 10 },
        Order::SetRate { bytes_per_second: 5000 },
        Order::SetBudget { bytes_per_hour: 100_000 },
        Order::StatusNow,
        Order::SwitchSlot { slot: 1 },
        Order::Pause,
    ] {
        assert_eq!(world.order(order.clone())?, done, "{order:?}");
    }
    let (result, why) = world.order(words("airplain"))?;
    assert_eq!(result, CommandResult::Refused(FAILED));
    assert!(why.starts_with("no caption has \"airplain\", such as airplane"), "{why}");
    let (_, why) = world.order(words("qqqqqqqq"))?;
    assert_eq!(why, "no caption has \"qqqqqqqq\"", "nothing is like it");
    assert_eq!(world.order(Order::ForgetPictures)?, done);
    let ordered = serde_json::json!({
        "paused": true, "least_confidence": 125, "watch": {"airplane": 3}, "novelty": [50, 10],
        "bytes_per_hour": 100_000, "bytes_per_second": 5000
    });
    let status = world.status(|status| status["orders"] == ordered)?;
    assert!(status["faults"].as_object().is_none_or(serde_json::Map::is_empty), "{status}");
    assert_eq!(world.hear(|body| matches!(body, Down::Housekeeping(now) if now.slot == 1).then_some(()))?, ());
    // A frame that comes meanwhile waits; after a kill, too, and the slot stays.
    world.put("a.jpg")?;
    world.kill()?;
    world.start()?;
    world.status(|status| status["orders"] == ordered && status["uptime"].as_u64() >= Some(1))?;
    let again = world.housekeeping()?;
    assert_eq!((again.slot, again.frames), (1, 0), "{again:?}");
    assert!(again.sequence > first.sequence, "its numbers go on");
    assert_eq!(world.order(Order::Resume)?, done);
    world.status(|status| status["counters"]["frames"] == 1)?;
    world.kill()
}

/// Recorded and sent again, forged, or sent while the vehicle is killed: a command is carried out once, and answered each time.
#[test]
fn a_command_is_carried_out_once() -> Result<()> {
    let mut world = World::new()?;
    world.start()?;
    world.housekeeping()?;
    let pause = world.packet(1, Order::Pause)?;
    world.send(&pause)?;
    assert_eq!(world.answer(1)?.0, CommandResult::Done);
    let resume = world.packet(2, Order::Resume)?;
    // Taken or not when it is killed: the ground sends it until it has an answer.
    world.send(&resume)?;
    world.kill()?;
    world.start()?;
    world.housekeeping()?;
    for _ in 0..3 {
        world.send(&resume)?;
        world.send(&pause)?;
        assert_eq!(world.answer(2)?.0, CommandResult::Done);
    }
    let forged = UpPacket { vehicle: 300, station: 9, counter: 7, body: Up::Command(Order::Pause) };
    world.send(&forged.encode(&Key::new([6; 32]), CHECKSUM)?)?;
    let other = UpPacket { vehicle: 301, station: 9, counter: 8, body: Up::Command(Order::Pause) };
    world.send(&other.encode(&world.key, CHECKSUM)?)?;
    let refused = |status: &Value| status["counters"]["commands_refused"].as_u64() >= Some(7);
    let status = world.status(|status| refused(status) && status["counters"]["commands"].as_u64() == Some(2))?;
    assert!(status["orders"].is_null(), "the old pause does not come back: {status}");
    world.kill()
}

/// The parts of a delta come in any order and over a kill; the bundle proves itself, and flies when it is told to.
#[test]
fn a_bundle_comes_up_in_parts() -> Result<()> {
    use cssa::bundle::{Change, Delta, MANIFEST, contents};
    let mut world = World::new()?;
    install(&world.path("state"))?;
    let earlier = contents(&world.path("state/slots/a"))?;
    let mut new = earlier.clone();
    let manifest = String::from_utf8(new.get(MANIFEST).cloned().unwrap_or_default())?;
    assert!(manifest.contains("beam = 3"));
    new.insert(MANIFEST.into(), manifest.replace("beam = 3", "beam = 2").into_bytes());
    let path = world.path("delta");
    Delta::between(&earlier, &new, |_, _, _| Change::default()).write(&path)?;
    let delta = std::fs::read(&path)?;
    let pieces: Vec<&[u8]> = delta.chunks(80).collect();
    let part = |n: usize| {
        let crc = (n + 1 == pieces.len()).then(|| crc32fast::hash(&delta));
        Order::DeltaPart(DeltaPart {
            id: 3,
            part: n as u16,
            parts: pieces.len() as u16,
            crc,
            bytes: pieces[n].to_vec(),
        })
    };
    world.start()?;
    world.housekeeping()?;
    let done = (CommandResult::Done, String::new());
    let empty = (CommandResult::Refused(FAILED), "slot b has no good bundle: install one there first".to_owned());
    assert_eq!(world.order(Order::SwitchSlot { slot: 2 })?, empty, "and nothing is damaged");
    let middle = pieces.len() / 2;
    for n in (0..pieces.len()).rev().filter(|n| *n != middle) {
        assert_eq!(world.order(part(n))?, done, "part {n}");
        if n == middle + 1 {
            world.kill()?;
            world.start()?;
            world.housekeeping()?;
        }
    }
    // Where the disk does not take it, what is there stays.
    std::fs::create_dir_all(world.path("state/uplink.delta/in_the_way"))?;
    assert_eq!(world.order(part(middle))?.0, CommandResult::Refused(FAILED));
    std::fs::remove_dir_all(world.path("state/uplink.delta"))?;
    // The last one is answered when the bundle has proved itself; other commands are answered meanwhile.
    world.counter += 1;
    let last = world.counter;
    let packet = world.packet(last, part(middle))?;
    world.send(&packet)?;
    assert_eq!(world.order(Order::StatusNow)?, done);
    assert_eq!(world.answer(last)?, done);
    let record = std::fs::read_to_string(world.path("state/slots/slots.toml"))?;
    assert!(record.contains("active = \"b\""), "{record}");
    assert_eq!(contents(&world.path("state/slots/b"))?, new);
    assert_eq!(world.order(Order::SwitchSlot { slot: 2 })?, done);
    assert_eq!(world.hear(|body| matches!(body, Down::Housekeeping(now) if now.slot == 2).then_some(()))?, ());
    // The same once more starts from another bundle than the one at work: it says so, and all is as it was.
    for n in (0..pieces.len()).filter(|n| *n != middle) {
        assert_eq!(world.order(part(n))?, done);
    }
    let (result, why) = world.order(part(middle))?;
    assert_eq!(result, CommandResult::Refused(FAILED));
    assert!(why.contains("delta from the bundle"), "{why}");
    assert!(!world.path("state/uplink.delta").exists() && !world.path("state/uplink.cssa").exists());
    world.kill()
}
