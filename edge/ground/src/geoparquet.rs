//! The archive as GeoParquet 1.1: a row a caption, its place and what its image shows as two geometry columns.
//!
//! | column | type | |
//! |---|---|---|
//! | `sender` | string | where its packet came from |
//! | `vehicle`, `sequence` | u16, u32 | who sent it (0: not given), and its number |
//! | `time` | timestamp in ms, UTC | when the image was taken; null where the vehicle did not know |
//! | `after_start` | u32 | seconds from the vehicle's start, where that is all that it knew |
//! | `caption` | string | the words |
//! | `confidence`, `outside`, `priority`, `bundle` | f64, string, u8, string | as in the archive |
//! | `geometry`, `bbox` | WKB point, its bounds | the primary geometry, OGC:CRS84; null where the place is not known |
//! | `footprint`, `footprint_bbox` | WKB polygon, its bounds | null where it is not known |
//! | `accuracy` | f64 | metres that the footprint's place may be off |
//! | `received` | timestamp in ms, UTC | when it came first |

use super::archive::{Archived, ArchivedFootprint};
use super::error::{Error, Result};
use arrow_array::{
    ArrayRef, BinaryArray, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray, UInt8Array, UInt16Array,
    UInt32Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::DateTime;
use cssa_geoparquet::{Bounds, GeometryColumn, bounds_array, bounds_field, geometry_field, union, wkb};
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

/// Rows of a batch.
const BATCH: usize = 8192;

/// A caption and its footprint, where it has one.
pub type Placed<'a> = (&'a Archived, Option<&'a ArchivedFootprint>);

/// Captions with their footprints.
#[must_use]
pub fn placed<'a>(captions: &'a [Archived], footprints: &'a [ArchivedFootprint]) -> Vec<Placed<'a>> {
    let key = |caption: &'a Archived| {
        (&caption.sender, caption.vehicle, caption.sequence, caption.time.as_deref(), &caption.caption)
    };
    let of: HashMap<_, _> = footprints.iter().map(|footprint| (key(&footprint.caption), footprint)).collect();
    captions.iter().map(|caption| (caption, of.get(&key(caption)).copied())).collect()
}

/// The bytes of a file; the same captions give the same bytes.
pub fn geoparquet(captions: &[Placed<'_>]) -> Result<Vec<u8>> {
    let failed = |cause: &dyn Display| Error::GeoParquet(cause.to_string());
    let batches = captions.chunks(BATCH).map(batch).collect::<Result<Vec<_>, _>>().map_err(|error| failed(&error))?;
    let column = |name, covering, kind, of: fn(&Placed<'_>) -> Option<Bounds>| GeometryColumn {
        name,
        covering,
        kind,
        bounds: union(&captions.iter().map(of).collect::<Vec<_>>()),
    };
    let geometries = [
        column("geometry", "bbox", "Point", point_bounds),
        column("footprint", "footprint_bbox", "Polygon", footprint_bounds),
    ];
    cssa_geoparquet::write(schema(), batches, &geometries).map_err(|error| failed(&error))
}

fn schema() -> SchemaRef {
    let utc = || DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("sender", DataType::Utf8, false),
        Field::new("vehicle", DataType::UInt16, false),
        Field::new("sequence", DataType::UInt32, false),
        Field::new("time", utc(), true),
        Field::new("after_start", DataType::UInt32, true),
        Field::new("caption", DataType::Utf8, false),
        Field::new("confidence", DataType::Float64, true),
        Field::new("outside", DataType::Utf8, true),
        Field::new("priority", DataType::UInt8, false),
        Field::new("bundle", DataType::Utf8, false),
        geometry_field("geometry"),
        bounds_field("bbox"),
        geometry_field("footprint"),
        bounds_field("footprint_bbox"),
        Field::new("accuracy", DataType::Float64, true),
        Field::new("received", utc(), true),
    ]))
}

fn batch(rows: &[Placed<'_>]) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let text = |of: fn(&Archived) -> Option<&str>| -> ArrayRef {
        Arc::new(StringArray::from_iter(rows.iter().map(|(caption, _)| of(caption))))
    };
    let real =
        |of: fn(&Placed<'_>) -> Option<f64>| -> ArrayRef { Arc::new(Float64Array::from_iter(rows.iter().map(of))) };
    let time = |of: fn(&Archived) -> Option<&str>| -> ArrayRef {
        let times = rows.iter().map(|(caption, _)| of(caption).and_then(milliseconds));
        Arc::new(TimestampMillisecondArray::from_iter(times).with_timezone("UTC"))
    };
    let geometry =
        |of: fn(&Placed<'_>) -> Option<Vec<u8>>| -> ArrayRef { Arc::new(BinaryArray::from_iter(rows.iter().map(of))) };
    let bounds = |of: fn(&Placed<'_>) -> Option<Bounds>| bounds_array(&rows.iter().map(of).collect::<Vec<_>>());
    let captions = || rows.iter().map(|(caption, _)| caption);
    RecordBatch::try_new(
        schema(),
        vec![
            text(|caption| Some(&caption.sender)),
            Arc::new(UInt16Array::from_iter_values(captions().map(|caption| caption.vehicle))),
            Arc::new(UInt32Array::from_iter_values(captions().map(|caption| caption.sequence))),
            time(|caption| caption.time.as_deref()),
            Arc::new(UInt32Array::from_iter(captions().map(|caption| caption.after_start))),
            text(|caption| Some(&caption.caption)),
            real(|(caption, _)| caption.confidence),
            text(|caption| caption.outside.as_deref()),
            Arc::new(UInt8Array::from_iter_values(captions().map(|caption| caption.priority))),
            text(|caption| Some(&caption.bundle)),
            geometry(|(caption, _)| place(caption).map(wkb::point)),
            bounds(point_bounds)?,
            geometry(|(_, footprint)| footprint.map(|footprint| wkb::polygon(&corners(footprint)))),
            bounds(footprint_bounds)?,
            real(|(_, footprint)| footprint.map(|footprint| footprint.accuracy)),
            time(|caption| Some(&caption.received)),
        ],
    )
}

/// Longitude and latitude.
fn place(caption: &Archived) -> Option<[f64; 2]> {
    caption.longitude.zip(caption.latitude).map(|(longitude, latitude)| [longitude, latitude])
}

fn corners(footprint: &ArchivedFootprint) -> [[f64; 2]; 4] {
    let [first, second, third, fourth, _] = footprint.ring;
    [first, second, third, fourth]
}

fn point_bounds((caption, _): &Placed<'_>) -> Option<Bounds> {
    place(caption).map(|[longitude, latitude]| [longitude, latitude, longitude, latitude])
}

/// Its corners' bounds: no footprint goes over the date line.
fn footprint_bounds((_, footprint): &Placed<'_>) -> Option<Bounds> {
    let each: Vec<_> = footprint.as_ref()?.ring.iter().map(|&[x, y]| Some([x, y, x, y])).collect();
    union(&each)
}

fn milliseconds(time: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(time).ok().map(|time| time.timestamp_millis())
}
