//! The bounds of geometries: west, south, east, north in degrees, as a covering column has them.

use arrow_array::{ArrayRef, Float64Array, StructArray};
use arrow_schema::{ArrowError, DataType, Field, Fields};
use std::sync::Arc;

/// West, south, east, north.
pub type Bounds = [f64; 4];

/// The Arrow field of a covering column, null where the geometry is.
#[must_use]
pub fn bounds_field(name: &str) -> Field {
    Field::new(name, DataType::Struct(sides()), true)
}

fn sides() -> Fields {
    ["xmin", "ymin", "xmax", "ymax"].map(|name| Field::new(name, DataType::Float64, false)).to_vec().into()
}

/// A covering column, a row for each of these.
///
/// # Errors
/// None that is known: the four sides have the same length.
pub fn bounds_array(rows: &[Option<Bounds>]) -> Result<ArrayRef, ArrowError> {
    let side = |n: usize| {
        let sides = rows.iter().map(|all| all.map_or(0.0, |all| all[n]));
        Arc::new(Float64Array::from_iter_values(sides)) as ArrayRef
    };
    let valid = rows.iter().map(Option::is_some).collect::<Vec<_>>();
    Ok(Arc::new(StructArray::try_new(sides(), (0..4).map(side).collect(), Some(valid.into()))?))
}

/// The bounds of all of these.
#[must_use]
pub fn union(rows: &[Option<Bounds>]) -> Option<Bounds> {
    rows.iter().flatten().copied().reduce(|[a, b, c, d], [e, f, g, h]| [a.min(e), b.min(f), c.max(g), d.max(h)])
}
