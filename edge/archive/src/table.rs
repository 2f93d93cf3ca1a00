//! Tiles of a Parquet table.

use crate::error::{Error, Result};
use crate::tile::{Part, Tile, resolved};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use bytes::Bytes;
use chrono::DateTime;
use cssa_geoparquet::wkb;
use cssa_image::Window;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::HashSet;
use std::sync::Arc;

const COLUMNS: [&str; 8] = ["id", "source", "x", "y", "width", "height", "geometry", "datetime"];

pub(crate) fn read(location: &str, bytes: Bytes) -> Result<Vec<Tile>> {
    let failed = |error: &dyn std::fmt::Display| Error::table(location, format!("is no Parquet table: {error}"));
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| failed(&error))?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), COLUMNS);
    let batches = builder.with_projection(mask).build().map_err(|error| failed(&error))?;
    let (mut tiles, mut sources) = (Vec::new(), HashSet::<Arc<str>>::new());
    for batch in batches {
        let batch = batch.map_err(|error| failed(&error))?;
        let columns = Columns::of(location, &batch)?;
        for row in 0..batch.num_rows() {
            let (id, source) = columns
                .names(row)
                .ok_or_else(|| Error::table(location, format!("row {} has no id or no source", tiles.len())))?;
            let source = resolved(location, source);
            let source = match sources.get(source.as_str()) {
                Some(known) => Arc::clone(known),
                None => {
                    let new: Arc<str> = source.into();
                    sources.insert(Arc::clone(&new));
                    new
                }
            };
            let part =
                columns.part(row).map_err(|problem| Error::table(location, format!("tile {id:?}: {problem}")))?;
            tiles.push(Tile { id: id.into(), source, part, datetime: columns.time(row) });
        }
    }
    Ok(tiles)
}

struct Columns {
    id: ArrayRef,
    source: ArrayRef,
    window: [Option<ArrayRef>; 4],
    geometry: Option<ArrayRef>,
    datetime: Option<ArrayRef>,
}

impl Columns {
    fn of(location: &str, batch: &RecordBatch) -> Result<Self> {
        let column = |name: &str| batch.column_by_name(name).cloned();
        let needed = |name: &str| {
            let found = column(name).filter(is_text);
            found.ok_or_else(|| Error::table(location, format!("has no column {name:?} of strings")))
        };
        Ok(Self {
            id: needed("id")?,
            source: needed("source")?,
            window: ["x", "y", "width", "height"].map(column),
            geometry: column("geometry"),
            datetime: column("datetime"),
        })
    }

    fn names(&self, row: usize) -> Option<(&str, &str)> {
        Some((text(&self.id, row)?, text(&self.source, row)?))
    }

    fn part(&self, row: usize) -> Result<Part, String> {
        let numbers = self.window.each_ref().map(|column| column.as_ref().and_then(|array| number(array, row)));
        if let [Some(x), Some(y), Some(width), Some(height)] = numbers {
            let whole = |value: i64| u32::try_from(value).map_err(|_| format!("a window of {numbers:?} pixels"));
            let window = Window { x: whole(x)?, y: whole(y)?, width: whole(width)?, height: whole(height)? };
            return Ok(Part::Pixels(window));
        }
        if numbers.iter().any(Option::is_some) {
            return Err("x, y, width and height are given in part, expected all or none".into());
        }
        let Some(geometry) = self.geometry.as_ref().filter(|array| array.is_valid(row)) else { return Ok(Part::Whole) };
        let bytes = match geometry.data_type() {
            DataType::Binary => geometry.as_binary::<i32>().value(row),
            DataType::LargeBinary => geometry.as_binary::<i64>().value(row),
            DataType::BinaryView => geometry.as_binary_view().value(row),
            other => return Err(format!("geometry is {other}, expected WKB in a binary column")),
        };
        wkb::bounds(bytes).map(Part::Degrees)
    }

    fn time(&self, row: usize) -> Option<i64> {
        let array = self.datetime.as_ref().filter(|array| array.is_valid(row))?;
        match array.data_type() {
            DataType::Timestamp(TimeUnit::Second, _) => {
                array.as_primitive::<TimestampSecondType>().value(row).checked_mul(1_000_000)
            }
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                array.as_primitive::<TimestampMillisecondType>().value(row).checked_mul(1000)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Some(array.as_primitive::<TimestampMicrosecondType>().value(row))
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                Some(array.as_primitive::<TimestampNanosecondType>().value(row) / 1000)
            }
            _ => DateTime::parse_from_rfc3339(text(array, row)?).ok().map(|time| time.timestamp_micros()),
        }
    }
}

fn is_text(array: &ArrayRef) -> bool {
    matches!(array.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn text(array: &ArrayRef, row: usize) -> Option<&str> {
    if !array.is_valid(row) {
        return None;
    }
    match array.data_type() {
        DataType::Utf8 => Some(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Some(array.as_string_view().value(row)),
        _ => None,
    }
}

fn number(array: &ArrayRef, row: usize) -> Option<i64> {
    if !array.is_valid(row) {
        return None;
    }
    match array.data_type() {
        DataType::Int32 => Some(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Some(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt32 => Some(array.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).try_into().ok(),
        _ => None,
    }
}
