//! Captions as an Arrow table, by Arrow's C stream interface for Python: pyarrow, Polars, DuckDB and pandas take it without a copy of ours.

use crate::caption::Caption;
use crate::error::CssaError;
use arrow_array::builder::{ListBuilder, StringBuilder, UInt16Builder};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, RecordBatchIterator, StringArray};
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, Schema};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use std::sync::Arc;

/// Captions as columns: `text`, `confidence`, `familiarity`, `outside`, `reasons`, `tokens`, `score`, and `id` where they have one.
/// `pyarrow.table(it)`, `polars.DataFrame(it)` and whatever else knows the Arrow PyCapsule interface take it.
#[pyclass(frozen, module = "cssa_onboard")]
pub(crate) struct CaptionTable(RecordBatch);

/// Makes a table of captions, with a column `id` where `ids` are given, one each.
#[pyfunction]
#[pyo3(signature = (captions, ids=None))]
pub(crate) fn captions_to_arrow(captions: Vec<Caption>, ids: Option<Vec<String>>) -> PyResult<CaptionTable> {
    if let Some(ids) = ids.as_ref().filter(|ids| ids.len() != captions.len()) {
        let said = format!("{} ids for {} captions, expected one each", ids.len(), captions.len());
        return Err(PyValueError::new_err(said));
    }
    let (mut reasons, mut tokens) = (ListBuilder::new(StringBuilder::new()), ListBuilder::new(UInt16Builder::new()));
    for caption in &captions {
        reasons.append_value(caption.reasons.iter().map(Some));
        tokens.append_value(caption.tokens.iter().copied().map(Some));
    }
    let texts = StringArray::from_iter_values(captions.iter().map(|caption| &caption.text));
    let numbers = |of: fn(&Caption) -> Option<f64>| Arc::new(captions.iter().map(of).collect::<Float64Array>());
    let mut columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("text", Arc::new(texts), false),
        ("confidence", numbers(|caption| caption.confidence), true),
        ("familiarity", numbers(|caption| caption.familiarity), true),
        ("outside", Arc::new(captions.iter().map(Caption::outside).collect::<BooleanArray>()), true),
        ("reasons", Arc::new(reasons.finish()), false),
        ("tokens", Arc::new(tokens.finish()), false),
        ("score", numbers(|caption| Some(caption.score)), false),
    ];
    if let Some(ids) = ids {
        columns.insert(0, ("id", Arc::new(StringArray::from(ids)), false));
    }
    Ok(CaptionTable(RecordBatch::try_from_iter_with_nullable(columns).map_err(odd)?))
}

#[pymethods]
impl CaptionTable {
    fn __len__(&self) -> usize {
        self.0.num_rows()
    }

    #[getter]
    fn column_names(&self) -> Vec<String> {
        self.0.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = FFI_ArrowSchema::try_from(&Schema::clone(&self.0.schema())).map_err(odd)?;
        PyCapsule::new_with_value(py, schema, c"arrow_schema")
    }

    /// The stream; what is asked for in another schema comes in its own, as the interface allows.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        drop(requested_schema);
        let batches = RecordBatchIterator::new([Ok(self.0.clone())], self.0.schema());
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(batches)), c"arrow_array_stream")
    }

    fn __repr__(&self) -> String {
        format!("<CaptionTable of {} captions: {}>", self.0.num_rows(), self.column_names().join(", "))
    }
}

fn odd(error: ArrowError) -> PyErr {
    CssaError::new_err(error.to_string())
}
