//! Archives of earlier programs: their captions have a score, and neither a vehicle nor a confidence; two vehicles of one address are one;
//! their times have no milliseconds.

use crate::geopackage::{EXTENSIONS, GROUND, TRIGGERS};
use rusqlite::{Connection, Transaction};

/// Gives an earlier archive's captions the columns of this version. Scores that are there stay in a column that new rows leave empty:
/// they are no confidences.
pub(super) fn migrate(database: &mut Connection) -> rusqlite::Result<()> {
    let migrating = database.transaction()?;
    let has_vehicle = "SELECT count(*) FROM pragma_table_info('captions') WHERE name = 'vehicle'";
    if migrating.query_row(has_vehicle, [], |row| row.get::<_, i64>(0))? == 0 {
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
    if !tells_vehicles_apart(&migrating)? {
        tell_vehicles_apart(&migrating)?;
    }
    migrating.execute_batch(GROUND)?;
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

/// What makes captions one, in an earlier archive and now.
const SENDERS: &str = "UNIQUE (sender, sequence, time, caption)";
const VEHICLES: &str = "UNIQUE (sender, vehicle, sequence, time, caption)";

fn tells_vehicles_apart(database: &Connection) -> rusqlite::Result<bool> {
    let asked = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'captions' AND instr(sql, ?1))";
    database.query_row(asked, [VEHICLES], |row| row.get(0))
}

/// SQLite takes no UNIQUE from a table: its rows move to another.
fn tell_vehicles_apart(migrating: &Transaction<'_>) -> rusqlite::Result<()> {
    let asked = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'captions'";
    let earlier: String = migrating.query_row(asked, [], |row| row.get(0))?;
    let anew = earlier.replacen("captions", "captions_anew", 1).replacen(SENDERS, VEHICLES, 1);
    migrating.execute_batch(&anew)?;
    migrating.execute_batch(
        "INSERT INTO captions_anew SELECT * FROM captions;
         DROP TABLE captions;
         ALTER TABLE captions_anew RENAME TO captions;",
    )?;
    migrating.execute_batch(TRIGGERS)
}

/// Whether an archive is as this program makes it.
pub(super) fn is_current(database: &Connection) -> rusqlite::Result<bool> {
    let asked =
        "SELECT (SELECT count(*) FROM sqlite_schema WHERE name IN ('ground_stations', 'reports', 'messages')) = 3
        AND EXISTS (SELECT 1 FROM pragma_table_info('captions') WHERE name = 'vehicle')";
    Ok(database.query_row(asked, [], |row| row.get(0))? && tells_vehicles_apart(database)?)
}

#[cfg(test)]
mod tests {
    use super::super::Archive;
    use super::VEHICLES;
    use crate::geopackage::{SCHEMA, TRIGGERS};
    use anyhow::{Context, Result};
    use cssa_wire::{Caption, CaptionPacket};
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
            "INSERT INTO captions (sender, sequence, time, caption, score, priority, bundle, received)
             VALUES ('uav', 3, '2025-11-23T20:00:00Z', 'a bridge over a river', .75, 1, 'beef', '2025-11-23T20:00:01Z');",
        )?;
        drop(database);
        // Where it may not be written, it is read as it is.
        let before = std::fs::read(&path)?;
        let found = Archive::read(&path)?.captions(Some("river"))?;
        assert_eq!((found.len(), found[0].time.as_str()), (1, "2025-11-23T20:00:00.000Z"));
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
                [(4, 12), (4, 13), (3, 0)],
                "two vehicles of one address"
            );
            assert!(found.iter().all(|found| found.confidence.is_none() && found.outside.is_none()));
            assert!(found.iter().all(|found| found.time.ends_with(":00.000Z")), "{found:?}");
        }
        let kept: f64 =
            Connection::open(&path)?
                .query_row("SELECT score FROM captions WHERE sequence = 3", [], |row| row.get(0))?;
        assert_eq!(kept, 0.75);
        Ok(())
    }
}
