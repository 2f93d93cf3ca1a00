//! Commands for vehicles: who gave which, under which number each went out, and what became of it. A command has one packet, whatever
//! program or station sends it, so that its vehicle does it once.

use super::{Archive, now};
use crate::error::{Error, Result};
use crate::message::Outcome;
use cssa_wire::{Checksum, Command, CommandResult, FAILED, Key, UNSUPPORTED, Up, UpPacket};
use rusqlite::params;
use serde::Serialize;
use serde_json::Value;

/// Commands without an outcome at most, and commands in all: then the oldest with an outcome go out.
const MAX_OPEN: u32 = 4000;
const MAX_COMMANDS: u32 = 10_000;

/// A command of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArchivedCommand {
    /// Its row.
    pub id: i64,
    /// For whom it is; 0: for a vehicle without a number.
    pub vehicle: u16,
    /// What is to be done: a [`Command`] as JSON, perhaps a later program's.
    pub command: Value,
    /// When it was given, UTC, as RFC 3339 has it.
    pub made: String,
    /// `waiting`, `sent`, `done`, `refused`, `not kept`, `unanswered` or `withdrawn`.
    pub state: String,
    /// The station under whose number it goes out.
    pub station: Option<u8>,
    /// Its number.
    pub counter: Option<u32>,
    /// What there is to say of its outcome.
    pub reason: Option<String>,
    /// When its outcome came, UTC, as RFC 3339 has it.
    pub answered: Option<String>,
}

/// A command without an outcome.
#[derive(Debug)]
pub(crate) struct OpenCommand {
    pub(crate) id: i64,
    /// As JSON: a later program may have written it.
    pub(crate) command: String,
    /// What went out, where it has.
    pub(crate) sent: Option<SentCommand>,
}

/// A command that has gone out.
#[derive(Debug)]
pub(crate) struct SentCommand {
    pub(crate) station: u8,
    pub(crate) counter: u32,
    pub(crate) packet: Vec<u8>,
}

impl Archive {
    /// Puts a command for a vehicle there, for a station to send; gives its row. One that no packet can hold is refused.
    pub fn give_command(&mut self, vehicle: u16, command: &Command) -> Result<i64> {
        // The longest station and number there are.
        let packet = UpPacket { vehicle, station: u8::MAX, counter: u32::MAX, body: Up::Command(command.clone()) };
        packet.encode(&Key::new([0; 32]), Checksum::Crc32)?;
        let unwritten = |cause| Error::Unread { archive: self.place.clone(), what: "a command", cause };
        let json = serde_json::to_string(command).map_err(unwritten)?;
        let refused = self.refused();
        let giving = self.database.write().map_err(&refused)?;
        let count = |which: &str| -> Result<u32> {
            let counted = giving.first(&format!("SELECT count(*) FROM commands WHERE {which}"), &[], |row| row.get(0));
            Ok(counted.map_err(&refused)?.unwrap_or(0))
        };
        if count("state IN ('waiting', 'sent')")? >= MAX_OPEN {
            return Err(Error::CommandsFull { archive: self.place.clone(), most: MAX_OPEN });
        }
        if count("true")? >= MAX_COMMANDS {
            let oldest = "DELETE FROM commands WHERE id IN
                 (SELECT id FROM commands WHERE state NOT IN ('waiting', 'sent') ORDER BY id LIMIT 100)";
            giving.execute(oldest, &[]).map_err(&refused)?;
        }
        let insert = "INSERT INTO commands (vehicle, command, made) VALUES (?1, ?2, ?3) RETURNING id";
        let id = giving.first(insert, params![vehicle, json, now()], |row| row.get(0)).map_err(&refused)?;
        giving.commit().map_err(&refused)?;
        Ok(id.unwrap_or_default())
    }

    /// How many commands more may wait.
    pub fn command_room(&self) -> Result<usize> {
        let open = "SELECT count(*) FROM commands WHERE state IN ('waiting', 'sent')";
        let open: u32 = self.database.first(open, &[], |row| row.get(0)).map_err(self.refused())?.unwrap_or(0);
        Ok(MAX_OPEN.saturating_sub(open) as usize)
    }

    /// The last `most` commands, the newest first.
    pub fn commands(&self, most: u32) -> Result<Vec<ArchivedCommand>> {
        let asked = "SELECT id, vehicle, made, state, station, counter, reason, answered, command FROM commands
             ORDER BY id DESC LIMIT ?1";
        let rows = self.rows(asked, params![most], |row| {
            let json: String = row.get(8)?;
            let (id, vehicle, made, state) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            let (station, counter, reason, answered) = (row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?);
            let with =
                |command| ArchivedCommand { id, vehicle, command, made, state, station, counter, reason, answered };
            Ok(serde_json::from_str(&json).map(with))
        })?;
        let unread = |cause| Error::Unread { archive: self.place.clone(), what: "a command", cause };
        rows.into_iter().map(|row| row.map_err(unread)).collect()
    }

    /// The oldest command for a vehicle that has no outcome: those after it wait, so that none overtakes another, but for a delta's parts,
    /// which may take days: what is given after them goes first, except for a switch of slots, which may be to their bundle. One for a
    /// vehicle without a number that has gone out is for the address that it went to.
    pub(crate) fn open_command(&self, vehicle: u16, sender: &str) -> Result<Option<OpenCommand>> {
        let asked = "SELECT id, command, station, counter, packet FROM commands AS given
             WHERE vehicle = ?1 AND state IN ('waiting', 'sent') AND (vehicle > 0 OR state = 'waiting' OR sender = ?2)
             ORDER BY CASE WHEN command LIKE '{\"DeltaPart\"%' OR command LIKE '{\"SwitchSlot\"%' AND EXISTS
              (SELECT 1 FROM commands AS part WHERE part.vehicle = given.vehicle AND part.state IN ('waiting', 'sent')
               AND part.id < given.id AND part.command LIKE '{\"DeltaPart\"%') THEN 1 ELSE 0 END, id LIMIT 1";
        let found = self.rows(asked, params![vehicle, sender], |row| {
            let sent = match row.get(2)? {
                None => None,
                Some(station) => Some(SentCommand { station, counter: row.get(3)?, packet: row.get(4)? }),
            };
            Ok(OpenCommand { id: row.get(0)?, command: row.get(1)?, sent })
        })?;
        Ok(found.into_iter().next())
    }

    /// A station takes a command under a number, and goes on to send it; `false` where another one has taken it.
    pub(crate) fn take_command(
        &mut self,
        id: i64,
        station: u8,
        counter: u32,
        sender: &str,
        packet: &[u8],
    ) -> Result<bool> {
        let take = "UPDATE commands SET state = 'sent', station = ?2, counter = ?3, sender = ?4, packet = ?5
             WHERE id = ?1 AND state = 'waiting'";
        let taken = self.database.execute(take, params![id, station, counter, sender, packet]);
        Ok(taken.map_err(self.refused())? == 1)
    }

    /// A command has an outcome that no vehicle told.
    pub(crate) fn end_command(&mut self, id: i64, state: &str, reason: &str) -> Result<()> {
        let end =
            "UPDATE commands SET state = ?2, reason = ?3, answered = ?4 WHERE id = ?1 AND state IN ('waiting', 'sent')";
        self.database.execute(end, params![id, state, reason, now()]).map(drop).map_err(self.refused())
    }

    /// Takes back the commands from one row to another, of one vehicle where it is named, that have not gone out; gives how many. Those
    /// that have may have been done.
    pub fn withdraw_commands(&mut self, first: i64, last: i64, vehicle: Option<u16>) -> Result<u64> {
        let withdraw = "UPDATE commands SET state = 'withdrawn', answered = ?4
             WHERE id BETWEEN ?1 AND ?2 AND state = 'waiting' AND vehicle = coalesce(?3, vehicle)";
        self.database.execute(withdraw, params![first, last, vehicle, now()]).map_err(self.refused())
    }

    /// A vehicle has said what became of a command; also of one that was given up. What it says first counts: whether this was that.
    pub(crate) fn keep_outcome(&mut self, vehicle: u16, outcome: &Outcome) -> Result<bool> {
        let Outcome { station, counter, result, .. } = outcome;
        if outcome.highest().is_some() {
            // The vehicle has not taken it, and does not know what became of it: it goes out anew.
            let anew = "UPDATE commands SET state = 'waiting', station = NULL, counter = NULL, packet = NULL
                 WHERE vehicle = ?1 AND station = ?2 AND counter = ?3 AND state = 'sent'";
            let opened = self.database.execute(anew, params![vehicle, station, counter]).map_err(self.refused())?;
            return Ok(opened > 0);
        }
        let detail = outcome.detail();
        let (state, reason) = match result {
            CommandResult::Done => ("done", detail),
            CommandResult::NotKept => ("not kept", detail),
            CommandResult::Refused(FAILED) if !detail.is_empty() => ("refused", detail),
            CommandResult::Refused(UNSUPPORTED) => ("refused", with("this program does not do that", &detail)),
            CommandResult::Refused(FAILED) => ("refused", "tried, and it failed".into()),
            CommandResult::Refused(number) => ("refused", with(&format!("reason {number}"), &detail)),
        };
        let keep = "UPDATE commands SET state = ?4, reason = nullif(?5, ''), answered = ?6
             WHERE vehicle = ?1 AND station = ?2 AND counter = ?3 AND state IN ('sent', 'unanswered')";
        let kept = self.database.execute(keep, params![vehicle, station, counter, state, reason, now()]);
        Ok(kept.map_err(self.refused())? > 0)
    }

    /// Whether anything of a vehicle is kept.
    pub fn has_heard(&self, vehicle: u16) -> Result<bool> {
        let asked = "SELECT EXISTS (SELECT 1 FROM captions WHERE vehicle = ?1) OR EXISTS (SELECT 1 FROM messages WHERE vehicle = ?1)
             OR EXISTS (SELECT 1 FROM reports WHERE vehicle = ?1)";
        Ok(self.database.first(asked, params![vehicle], |row| row.get(0)).map_err(self.refused())?.unwrap_or(false))
    }

    /// The vehicle whose commands need not name it: the only one of which anything is kept.
    pub fn only_vehicle(&self) -> Result<Option<u16>> {
        let asked = "SELECT max(vehicle) FROM (SELECT DISTINCT vehicle FROM captions UNION SELECT DISTINCT vehicle FROM messages
             UNION SELECT DISTINCT vehicle FROM reports) AS all_vehicles HAVING count(*) = 1";
        self.database.first(asked, &[], |row| row.get(0)).map_err(self.refused())
    }
}

fn with(reason: &str, detail: &str) -> String {
    if detail.is_empty() { reason.to_owned() } else { format!("{reason}: {detail}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, Result};
    use cssa_wire::WatchWord;

    #[test]
    fn what_no_packet_holds_is_refused_and_said() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        let word = |word: &str| WatchWord { word: word.into(), priority: 1 };
        for (command, said) in [
            (Command::SetThreshold { thousandths: 1001 }, "thousandths is 1001, expected 0 to 1000"),
            (Command::SwitchSlot { slot: 3 }, "slot is 3, expected 1 or 2"),
            (Command::SetWatchWords(vec![word("")]), "a watch-word in bytes is 0, expected 1 to 64"),
            (Command::SetWatchWords(vec![word(&"x".repeat(60)), word(&"y".repeat(60))]), "128 up"),
        ] {
            let error = archive.give_command(12, &command).err().context("an error")?.to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(archive.commands(9)?.is_empty());
        Ok(())
    }

    /// A `ground receive` writes at the same time.
    #[test]
    fn a_command_waits_while_another_program_writes() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("captions.gpkg");
        drop(Archive::open(&path)?);
        let other = rusqlite::Connection::open(&path)?;
        other.busy_timeout(std::time::Duration::from_secs(10))?;
        for _ in 0..5 {
            other.execute_batch("BEGIN IMMEDIATE; INSERT INTO ground_stations VALUES (NULL, 0)")?;
            let path = path.clone();
            let giving = std::thread::spawn(move || Archive::open(&path)?.give_command(12, &Command::Pause));
            std::thread::sleep(std::time::Duration::from_millis(300));
            other.execute_batch("COMMIT")?;
            assert!(giving.join().is_ok_and(|given| given.is_ok()));
        }
        assert_eq!(Archive::read(&path)?.commands(9)?.len(), 5);
        Ok(())
    }

    #[test]
    fn commands_are_bounded_and_none_that_is_open_goes_out() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        let fill = |count: u32, state: &str| {
            format!(
                "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {count})
                 INSERT INTO commands (vehicle, command, made, state) SELECT 12, '\"Pause\"', '', '{state}' FROM n"
            )
        };
        archive.database.execute_batch(&fill(MAX_OPEN - 1, "waiting"))?;
        archive.database.execute_batch(&fill(MAX_COMMANDS - MAX_OPEN + 1, "done"))?;
        let last = archive.give_command(12, &Command::Resume)?;
        assert_eq!(archive.commands(99_999)?.len(), MAX_COMMANDS as usize - 99);
        let open = archive.open_command(12, "")?.context("the first")?;
        assert_eq!((open.id, archive.commands(1)?[0].id), (1, last));
        let error = archive.give_command(12, &Command::Resume).err().context("full")?.to_string();
        assert!(error.contains("4000 commands have no outcome yet"), "{error}");
        Ok(())
    }
}
