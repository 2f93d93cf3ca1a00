use super::*;
use crate::orders::Orders;
use crate::outcome::Dropped;
use crate::outside_run::OutsideRuns;
use crate::store::{AGAIN, Answered, BYTES, CONTACTS, Caption, HOUSEKEEPING, Outcome, RETIRED};
use anyhow::Result;
use cssa::language_model::LanguageModel;
use cssa::trust::Reason;
use cssa_wire::{
    Answer, Ask, Command, CommandResult, DroppedFrames, FAILED, Housekeeping, MissingParts, SelectiveAck, Verification,
    digest,
};

mod answers;
mod footprints;
mod new_key;
mod pictures;

const UTC: u32 = 1_763_928_000;

fn language() -> Language {
    let captions = ["a big bridge over a river .", "a river and a bridge"].map(String::from);
    Language { id: 0xbeef, model: LanguageModel::build(captions) }
}

fn room(largest: usize) -> Room<'static> {
    Room { largest, cost: &|length| length + 6 }
}

fn queue(store: &Store, priorities: &[u8]) -> Result<()> {
    for &priority in priorities {
        let caption = Caption { time: UTC, priority, text: "a river and a bridge".into(), ..Caption::default() };
        store.settle(store.change(ChangeKind::Captioned), None, &Outcome::Queued(caption))?;
    }
    store.settle(store.change(ChangeKind::Captioned), None, &Outcome::Dropped(Dropped::LowConfidence))?;
    Ok(())
}

fn config() -> LinkConfig {
    LinkConfig { captions: 2, resend_seconds: 10.0, vehicle: 12, ..LinkConfig::new("udp:127.0.0.1:1") }
}

fn key() -> Key {
    Key::new([3; 32])
}

/// Sends whatever is to be sent now; the numbers of each packet, and whether they are marked as repeats.
fn send(downlink: &mut Downlink, now: f64) -> Result<Vec<Vec<(u32, bool)>>> {
    let (language, mut sent) = (language(), Vec::new());
    while let Next::Send(packet) = downlink.next(now, UTC + now as u32, &language, room(217))? {
        let key = key();
        let verification = if downlink.keys.is_some() { Verification::Required(&key) } else { Verification::Off };
        let checksum = downlink.config.checksum;
        let read = CaptionPacket::decode(&packet.bytes, language.id, &language.model, verification, checksum)?;
        assert_eq!(read.vehicle, downlink.config.vehicle);
        sent.push(read.captions.iter().map(|caption| (caption.sequence, caption.repeat)).collect());
        downlink.sent(&packet, packet.bytes.len() + 6, now)?;
    }
    Ok(sent)
}

/// A packet up for this vehicle.
fn up(counter: u32, body: Up, key: &Key) -> Result<Vec<u8>> {
    Ok(UpPacket { vehicle: config().vehicle, station: 1, counter, body }.encode(key, config().checksum)?)
}

fn acknowledge(downlink: &mut Downlink, counter: u32, numbers: &[u32], now: f64) -> Result<bool> {
    let digests = numbers.iter().map(|&number| (number, digest(number, UTC, "a river and a bridge")));
    let packet = up(counter, Up::acknowledge(SelectiveAck::of(digests)), &key())?;
    Ok(downlink.receive(&packet, now, UTC + now as u32)?.is_some())
}

#[test]
fn captions_are_sent_until_they_are_acknowledged() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 100)?);
    queue(&store, &[0, 0, 0, 2, 0])?;
    let mut downlink = Downlink::with_key(Arc::clone(&store), &config(), Some(key()), 0.0, UTC)?;
    assert_eq!(send(&mut downlink, 0.0)?, [[(3, false)]], "one caption while nobody answers");
    assert!(send(&mut downlink, 9.9)?.is_empty());
    assert_eq!(send(&mut downlink, 10.0)?, [[(3, true)]]);
    assert!(acknowledge(&mut downlink, 1, &[3], 11.0)?);
    assert_eq!(send(&mut downlink, 11.0)?.concat(), [(0, false), (1, false), (2, false), (4, false)]);
    assert!(!acknowledge(&mut downlink, 1, &[0, 1], 12.0)?, "a replay");
    let forged = up(1000, Up::acknowledge(SelectiveAck::of([(0, 0)])), &Key::new([4; 32]))?;
    assert_eq!(downlink.receive(&forged, 12.0, UTC)?, None);
    assert!(acknowledge(&mut downlink, 2, &[0, 1, 4], 12.0)?);
    assert_eq!(send(&mut downlink, 20.9)?.concat(), []);
    assert_eq!(send(&mut downlink, 21.0)?.concat(), [(2, true)]);
    assert_eq!(send(&mut downlink, 40.9)?.concat(), [], "the second resend waits twice as long");
    assert_eq!(send(&mut downlink, 41.0)?.concat(), [(2, true)]);
    assert!(acknowledge(&mut downlink, 3, &[2], 42.0)?);
    assert_eq!(downlink.next(42.0, UTC, &language(), room(217))?, Next::Empty);
    let counters = store.counters()?;
    assert_eq!((counters[RETIRED], counters[REFUSED], counters[AGAIN]), (5, 2, 3));
    Ok(())
}

fn dark(store: &Store, since: u32) -> Result<()> {
    let mut runs = OutsideRuns::default();
    (0..7).for_each(|second| _ = runs.next(Some(Reason::Dark), since + second));
    Ok(runs.over().iter().try_for_each(|run| store.report(run))?)
}

/// Sends one packet; its report's number, where it is one.
fn report(downlink: &mut Downlink, now: f64) -> Result<Option<u16>> {
    let Next::Send(packet) = downlink.next(now, UTC, &language(), room(217))? else { return Ok(None) };
    let key = key();
    let verification = if downlink.keys.is_some() { Verification::Required(&key) } else { Verification::Off };
    let read = DownPacket::decode(&packet.bytes, verification, config().checksum)?;
    downlink.sent(&packet, packet.bytes.len(), now)?;
    let Down::Report(report) = read.body else { return Ok(None) };
    assert_eq!((report.outside(), report.frames), (Some(Reason::Dark), 7));
    Ok(Some(report.sequence))
}

/// A report goes before captions, under the key, again and again until it went out three times to somebody who listens. While nobody
/// answers a caption goes first, and a report where there is none.
#[test]
fn a_run_of_frames_outside_is_reported_to_somebody_who_listens() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 100)?);
    dark(&store, UTC)?;
    let mut downlink = Downlink::with_key(Arc::clone(&store), &config(), Some(key()), 0.0, UTC)?;
    assert_eq!(report(&mut downlink, 0.0)?, Some(0), "nothing else asks for an answer");
    for (now, expected) in [(9.0, None), (10.0, Some(0)), (29.0, None), (30.0, Some(0)), (1000.0, Some(0))] {
        assert_eq!(report(&mut downlink, now)?, expected, "at {now} nobody has answered");
    }
    drop(downlink);
    let mut downlink = Downlink::with_key(Arc::clone(&store), &config(), Some(key()), 0.0, UTC)?;
    queue(&store, &[0])?;
    dark(&store, UTC + 100)?;
    assert_eq!(send(&mut downlink, 0.0)?, [[(0, false)]], "the caption asks for an answer");
    assert!(acknowledge(&mut downlink, 1, &[], 1.0)?);
    assert_eq!(
        [1.0; 2].map(|now| report(&mut downlink, now).ok().flatten()),
        [Some(0), Some(1)],
        "then reports come first"
    );
    assert!(acknowledge(&mut downlink, 2, &[0], 2.0)?);
    let later: Vec<Option<u16>> = [11.0, 11.0, 11.0, 30.0, 31.0, 31.0, 31.0]
        .iter()
        .map(|&now| report(&mut downlink, now).ok().flatten())
        .collect();
    assert_eq!(later, [Some(0), Some(1), None, None, Some(0), Some(1), None]);
    assert_eq!((store.waiting_reports()?, downlink.next(99.0, UTC, &language(), room(217))?), (0, Next::Empty));
    Ok(())
}

#[test]
fn without_an_uplink_a_report_is_sent_as_often_as_a_caption() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 100)?);
    dark(&store, UTC)?;
    let mut downlink = Downlink::with_key(store, &LinkConfig { sends: 2, ..config() }, None, 0.0, UTC)?;
    assert_eq!([0.0; 3].map(|now| report(&mut downlink, now).ok().flatten()), [Some(0), Some(0), None]);
    Ok(())
}

#[test]
fn a_contact_takes_what_it_may_and_nothing_more() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 100)?);
    queue(&store, &[0; 40])?;
    let contact = ContactConfig { bytes: 300, gap_seconds: 100.0, reserve: None, passes: None };
    let config = LinkConfig { contact: Some(contact), ..config() };
    let mut downlink = Downlink::with_key(Arc::clone(&store), &config, Some(key()), 0.0, UTC)?;
    let probe = send(&mut downlink, 0.0)?.concat().len();
    assert_eq!(probe, 1);
    assert!(acknowledge(&mut downlink, 1, &[0], 1.0)?);
    let before = store.counters()?[BYTES];
    let sent = send(&mut downlink, 2.0)?.concat().len();
    let spent = store.counters()?[BYTES] - before;
    assert!(sent > 10 && (250..=300).contains(&spent), "{sent} captions, {spent} bytes");
    assert!(send(&mut downlink, 50.0)?.is_empty(), "the budget is spent");
    drop(downlink);
    let mut downlink = Downlink::with_key(Arc::clone(&store), &config, Some(key()), 0.0, UTC + 60)?;
    assert!(send(&mut downlink, 0.0)?.is_empty(), "after a start, too");
    assert_eq!(send(&mut downlink, 60.0)?.len(), 1, "a probe once the contact is over");
    assert!(acknowledge(&mut downlink, 70_000, &[1], 61.0)?);
    assert!(!send(&mut downlink, 62.0)?.is_empty(), "the next contact");
    assert_eq!(store.counters()?[CONTACTS], 2);
    Ok(())
}

#[test]
fn without_an_uplink_captions_are_sent_as_often_as_configured() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 100)?);
    queue(&store, &[0, 1, 0])?;
    let config = LinkConfig { sends: 2, ..config() };
    let mut downlink = Downlink::with_key(store, &config, None, 0.0, UTC)?;
    let sent = send(&mut downlink, 0.0)?.concat();
    assert_eq!(sent, [(1, false), (0, false), (2, false), (1, true), (0, true), (2, true)]);
    Ok(())
}

#[test]
fn packets_fit_the_frames() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 100)?);
    queue(&store, &[0; 64])?;
    let config = LinkConfig { captions: 64, ..config() };
    let mut downlink = Downlink::with_key(store, &config, None, 0.0, UTC)?;
    let Next::Send(packet) = downlink.next(0.0, UTC, &language(), room(100))? else {
        anyhow::bail!("nothing to send");
    };
    assert!((70..=100).contains(&packet.bytes.len()), "{} bytes", packet.bytes.len());
    // A caption that fits nowhere is dropped and counted; the others go on.
    let before = downlink.store.waiting()?;
    assert!(matches!(downlink.next(0.0, UTC, &language(), room(9))?, Next::Wait(_)));
    assert_eq!((downlink.store.waiting()?, downlink.store.counters()?[Dropped::TooLong.name()]), (before - 1, 1));
    Ok(())
}

/// A caption a minute while nobody answers for a day; the ground then hears all of them.
#[test]
fn a_link_that_is_down_for_a_day_loses_nothing() -> Result<()> {
    const MINUTES: u32 = 24 * 60;
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 2 * u64::from(MINUTES))?);
    let config = LinkConfig { captions: 16, ..config() };
    let mut downlink = Downlink::with_key(Arc::clone(&store), &config, Some(key()), 0.0, UTC)?;
    let mut lost = Vec::new();
    for minute in 0..MINUTES {
        queue(&store, &[0])?;
        lost.extend(send(&mut downlink, f64::from(60 * minute))?.concat());
    }
    assert!((2..=MINUTES as usize).contains(&lost.len()), "{} probes went into the void", lost.len());
    assert_eq!(store.waiting()?, u64::from(MINUTES));
    let (mut heard, mut now, mut counter) = (std::collections::BTreeMap::new(), f64::from(60 * MINUTES), 0);
    while store.waiting()? > 0 {
        anyhow::ensure!(now < f64::from(70 * MINUTES), "{} captions are still waiting", store.waiting()?);
        let sent = send(&mut downlink, now)?;
        for (number, repeat) in sent.concat() {
            heard.entry(number).or_insert(repeat);
        }
        for packet in sent {
            let numbers: Vec<u32> = packet.into_iter().map(|(number, _)| number).collect();
            counter += 1;
            anyhow::ensure!(acknowledge(&mut downlink, counter, &numbers, now)?, "refused");
        }
        now += 1.0;
    }
    assert!(heard.keys().copied().eq(0..MINUTES));
    let marked = heard.iter().filter(|(_, repeat)| **repeat).map(|(number, _)| *number);
    assert!(marked.eq(lost.iter().map(|(number, _)| *number).collect::<std::collections::BTreeSet<_>>()));
    Ok(())
}

/// While the key is being changed: packets from the ground are taken under either, once each; packets down are under the next key as soon
/// as the ground has it. A third key is nothing.
#[test]
fn a_key_is_changed_in_service() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 100)?);
    queue(&store, &[0, 0, 0])?;
    let [next, third] = [Key::new([4; 32]), Key::new([5; 32])];
    let keys = Some(Keys::changing(key(), next.clone()));
    let mut downlink = Downlink::with_keys(Arc::clone(&store), &config(), keys.clone(), 0.0, UTC)?;
    let hello = |counter, key: &Key| up(counter, Up::acknowledge([]), key);
    let take =
        |downlink: &mut Downlink, packet: &[u8], now| downlink.receive(packet, now, UTC).map(|taken| taken.is_some());
    let sealed = |downlink: &mut Downlink, now, key: &Key| -> Result<bool> {
        let Next::Send(packet) = downlink.next(now, UTC, &language(), room(217))? else {
            anyhow::bail!("nothing is sent")
        };
        downlink.sent(&packet, 1, now)?;
        Ok(DownPacket::decode(&packet.bytes, Verification::Required(key), config().checksum).is_ok())
    };
    assert!(sealed(&mut downlink, 0.0, &key())?);
    assert!(!take(&mut downlink, &hello(1, &third)?, 1.0)?);
    assert!(
        take(&mut downlink, &hello(1, &key())?, 1.0)? && !take(&mut downlink, &hello(1, &key())?, 1.0)?,
        "a replay"
    );
    assert!(sealed(&mut downlink, 2.0, &key())?, "the ground may not have the next one");
    let late = hello(u32::MAX, &key())?;
    assert!(take(&mut downlink, &late, 3.0)?, "whoever has a key that leaked");
    assert!(take(&mut downlink, &hello(2, &next)?, 3.0)? && !take(&mut downlink, &hello(2, &next)?, 3.0)?, "a replay");
    assert!(sealed(&mut downlink, 30.0, &next)?);
    drop(downlink);
    // The next key has become the key: what was said under the one before is nothing.
    let mut downlink = Downlink::with_key(Arc::clone(&store), &config(), Some(next.clone()), 0.0, UTC)?;
    assert!(!take(&mut downlink, &late, 1.0)? && !take(&mut downlink, &hello(3, &key())?, 1.0)?);
    assert!(!take(&mut downlink, &hello(2, &next)?, 1.0)? && take(&mut downlink, &hello(3, &next)?, 1.0)?);
    assert!(sealed(&mut downlink, 2.0, &next)?);
    Ok(())
}

/// The clock is set in flight: what has not gone out yet has its time.
#[test]
fn captions_are_dated_when_the_clock_is_set() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 100)?);
    let mut downlink = Downlink::with_key(Arc::clone(&store), &config(), None, 0.0, 1000)?;
    let made = Caption { time: 20, text: "a river".into(), ..Caption::default() };
    store.settle(store.change(ChangeKind::Captioned), None, &Outcome::Queued(made.clone()))?;
    let time = |next| match next {
        Next::Send(packet) => packet.captions.first().map(|waiting| waiting.caption.time),
        _ => None,
    };
    assert_eq!(time(downlink.next(30.0, 1030, &language(), room(217))?), Some(20));
    store.settle(store.change(ChangeKind::Captioned), None, &Outcome::Queued(made))?;
    let set = clock::EARLIEST + 5000;
    downlink.date(40.0, set)?;
    let times: Vec<u32> = store.peek(9, |_| true)?.iter().map(|waiting| waiting.caption.time).collect();
    assert_eq!(times, [20, set - 20], "one was sent as it was");
    Ok(())
}

/// What goes out beside captions asks for no answer: it does not put off the caption that does.
#[test]
fn statuses_do_not_hold_up_captions_while_nobody_answers() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 100)?);
    queue(&store, &[0, 0])?;
    let config = LinkConfig { housekeeping_seconds: 4, ..config() };
    let mut downlink = Downlink::with_key(Arc::clone(&store), &config, Some(key()), 0.0, UTC)?;
    let mut sent = Vec::new();
    for second in 0..40 {
        let now = f64::from(second);
        let status = downlink.housekeeping((now, UTC), &language(), room(217), &|_, _| Housekeeping::default())?;
        status.iter().try_for_each(|packet| downlink.sent(packet, packet.bytes.len() + 6, now))?;
        sent.extend(send(&mut downlink, now)?.iter().map(|_| second));
    }
    assert_eq!(sent, [0, 10, 20, 30]);
    Ok(())
}
