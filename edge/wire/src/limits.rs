//! What a packet may hold at most.

/// The version that this code writes and reads.
pub const WIRE_VERSION: u8 = 2;
/// Most words of a caption.
pub const MAX_CAPTION: usize = 255;
/// Most captions of a packet.
pub const MAX_CAPTIONS: usize = 64;
/// Bytes of a packet at most.
pub const MAX_PACKET: usize = 4096;
/// Decimals of a degree that positions have unless somebody wants others: 1.1 m.
pub const DEFAULT_DECIMALS: u8 = 5;
/// The priority of what must arrive first.
pub const MAX_PRIORITY: u8 = 3;
/// The highest score.
pub const MAX_SCORE: u8 = 31;
