//! The bytes of a stream that were read and not used yet.

use std::io::{self, ErrorKind, Read};

/// Bytes that are read at once.
pub(super) const CHUNK: usize = 1 << 16;

/// A stream and what was read of it. Passing over bytes costs nothing, however few they are at a time.
#[derive(Debug)]
pub(super) struct Input<R> {
    input: R,
    buffer: Vec<u8>,
    /// Bytes at the buffer's beginning that were used.
    passed: usize,
    /// Bytes that were used since the start.
    used: u64,
}

impl<R: Read> Input<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), passed: 0, used: 0 }
    }

    /// What was read and not used.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.passed..]
    }

    /// Bytes that were used since the start.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// Bytes of memory that are taken.
    pub(super) fn held(&self) -> usize {
        self.buffer.capacity()
    }

    /// Uses up bytes; gives how many there were.
    pub(super) fn pass(&mut self, length: usize) -> usize {
        let length = length.min(self.bytes().len());
        self.passed += length;
        self.used += length as u64;
        length
    }

    /// Uses up bytes and gives them: as many as there are, at most `length`.
    pub(super) fn take(&mut self, length: usize) -> Vec<u8> {
        let (begin, held) = (self.passed, self.bytes().len());
        let length = self.pass(length);
        if length < held / 2 {
            return self.buffer[begin..begin + length].to_vec();
        }
        // Of a large frame there is no second copy.
        let rest = self.buffer.split_off(std::mem::take(&mut self.passed));
        let mut taken = std::mem::replace(&mut self.buffer, rest);
        taken.drain(..begin);
        taken
    }

    /// Reads more; `false` at the end of the stream.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..std::mem::take(&mut self.passed));
        if self.buffer.is_empty() {
            // A large frame's memory is given back.
            self.buffer.shrink_to(2 * CHUNK);
        }
        let before = self.buffer.len();
        self.buffer.resize(before + CHUNK, 0);
        let read = loop {
            match self.input.read(&mut self.buffer[before..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(before + read.as_ref().copied().unwrap_or(0));
        Ok(read? > 0)
    }
}
