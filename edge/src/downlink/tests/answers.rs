//! What comes up, what is answered, and housekeeping.

use super::*;
use cssa_wire::BEHIND;

/// The next answer, if one is due.
fn answer(downlink: &mut Downlink) -> Result<Option<(u32, CommandResult, Vec<u8>)>> {
    let Some(packet) = downlink.answer(1.0, UTC, &language(), room(217))? else { return Ok(None) };
    let read = DownPacket::decode(&packet.bytes, Verification::Required(&key()), config().checksum)?;
    assert_eq!((read.vehicle, read.bundle), (12, 0xbeef));
    let Down::Answer(Answer { station: 1, counter, result, value }) = read.body else { anyhow::bail!("{read:?}") };
    Ok(Some((counter, result, value.to_vec())))
}

/// Carries out the command that came first, with this result.
fn carry_out(downlink: &mut Downlink, result: CommandResult, said: &str) -> Result<()> {
    let Some(pending) = downlink.store.next_command(None)? else { anyhow::bail!("no command waits") };
    let answered = Answered::new(pending.number, result, said);
    downlink.store.carried_out(&pending, &answered, &Orders::default())?;
    Ok(downlink.answered(pending.number)?)
}

/// Parts of what nobody asked for are not kept, which is answered at once, under the key, and again where it comes again; an
/// acknowledgement has no answer, and what is meant for another vehicle changes nothing.
#[test]
fn what_comes_up_is_taken_once_and_answered_each_time() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 100)?);
    let mut downlink = Downlink::with_key(Arc::clone(&store), &config(), Some(key()), 0.0, UTC)?;
    let missing = Up::Missing(MissingParts::all(1));
    for (counter, body, expected) in [(7, missing, Some(CommandResult::NotKept)), (10, Up::acknowledge([]), None)] {
        let bytes = up(counter, body, &key())?;
        assert!(downlink.receive(&bytes, 1.0, UTC)?.is_some(), "{counter}");
        let expected = expected.map(|result| (counter, result, Vec::new()));
        assert_eq!((answer(&mut downlink)?, answer(&mut downlink)?), (expected.clone(), None));
        assert_eq!(downlink.receive(&bytes, 1.0, UTC)?, None, "a replay, or its answer was lost");
        assert_eq!((answer(&mut downlink)?, answer(&mut downlink)?), (expected, None));
    }
    let other = UpPacket { vehicle: 13, station: 1, counter: 90, body: Up::Command(Command::Pause) };
    assert_eq!(downlink.receive(&other.encode(&key(), config().checksum)?, 1.0, UTC)?, None, "another vehicle's");
    let forged = up(91, Up::Command(Command::Pause), &Key::new([9; 32]))?;
    assert_eq!(downlink.receive(&forged, 1.0, UTC)?, None, "without the key");
    assert_eq!((store.counters()?[REFUSED], store.next_command(None)?), (4, None));
    Ok(())
}

/// A station whose archive is gone counts from its clock: where it had outrun that, it is told its last number, now and then; and nobody is
/// told that what another packet asked for is what this one did.
#[test]
fn a_station_that_is_behind_is_told_its_last_number() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 100)?);
    let mut downlink = Downlink::with_key(store, &config(), Some(key()), 0.0, UTC)?;
    let up = |counter, body| up(counter, body, &key());
    let (nothing, pause, test) = (Up::acknowledge([]), Up::Command(Command::Pause), Up::Command(Command::SelfTest));
    assert!(downlink.receive(&up(49_999, test.clone())?, 1.0, UTC)?.is_some());
    carry_out(&mut downlink, CommandResult::Done, "")?;
    let done = Some((49_999, CommandResult::Done, Vec::new()));
    assert_eq!((answer(&mut downlink)?, answer(&mut downlink)?), (done.clone(), None));
    assert!(downlink.receive(&up(50_000, nothing.clone())?, 1.0, UTC)?.is_some());
    let behind = |counter| Some((counter, CommandResult::Refused(BEHIND), 50_000_u32.to_le_bytes().to_vec()));
    for (seconds, counter, body, expected) in [
        // Its answer was lost; another's number; somebody who goes on so.
        (2.0, 49_999, test.clone(), done.clone()),
        (3.0, 49_999, pause.clone(), behind(49_999)),
        (3.5, 50_000, pause.clone(), None),
        (4.0, 50_000, pause.clone(), behind(50_000)),
        (13.0, 49_999, pause.clone(), behind(49_999)),
        (13.5, 50_000, pause.clone(), None),
        (13.5, 49_999, test.clone(), done),
        // An acknowledgement that comes twice is no news, three in a row are.
        (30.0, 50_000, nothing.clone(), None),
        (31.0, 50_000, nothing.clone(), None),
        (32.0, 9, nothing.clone(), behind(9)),
        (33.0, 9, nothing, None),
        (50.0, 9, pause, behind(9)),
    ] {
        assert_eq!(downlink.receive(&up(counter, body)?, seconds, UTC)?, None);
        assert_eq!((answer(&mut downlink)?, answer(&mut downlink)?), (expected, None), "{seconds}");
    }
    assert_eq!(downlink.store.next_command(None)?, None, "what is behind is not carried out");
    Ok(())
}

/// Neither has one that names missing parts the answer of a command with its number, nor the other way round; under whichever key.
#[test]
fn each_packet_has_its_own_answer() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 100)?);
    let next = Key::new([4; 32]);
    let keys = Keys::changing(key(), next.clone());
    let mut downlink = Downlink::with_keys(store, &config(), Some(keys), 0.0, UTC)?;
    let (missing, pause) = (Up::Missing(MissingParts::all(1)), Up::Command(Command::Pause));
    let mut said = |counter, body: &Up, by: &Key, now| -> Result<Option<CommandResult>> {
        downlink.receive(&up(counter, body.clone(), by)?, now, UTC)?;
        if downlink.store.next_command(None)?.is_some() {
            carry_out(&mut downlink, CommandResult::Done, "")?;
        }
        let Some(packet) = downlink.answer(now, UTC, &language(), room(217))? else { return Ok(None) };
        let sealing = downlink.sealing().unwrap_or(&next);
        let read = DownPacket::decode(&packet.bytes, Verification::Required(sealing), config().checksum)?;
        let Down::Answer(answer) = read.body else { anyhow::bail!("{read:?}") };
        assert_eq!(answer.counter, counter);
        Ok(Some(answer.result))
    };
    let (old, behind) = (key(), Some(CommandResult::Refused(BEHIND)));
    let (not_kept, done) = (Some(CommandResult::NotKept), Some(CommandResult::Done));
    for (n, under) in [(1, &old), (10, &next)] {
        let now = f64::from(n) * 10.0;
        assert_eq!((said(n, &missing, &old, now)?, said(n, &pause, under, now + 2.0)?), (not_kept, behind));
        assert_eq!((said(n + 1, &pause, &old, now + 4.0)?, said(n + 1, &missing, under, now + 6.0)?), (done, behind));
        assert_eq!((said(n, &missing, under, now + 8.0)?, said(n + 1, &pause, under, now + 9.0)?), (not_kept, done));
    }
    Ok(())
}

/// The ground sends a command whose answer was lost under the vehicle's new key again.
#[test]
fn a_command_under_another_key_is_not_done_twice() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 100)?);
    let next = Key::new([4; 32]);
    let keys = Keys::changing(key(), next.clone());
    let mut downlink = Downlink::with_keys(store, &config(), Some(keys), 0.0, UTC)?;
    let pause = Up::Command(Command::Pause);
    assert!(downlink.receive(&up(7, pause.clone(), &key())?, 1.0, UTC)?.is_some());
    carry_out(&mut downlink, CommandResult::Done, "")?;
    assert!(downlink.answer(1.0, UTC, &language(), room(217))?.is_some());
    assert_eq!(downlink.receive(&up(7, pause, &next)?, 2.0, UTC)?, None);
    assert!(downlink.answer(2.0, UTC, &language(), room(217))?.is_some(), "it is answered again");
    assert_eq!(downlink.store.next_command(None)?, None);
    // Another one under its number has not that one's answer, and is not done.
    assert_eq!(downlink.receive(&up(7, Up::Command(Command::SelfTest), &next)?, 3.0, UTC)?, None);
    let said = downlink.answer(3.0, UTC, &language(), room(217))?.map(|packet| packet.bytes).unwrap_or_default();
    let read =
        DownPacket::decode(&said, Verification::Required(downlink.sealing().unwrap_or(&key())), config().checksum)?;
    assert!(
        matches!(read.body, Down::Answer(Answer { counter: 7, result: CommandResult::Refused(BEHIND), .. })),
        "{read:?}"
    );
    assert_eq!(downlink.store.next_command(None)?, None);
    Ok(())
}

/// When it is carried out, and not before, also after a start; what went wrong is said, and nobody makes the vehicle say it for ever.
#[test]
fn a_command_is_answered_when_it_is_carried_out() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 100)?);
    let mut downlink = Downlink::with_key(Arc::clone(&store), &config(), Some(key()), 0.0, UTC)?;
    let test = |counter| up(counter, Up::Command(Command::SelfTest), &key());
    downlink.receive(&test(3)?, 1.0, UTC)?;
    downlink.receive(&test(3)?, 1.0, UTC)?;
    assert_eq!(answer(&mut downlink)?, None, "it is not carried out yet");
    carry_out(&mut downlink, CommandResult::Done, "")?;
    assert_eq!(answer(&mut downlink)?, Some((3, CommandResult::Done, Vec::new())));
    downlink.receive(&test(4)?, 1.0, UTC)?;
    let mut downlink = Downlink::with_key(store, &config(), Some(key()), 0.0, UTC)?;
    carry_out(&mut downlink, CommandResult::Refused(FAILED), &"ü".repeat(40))?;
    let failed = Some((4, CommandResult::Refused(FAILED), "ü".repeat(32).into_bytes()));
    assert_eq!((answer(&mut downlink)?, answer(&mut downlink)?), (failed, None));
    let mut again = 0;
    for _ in 0..1000 {
        downlink.receive(&test(4)?, 1.0, UTC)?;
        again += usize::from(answer(&mut downlink)?.is_some());
    }
    assert_eq!(again, 31);
    assert_eq!(downlink.store.next_command(None)?, None, "it was carried out once");
    Ok(())
}

/// A packet of housekeeping each period, whoever listens, and one where it is asked for; its size after ten hours of a frame a second.
#[test]
fn housekeeping_goes_out_each_period() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for (key, most) in [(None, 36), (Some(key()), 40)] {
        let store = Arc::new(Store::open(folder.path(), 100)?);
        let slow = LinkConfig { housekeeping_seconds: 30, ..config() };
        let mut downlink = Downlink::with_key(Arc::clone(&store), &slow, key.clone(), 0.0, UTC)?;
        let before = store.counters()?.get(HOUSEKEEPING).copied().unwrap_or(0) as u16;
        let state = |sequence, period| Housekeeping {
            sequence,
            period,
            uptime: 36_000,
            frames: 36_000,
            queued: 3_000,
            dropped: DroppedFrames { image: 500, policy: 32_410, link: 0, machine: 90 },
            fault: 36,
            fault_count: 12,
            slot: 2,
            celsius: 61,
            free_disk: 19,
            millijoules: 350,
            waiting: 40,
        };
        let mut made = Vec::new();
        for now in 0..100 {
            if let Some(packet) = downlink.housekeeping((f64::from(now), UTC), &language(), room(217), &state)? {
                let verification = key.as_ref().map_or(Verification::Off, Verification::Required);
                let read = DownPacket::decode(&packet.bytes, verification, slow.checksum)?;
                let Down::Housekeeping(found) = read.body else { anyhow::bail!("{read:?}") };
                assert!(packet.bytes.len() <= most, "{} bytes", packet.bytes.len());
                made.push((now, found.sequence, found.period));
            }
        }
        assert_eq!(made, [(30, before, 30), (60, before + 1, 30), (90, before + 2, 30)]);
    }
    let store = Arc::new(Store::open(folder.path(), 100)?);
    let silent = LinkConfig { housekeeping_seconds: 0, ..config() };
    let mut downlink = Downlink::with_key(store, &silent, Some(key()), 0.0, UTC)?;
    let due = |downlink: &mut Downlink| {
        downlink.housekeeping((1e6, UTC), &language(), room(217), &|sequence, period| Housekeeping {
            sequence,
            period,
            ..Housekeeping::default()
        })
    };
    assert!(due(&mut downlink)?.is_none(), "0 is none");
    let asked = up(1, Up::Command(Command::StatusNow), &key())?;
    assert!(downlink.receive(&asked, 1e6, UTC)?.is_some());
    assert!(due(&mut downlink)?.is_some() && due(&mut downlink)?.is_none(), "one was asked for");
    Ok(())
}
