//! Packets one after the other in a file or on a byte stream: each is COBS-encoded, between two zero bytes. The first ends what a write
//! that was cut off has left, so that this packet is found; the second says at once that it is whole.

use crate::error::WireError;
use crate::limits::MAX_PACKET;
use alloc::vec::Vec;

/// Appends a packet to a stream.
pub fn push_frame(stream: &mut Vec<u8>, packet: &[u8]) {
    stream.push(0);
    stream.extend(cobs::encode_vec(packet));
    stream.push(0);
}

/// Bytes that a packet of `length` bytes takes in a stream, at the most.
#[must_use]
pub fn frame_length(length: usize) -> usize {
    cobs::max_encoding_length(length) + 2
}

/// What stands between two zero bytes of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it starts, in bytes from the beginning.
    pub offset: usize,
    /// The packet's bytes, not looked into yet, or why there are none.
    pub packet: Result<Vec<u8>, WireError>,
}

/// The frames of a stream, in order; empty ones are passed over, and what follows the last zero is a cut-off packet.
pub fn frames(stream: &[u8]) -> impl Iterator<Item = Frame> + '_ {
    let mut offset = 0;
    stream.split(|&byte| byte == 0).filter_map(move |encoded| {
        let start = offset;
        offset += encoded.len() + 1;
        if encoded.is_empty() {
            return None;
        }
        Some(Frame { offset: start, packet: unframe(encoded) })
    })
}

fn unframe(encoded: &[u8]) -> Result<Vec<u8>, WireError> {
    if encoded.len() > MAX_PACKET + MAX_PACKET / 254 + 1 {
        return Err(WireError::Length { found: encoded.len() });
    }
    cobs::decode_vec(encoded).map_err(|_| WireError::Malformed)
}
