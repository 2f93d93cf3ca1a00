//! Which packets are taken: what is looked at before anything in them is believed.

use crate::keys::{Keys, Refusal};
use crate::message::Message;
use cssa::bundle::Language;
use cssa_wire::version2::{self, PacketV2};
use cssa_wire::{self as wire, CaptionPacket, Checksum, DownPacket, Key, Verification, Version, WireError};

/// What is asked of packets' codes of authentication. What version 2 sent has none.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Nothing: there is no key.
    Off,
    /// They are there and right by one of the keys.
    Required(Keys),
    /// They are right by one of the keys where they are there.
    WherePresent(Keys),
}

/// Which packets a receiver takes.
#[derive(Clone, Debug)]
pub struct Reception {
    /// Their checksum.
    pub checksum: Checksum,
    /// Their code of authentication.
    pub authentication: Authentication,
    /// The vehicle of those that name none; 0: it has no number.
    pub vehicle: u16,
}

/// A packet whose checksum, version and code of authentication are right.
pub(crate) enum Opened<'a> {
    Two { bundle: u16 },
    Three(DownPacket<'a>),
}

impl Reception {
    pub(crate) fn open<'a>(&self, bytes: &'a [u8]) -> Result<Opened<'a>, Refusal> {
        if wire::version_of(bytes, self.checksum)? == Version::Three {
            return Ok(Opened::Three(self.authentication.open(bytes, self.checksum)?));
        }
        match self.authentication {
            Authentication::Required(_) => Err(WireError::NoMac.into()),
            Authentication::Off | Authentication::WherePresent(_) => {
                Ok(Opened::Two { bundle: version2::bundle_of(bytes, self.checksum)? })
            }
        }
    }
}

impl Authentication {
    /// The key by which the code of authentication of a packet that was taken is right; nothing where it has none.
    pub(crate) fn key_of(&self, bytes: &[u8], checksum: Checksum) -> Option<&Key> {
        match self {
            Self::Off => None,
            Self::Required(keys) | Self::WherePresent(keys) => keys.of_packet(bytes, checksum),
        }
    }

    fn open<'a>(&self, bytes: &'a [u8], checksum: Checksum) -> Result<DownPacket<'a>, Refusal> {
        match self {
            Self::Off => Ok(DownPacket::decode(bytes, Verification::Off, checksum)?),
            Self::Required(keys) => keys.open(bytes, checksum, |key| Verification::Required(key)),
            Self::WherePresent(keys) => keys.open(bytes, checksum, |key| Verification::WherePresent(key)),
        }
    }
}

impl Opened<'_> {
    pub(crate) fn bundle(&self) -> u16 {
        match self {
            Self::Two { bundle } => *bundle,
            Self::Three(packet) => packet.bundle,
        }
    }

    /// Who sends; `vehicle` stands for one that it does not name.
    pub(crate) fn vehicle(&self, vehicle: u16) -> u16 {
        match self {
            Self::Two { .. } => vehicle,
            Self::Three(packet) => named_or(packet.vehicle, vehicle),
        }
    }

    /// What it says; `vehicle` stands for one that it does not name.
    pub(crate) fn message(&self, vehicle: u16) -> Option<Message> {
        match self {
            Self::Two { .. } => None,
            Self::Three(packet) => Message::of(&DownPacket { vehicle: named_or(packet.vehicle, vehicle), ..*packet }),
        }
    }

    /// Its captions; `vehicle` stands for one that it does not name.
    pub(crate) fn captions(
        &self,
        bytes: &[u8],
        language: &Language,
        checksum: Checksum,
        vehicle: u16,
    ) -> Result<CaptionPacket, WireError> {
        let packet: CaptionPacket = match self {
            Self::Two { bundle } => PacketV2::decode(bytes, *bundle, &language.model, checksum)?.into(),
            Self::Three(packet) => CaptionPacket::of(packet, &language.model)?,
        };
        Ok(CaptionPacket { vehicle: named_or(packet.vehicle, vehicle), ..packet })
    }
}

fn named_or(named: u16, given: u16) -> u16 {
    if named > 0 { named } else { given }
}
