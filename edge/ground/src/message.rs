//! What a packet brought: captions, or a message of another kind.

use chrono::{DateTime, SecondsFormat, Utc};
use cssa_wire::{
    Answer, BEHIND, CaptionPacket, CommandResult, Down, DownPacket, FAILED, FaultKind, Footprint, FootprintPacket,
    Housekeeping, LATER, PicturePart, Report, Time, UNSUPPORTED,
};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt;

/// A packet that was taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Taken {
    /// Captions.
    Captions(CaptionPacket),
    /// Anything else.
    Message(Message),
}

/// A packet without captions. Its text is a line for a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who sent it; 0: not given.
    pub vehicle: u16,
    /// The bundle at work.
    pub bundle: u16,
    /// `housekeeping`, `picture_part`, `answer`, `report` or `footprints`.
    pub kind: &'static str,
    /// What it says.
    pub content: Value,
    /// The report that it is, where it is one.
    pub report: Option<Report>,
    /// How the vehicle is, where it says so.
    pub housekeeping: Option<Housekeeping>,
    /// What it says of a command or a request, where it answers one.
    pub outcome: Option<Outcome>,
    /// The part of a picture that it is, where it is one.
    pub part: Option<Part>,
    /// The footprints that it holds; empty where it is something else.
    pub footprints: Vec<Footprint>,
    said: String,
}

/// What a vehicle says of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The station that sent the command.
    pub station: u8,
    /// The command's number.
    pub counter: u32,
    /// What became of it.
    pub result: CommandResult,
    /// What there is to say; may be empty.
    pub value: Vec<u8>,
}

/// A part of a picture, as it came from a vehicle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The number of the request.
    pub ask: u16,
    /// Its number, from 0.
    pub part: u16,
    /// Parts of the picture.
    pub parts: u16,
    /// CRC-32 of the whole picture, in the last part.
    pub crc: Option<u32>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Outcome {
    /// What it says where that is text.
    #[must_use]
    pub fn detail(&self) -> String {
        String::from_utf8_lossy(&self.value).into_owned()
    }

    /// The highest number of its station that the vehicle has, where the packet's own was too far behind that to be taken.
    #[must_use]
    pub fn highest(&self) -> Option<u32> {
        let is_behind = self.result == CommandResult::Refused(BEHIND);
        is_behind.then(|| self.value.as_slice().try_into().ok().map(u32::from_le_bytes)).flatten()
    }
}

impl From<Answer<'_>> for Outcome {
    fn from(Answer { station, counter, result, value }: Answer<'_>) -> Self {
        Self { station, counter, result, value: value.to_vec() }
    }
}

impl Message {
    /// The message of a packet; nothing where it holds captions.
    #[must_use]
    pub fn of(packet: &DownPacket<'_>) -> Option<Self> {
        let found = FootprintPacket::of(packet).map_or(Vec::new(), |found| found.footprints);
        let (kind, content, said) = match packet.body {
            Down::Captions(_) => return None,
            Down::Housekeeping(housekeeping) => ("housekeeping", json!(housekeeping), state(&housekeeping)),
            Down::PicturePart(part) => picture_part(&part),
            Down::Answer(answer) => answered(&answer),
            Down::Report(report) => run(&report),
            Down::Footprints(_) => lie(&found),
        };
        let (vehicle, bundle) = (packet.vehicle, packet.bundle);
        let mut message = Self {
            vehicle,
            bundle,
            kind,
            content,
            report: None,
            housekeeping: None,
            outcome: None,
            part: None,
            footprints: found,
            said,
        };
        match packet.body {
            Down::Report(report) => message.report = Some(report),
            Down::Housekeeping(housekeeping) => message.housekeeping = Some(housekeeping),
            Down::Answer(answer) => message.outcome = Some(answer.into()),
            Down::PicturePart(PicturePart { ask, part, parts, crc, bytes }) => {
                message.part = Some(Part { ask, part, parts, crc, bytes: bytes.to_vec() });
            }
            Down::Captions(_) | Down::Footprints(_) => {}
        }
        Some(message)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.said)
    }
}

fn state(found: &Housekeeping) -> String {
    let Housekeeping { sequence, uptime, frames, queued, waiting, celsius, millijoules, .. } = *found;
    let mut said =
        vec![format!("up {uptime} s, {frames} frames, {queued} queued, {} dropped, {waiting} waiting", dropped(found))];
    said.extend(slot_name(found.slot).map(|slot| format!("slot {slot}")));
    said.extend((celsius > i8::MIN).then(|| format!("{celsius} °C")));
    said.extend(free_percent(found).map(|percent| format!("{percent} % of the disk free")));
    said.extend((millijoules > 0).then(|| format!("{millijoules} mJ a caption")));
    said.extend(fault_name(found.fault).map(|name| format!("last {name} ({} times)", found.fault_count)));
    format!("status {sequence}: {}", said.join(", "))
}

/// Frames that gave no caption for the link, modulo 2^16 as each group is.
fn dropped(found: &Housekeeping) -> u16 {
    let groups = found.dropped;
    [groups.image, groups.policy, groups.link, groups.machine].into_iter().fold(0, u16::wrapping_add)
}

/// The name of a slot's number; nothing where no slot is flown.
pub(crate) fn slot_name(slot: u8) -> Option<char> {
    match slot {
        1 => Some('a'),
        2 => Some('b'),
        _ => None,
    }
}

/// Per cent of the disk that are free, where that is known.
pub(crate) fn free_percent(found: &Housekeeping) -> Option<u32> {
    (found.free_disk <= 32).then(|| u32::from(found.free_disk) * 100 / 32)
}

/// The name of a fault's number; nothing where there was none.
pub(crate) fn fault_name(code: u8) -> Option<String> {
    let name = || FaultKind::of_code(code).map_or_else(|| format!("fault {code}"), |kind| kind.name().to_owned());
    (code > 0).then(name)
}

fn picture_part(found: &PicturePart<'_>) -> (&'static str, Value, String) {
    let PicturePart { ask, part, parts, crc, bytes } = *found;
    let content = json!({"ask": ask, "part": part, "parts": parts, "crc": crc, "bytes": bytes.len()});
    ("picture_part", content, format!("picture {ask}: part {} of {parts}, {} bytes", part + 1, bytes.len()))
}

fn answered(found: &Answer<'_>) -> (&'static str, Value, String) {
    let Answer { station, counter, result, value } = *found;
    let result = match result {
        CommandResult::Done => "done".to_owned(),
        CommandResult::Refused(UNSUPPORTED) => "refused: this program does not do that".to_owned(),
        CommandResult::Refused(FAILED) => "tried, and it failed".to_owned(),
        CommandResult::Refused(BEHIND) => "refused: the number is behind the vehicle's".to_owned(),
        CommandResult::Refused(LATER) => "not now".to_owned(),
        CommandResult::Refused(reason) => format!("refused for reason {reason}"),
        CommandResult::NotKept => "not kept".to_owned(),
    };
    let highest = Outcome::from(*found).highest().map(|highest| highest.to_string());
    let detail = highest.map_or_else(|| String::from_utf8_lossy(value), Cow::from);
    let colon = if detail.is_empty() { "" } else { ": " };
    let said = format!("answer to number {counter} of station {station}: {result}{colon}{detail}");
    ("answer", json!({"station": station, "counter": counter, "result": found.result, "value": detail}), said)
}

fn run(found: &Report) -> (&'static str, Value, String) {
    let Report { sequence, since, frames, .. } = *found;
    let (reason, since) = (reason_of(found), Time::from(since));
    let (utc, after_start) = (since.utc().map(utc), since.after_start());
    let since =
        utc.clone().unwrap_or_else(|| format!("{} s after the start, time not known", after_start.unwrap_or(0)));
    let said = format!("report {sequence}: {frames} frames outside since {since}: {reason}");
    let mut content = json!({"sequence": sequence, "reason": reason, "since": utc, "frames": frames});
    if let Some(seconds) = after_start {
        content["after_start"] = seconds.into();
    }
    ("report", content, said)
}

fn lie(found: &[Footprint]) -> (&'static str, Value, String) {
    let numbers = found.iter().map(|footprint| footprint.number.to_string()).collect::<Vec<_>>().join(", ");
    ("footprints", json!(found), format!("footprints of captions {numbers}"))
}

/// The name of a report's reason; every report that was taken has one.
pub(crate) fn reason_of(report: &Report) -> &'static str {
    report.outside().map_or("unknown", cssa::trust::Reason::name)
}

/// A time as RFC 3339 has it.
pub(crate) fn utc(seconds: u32) -> String {
    DateTime::<Utc>::from_timestamp(i64::from(seconds), 0)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cssa::trust::Reason;
    use cssa_wire::DroppedFrames;

    #[test]
    fn every_message_says_what_it_is() {
        let of = |body| Message::of(&DownPacket { vehicle: 3, bundle: 0xbeef, body });
        let said = |body| of(body).map(|message| message.to_string()).unwrap_or_default();
        assert_eq!(of(Down::Captions(&[])), None);
        let report = of(Down::Report(Report::of_run(4, Reason::Foggy, 1_763_928_000, 17)));
        let report = report.map(|message| (message.content.to_string(), message.to_string())).unwrap_or_default();
        assert_eq!(report.0, r#"{"frames":17,"reason":"foggy","sequence":4,"since":"2025-11-23T20:00:00Z"}"#);
        assert_eq!(report.1, "report 4: 17 frames outside since 2025-11-23T20:00:00Z: foggy");
        let undated = said(Down::Report(Report::of_run(4, Reason::Foggy, 40, 17)));
        assert_eq!(undated, "report 4: 17 frames outside since 40 s after the start, time not known: foggy");
        let answer = |result| said(Down::Answer(Answer { station: 1, counter: 9, result, value: &[] }));
        let failed = Answer { station: 1, counter: 9, result: CommandResult::Refused(FAILED), value: b"no words" };
        let failed = of(Down::Answer(failed)).map(|message| (message.content.to_string(), message.to_string()));
        let failed = failed.unwrap_or_default();
        assert_eq!(failed.0, r#"{"counter":9,"result":{"Refused":2},"station":1,"value":"no words"}"#);
        assert_eq!(failed.1, "answer to number 9 of station 1: tried, and it failed: no words");
        assert_eq!(answer(CommandResult::NotKept), "answer to number 9 of station 1: not kept");
        assert!(answer(CommandResult::Refused(7)).ends_with("refused for reason 7"));
        let part = PicturePart { ask: 1, part: 0, parts: 2, crc: None, bytes: &[1, 2] };
        assert_eq!(said(Down::PicturePart(part)), "picture 1: part 1 of 2, 2 bytes");
    }

    #[test]
    fn a_status_says_what_is_known_and_names_the_fault() {
        let said = |found| {
            let message = Message::of(&DownPacket { vehicle: 3, bundle: 1, body: Down::Housekeeping(found) });
            message.map(|message| message.to_string()).unwrap_or_default()
        };
        let nothing = Housekeeping { celsius: i8::MIN, free_disk: u8::MAX, ..Housekeeping::default() };
        assert_eq!(said(nothing), "status 0: up 0 s, 0 frames, 0 queued, 0 dropped, 0 waiting");
        let dropped = DroppedFrames { image: 1, policy: 65_535, link: 2, machine: 3 };
        let all = Housekeeping {
            sequence: 4,
            uptime: 90,
            frames: 12,
            queued: 7,
            dropped,
            fault: FaultKind::ModelDamage.code(),
            fault_count: 2,
            slot: 2,
            celsius: -4,
            free_disk: 8,
            millijoules: 230,
            waiting: 5,
            ..nothing
        };
        assert_eq!(
            said(all),
            "status 4: up 90 s, 12 frames, 7 queued, 5 dropped, 5 waiting, slot b, -4 °C, 25 % of the disk free, \
             230 mJ a caption, last model_damage (2 times)"
        );
        assert!(said(Housekeeping { fault: 77, ..nothing }).ends_with("last fault 77 (0 times)"));
    }
}
