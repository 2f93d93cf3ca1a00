//! A GeoTIFF over ranges: blocks of it are kept within a bound, and what follows a block that was read is read with it.

use crate::error::Error;
use crate::store::Place;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Mutex, PoisonError};
use tiff_reader::TiffError;
use tiff_reader::source::{SharedSource, TiffSource};

/// Bytes of a block.
const BLOCK: u64 = 1 << 18;
/// Blocks that are kept: 16 MiB a source.
const KEPT: usize = 64;
/// Blocks that are fetched at once behind the one that is needed.
const AHEAD: u64 = 3;

/// An object of a store as a TIFF's source.
pub(crate) struct Ranges {
    place: Place,
    bytes: u64,
    blocks: Mutex<VecDeque<(u64, Bytes)>>,
    failed: Mutex<Option<Error>>,
}

impl Ranges {
    pub(crate) fn new(place: Place, bytes: u64) -> Self {
        Self { place, bytes, blocks: Mutex::default(), failed: Mutex::default() }
    }

    /// What the store said last, which the TIFF library does not pass on as it was.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn block(&self, number: u64, last: u64) -> Result<Bytes, Error> {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = blocks.iter().position(|(known, _)| *known == number) {
            let Some(found) = blocks.remove(at) else { return Err(Error::System("a block is gone".into())) };
            blocks.push_back(found.clone());
            return Ok(found.1);
        }
        let fresh = |k: u64| !blocks.iter().any(|(known, _)| *known == k) && k * BLOCK < self.bytes;
        let mut end = number + 1;
        while end <= last.max(number + AHEAD).min(number + KEPT as u64 / 2) && fresh(end) {
            end += 1;
        }
        let got = self.place.range(number * BLOCK..(end * BLOCK).min(self.bytes))?;
        for k in number..end {
            let from = ((k - number) * BLOCK) as usize;
            let to = (from + BLOCK as usize).min(got.len());
            // A copy: a slice would keep all of the answer.
            blocks.push_back((k, Bytes::copy_from_slice(&got[from..to])));
        }
        while blocks.len() > KEPT {
            blocks.pop_front();
        }
        Ok(got.slice(..(BLOCK as usize).min(got.len())))
    }
}

impl TiffSource for Ranges {
    fn len(&self) -> u64 {
        self.bytes
    }

    fn read_exact_at(&self, offset: u64, len: usize) -> Result<Vec<u8>, TiffError> {
        let end = offset.checked_add(len as u64).filter(|end| *end <= self.bytes);
        let outside = TiffError::OffsetOutOfBounds { offset, length: len as u64, data_len: self.bytes };
        let Some(end) = end else { return Err(outside) };
        let mut bytes = Vec::with_capacity(len);
        let mut at = offset;
        while at < end {
            let number = at / BLOCK;
            let block = self.block(number, (end - 1) / BLOCK).map_err(|error| {
                let said = io::Error::other(error.to_string());
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                TiffError::Io(said, self.place.name())
            })?;
            let (from, to) = ((at - number * BLOCK) as usize, (end - number * BLOCK).min(BLOCK) as usize);
            bytes.extend_from_slice(&block[from..to]);
            at = number * BLOCK + to as u64;
        }
        Ok(bytes)
    }
}

/// A source as a stream, for what reads georeferences.
pub(crate) struct Stream {
    pub(crate) source: SharedSource,
    pub(crate) at: u64,
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = (self.source.len().saturating_sub(self.at)).min(into.len() as u64) as usize;
        let bytes = self.source.read_exact_at(self.at, length).map_err(io::Error::other)?;
        into[..length].copy_from_slice(&bytes);
        self.at += length as u64;
        Ok(length)
    }
}

impl Seek for Stream {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.source.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
