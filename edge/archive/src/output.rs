//! Rows as GeoParquet 1.1.
//!
//! | column | type | |
//! |---|---|---|
//! | `id` | string | the tile's |
//! | `geometry` | WKB polygon, OGC:CRS84 | null where the source does not say where it lies, or over the 180th meridian |
//! | `bbox` | struct of `xmin`, `ymin`, `xmax`, `ymax` | the polygon's bounds, the file's covering |
//! | `datetime` | timestamp in µs, UTC | the tile's |
//! | `source` | string | the GeoTIFF |
//! | `caption` | string | null where the row has an error |
//! | `confidence`, `familiarity` | float | null where the bundle has no statistics |
//! | `outside` | string | why the image is none that the model knows; null where it is not outside |
//! | `bundle` | string | SHA-256 of the bundle's manifest |
//! | `error` | string | why there is no caption; the next run tries again |

use crate::error::{Error, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, BinaryArray, Float32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use cssa_geoparquet::{Bounds, GeometryColumn, bounds_array, union, wkb};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::sync::Arc;

/// A captioned tile, or why it is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// The tile's name.
    pub id: String,
    /// The GeoTIFF.
    pub source: String,
    /// Microseconds since 1970 (UTC).
    pub datetime: Option<i64>,
    /// The footprint as a WKB polygon.
    pub geometry: Option<Vec<u8>>,
    /// The words.
    pub caption: Option<String>,
    /// Probability that they name nothing that is not there.
    pub confidence: Option<f32>,
    /// Share of held-out images that are less like the train images.
    pub familiarity: Option<f32>,
    /// Why the image is outside.
    pub outside: Option<String>,
    /// SHA-256 of the bundle's manifest.
    pub bundle: String,
    /// Why there is no caption.
    pub error: Option<String>,
}

/// The columns.
#[must_use]
pub fn schema() -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        text("id", false),
        cssa_geoparquet::geometry_field("geometry"),
        cssa_geoparquet::bounds_field("bbox"),
        Field::new("datetime", utc, true),
        text("source", false),
        text("caption", true),
        Field::new("confidence", DataType::Float32, true),
        Field::new("familiarity", DataType::Float32, true),
        text("outside", true),
        text("bundle", false),
        text("error", true),
    ]))
}

/// Rows as an Arrow batch.
///
/// # Errors
/// None that is known: columns have the same length.
pub fn batch(rows: &[Row]) -> Result<RecordBatch, ArrowError> {
    let texts = |of: fn(&Row) -> Option<&str>| Arc::new(StringArray::from_iter(rows.iter().map(of))) as ArrayRef;
    let reals = |of: fn(&Row) -> Option<f32>| Arc::new(Float32Array::from_iter(rows.iter().map(of))) as ArrayRef;
    let bbox = bounds_array(&rows.iter().map(bounds).collect::<Vec<_>>())?;
    let times = TimestampMicrosecondArray::from_iter(rows.iter().map(|row| row.datetime)).with_timezone("UTC");
    let geometries = BinaryArray::from_iter(rows.iter().map(|row| row.geometry.as_deref()));
    RecordBatch::try_new(
        schema(),
        vec![
            texts(|row| Some(&row.id)),
            Arc::new(geometries),
            bbox,
            Arc::new(times),
            texts(|row| Some(&row.source)),
            texts(|row| row.caption.as_deref()),
            reals(|row| row.confidence),
            reals(|row| row.familiarity),
            texts(|row| row.outside.as_deref()),
            texts(|row| Some(&row.bundle)),
            texts(|row| row.error.as_deref()),
        ],
    )
}

fn bounds(row: &Row) -> Option<Bounds> {
    wkb::bounds(row.geometry.as_deref()?).ok()
}

/// Rows as the bytes of a GeoParquet file; the same rows give the same bytes.
///
/// # Errors
/// None that is known.
pub fn write(rows: &[Row]) -> Result<Vec<u8>> {
    let failed = |error: &dyn std::fmt::Display| Error::System(format!("the rows cannot be written: {error}"));
    let batches = rows.chunks(4096).map(batch).collect::<Result<Vec<_>, _>>().map_err(|error| failed(&error))?;
    let all = union(&rows.iter().map(bounds).collect::<Vec<_>>());
    let geometry = GeometryColumn { name: "geometry", covering: "bbox", kind: "Polygon", bounds: all };
    cssa_geoparquet::write(schema(), batches, &[geometry]).map_err(|error| failed(&error))
}

/// The rows of a file that [`write()`] made.
///
/// # Errors
/// A file that is not whole or has other columns; `name` stands in the error.
pub fn read(name: &str, bytes: Bytes) -> Result<Vec<Row>> {
    let failed = |error: &dyn std::fmt::Display| Error::table(name, format!("is no whole shard: {error}"));
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| failed(&error))?;
    if builder.schema().fields() != schema().fields() {
        return Err(failed(&"it has other columns"));
    }
    let mut rows = Vec::new();
    for batch in builder.build().map_err(|error| failed(&error))? {
        let batch = batch.map_err(|error| failed(&error))?;
        (0..batch.num_rows()).for_each(|n| rows.push(row(&batch, n)));
    }
    Ok(rows)
}

fn row(batch: &RecordBatch, n: usize) -> Row {
    let valid = |column: usize| Some(batch.column(column)).filter(|array| array.is_valid(n));
    let text = |column: usize| valid(column).map(|array| array.as_string::<i32>().value(n).to_owned());
    let real = |column: usize| valid(column).map(|array| array.as_primitive::<Float32Type>().value(n));
    Row {
        id: text(0).unwrap_or_default(),
        geometry: valid(1).map(|array| array.as_binary::<i32>().value(n).to_vec()),
        datetime: valid(3).map(|array| array.as_primitive::<TimestampMicrosecondType>().value(n)),
        source: text(4).unwrap_or_default(),
        caption: text(5),
        confidence: real(6),
        familiarity: real(7),
        outside: text(8),
        bundle: text(9).unwrap_or_default(),
        error: text(10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_and_a_file_that_is_cut_is_none() -> Result<()> {
        let corners = [[1.0, 4.0], [3.0, 4.0], [3.0, 2.0], [1.0, 2.0]];
        let good = Row {
            id: "a".into(),
            source: "s.tif".into(),
            datetime: Some(7),
            geometry: Some(wkb::polygon(&corners)),
            caption: Some("words".into()),
            confidence: Some(0.5),
            bundle: "b".into(),
            ..Row::default()
        };
        let bad = Row { id: "c".into(), error: Some("missing".into()), ..Row::default() };
        let bytes = write(&[good.clone(), bad.clone()])?;
        assert_eq!(bytes, write(&[good.clone(), bad.clone()])?);
        for length in [0, 4, bytes.len() / 2, bytes.len() - 1] {
            assert!(read("x", Bytes::copy_from_slice(&bytes[..length])).is_err(), "{length}");
        }
        assert_eq!(read("x", bytes.into())?, [good, bad]);
        Ok(())
    }
}
