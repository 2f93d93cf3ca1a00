//! What a ground hears of its commands, from the real program.

use cssa_wire::{Checksum, Command as Order, CommandResult, Down, DownPacket, Key, Up, UpPacket, Verification};
use edge::store::{Caption, ChangeKind, Outcome, Store};
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::Duration;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// It is answered when it has run, and once more where the command comes again: the answer was lost.
#[test]
fn a_self_test_has_an_answer() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let caption = Caption { time: 1_763_928_000, text: "a bridge over a river .".into(), ..Caption::default() };
    let store = Store::open(&path("state"), 100)?;
    store.settle(store.change(ChangeKind::Captioned), None, &Outcome::Queued(caption))?;
    drop(store);
    std::fs::create_dir(path("none"))?;
    std::fs::write(path("key"), format!("{}\n", "05".repeat(32)))?;
    let ground = UdpSocket::bind("127.0.0.1:0")?;
    ground.set_read_timeout(Some(Duration::from_secs(60)))?;
    let text = format!(
        "state = {:?}\n[source]\nkind = \"folder\"\npath = {:?}\n[model]\nbundle = {:?}\n[link]\nto = \"udp:{}\"\nkey = {:?}\n\
         vehicle = 300\nresend_seconds = 0.5\n",
        path("state"),
        path("none"),
        fixtures::bundle(),
        ground.local_addr()?,
        path("key"),
    );
    std::fs::write(path("edge.toml"), text)?;
    let mut vehicle = Command::new(env!("CARGO_BIN_EXE_edge"))
        .args(["run", "--config"])
        .arg(path("edge.toml"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let (key, checksum) = (Key::new([5; 32]), Checksum::Crc32);
    let order = UpPacket { vehicle: 300, station: 9, counter: 1, body: Up::Command(Order::SelfTest) };
    let order = order.encode(&key, checksum)?;
    let (mut buffer, mut answers, mut sent) = ([0; 4096], Vec::new(), 0);
    let mut hear = || -> Result<()> {
        while answers.len() < 2 {
            let (length, from) = ground.recv_from(&mut buffer)?;
            match DownPacket::decode(&buffer[..length], Verification::Required(&key), checksum)?.body {
                Down::Answer(answer) => {
                    answers.push((answer.station, answer.counter, answer.result));
                    ground.send_to(&order, from)?;
                }
                _ if sent == 0 => sent = ground.send_to(&order, from)?,
                _ => {}
            }
        }
        Ok(())
    };
    let heard = hear();
    vehicle.kill()?;
    vehicle.wait()?;
    heard?;
    assert_eq!(answers, [(9, 1, CommandResult::Done); 2]);
    Ok(())
}
