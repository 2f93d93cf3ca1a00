//! Archives of earlier programs: their captions have a score, and neither a vehicle nor a confidence.

use rusqlite::Connection;

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
    migrating.commit()
}

#[cfg(test)]
mod tests {
    use super::super::Archive;
    use crate::geopackage::SCHEMA;
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
        let (_, rest) = rest.split_once("UNIQUE (sender, sequence, time, caption));").context("UNIQUE")?;
        let database = Connection::open(&path)?;
        database.pragma_update(None, "application_id", crate::geopackage::APPLICATION)?;
        database
            .execute_batch(&format!("{}{EARLIER}{rest}", start.replace("vehicle INTEGER NOT NULL DEFAULT 0, ", "")))?;
        database.execute_batch(
            "INSERT INTO captions (sender, sequence, time, caption, score, priority, bundle, received)
             VALUES ('uav', 3, '2025-11-23T20:00:00Z', 'a bridge over a river', .75, 1, 'beef', '2025-11-23T20:00:01Z');",
        )?;
        drop(database);
        for _ in 0..2 {
            let mut archive = Archive::open(&path)?;
            let caption = Caption { sequence: 4, text: "a river".into(), ..Caption::default() };
            archive.keep("uav", &CaptionPacket { vehicle: 12, bundle: 1, decimals: 5, captions: vec![caption] })?;
            let found = archive.captions(Some("river"))?;
            assert_eq!(
                found.iter().map(|found| (found.sequence, found.vehicle)).collect::<Vec<_>>(),
                [(4, 12), (3, 0)]
            );
            assert!(found.iter().all(|found| found.confidence.is_none() && found.outside.is_none()));
        }
        let kept: f64 =
            Connection::open(&path)?
                .query_row("SELECT score FROM captions WHERE sequence = 3", [], |row| row.get(0))?;
        assert_eq!(kept, 0.75);
        Ok(())
    }
}
