//! A station whose count has outrun the clock, and whose archive is gone.

use anyhow::{Context, Result, ensure};
use cssa_wire::{
    Answer, BEHIND, Checksum, Command, CommandResult, Down, DownPacket, Housekeeping, Key, UpPacket, Window,
};
use ground::archive::Archive;
use ground::receive::{Authentication, Receiver, Reception};
use ground::uplink::{Due, Station, Uplink};
use std::time::{Duration, Instant};

const CHECKSUM: Checksum = Checksum::Crc32;

fn down(body: Down<'_>) -> Result<Vec<u8>> {
    Ok(DownPacket { vehicle: 12, bundle: 7, body }.encode(Some(&Key::new([5; 32])), CHECKSUM)?)
}

/// The vehicle says how far it has counted; the command that it did not take goes out anew above that, once, and so does all that follows.
#[test]
fn it_goes_on_above_what_its_vehicles_have_had() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (path, key) = (folder.path().join("captions.gpkg"), Key::new([5; 32]));
    let reception =
        Reception { checksum: CHECKSUM, authentication: Authentication::Required(key.clone().into()), vehicle: 0 };
    let uplink = Uplink::new(Station { number: 1, keys: key.clone().into(), checksum: CHECKSUM });
    let mut receiver = Receiver::new(vec![fixtures::bundle()], Archive::open(&path)?, reception, Some(uplink))?;
    Archive::open(&path)?.give_command(12, &Command::Pause)?;
    let (mut window, highest, start) = (Window::default(), cssa::clock::now() + 90_000, Instant::now());
    ensure!(window.take(highest));
    let take = |receiver: &mut Receiver, bytes: &[u8]| -> Result<()> {
        receiver.take_at("uav", bytes, start)?.map(drop).map_err(|lost| anyhow::anyhow!("{lost}"))
    };
    take(&mut receiver, &down(Down::Housekeeping(Housekeeping { sequence: 1, ..Housekeeping::default() }))?)?;
    let sent = |receiver: &mut Receiver, seconds| -> Result<UpPacket> {
        let due = receiver.due("uav", start + Duration::from_secs(seconds))?.into_iter().next();
        let Some(Due::Send(packet)) = due else { anyhow::bail!("{due:?}") };
        Ok(UpPacket::decode(&packet, 12, &key, CHECKSUM)?)
    };
    let first = sent(&mut receiver, 0)?;
    ensure!(!window.take(first.counter) && window.highest() == highest);
    let value = highest.to_le_bytes();
    let result = CommandResult::Refused(BEHIND);
    let behind = down(Down::Answer(Answer { station: 1, counter: first.counter, result, value: &value }))?;
    take(&mut receiver, &behind)?;
    let second = sent(&mut receiver, 6)?;
    ensure!(second.counter > highest && second.body == first.body && window.take(second.counter), "{second:?}");
    // One that would leave the station no number: nothing ends, and the same packet goes out.
    for far in [u32::MAX, highest + (1 << 27)] {
        let value = far.to_le_bytes();
        take(
            &mut receiver,
            &down(Down::Answer(Answer { station: 1, counter: second.counter, result, value: &value }))?,
        )?;
    }
    // Said again, perhaps by somebody who recorded it.
    take(&mut receiver, &behind)?;
    assert_eq!(sent(&mut receiver, 12)?.counter, second.counter);
    let done = Answer { station: 1, counter: second.counter, result: CommandResult::Done, value: &[] };
    take(&mut receiver, &down(Down::Answer(done))?)?;
    let kept = Archive::read(&path)?.commands(9)?;
    assert_eq!((kept.len(), kept.first().context("a command")?.state.as_str()), (1, "done"));
    // What another vehicle has had of another station is no matter.
    let other = Answer { station: 2, counter: 9, result, value: &(highest + 90_000).to_le_bytes() };
    take(&mut receiver, &down(Down::Answer(other))?)?;
    Archive::open(&path)?.give_command(12, &Command::Resume)?;
    ensure!(sent(&mut receiver, 18)?.counter < highest + 1000);
    Ok(())
}
