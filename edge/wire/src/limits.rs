//! What a packet may hold at most.

/// The version that this code writes.
pub const WIRE_VERSION: u8 = 3;
/// The version before it, which is still read: [`version2`](crate::version2).
pub(crate) const EARLIER_VERSION: u8 = 2;
/// Set in the first byte of packets that end in a checksum of 16 bits.
pub(crate) const SHORT_CHECKSUM: u8 = 0x80;
/// Set in the first byte of packets that go up. A MAC covers it: what was sent one way is nothing the other way.
pub(crate) const UPWARD: u8 = 0x40;
/// Most words of a caption.
pub const MAX_CAPTION: usize = 255;
/// Most captions of a packet.
pub const MAX_CAPTIONS: usize = 64;
/// Bytes of a packet down at most.
pub const MAX_PACKET: usize = 4096;
/// Bytes of a packet up at most: what a MAVLink TUNNEL holds.
pub const MAX_UP: usize = 128;
/// Bytes that a packet up has for its body at the least: beside it are version, vehicle, station, counter, the numbers of body and
/// acknowledgements, code and checksum.
pub(crate) const MAX_UP_BODY: usize = MAX_UP - (1 + 3 + 1 + 5 + 2 + UP_MAC + 4);
/// Bytes of the code of authentication of packets up (the baseline of CCSDS 355.0-B).
pub(crate) const UP_MAC: usize = 16;
/// Bytes of a picture's part at most.
pub const MAX_PART: usize = 1024;
/// Runs of missing parts at most: as many as a packet up holds.
pub const MAX_RUNS: usize = 15;
/// Most footprints of a packet: one for each caption of another.
pub const MAX_FOOTPRINTS: usize = MAX_CAPTIONS;
/// Longest step of a footprint, in 10⁻⁷ degrees: 127 are 6.35°, what a satellite sees.
pub(crate) const MAX_FOOTPRINT_STEP: u32 = 500_000;
/// Bytes of an answer's value at most.
pub const MAX_VALUE: usize = 64;
/// Decimals of a degree that positions have unless somebody wants others: 1.1 m.
pub const DEFAULT_DECIMALS: u8 = 5;
/// Most decimals of a degree.
pub(crate) const MAX_DECIMALS: u8 = 7;
/// The priority of what must arrive first.
pub const MAX_PRIORITY: u8 = 3;
/// The highest step of a confidence, and of version 2's score.
pub(crate) const MAX_STEP: u8 = 31;
