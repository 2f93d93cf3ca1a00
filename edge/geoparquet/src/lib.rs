//! Tables with geometries as GeoParquet 1.1.0: WKB in OGC:CRS84, each geometry column with its bounds as a covering column, ZSTD.
//!
//! [`write()`] takes Arrow batches whose geometry columns are [`geometry_field`]s and whose coverings are [`bounds_field`]s; the same
//! batches give the same bytes. [`wkb`] makes the geometries and reads their bounds.

mod bounds;
pub mod wkb;

pub use bounds::{Bounds, bounds_array, bounds_field, union};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value, json};

/// ZSTD's level, which geoparquet-io recommends up to.
const LEVEL: i32 = 3;

/// A column of geometries; the first one of a table is its primary.
#[derive(Clone, Copy, Debug)]
pub struct GeometryColumn<'a> {
    /// Its name.
    pub name: &'a str,
    /// The column that has its bounds.
    pub covering: &'a str,
    /// "Point" or "Polygon".
    pub kind: &'a str,
    /// The bounds of all of it; `None` where no row has a geometry.
    pub bounds: Option<Bounds>,
}

/// A table that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("the table cannot be written as GeoParquet: {0}")]
pub struct Error(#[from] ParquetError);

/// The Arrow field of a geometry column, null where a row has none.
#[must_use]
pub fn geometry_field(name: &str) -> Field {
    Field::new(name, DataType::Binary, true)
}

/// The bytes of a file.
///
/// # Errors
/// Batches that have another schema.
pub fn write(
    schema: SchemaRef,
    batches: impl IntoIterator<Item = RecordBatch>,
    geometries: &[GeometryColumn<'_>],
) -> Result<Vec<u8>, Error> {
    let geo = KeyValue::new("geo".into(), metadata(geometries).to_string());
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(LEVEL)?))
        .set_key_value_metadata(Some(vec![geo]))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
    for batch in batches {
        writer.write(&batch)?;
    }
    Ok(writer.into_inner()?)
}

/// The file's `geo` (GeoParquet 1.1.0, "File metadata").
fn metadata(geometries: &[GeometryColumn<'_>]) -> Value {
    let column = |geometry: &GeometryColumn<'_>| {
        let side = |side| json!([geometry.covering, side]);
        let mut column = json!({
            "encoding": "WKB",
            "geometry_types": [geometry.kind],
            "covering": {"bbox": {
                "xmin": side("xmin"), "ymin": side("ymin"), "xmax": side("xmax"), "ymax": side("ymax"),
            }},
        });
        if let Some(bounds) = geometry.bounds {
            column["bbox"] = json!(bounds);
        }
        (geometry.name.to_owned(), column)
    };
    let columns: Map<String, Value> = geometries.iter().map(column).collect();
    let primary = geometries.first().map(|geometry| geometry.name);
    json!({"version": "1.1.0", "primary_column": primary, "columns": columns})
}
