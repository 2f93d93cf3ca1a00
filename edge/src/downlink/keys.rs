//! The key of the link, and while it is being changed the next one beside it.

use cssa_wire::{Checksum, Key, UpPacket};

/// The keys by which packets from the ground are taken, and the one of what goes down.
#[derive(Clone, Debug)]
pub struct Keys {
    key: Key,
    next: Option<Key>,
    /// The ground has spoken under the next key: it has it.
    next_is_heard: bool,
}

impl From<Key> for Keys {
    fn from(key: Key) -> Self {
        Self { key, next: None, next_is_heard: false }
    }
}

impl Keys {
    /// A key that is to be followed by another.
    #[must_use]
    pub fn changing(key: Key, next: Key) -> Self {
        Self { next: Some(next), ..Self::from(key) }
    }

    /// The key of packets down: the next one as soon as the ground has been heard under it.
    pub(super) fn sealing(&self) -> &Key {
        self.next.as_ref().filter(|_| self.next_is_heard).unwrap_or(&self.key)
    }

    /// Reads a packet for `vehicle` under either key; gives the key's name, too.
    pub(super) fn open(&self, bytes: &[u8], vehicle: u16, checksum: Checksum) -> Option<(UpPacket, u32)> {
        let with = |key: &Key| Some((UpPacket::decode(bytes, vehicle, key, checksum).ok()?, key.name()));
        with(&self.key).or_else(|| with(self.next.as_ref()?))
    }

    /// A packet was taken under the key of that name, which no packet was before.
    pub(super) fn heard(&mut self, name: u32) {
        self.next_is_heard |= self.next.as_ref().is_some_and(|next| next.name() == name);
    }
}
