//! Commands on their way up: one of a vehicle at a time, the same packet again and again while the vehicle is in reach, until it answers.

use super::{Attempt, Uplink, address_of};
use crate::archive::{Archive, OpenCommand, SentCommand};
use crate::error::{Error, Result, chain};
use cssa_wire::{Key, Up, UpPacket, WINDOW};
use std::time::{Duration, Instant};

/// A command that has no answer after so long is sent again: longer than a self-test takes.
const AGAIN: Duration = Duration::from_secs(5);
/// So often its vehicle may be heard after it went out, and not answer: what goes out into a gap between two passes is not in vain.
const MAX_IN_VAIN: u32 = 24;

/// What is to be done about a command or a picture.
#[derive(Debug, PartialEq, Eq)]
pub enum Due {
    /// Send this packet.
    Send(Vec<u8>),
    /// It went out often enough.
    GivenUp(Unanswered),
}

/// A command or a picture about which nobody has said anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} {id} has no answer from vehicle {vehicle}, sent {times} times: it may have another key, or an earlier program"
)]
pub struct Unanswered {
    /// `command` or `picture`.
    pub what: &'static str,
    /// Its row in the archive.
    pub id: i64,
    /// The vehicle; 0: it has no number.
    pub vehicle: u16,
    /// How often it was sent.
    pub times: u32,
}

impl Uplink {
    /// What is to be done at `now` about the commands and pictures of vehicles that were heard at a port from `to` within the last minute.
    pub(crate) fn due(&mut self, port: usize, to: &str, now: Instant, archive: &mut Archive) -> Result<Vec<Due>> {
        let mut all = self.due_commands(port, to, now, archive)?;
        all.append(&mut self.due_pictures(port, to, now, archive)?);
        Ok(all)
    }

    fn due_commands(&mut self, port: usize, to: &str, now: Instant, archive: &mut Archive) -> Result<Vec<Due>> {
        let mut all = Vec::new();
        for (whose, _, reach) in self.in_reach(port, to, now) {
            let sender = address_of(&whose, to);
            while let Some(open) = archive.open_command(whose.1, sender)? {
                let Some(contact) = self.contacts.get(&whose) else { break };
                let (key, heard, last) =
                    (contact.key.clone(), contact.heard, contact.attempt.filter(|attempt| attempt.id == open.id));
                // In another contact at once: what went out into the gap before it was not heard.
                let is_early =
                    |last: Attempt| now.saturating_duration_since(last.sent) < AGAIN && last.sent >= reach.began;
                if last.is_some_and(is_early) {
                    break;
                }
                let (id, times) = (open.id, last.map_or(0, |last| last.times));
                let in_vain = last.map_or(0, |last| last.in_vain + u32::from(heard > last.sent));
                if in_vain >= MAX_IN_VAIN {
                    archive.end_command(id, "unanswered", &format!("sent {times} times"))?;
                    all.push(Due::GivenUp(Unanswered { what: "command", id, vehicle: whose.1, times }));
                    continue;
                }
                // Where another station was faster, its packet is what goes out.
                let Some(packet) = self.packet_of(open, whose.1, sender, &key, archive)? else { continue };
                all.push(Due::Send(packet));
                if let Some(contact) = self.contacts.get_mut(&whose) {
                    contact.attempt = Some(Attempt { id, sent: now, times: times + 1, in_vain });
                }
                break;
            }
        }
        Ok(all)
    }

    /// Whether an acknowledgement would take the command for its vehicle out of that one's window: a number that is so far behind is not
    /// taken any more. The command goes first.
    pub(super) fn holds_back(&mut self, vehicle: u16, sender: &str, archive: &Archive) -> Result<bool> {
        // One that is not in reach gets no command now, and would wait for its acknowledgements in vain.
        if !self.contacts.contains_key(&super::whose(sender, vehicle)) {
            return Ok(false);
        }
        let open = archive.open_command(vehicle, sender)?.and_then(|open| open.sent);
        let Some(sent) = open.filter(|sent| sent.station == self.station.number) else { return Ok(false) };
        Ok(self.next_counter(archive)?.saturating_sub(sent.counter) >= WINDOW)
    }

    /// A packet that has gone out, under the key that its vehicle uses now, where that is another one: with the same number, so that the
    /// vehicle knows it again.
    pub(super) fn under(
        &self,
        key: &Key,
        vehicle: u16,
        (station, counter): (u8, u32),
        packet: &[u8],
        body: impl FnOnce() -> Option<Up>,
    ) -> Option<Vec<u8>> {
        let checksum = self.station.checksum;
        if UpPacket::decode(packet, vehicle, key, checksum).is_ok() {
            return None;
        }
        UpPacket { vehicle, station, counter, body: body()? }.encode(key, checksum).ok()
    }

    /// The packet of a command: the one that it has, or its first, kept before it goes out. Nothing where another station has just taken
    /// it, or where it cannot be sent, which is then its outcome.
    fn packet_of(
        &mut self,
        open: OpenCommand,
        vehicle: u16,
        to: &str,
        key: &Key,
        archive: &mut Archive,
    ) -> Result<Option<Vec<u8>>> {
        if let Some(sent) = open.sent {
            let SentCommand { station, counter, packet } = sent;
            let body = || serde_json::from_str(&open.command).ok().map(Up::Command);
            let Some(anew) = self.under(key, vehicle, (station, counter), &packet, body) else {
                return Ok(Some(packet));
            };
            archive.repack_command(open.id, &anew)?;
            return Ok(Some(anew));
        }
        let command = match serde_json::from_str(&open.command) {
            Ok(command) => command,
            Err(cause) => {
                let reason = format!("this ground does not know {}: {cause}", open.command);
                return archive.end_command(open.id, "refused", &reason).map(|()| None);
            }
        };
        match self.packet(vehicle, Up::Command(command), key, archive) {
            Ok((counter, packet)) => {
                let taken = archive.take_command(open.id, self.station.number, counter, to, &packet)?;
                Ok(taken.then_some(packet))
            }
            Err(error @ Error::Packet(_)) => archive.end_command(open.id, "refused", &chain(&error)).map(|()| None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{At, RECENT, Station};
    use super::*;
    use crate::message::Outcome;
    use anyhow::{Context, Result};
    use cssa_wire::{Checksum, Command, CommandResult};

    fn at() -> At {
        At { port: 0, peer: "uav".into() }
    }

    #[test]
    fn a_command_that_nobody_answers_is_given_up_and_a_late_answer_counts() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        let (key, start) = (Key::new([9; 32]), Instant::now());
        let mut uplink = Uplink::new(Station { number: 1, keys: key.clone().into(), checksum: Checksum::Crc32 });
        let (first, _) = (archive.give_command(12, &Command::Pause)?, archive.give_command(12, &Command::Resume)?);
        let mut sent = Vec::new();
        // Into a gap between two passes.
        uplink.heard(&at(), "uav", 12, &key, start);
        for n in 0..RECENT.as_secs() as u32 / 5 {
            sent.extend(uplink.due(0, "uav", start + n * AGAIN, &mut archive)?);
        }
        let gap = u32::try_from(sent.len())?;
        let (start, mut due) = (start + 10 * RECENT, Vec::new());
        for n in 1..=MAX_IN_VAIN {
            let now = start + n * AGAIN;
            uplink.heard(&at(), "uav", 12, &key, now);
            due = uplink.due(0, "uav", now, &mut archive)?;
            if n < MAX_IN_VAIN {
                sent.append(&mut due);
            }
        }
        let unanswered = Unanswered { what: "command", id: first, vehicle: 12, times: gap + MAX_IN_VAIN - 1 };
        assert_eq!(due.first(), Some(&Due::GivenUp(unanswered)));
        assert!(
            gap == 12 && sent.len() as u32 == gap + MAX_IN_VAIN - 1 && sent.iter().all(|due| *due == sent[0]),
            "{sent:?}"
        );
        assert_eq!(uplink.due(0, "uav", start + MAX_IN_VAIN * AGAIN + 2 * RECENT, &mut archive)?, [], "out of reach");
        let Some(Due::Send(next)) = due.get(1) else { anyhow::bail!("{due:?}") };
        let next = UpPacket::decode(next, 12, &key, Checksum::Crc32)?;
        assert_eq!(next.body, Up::Command(Command::Resume), "those after it do not wait for ever");
        let kept = archive.commands(9)?;
        assert_eq!((kept[1].state.as_str(), kept[1].reason.as_deref()), ("unanswered", Some("sent 35 times")));
        let counter = kept[1].counter.context("its number")?;
        let outcome = Outcome { station: 1, counter, result: CommandResult::Done, value: Vec::new() };
        archive.keep_outcome(13, &outcome)?;
        archive.keep_outcome(12, &Outcome { station: 2, ..outcome.clone() })?;
        assert_eq!(archive.commands(9)?[1].state, "unanswered", "another's answer");
        archive.keep_outcome(12, &outcome)?;
        assert_eq!((archive.commands(9)?[1].state.as_str(), &archive.commands(9)?[1].reason), ("done", &None));
        Ok(())
    }

    /// What a later program gave is not sent as something else, and does not hold up what comes after it.
    #[test]
    fn a_command_that_this_program_does_not_know_is_refused() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("captions.gpkg");
        let mut archive = Archive::open(&path)?;
        let later = "INSERT INTO commands (vehicle, command, made) VALUES (12, '\"FlyHome\"', '')";
        rusqlite::Connection::open(&path)?.execute(later, [])?;
        archive.give_command(12, &Command::Resume)?;
        let (key, start) = (Key::new([9; 32]), Instant::now());
        let mut uplink = Uplink::new(Station { number: 1, keys: key.clone().into(), checksum: Checksum::Crc32 });
        uplink.heard(&at(), "uav", 12, &key, start);
        assert_eq!(uplink.due(0, "uav", start, &mut archive)?.len(), 1);
        let state = "SELECT state || ': ' || reason FROM commands WHERE id = 1";
        let state: String = rusqlite::Connection::open(&path)?.query_row(state, [], |row| row.get(0))?;
        assert!(state.starts_with("refused: this ground does not know \"FlyHome\": "), "{state}");
        Ok(())
    }
}
