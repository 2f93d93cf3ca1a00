//! The keys of a ground: those of all vehicles, and those of vehicles that have their own. While a key is being changed there are two: the
//! new one, and the one before.

use cssa_wire::{Checksum, DownPacket, Key, Verification, WireError};
use std::collections::BTreeMap;
use std::fmt;

/// The keys that vehicles may have. There is at least one. The first of a vehicle is the one that it is to have in the end.
#[derive(Clone, Debug)]
pub struct Keys {
    any: Key,
    general: Vec<Key>,
    own: BTreeMap<u16, Vec<Key>>,
}

/// Whose keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOwner {
    /// Vehicles that have none of their own.
    General,
    /// One vehicle.
    Vehicle(u16),
}

impl fmt::Display for KeyOwner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::General => formatter.write_str("vehicles that have none of their own"),
            Self::Vehicle(number) => write!(formatter, "vehicle {number}"),
        }
    }
}

/// Why a packet is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Packet(#[from] WireError),
    #[error(transparent)]
    Key(#[from] KeyRefusal),
}

/// Why a code of authentication says nothing for a packet's vehicle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// Its vehicle has no key here.
    #[error("{}", no_key(*.0))]
    NoKey(u16),
    /// It is right by a key that its vehicle does not have.
    #[error("names vehicle {vehicle}, and is under the key of {of}")]
    OtherKey {
        /// The vehicle that it names.
        vehicle: u16,
        /// Whose the key is.
        of: KeyOwner,
    },
}

impl From<Key> for Keys {
    fn from(key: Key) -> Self {
        Self { any: key.clone(), general: vec![key], own: BTreeMap::new() }
    }
}

fn no_key(vehicle: u16) -> String {
    match vehicle {
        0 => "a vehicle without a number has no key here: name it with --key PATH".to_owned(),
        number => format!("vehicle {number} has no key here: name it with --key {number}=PATH"),
    }
}

impl Keys {
    /// The keys of all vehicles in their order; nothing where there are none.
    #[must_use]
    pub fn of(keys: impl IntoIterator<Item = Key>) -> Option<Self> {
        Self::owned(keys.into_iter().map(|key| (KeyOwner::General, key)))
    }

    /// Keys by whose they are, each owner's in their order; nothing where there are none.
    #[must_use]
    pub fn owned(keys: impl IntoIterator<Item = (KeyOwner, Key)>) -> Option<Self> {
        let (mut general, mut own, mut any) = (Vec::new(), BTreeMap::<u16, Vec<Key>>::new(), None);
        for (owner, key) in keys {
            any.get_or_insert_with(|| key.clone());
            match owner {
                KeyOwner::General => general.push(key),
                KeyOwner::Vehicle(number) => own.entry(number).or_default().push(key),
            }
        }
        Some(Self { any: any?, general, own })
    }

    /// The keys that a vehicle may have: its own, or else the general ones.
    fn of_vehicle(&self, vehicle: u16) -> &[Key] {
        self.own.get(&vehicle).unwrap_or(&self.general)
    }

    /// The key that a vehicle has; nothing where there is none here, or more than one.
    #[must_use]
    pub fn only_of(&self, vehicle: u16) -> Option<&Key> {
        if let [key] = self.of_vehicle(vehicle) { Some(key) } else { None }
    }

    /// The key that a vehicle is to have; nothing where it has none here.
    pub(crate) fn first_of(&self, vehicle: u16) -> Option<&Key> {
        self.of_vehicle(vehicle).first()
    }

    /// Reads a packet as `verification` asks with each key of the vehicle that it names until one is right.
    pub(crate) fn open<'a>(
        &self,
        bytes: &'a [u8],
        checksum: Checksum,
        verification: fn(&Key) -> Verification<'_>,
    ) -> Result<DownPacket<'a>, Refusal> {
        // Nothing but whose it says it is.
        let vehicle = DownPacket::decode(bytes, Verification::Off, checksum)?.vehicle;
        let own = self.of_vehicle(vehicle);
        for key in own {
            match DownPacket::decode(bytes, verification(key), checksum) {
                Err(WireError::Mac) => {}
                opened => return Ok(opened?),
            }
        }
        let is_bare =
            matches!(DownPacket::decode(bytes, Verification::Required(&self.any), checksum), Err(WireError::NoMac));
        if is_bare {
            return Ok(DownPacket::decode(bytes, verification(&self.any), checksum)?);
        }
        match self.owner_of(bytes, checksum) {
            Some(of) => Err(KeyRefusal::OtherKey { vehicle, of }.into()),
            None if own.is_empty() => Err(KeyRefusal::NoKey(vehicle).into()),
            None => Err(WireError::Mac.into()),
        }
    }

    /// The key of the vehicle that a packet names whose code of authentication it has.
    pub(crate) fn of_packet(&self, bytes: &[u8], checksum: Checksum) -> Option<&Key> {
        let vehicle = DownPacket::decode(bytes, Verification::Off, checksum).ok()?.vehicle;
        self.of_vehicle(vehicle).iter().find(|key| is_of(key, bytes, checksum))
    }

    fn owner_of(&self, bytes: &[u8], checksum: Checksum) -> Option<KeyOwner> {
        let has = |keys: &[Key]| keys.iter().any(|key| is_of(key, bytes, checksum));
        let vehicle = self.own.iter().find(|(_, keys)| has(keys)).map(|(number, _)| KeyOwner::Vehicle(*number));
        vehicle.or_else(|| has(&self.general).then_some(KeyOwner::General))
    }
}

fn is_of(key: &Key, bytes: &[u8], checksum: Checksum) -> bool {
    DownPacket::decode(bytes, Verification::Required(key), checksum).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, Result};
    use cssa_wire::{Down, Housekeeping};

    /// Each vehicle under its own key, two while it is being changed, and under no other's; those without one under the general one.
    #[test]
    fn a_vehicle_is_who_has_its_key() -> Result<()> {
        let key = |byte: u8| Key::new([byte; 32]);
        let own = [(12, 1), (12, 2), (13, 3)].map(|(number, byte)| (KeyOwner::Vehicle(number), key(byte)));
        let only_own = Keys::owned(own.clone()).context("keys")?;
        let keys = Keys::owned(own.into_iter().chain([(KeyOwner::General, key(4))])).context("keys")?;
        let checksum = Checksum::Crc32;
        let packet = |vehicle, byte: Option<u8>| -> Result<Vec<u8>> {
            let body = Down::Housekeeping(Housekeeping::default());
            Ok(DownPacket { vehicle, bundle: 7, body }.encode(byte.map(key).as_ref(), checksum)?)
        };
        let other = |vehicle, of| Some(Refusal::Key(KeyRefusal::OtherKey { vehicle, of }));
        let (twelve, thirteen) = (KeyOwner::Vehicle(12), KeyOwner::Vehicle(13));
        for (keys, vehicle, byte, refused) in [
            (&keys, 12, Some(1), None),
            (&keys, 12, Some(2), None),
            (&keys, 13, Some(3), None),
            (&keys, 14, Some(4), None),
            (&keys, 0, Some(4), None),
            (&keys, 13, Some(1), other(13, twelve)),
            (&keys, 14, Some(3), other(14, thirteen)),
            (&keys, 0, Some(3), other(0, thirteen)),
            (&keys, 12, Some(4), other(12, KeyOwner::General)),
            (&keys, 12, Some(9), Some(WireError::Mac.into())),
            (&keys, 12, None, Some(WireError::NoMac.into())),
            (&only_own, 14, Some(9), Some(KeyRefusal::NoKey(14).into())),
            (&only_own, 14, Some(1), other(14, twelve)),
            (&only_own, 14, None, Some(WireError::NoMac.into())),
        ] {
            let bytes = packet(vehicle, byte)?;
            let opened = keys.open(&bytes, checksum, |key| Verification::Required(key));
            assert_eq!(opened.err(), refused, "vehicle {vehicle} under {byte:?}");
            let wanted = byte.filter(|_| refused.is_none()).map(key);
            assert_eq!(keys.of_packet(&bytes, checksum), wanted.as_ref());
            // Where they need no code of authentication, one that is there is right.
            let opened = keys.open(&bytes, checksum, |key| Verification::WherePresent(key));
            assert_eq!(opened.err(), refused.filter(|_| byte.is_some()), "vehicle {vehicle} under {byte:?}");
        }
        assert_eq!((only_own.first_of(14), keys.first_of(14)), (None, Some(&key(4))));
        assert_eq!(keys.first_of(12), Some(&key(1)));
        assert_eq!([12, 13, 14].map(|vehicle| keys.only_of(vehicle)), [None, Some(&key(3)), Some(&key(4))]);
        Ok(())
    }
}
