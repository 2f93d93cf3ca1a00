//! The keys of a ground: one, or while a vehicle's key is being changed the new one and the one before.

use cssa_wire::{Checksum, DownPacket, Key, Verification, WireError};

/// The keys that vehicles may have; the first is the one that all are to have in the end.
#[derive(Clone, Debug)]
pub struct Keys {
    first: Key,
    others: Vec<Key>,
}

impl From<Key> for Keys {
    fn from(first: Key) -> Self {
        Self { first, others: Vec::new() }
    }
}

impl Keys {
    /// The keys in their order; nothing where there are none.
    #[must_use]
    pub fn of(keys: impl IntoIterator<Item = Key>) -> Option<Self> {
        let mut keys = keys.into_iter();
        Some(Self { first: keys.next()?, others: keys.collect() })
    }

    /// The key that all vehicles are to have.
    #[must_use]
    pub fn first(&self) -> &Key {
        &self.first
    }

    /// Reads a packet as `verification` asks with each key until one is right; gives the first key's answer where none is.
    pub(crate) fn open<'a>(
        &self,
        bytes: &'a [u8],
        checksum: Checksum,
        verification: fn(&Key) -> Verification<'_>,
    ) -> Result<DownPacket<'a>, WireError> {
        let opened = DownPacket::decode(bytes, verification(&self.first), checksum);
        if !matches!(opened, Err(WireError::Mac)) {
            return opened;
        }
        let with = |key| DownPacket::decode(bytes, verification(key), checksum).ok();
        self.others.iter().find_map(with).map_or(opened, Ok)
    }

    /// The key whose code of authentication a packet has.
    pub(crate) fn of_packet(&self, bytes: &[u8], checksum: Checksum) -> Option<&Key> {
        let is_of = |key: &&Key| DownPacket::decode(bytes, Verification::Required(key), checksum).is_ok();
        std::iter::once(&self.first).chain(&self.others).find(is_of)
    }
}
