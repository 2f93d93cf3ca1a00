//! Archives of scenes, shard by shard: what workers of a cluster do.

use crate::captioner::{named, within};
use crate::error::{CssaError, caught};
use crate::package;
use archive::{Cut, Error, Pace, Plan, Session, Stores};
use cssa::errors::chain;
use cssa_captioner::{Choice, Looks, Settings};
use pyo3::exceptions::{PyKeyboardInterrupt, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Errors of a shard that are given in words.
const NAMED: usize = 20;

/// Tiles of GeoTIFFs, captioned into GeoParquet a shard at a time: what the program `archive` does, with one plan and one model.
///
/// Args:
///     tiles: A Parquet table (id, source; x, y, width, height or geometry; datetime), or STAC items as JSON: a path, http(s):// or s3://.
///     tile_pixels: STAC: pixels of a tile's side, 16 to 8192.
///     stride: STAC: pixels from one tile to the next; as many as a tile has where it is left out.
///     bundle, runtime, looks, threads: As for a `Captioner`; one thread is what a worker a core needs.
///     readers: Threads that read tiles meanwhile.
///
/// Raises:
///     CssaError: The tiles or the bundle cannot be read.
///     ValueError: An argument is none of those above.
#[pyclass(frozen, module = "cssa_onboard")]
pub(crate) struct Archive {
    session: Mutex<Session>,
    tiles: usize,
}

#[pymethods]
impl Archive {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "named in Python")]
    #[pyo3(signature = (tiles, *, tile_pixels=512, stride=None, bundle=None, runtime="auto", looks=1, threads=1, readers=2))]
    fn new(
        py: Python<'_>,
        tiles: &str,
        tile_pixels: i64,
        stride: Option<i64>,
        bundle: Option<PathBuf>,
        runtime: &str,
        looks: i64,
        threads: i64,
        readers: i64,
    ) -> PyResult<Self> {
        let side = |name: &str, pixels: i64| match u32::try_from(pixels) {
            Ok(pixels) if (16..=8192).contains(&pixels) => Ok(pixels),
            _ => Err(PyValueError::new_err(format!("{name} is {pixels}, expected 16 to 8192"))),
        };
        let pixels = side("tile_pixels", tile_pixels)?;
        let stride = stride.map_or(Ok(pixels), |stride| side("stride", stride))?;
        let settings = Settings {
            choice: named::<Choice>("runtime", runtime)?,
            library: package::onnxruntime(py)?,
            threads: within("threads", threads, 64)?,
            looks: named::<Looks>("looks", &looks.to_string())?,
            ..Settings::default()
        };
        let readers = within("readers", readers, 64)?;
        let bundle = package::bundle(py, bundle)?;
        let session = py.detach(|| {
            caught(|| {
                let stores = Arc::new(Stores::new().map_err(refused)?);
                let plan = Plan::read(tiles, &stores, Cut { pixels, stride }).map_err(refused)?;
                Session::new(stores, plan, bundle, settings, Pace { readers, batch: 1 }).map_err(refused)
            })
        })?;
        Ok(Self { tiles: session.plan().tiles().len(), session: Mutex::new(session) })
    }

    /// How many tiles there are.
    fn __len__(&self) -> usize {
        self.tiles
    }

    /// Captions shard `shard` (from 0) of `shards` into a GeoParquet file at `out`, a folder or `s3://BUCKET/PREFIX`. A file that is there and
    /// whole is kept, but for its rows with an error; what a killed process had done is gone on with.
    ///
    /// Returns:
    ///     The file's name (`file`), how many rows it has (`tiles`), were captioned now (`captioned_now`) and had their caption (`kept`),
    ///     how many have no caption, by reason (`failed`), and the first of these in words (`errors`).
    ///
    /// Raises:
    ///     CssaError: The model does not load, or the file cannot be written. What is wrong with a tile is in its row.
    fn caption_shard<'py>(&self, py: Python<'py>, shard: u32, shards: u32, out: &str) -> PyResult<Bound<'py, PyDict>> {
        let (stop, mut interrupt, mut errors) = (AtomicBool::new(false), None, Vec::new());
        let outcome = py.detach(|| {
            caught(|| {
                let broken = |_| CssaError::new_err("this archive failed in an earlier call: open it anew");
                let mut session = self.session.lock().map_err(broken)?;
                let captioned = session.caption((shard, shards), out, &stop, &mut |_, error| {
                    errors.extend(error.filter(|_| errors.len() < NAMED).map(ToString::to_string));
                    if let Err(error) = Python::attach(|py| py.check_signals()) {
                        interrupt = Some(error);
                        stop.store(true, Ordering::Relaxed);
                    }
                });
                captioned.map_err(refused)
            })
        });
        if let Some(interrupt) = interrupt {
            return Err(interrupt);
        }
        let outcome = outcome?;
        let told = PyDict::new(py);
        told.set_item("file", outcome.file)?;
        told.set_item("tiles", outcome.captioned + outcome.kept + outcome.failed.values().sum::<usize>())?;
        told.set_item("captioned_now", outcome.captioned)?;
        told.set_item("kept", outcome.kept)?;
        told.set_item("failed", outcome.failed)?;
        told.set_item("errors", errors)?;
        Ok(told)
    }
}

fn refused(error: Error) -> PyErr {
    match error {
        Error::Stopped => PyKeyboardInterrupt::new_err(()),
        error => CssaError::new_err(chain(&error)),
    }
}
