//! The key of the link, and while it is being changed the next one beside it: from `edge.toml`, or over the link.

use crate::error::Result;
use crate::store::{NewKey, Store};
use cssa_wire::{Checksum, Command, Key, UpPacket, WRAPPED_KEY};

/// The keys by which packets from the ground are taken, and the one of what goes down.
#[derive(Clone, Debug)]
pub struct Keys {
    /// `link.key` and `link.next_key`.
    configured: (Key, Option<Key>),
    key: Key,
    next: Option<Key>,
    /// The ground has spoken under the next key: it has it.
    next_is_heard: bool,
}

impl From<Key> for Keys {
    fn from(key: Key) -> Self {
        Self { configured: (key.clone(), None), key, next: None, next_is_heard: false }
    }
}

impl Keys {
    /// A key that is to be followed by another.
    #[must_use]
    pub fn changing(key: Key, next: Key) -> Self {
        Self { configured: (key.clone(), Some(next.clone())), next: Some(next), ..Self::from(key) }
    }

    /// Those of the configuration under the key that came over the link, where that stands above them. `link.next_key` is to follow the
    /// key in use, and takes the place of one over the link that is not.
    pub(super) fn under(&self, new: Option<&NewKey>) -> Self {
        let configured = self.configured.clone();
        let (key, next, is_heard) = match (new, configured.clone()) {
            (Some(new), (key, next)) if new.stands_above(&key) => match next {
                Some(next) if next != new.key && new.is_heard => (new.key.clone(), Some(next), false),
                Some(next) if next != new.key => (new.before.clone().unwrap_or(key), Some(next), false),
                _ => (new.before.clone().unwrap_or(key), Some(new.key.clone()), new.is_heard),
            },
            (_, (key, next)) => (key, next, false),
        };
        let was_heard = self.next_is_heard && self.next == next;
        Self { configured, key, next, next_is_heard: is_heard || was_heard }
    }

    /// Those with which a flight begins.
    pub(super) fn with_store(&self, store: &Store) -> Result<Self> {
        let new = store.new_key()?;
        if new.as_ref().is_some_and(|new| new.stands_above(&self.configured.0)) {
            tracing::info!("a key that came over the link stands above link.key: edge run --check says more");
        }
        Ok(self.under(new.as_ref()))
    }

    /// The key of packets down: the next one as soon as the ground has been heard under it.
    pub(super) fn sealing(&self) -> &Key {
        self.next.as_ref().filter(|_| self.next_is_heard).unwrap_or(&self.key)
    }

    /// Reads a packet for `vehicle` under either key; gives the key, too.
    pub(super) fn open(&self, bytes: &[u8], vehicle: u16, checksum: Checksum) -> Option<(UpPacket, Key)> {
        let with = |key: &Key| Some((UpPacket::decode(bytes, vehicle, key, checksum).ok()?, key.clone()));
        with(&self.key).or_else(|| with(self.next.as_ref()?))
    }

    /// A packet was taken under a key, which no packet was before.
    pub(super) fn heard(&mut self, key: &Key) {
        if !self.next_is_heard && self.next.as_ref() == Some(key) {
            tracing::info!("the ground has the next key: packets down are under it from now on");
            self.next_is_heard = true;
        }
    }

    /// What a command under the key `by` makes the next key; or why it does not. A key over the link that the ground has not spoken under
    /// is no key in use, and another one takes its place.
    pub(super) fn offered(&self, command: &Command, by: &Key, vehicle: u16) -> Result<NewKey, &'static str> {
        let Command::NewKeyPart { part: 0, parts: 1, bytes } = command else { return Err(ONE_PART) };
        if bytes.len() != WRAPPED_KEY {
            return Err(ONE_PART);
        }
        let (configured, by_hand) = &self.configured;
        if by_hand.is_some() {
            return Err(BY_HAND);
        }
        let mut now = self.clone();
        now.heard(by);
        if now.sealing() != by {
            return Err(KEY_BEFORE);
        }
        let key = by.unwrap_new(bytes, vehicle).map_err(|_| NOT_WRAPPED)?;
        let has = |of: &Key| of.name() == key.name();
        if has(configured) || has(&self.key) || self.next.as_ref().is_some_and(has) {
            return Err(HAS_IT);
        }
        let before = Some(by).filter(|by| *by != configured).cloned();
        Ok(NewKey { key, before, configured: configured.name(), is_heard: false })
    }
}

/// What the ground is told, in the 64 bytes that an answer has room for.
const ONE_PART: &str = "expected a new key as one part of 40 bytes";
const BY_HAND: &str = "edge.toml has a link.next_key: that change is to end first";
const KEY_BEFORE: &str = "a new key is taken under the key in use, not the one before it";
const NOT_WRAPPED: &str = "it is not wrapped under this vehicle's key in use";
const HAS_IT: &str = "the vehicle has this key already";

#[cfg(test)]
mod tests {
    use super::*;

    /// `link.next_key` follows the key in use: also where that came over the link, and one after it was never heard.
    #[test]
    fn the_next_key_of_the_configuration_follows_the_key_in_use() {
        let [first, second, third, fifth] = [1, 2, 3, 5].map(|n| Key::new([n; cssa_wire::KEY]));
        let new = NewKey { key: third, before: Some(second.clone()), configured: first.name(), is_heard: false };
        let keys = Keys::changing(first.clone(), fifth.clone()).under(Some(&new));
        assert_eq!((keys.key, keys.next, keys.next_is_heard), (second, Some(fifth.clone()), false));
        let unheard = NewKey { before: None, ..new };
        let keys = Keys::changing(first.clone(), fifth.clone()).under(Some(&unheard));
        assert_eq!((keys.key, keys.next), (first, Some(fifth)));
    }
}
