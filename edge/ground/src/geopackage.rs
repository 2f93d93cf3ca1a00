//! The tables that make an SQLite file a GeoPackage 1.3 (OGC 12-128r17), and its geometry.

use chrono::{DateTime, SecondsFormat, Utc};

/// `application_id`: "GPKG".
pub(super) const APPLICATION: i32 = 0x4750_4B47;
/// `user_version`: 1.3.0.
pub(super) const VERSION: i32 = 10_300;

/// Everything that a new file begins with.
pub(super) const SCHEMA: &str = r#"
CREATE TABLE gpkg_spatial_ref_sys (
  srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
INSERT INTO gpkg_spatial_ref_sys VALUES
  ('Undefined Cartesian', -1, 'NONE', -1, 'undefined', NULL),
  ('Undefined geographic', 0, 'NONE', 0, 'undefined', NULL),
  ('WGS 84', 4326, 'EPSG', 4326,
   'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433],AUTHORITY["EPSG","4326"]]',
   NULL);
CREATE TABLE gpkg_contents (
  table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE, description TEXT DEFAULT '',
  last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL,
  z TINYINT NOT NULL, m TINYINT NOT NULL, PRIMARY KEY (table_name, column_name),
  FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE captions (
  fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom BLOB, sender TEXT NOT NULL, vehicle INTEGER NOT NULL DEFAULT 0, sequence INTEGER NOT NULL,
  time DATETIME, caption TEXT NOT NULL, confidence DOUBLE, outside TEXT, priority INTEGER NOT NULL, bundle TEXT NOT NULL,
  latitude DOUBLE, longitude DOUBLE, received DATETIME NOT NULL, times_received INTEGER NOT NULL DEFAULT 1, after_start INTEGER,
  UNIQUE (sender, vehicle, sequence, time, caption));
INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) VALUES ('captions', 'features', 'captions', 4326);
INSERT INTO gpkg_geometry_columns VALUES ('captions', 'geom', 'POINT', 4326, 0, 0);
CREATE TABLE undecoded (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, sender TEXT NOT NULL, bundle TEXT NOT NULL, packet BLOB NOT NULL UNIQUE,
  received DATETIME NOT NULL, checksum INTEGER NOT NULL DEFAULT 32, authentic INTEGER NOT NULL DEFAULT 0);
CREATE VIRTUAL TABLE caption_words USING fts5(caption, content='captions', content_rowid='fid');
"#;

/// Keeps the full-text index.
pub(super) const TRIGGERS: &str = r#"
CREATE TRIGGER captions_words_insert AFTER INSERT ON captions BEGIN
  INSERT INTO caption_words(rowid, caption) VALUES (new.fid, new.caption); END;
CREATE TRIGGER captions_words_delete AFTER DELETE ON captions BEGIN
  INSERT INTO caption_words(caption_words, rowid, caption) VALUES ('delete', old.fid, old.caption); END;
"#;

/// What the ground itself remembers, and what came beside captions; archives of earlier programs get these tables, too, and so does a
/// server's database, with its types ([`crate::database::Dialect::tables`]).
pub(super) const GROUND: &str = "
CREATE INDEX IF NOT EXISTS captions_numbers ON captions (vehicle, sequence);
CREATE TABLE IF NOT EXISTS ground_stations (station INTEGER PRIMARY KEY NOT NULL, reserved INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS reports (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, sender TEXT NOT NULL, vehicle INTEGER NOT NULL, sequence INTEGER NOT NULL,
  reason TEXT NOT NULL, since DATETIME, frames INTEGER NOT NULL, received DATETIME NOT NULL,
  authentic INTEGER NOT NULL DEFAULT 0, after_start INTEGER, late INTEGER NOT NULL DEFAULT 0,
  UNIQUE (sender, vehicle, sequence, reason, since, frames));
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, sender TEXT NOT NULL, vehicle INTEGER NOT NULL, bundle TEXT NOT NULL,
  kind TEXT NOT NULL, content TEXT NOT NULL, packet BLOB NOT NULL, received DATETIME NOT NULL,
  authentic INTEGER NOT NULL DEFAULT 0, late INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS undecoded_senders ON undecoded (sender, authentic);
CREATE INDEX IF NOT EXISTS messages_senders ON messages (sender, authentic);
CREATE INDEX IF NOT EXISTS reports_senders ON reports (sender, authentic);
CREATE INDEX IF NOT EXISTS reports_numbers ON reports (vehicle, sequence);
CREATE INDEX IF NOT EXISTS messages_packets ON messages (packet);
CREATE INDEX IF NOT EXISTS messages_vehicles ON messages (vehicle, kind);
CREATE INDEX IF NOT EXISTS messages_received ON messages (vehicle, received);
CREATE INDEX IF NOT EXISTS captions_received ON captions (vehicle, received);
CREATE TABLE IF NOT EXISTS commands (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, vehicle INTEGER NOT NULL, command TEXT NOT NULL, made DATETIME NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting', station INTEGER, counter INTEGER, sender TEXT, packet BLOB, reason TEXT, answered DATETIME,
  UNIQUE (station, counter));
CREATE INDEX IF NOT EXISTS commands_states ON commands (state, vehicle);
CREATE TABLE IF NOT EXISTS pictures (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, caption INTEGER NOT NULL, vehicle INTEGER NOT NULL, sender TEXT NOT NULL,
  sequence INTEGER NOT NULL, pixels INTEGER NOT NULL, crop TEXT, made DATETIME NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',
  station INTEGER, ask INTEGER, counter INTEGER, packet BLOB, sent DATETIME, parts INTEGER, crc INTEGER, promised INTEGER, width INTEGER, height INTEGER, reason TEXT,
  answered DATETIME, picture BLOB);
CREATE INDEX IF NOT EXISTS pictures_states ON pictures (state, vehicle);
CREATE INDEX IF NOT EXISTS pictures_captions ON pictures (caption);
CREATE TABLE IF NOT EXISTS picture_parts (
  picture INTEGER NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (picture, part));
";

/// Says which tables are no layers: those of an extension of our own, and, for GDAL, all that `gpkg_contents` does not name.
pub(super) const EXTENSIONS: &str = "
CREATE TABLE IF NOT EXISTS gpkg_extensions (
  table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL, scope TEXT NOT NULL,
  UNIQUE (table_name, column_name, extension_name));
INSERT INTO gpkg_extensions SELECT NULL, NULL, 'gdal_aspatial', 'http://gdal.org/geopackage_aspatial.html', 'read-write'
  WHERE NOT EXISTS (SELECT 1 FROM gpkg_extensions WHERE extension_name = 'gdal_aspatial');
INSERT INTO gpkg_extensions
  SELECT name, NULL, 'cssa_ground', 'docs/src/ground.md of CSSA Onboard', 'read-write' FROM sqlite_schema
  WHERE name IN ('undecoded', 'caption_words', 'ground_stations', 'reports', 'messages', 'commands', 'pictures', 'picture_parts')
    AND NOT EXISTS (SELECT 1 FROM gpkg_extensions WHERE extension_name = 'cssa_ground' AND table_name = name);
";

/// A time as GeoPackage has it, UTC to the millisecond, from seconds since 1970.
pub(super) fn datetime(seconds: u32) -> String {
    DateTime::<Utc>::from_timestamp(i64::from(seconds), 0)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A point as a GeoPackage geometry: header without an envelope, then well-known binary, all little-endian.
pub(super) fn point(latitude: f64, longitude: f64) -> Vec<u8> {
    let mut blob = b"GP\0\x01".to_vec();
    blob.extend(4326i32.to_le_bytes());
    blob.push(1);
    blob.extend(1u32.to_le_bytes());
    blob.extend(longitude.to_le_bytes());
    blob.extend(latitude.to_le_bytes());
    blob
}

/// A polygon of one ring of four corners, likewise.
pub(super) fn polygon(ring: &[[f64; 2]; 5]) -> Vec<u8> {
    let mut blob = POLYGON.to_vec();
    blob.extend(ring.iter().flatten().flat_map(|degrees| degrees.to_le_bytes()));
    blob
}

/// The ring of such a polygon; none of another geometry.
pub(super) fn ring(blob: &[u8]) -> Option<[[f64; 2]; 5]> {
    let (numbers, rest) = blob.strip_prefix(&POLYGON)?.as_chunks::<8>();
    let numbers: Vec<f64> = numbers.iter().map(|number| f64::from_le_bytes(*number)).collect();
    let (points, odd) = numbers.as_chunks::<2>();
    <[[f64; 2]; 5]>::try_from(points).ok().filter(|_| rest.is_empty() && odd.is_empty())
}

/// What stands before its numbers: "GP", version 0, little-endian, system 4326; little-endian, a polygon, one ring, five points.
const POLYGON: [u8; 21] = [b'G', b'P', 0, 1, 0xE6, 0x10, 0, 0, 1, 3, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0];
