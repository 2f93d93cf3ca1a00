//! What captions' images show of the ground: a layer of polygons of its own, a row for each caption that has one. A polygon that goes over
//! the date line would be two (RFC 7946, 3.1.9), and one over a pole none: neither is kept, and they are counted.

use super::extent::widen;
use super::{Archive, Archived, FIELDS, archived};
use crate::error::Result;
use crate::geopackage::polygon;
use cssa_wire::{Footprint, Position};
use rusqlite::{ToSql, params};
use serde::Serialize;

/// The layer's table; archives of earlier programs get it, too.
pub(super) const FOOTPRINTS: &str = "
CREATE TABLE IF NOT EXISTS footprints (
  fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom BLOB NOT NULL,
  caption_fid INTEGER NOT NULL UNIQUE REFERENCES captions (fid) ON DELETE CASCADE,
  vehicle INTEGER NOT NULL, sequence INTEGER NOT NULL, accuracy DOUBLE NOT NULL);
";

/// What makes it a layer of a GeoPackage.
pub(super) const LAYER: &str = "
INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id)
  SELECT 'footprints', 'features', 'footprints', 4326
  WHERE NOT EXISTS (SELECT 1 FROM gpkg_contents WHERE table_name = 'footprints');
INSERT INTO gpkg_geometry_columns SELECT 'footprints', 'geom', 'POLYGON', 4326, 0, 0
  WHERE NOT EXISTS (SELECT 1 FROM gpkg_geometry_columns WHERE table_name = 'footprints');
";

/// What became of footprints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// They belong to captions that are here, and are new.
    pub new: u64,
    /// They were there already.
    pub again: u64,
    /// No caption with a place has their number.
    pub unbound: u64,
    /// They go over the date line or a pole.
    pub unrepresentable: u64,
}

/// A caption's footprint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArchivedFootprint {
    /// The caption.
    #[serde(flatten)]
    pub caption: Archived,
    /// How far its place may be off, in metres.
    pub accuracy: f64,
    /// Longitude and latitude of its corners, counter-clockwise, the first one again at the end.
    #[serde(skip)]
    pub ring: [[f64; 2]; 5],
}

impl Archive {
    /// Keeps footprints of a sender's captions, each once, with the newest caption of its number.
    pub fn keep_footprints(&mut self, sender: &str, vehicle: u16, footprints: &[Footprint]) -> Result<Bound> {
        let refused = self.refused();
        let keeping = self.database.write().map_err(&refused)?;
        let mut bound = Bound::default();
        for footprint in footprints {
            let asked = "SELECT fid, latitude, longitude FROM captions WHERE vehicle = ?1 AND sequence = ?2
                 AND (vehicle > 0 OR sender = ?3) AND latitude IS NOT NULL ORDER BY fid DESC LIMIT 1";
            let found = keeping.first(asked, params![vehicle, footprint.number, sender], |row| {
                Ok((row.get::<i64>(0)?, Position::new(row.get(1)?, row.get(2)?)))
            });
            let Some((caption, Some(centre))) = found.map_err(&refused)? else {
                bound.unbound += 1;
                continue;
            };
            let Some(ring) = footprint.places(centre).and_then(ring) else {
                bound.unrepresentable += 1;
                continue;
            };
            let insert = format!(
                "INSERT INTO footprints (geom, caption_fid, vehicle, sequence, accuracy)
                 VALUES ({}, ?2, ?3, ?4, ?5) ON CONFLICT (caption_fid) DO NOTHING",
                keeping.dialect().geometry("?1")
            );
            let values = params![polygon(&ring), caption, vehicle, footprint.number, footprint.accuracy];
            let inserted = keeping.execute(&insert, values).map_err(&refused)?;
            bound.new += inserted;
            bound.again += 1 - inserted;
            widen(&keeping, "footprints", ring).map_err(&refused)?;
        }
        keeping.commit().map_err(&refused)?;
        Ok(bound)
    }

    /// The footprints by the rows of their captions.
    pub fn footprints(&self) -> Result<Vec<ArchivedFootprint>> {
        self.footprints_where("true", &[])
    }

    /// The footprint of the newest caption of a number that has one.
    pub fn footprint(&self, sender: &str, vehicle: u16, sequence: u32) -> Result<Option<ArchivedFootprint>> {
        let condition = "c.vehicle = ?1 AND c.sequence = ?2 AND (c.vehicle > 0 OR c.sender = ?3)";
        Ok(self.footprints_where(condition, params![vehicle, sequence, sender])?.pop())
    }

    fn footprints_where(&self, condition: &str, parameters: &[&dyn ToSql]) -> Result<Vec<ArchivedFootprint>> {
        let asked = format!(
            "SELECT {FIELDS}, f.accuracy, {} FROM captions c JOIN footprints f ON f.caption_fid = c.fid
             WHERE {condition} ORDER BY c.fid",
            self.database.dialect().geopackage("f.geom")
        );
        let found = self.rows(&asked, parameters, |row| Ok((archived(row)?, row.get(13)?, row.get::<Vec<u8>>(14)?)))?;
        // A polygon that somebody else has changed is theirs to read.
        let own = |(caption, accuracy, geometry): (Archived, f64, Vec<u8>)| {
            Some(ArchivedFootprint { caption, accuracy, ring: crate::geopackage::ring(&geometry)? })
        };
        Ok(found.into_iter().filter_map(own).collect())
    }
}

/// The ring of corners that lie clockwise: an exterior ring goes counter-clockwise. None over the date line.
fn ring(corners: [Position; 4]) -> Option<[[f64; 2]; 5]> {
    let [a, b, c, d] = corners.map(|corner| [corner.degrees().1, corner.degrees().0]);
    let longitudes = [a[0], b[0], c[0], d[0]];
    let (west, east) =
        longitudes.iter().fold((180.0_f64, -180.0_f64), |(west, east), &at| (west.min(at), east.max(at)));
    (east - west < 180.0).then_some([a, d, c, b, a])
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, Result};
    use cssa_wire::{Caption, CaptionPacket, Corner};

    fn footprint(number: u32) -> Footprint {
        let corners = [(127, -95), (127, 95), (-127, 95), (-127, -95)].map(|(north, east)| Corner { north, east });
        Footprint { number, accuracy: 12, step: 71, corners }
    }

    fn packet(vehicle: u16, places: &[(u32, Option<(f64, f64)>)]) -> CaptionPacket {
        let caption = |&(sequence, place): &(u32, Option<(f64, f64)>)| Caption {
            sequence,
            position: place.and_then(|(latitude, longitude)| Position::new(latitude, longitude)),
            text: "a river".into(),
            ..Caption::default()
        };
        CaptionPacket { vehicle, bundle: 1, decimals: 5, captions: places.iter().map(caption).collect() }
    }

    #[test]
    fn a_footprint_belongs_to_its_caption() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        let here = Some((0.0, 16.5));
        archive
            .keep("uav", &packet(12, &[(3, here), (4, None), (5, Some((-17.0, 179.9999))), (6, Some((88.9, 0.0)))]))?;
        archive.keep("uav", &packet(0, &[(3, here)]))?;
        let all: Vec<Footprint> = (3..=7).map(footprint).collect();
        let far = Footprint { step: 500_000, ..footprint(6) };
        let found = archive.keep_footprints("relay", 12, &[&all[..3], &[far, footprint(7)]].concat())?;
        assert_eq!(
            found,
            Bound { new: 1, again: 0, unbound: 2, unrepresentable: 2 },
            "no place, no caption; date line, pole"
        );
        assert_eq!(archive.keep_footprints("uav", 12, &all[..1])?, Bound { again: 1, ..Bound::default() });
        assert_eq!(archive.keep_footprints("relay", 13, &all[..1])?.unbound, 1, "another vehicle's");
        assert_eq!(archive.keep_footprints("relay", 0, &all[..1])?.unbound, 1, "another address's");
        let found = archive.footprint("", 12, 3)?.context("a footprint")?;
        assert_eq!((archive.footprints()?.len(), found.accuracy, found.caption.sequence), (1, 12.0, 3));
        // 127 steps of 71 units are 0.0009017°, 95 of them 0.0006745°; counter-clockwise from the upper left.
        let near = |[east, north]: [f64; 2], right: [f64; 2]| {
            (east - right[0]).abs() < 2e-7 && (north - right[1]).abs() < 2e-7
        };
        let (west, east, north) = (16.499_325_5, 16.500_674_5, 0.000_901_7);
        let expected = [[west, north], [west, -north], [east, -north], [east, north], [west, north]];
        assert!(found.ring.into_iter().zip(expected).all(|(found, right)| near(found, right)), "{found:?}");
        Ok(())
    }
}
