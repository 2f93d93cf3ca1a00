//! What of the earth a layer of a GeoPackage covers; PostGIS knows that by itself.

use crate::database::{Database, DatabaseError, Dialect};
use rusqlite::params;

/// A layer covers these places, too: longitude and latitude.
pub(super) fn widen(
    database: &Database,
    layer: &str,
    places: impl IntoIterator<Item = [f64; 2]>,
) -> Result<(), DatabaseError> {
    if database.dialect() != Dialect::GeoPackage {
        return Ok(());
    }
    let widen = "UPDATE gpkg_contents SET min_x = min(ifnull(min_x, ?1), ?1), max_x = max(ifnull(max_x, ?1), ?1),
         min_y = min(ifnull(min_y, ?2), ?2), max_y = max(ifnull(max_y, ?2), ?2),
         last_change = strftime('%Y-%m-%dT%H:%M:%fZ','now') WHERE table_name = ?3";
    places
        .into_iter()
        .try_for_each(|[longitude, latitude]| database.execute(widen, params![longitude, latitude, layer]).map(drop))
}
