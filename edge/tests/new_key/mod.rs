//! The link's key is changed over the link, in the real program.

use super::{CHECKSUM, Order, Result, World};
use cssa_wire::{CommandResult, FAILED, Key, Up, UpPacket};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const VEHICLE: u16 = 300;

impl World {
    /// Says something under a key, whichever the ground's is.
    fn say(&mut self, body: Up, by: &Key) -> Result<u32> {
        self.counter += 1;
        let packet = UpPacket { vehicle: VEHICLE, station: 9, counter: self.counter, body };
        self.send(&packet.encode(by, CHECKSUM)?)?;
        Ok(self.counter)
    }

    /// Commands something under a key.
    fn order_by(&mut self, order: Order, by: &Key) -> Result<(CommandResult, String)> {
        let counter = self.say(Up::Command(order), by)?;
        self.answer(counter)
    }

    /// The ground has this key only, from now on; the vehicle is heard under it.
    fn turns_to(&mut self, key: &Key) -> Result<()> {
        self.key = key.clone();
        self.housekeeping().map(drop)
    }

    fn starts_anew(&mut self) -> Result<()> {
        self.kill()?;
        // What it said before is not what it says then, and its address is another.
        while self.ground.recv_from(&mut [0; 4096]).is_ok() {}
        self.start()?;
        self.housekeeping().map(drop)
    }

    fn refused(&self) -> Result<u64> {
        let status = self.status(|status| status["counters"].is_object())?;
        Ok(status["counters"]["commands_refused"].as_u64().unwrap_or(0))
    }

    /// What `edge run --check` says, beside the flight.
    fn check(&self) -> Result<String> {
        let mut edge = Command::new(env!("CARGO_BIN_EXE_edge"));
        let output = edge.args(["run", "--check", "--config"]).arg(self.path("edge.toml")).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(said) } else { Err(said.into()) }
    }
}

/// Killed as the packet comes, sent again, wrapped wrongly, started again: the key is taken once, used when the ground has it, and stays.
#[test]
fn a_key_is_changed_over_the_link_for_good() -> Result<()> {
    let [old, new, third] = [5, 6, 7].map(|byte| Key::new([byte; 32]));
    let (done, mut world) = ((CommandResult::Done, String::new()), World::new()?);
    world.start()?;
    world.housekeeping()?;
    let (result, why) = world.order(third.wrap(&new, VEHICLE)?)?;
    assert_eq!(
        (result, why.as_str()),
        (CommandResult::Refused(FAILED), "it is not wrapped under this vehicle's key in use")
    );
    // Taken or not when it is killed: the ground sends it until it has an answer.
    let counter = world.say(Up::Command(old.wrap(&new, VEHICLE)?), &old)?;
    world.starts_anew()?;
    let packet = world.packet(counter, old.wrap(&new, VEHICLE)?)?;
    for _ in 0..3 {
        world.send(&packet)?;
        assert_eq!(world.answer(counter)?, done);
    }
    world.status(|status| status["counters"]["commands"].as_u64() == Some(2))?;
    assert!(world.check()?.contains("link.key: a new key came over the link and is to be used once"));
    world.housekeeping()?;
    assert_eq!(world.others, 0, "the ground may not have it");
    world.say(Up::acknowledge([]), &new)?;
    world.turns_to(&new)?;
    let others = world.others;
    world.starts_anew()?;
    assert_eq!(world.others, others, "from the first packet on");
    assert_eq!(world.order_by(Order::Pause, &old)?, done, "a station that has the old key only");
    let (result, why) = world.order_by(old.wrap(&third, VEHICLE)?, &old)?;
    assert_eq!(
        (result, why.as_str()),
        (CommandResult::Refused(FAILED), "a new key is taken under the key in use, not the one before it",)
    );
    world.send(&packet)?;
    assert_eq!(world.answer(counter)?, done, "a replay is answered, and nothing else");
    let said = world.check()?;
    assert!(
        said.contains("link.key: a new key came over the link and is used above") && !said.contains("0606"),
        "{said}"
    );
    let status = std::fs::read_to_string(world.path("state/status.json"))?;
    assert!(!status.contains("0606") && !status.contains("6, 6"), "{status}");
    assert_eq!(world.path("state/store.redb").metadata()?.permissions().mode() & 0o777, 0o600);
    // Written into its file, it is the only one.
    std::fs::write(world.path("key"), "06".repeat(32))?;
    world.starts_anew()?;
    assert!(!world.check()?.contains("a new key"));
    let before = world.refused()?;
    world.say(Up::Command(Order::Resume), &old)?;
    world.status(|status| status["counters"]["commands_refused"].as_u64() > Some(before))?;
    let status = world.status(Value::is_object)?;
    assert_eq!(status["orders"]["paused"], true, "{status}");
    assert_eq!(world.order(new.wrap(&third, VEHICLE)?)?, done, "and the next one follows it");
    world.say(Up::acknowledge([]), &third)?;
    world.turns_to(&third)?;
    world.kill()
}
