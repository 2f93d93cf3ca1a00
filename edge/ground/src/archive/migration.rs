//! Archives of earlier programs: their captions have a score, and neither a vehicle nor a confidence; two vehicles of one address are one;
//! their times have no milliseconds, and dates before 2020 where the vehicle did not know the time; packets that wait do not say with which checksum they came, and nothing says what was authentic.

use super::footprints::{FOOTPRINTS, LAYER};
use crate::geopackage::{EXTENSIONS, GROUND, TRIGGERS};
use rusqlite::{Connection, Transaction};

/// Gives an earlier archive's captions the columns of this version. Scores that are there stay in a column that new rows leave empty:
/// they are no confidences.
pub(super) fn migrate(database: &mut Connection) -> rusqlite::Result<()> {
    let migrating = database.transaction()?;
    if !has(&migrating, "captions", "vehicle")? {
        // SQLite takes no NOT NULL from a column.
        migrating.execute_batch(
            "ALTER TABLE captions ADD COLUMN vehicle INTEGER NOT NULL DEFAULT 0;
             ALTER TABLE captions ADD COLUMN confidence DOUBLE;
             ALTER TABLE captions ADD COLUMN outside TEXT;
             ALTER TABLE captions ADD COLUMN earlier_score DOUBLE;
             UPDATE captions SET earlier_score = score;
             ALTER TABLE captions DROP COLUMN score;
             ALTER TABLE captions RENAME COLUMN earlier_score TO score;",
        )?;
    }
    if !has(&migrating, "captions", "after_start")? {
        migrating.execute_batch("ALTER TABLE captions ADD COLUMN after_start INTEGER")?;
    }
    if !is_as_now(&migrating)? {
        rebuild(&migrating, "captions", &[(SENDERS, VEHICLES), (DATED, UNDATED)])?;
        migrating.execute_batch(TRIGGERS)?;
        // What they count from nobody knows.
        migrating.execute_batch("UPDATE captions SET time = NULL WHERE time < '2020'")?;
    }
    if !has(&migrating, "undecoded", "checksum")? {
        // The first byte of a packet with 16 bits has its highest bit set.
        migrating.execute_batch(
            "ALTER TABLE undecoded ADD COLUMN checksum INTEGER NOT NULL DEFAULT 32;
             ALTER TABLE undecoded ADD COLUMN authentic INTEGER NOT NULL DEFAULT 0;
             UPDATE undecoded SET checksum = 16 WHERE hex(substr(packet, 1, 1)) >= '80';",
        )?;
    }
    for table in ["reports", "messages"] {
        if has(&migrating, table, "sender")? && !has(&migrating, table, "authentic")? {
            migrating.execute_batch(&format!("ALTER TABLE {table} ADD COLUMN authentic INTEGER NOT NULL DEFAULT 0"))?;
        }
    }
    if has(&migrating, "messages", "sender")? && !has(&migrating, "messages", "late")? {
        migrating.execute_batch("ALTER TABLE messages ADD COLUMN late INTEGER NOT NULL DEFAULT 0")?;
    }
    if has(&migrating, "reports", "sender")? && !has(&migrating, "reports", "after_start")? {
        migrating.execute_batch("ALTER TABLE reports ADD COLUMN after_start INTEGER")?;
        rebuild(&migrating, "reports", &[("since DATETIME NOT NULL", "since DATETIME")])?;
        migrating.execute_batch("UPDATE reports SET since = NULL WHERE since < '2020'")?;
    }
    if !has(&migrating, "reports", "late")? && has(&migrating, "reports", "sender")? {
        migrating.execute_batch("ALTER TABLE reports ADD COLUMN late INTEGER NOT NULL DEFAULT 0")?;
    }
    // A status that says the same after another start is another.
    if is_once(&migrating)? {
        rebuild(&migrating, "messages", &[(ONCE, "")])?;
    }
    migrating.execute_batch(GROUND)?;
    migrating.execute_batch(FOOTPRINTS)?;
    migrating.execute_batch(LAYER)?;
    migrating.execute_batch(EXTENSIONS)?;
    // A caption that comes again is known by its time, too.
    for (table, column) in [
        ("captions", "time"),
        ("captions", "received"),
        ("undecoded", "received"),
        ("reports", "since"),
        ("reports", "received"),
        ("messages", "received"),
    ] {
        migrating.execute(
            &format!("UPDATE {table} SET {column} = replace({column}, 'Z', '.000Z') WHERE length({column}) = 20"),
            [],
        )?;
    }
    migrating.commit()
}

fn has(database: &Connection, table: &str, column: &str) -> rusqlite::Result<bool> {
    let asked = "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2)";
    database.query_row(asked, [table, column], |row| row.get(0))
}

/// What makes captions one, in an earlier archive and now.
const SENDERS: &str = "UNIQUE (sender, sequence, time, caption)";
const VEHICLES: &str = "UNIQUE (sender, vehicle, sequence, time, caption)";

/// Their time: always there in an earlier archive, and now.
const DATED: &str = "time DATETIME NOT NULL";
const UNDATED: &str = "time DATETIME";

/// What made the same bytes one message for ever in an earlier archive.
const ONCE: &str = ", UNIQUE (sender, packet)";

fn is_once(database: &Connection) -> rusqlite::Result<bool> {
    let asked = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'messages' AND instr(sql, ?1))";
    database.query_row(asked, [ONCE], |row| row.get(0))
}

fn is_as_now(database: &Connection) -> rusqlite::Result<bool> {
    let asked =
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'captions' AND instr(sql, ?1) AND NOT instr(sql, ?2))";
    database.query_row(asked, [VEHICLES, DATED], |row| row.get(0))
}

/// SQLite takes neither UNIQUE nor NOT NULL from a table: its rows move to another, in whose description parts are replaced.
fn rebuild(migrating: &Transaction<'_>, table: &str, replaced: &[(&str, &str)]) -> rusqlite::Result<()> {
    let asked = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let earlier: String = migrating.query_row(asked, [table], |row| row.get(0))?;
    let anew = earlier.replacen(table, &format!("{table}_anew"), 1);
    let anew = replaced.iter().fold(anew, |anew, (before, now)| anew.replacen(before, now, 1));
    migrating.execute_batch(&anew)?;
    migrating.execute_batch(&format!(
        "INSERT INTO {table}_anew SELECT * FROM {table};
         DROP TABLE {table};
         ALTER TABLE {table}_anew RENAME TO {table};",
    ))
}

/// Whether an archive is as this program makes it.
pub(super) fn is_current(database: &Connection) -> rusqlite::Result<bool> {
    for (table, column) in
        [("captions", "after_start"), ("undecoded", "checksum"), ("reports", "late"), ("messages", "late")]
    {
        if !has(database, table, column)? {
            return Ok(false);
        }
    }
    let has_tables = has(database, "ground_stations", "reserved")?
        && has(database, "commands", "counter")?
        && has(database, "footprints", "accuracy")?
        && has(database, "pictures", "picture")?;
    Ok(has_tables && is_as_now(database)? && !is_once(database)?)
}

#[cfg(test)]
mod tests {
    use super::super::{Archive, Origin, Provenance};
    use super::VEHICLES;
    use crate::geopackage::{SCHEMA, TRIGGERS};
    use crate::message::Message;
    use anyhow::{Context, Result};
    use cssa_wire::{Caption, CaptionPacket, Checksum, Down, DownPacket, Housekeeping};
    use rusqlite::Connection;

    /// The columns of captions as version 2's programs made them.
    const EARLIER: &str = "time DATETIME NOT NULL, caption TEXT NOT NULL, score DOUBLE NOT NULL, priority INTEGER NOT NULL, bundle TEXT NOT NULL,
  latitude DOUBLE, longitude DOUBLE, received DATETIME NOT NULL, times_received INTEGER NOT NULL DEFAULT 1,
  UNIQUE (sender, sequence, time, caption));";

    #[test]
    fn an_earlier_archive_opens_and_goes_on() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("captions.gpkg");
        let (start, rest) = SCHEMA.split_once("  time DATETIME").context("time")?;
        let (_, rest) = rest.split_once(&format!("{VEHICLES});")).context("UNIQUE")?;
        let database = Connection::open(&path)?;
        database.pragma_update(None, "application_id", crate::geopackage::APPLICATION)?;
        database.execute_batch(&format!(
            "{}{EARLIER}{rest}{TRIGGERS}",
            start.replace("vehicle INTEGER NOT NULL DEFAULT 0, ", "")
        ))?;
        database.execute_batch(
            "CREATE TABLE reports (
               id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, sender TEXT NOT NULL, vehicle INTEGER NOT NULL, sequence INTEGER NOT NULL,
               reason TEXT NOT NULL, since DATETIME NOT NULL, frames INTEGER NOT NULL, received DATETIME NOT NULL,
               UNIQUE (sender, vehicle, sequence, reason, since, frames));
             INSERT INTO reports (sender, vehicle, sequence, reason, since, frames, received)
             VALUES ('uav', 12, 3, 'dark', '2025-11-23T20:00:00Z', 40, '2025-11-23T20:00:01Z');
             CREATE TABLE messages (
               id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, sender TEXT NOT NULL, vehicle INTEGER NOT NULL, bundle TEXT NOT NULL,
               kind TEXT NOT NULL, content TEXT NOT NULL, packet BLOB NOT NULL, received DATETIME NOT NULL, UNIQUE (sender, packet));
             INSERT INTO messages (sender, vehicle, bundle, kind, content, packet, received)
             VALUES ('uav', 12, '0007', 'housekeeping', '{}', x'030c', '2025-11-23T20:00:01Z');",
        )?;
        for column in ["checksum", "authentic"] {
            database.execute_batch(&format!("ALTER TABLE undecoded DROP COLUMN {column}"))?;
        }
        database.execute_batch(
            "INSERT INTO undecoded (sender, bundle, packet, received) VALUES
             ('uav', '0007', x'8300', '2025-11-23T20:00:01Z'), ('uav', '0007', x'0300', '2025-11-23T20:00:01Z');",
        )?;
        database.execute_batch(
            "INSERT INTO captions (sender, sequence, time, caption, score, priority, bundle, received)
             VALUES ('uav', 3, '2025-11-23T20:00:00Z', 'a bridge over a river', .75, 1, 'beef', '2025-11-23T20:00:01Z');",
        )?;
        drop(database);
        // Where it may not be written, it is read as it is.
        let before = std::fs::read(&path)?;
        let found = Archive::read(&path)?.captions(Some("river"))?;
        assert_eq!((found.len(), found[0].time.as_deref()), (1, Some("2025-11-23T20:00:00.000Z")));
        assert!(std::fs::read(&path)? == before);
        for _ in 0..2 {
            let mut archive = Archive::open(&path)?;
            let caption = Caption { sequence: 4, text: "a river".into(), ..Caption::default() };
            for vehicle in [12, 13] {
                let captions = vec![caption.clone()];
                archive.keep("uav", &CaptionPacket { vehicle, bundle: 1, decimals: 5, captions })?;
            }
            let found = archive.captions(Some("river"))?;
            assert_eq!(
                found.iter().map(|found| (found.sequence, found.vehicle)).collect::<Vec<_>>(),
                [(3, 0), (4, 12), (4, 13)],
                "two vehicles of one address"
            );
            assert_eq!(archive.reports(9)?.len(), 1);
            assert!(archive.housekeeping(&Origin::Vehicle(12), 9).is_err(), "no status has no fields");
            // The same bytes as long ago are another start's status.
            let status = Down::Housekeeping(Housekeeping::default());
            let status = Message::of(&DownPacket { vehicle: 12, bundle: 7, body: status }).context("a message")?;
            archive.keep_message("uav", &status, &[3, 12], Provenance::Anybody)?;
            assert_eq!(archive.messages(9)?.len(), 2, "the one of before, and one of the last minutes");
            let waiting = archive.undecoded(7, 9)?;
            assert_eq!(
                waiting.iter().map(|(_, waiting)| waiting.checksum).collect::<Vec<_>>(),
                [Checksum::Crc16, Checksum::Crc32]
            );
            assert!(found.iter().all(|found| found.confidence.is_none() && found.outside.is_none()));
            assert_eq!(found[0].time.as_deref(), Some("2025-11-23T20:00:00.000Z"));
            assert_eq!(
                found[1..].iter().map(|found| (&found.time, found.after_start)).collect::<Vec<_>>(),
                [(&None, Some(0)); 2]
            );
        }
        let kept: f64 =
            Connection::open(&path)?
                .query_row("SELECT score FROM captions WHERE sequence = 3", [], |row| row.get(0))?;
        assert_eq!(kept, 0.75);
        Ok(())
    }
}
