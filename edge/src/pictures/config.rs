//! `[pictures]` of `edge.toml`.

use crate::error::Error;
use serde::Deserialize;

/// Bytes of small pictures and of whole frames at most.
const MAX_SMALL: u64 = 1 << 30;
const MAX_FRAMES: u64 = 1 << 40;

/// What is kept of captioned frames, for a ground that asks to see one. Nothing is where there is no `link.key`: nobody could ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PicturesConfig {
    /// Bytes of the file with a small picture of each captioned frame, the newest ones; 0: none is kept.
    pub small_bytes: u64,
    /// Bytes of whole frames at most, of captions that are flagged or have a watch-word, the newest ones; 0: none is kept.
    pub frame_bytes: u64,
    /// Bytes of a picture in a packet at most, 16 to 1024. A link with many bit errors loses long packets.
    pub part_bytes: u16,
}

impl Default for PicturesConfig {
    fn default() -> Self {
        Self { small_bytes: 16 << 20, frame_bytes: 256 << 20, part_bytes: 200 }
    }
}

impl PicturesConfig {
    /// An error for each value that cannot be, by its key.
    #[must_use]
    pub fn problems(&self) -> Vec<Error> {
        let Self { small_bytes, frame_bytes, part_bytes } = *self;
        let values = [
            (small_bytes <= MAX_SMALL, Error::setting("pictures.small_bytes", small_bytes, "1073741824 at most")),
            (frame_bytes <= MAX_FRAMES, Error::setting("pictures.frame_bytes", frame_bytes, "1099511627776 at most")),
            ((16..=1024).contains(&part_bytes), Error::setting("pictures.part_bytes", part_bytes, "16 to 1024")),
        ];
        values.into_iter().filter(|(is_right, _)| !is_right).map(|(_, problem)| problem).collect()
    }
}
