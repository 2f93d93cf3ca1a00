//! Rows of files that stay on the device which trains.

use super::rows::Rows;
use crate::error::Result;
use std::sync::{Mutex, PoisonError};
use tch::{Device, Kind, Tensor};

/// Bytes that are moved to the device at once.
const PIECE: usize = 64 << 20;

/// The rows of several files one after the other on `device`, each with the shape `shape`; none where there is no file.
pub(super) fn upload(files: &[&Rows], (kind, shape): (Kind, &[i64]), device: Device) -> Result<Option<Tensor>> {
    let count = files.iter().map(|rows| rows.count()).sum::<usize>() as i64;
    if files.is_empty() {
        return Ok(None);
    }
    let all = Tensor::empty([&[count], shape].concat(), (kind, device));
    let mut start = 0;
    for rows in files {
        let piece = (PIECE / rows.length()).max(1);
        for first in (0..rows.count()).step_by(piece) {
            let (mut bytes, last) = (Vec::new(), rows.count().min(first + piece));
            for row in first..last {
                rows.read(row, &mut bytes)?;
            }
            let size = [&[(last - first) as i64], shape].concat();
            all.narrow(0, start, size[0]).copy_(&Tensor::from_data_size(&bytes, &size, kind));
            start += size[0];
        }
    }
    Ok(Some(all))
}

/// Some of the rows.
pub(super) fn gather(rows: &Mutex<Tensor>, places: impl Iterator<Item = i64>) -> Tensor {
    let rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
    rows.index_select(0, &Tensor::from_slice(&places.collect::<Vec<_>>()).to_device(rows.device()))
}
