//! Which packets are taken: what is looked at before anything in them is believed.

use crate::message::Message;
use cssa::bundle::Language;
use cssa_wire::version2::{self, PacketV2};
use cssa_wire::{self as wire, CaptionPacket, Checksum, DownPacket, Key, Verification, Version, WireError};

/// What is asked of packets' codes of authentication. What version 2 sent has none.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Nothing: there is no key.
    Off,
    /// They are there and right.
    Required(Key),
    /// They are right where they are there.
    WherePresent(Key),
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
    pub(crate) fn open<'a>(&self, bytes: &'a [u8]) -> Result<Opened<'a>, WireError> {
        if wire::version_of(bytes, self.checksum)? == Version::Three {
            return Ok(Opened::Three(DownPacket::decode(bytes, self.authentication.verification(), self.checksum)?));
        }
        match self.authentication {
            Authentication::Required(_) => Err(WireError::NoMac),
            Authentication::Off | Authentication::WherePresent(_) => {
                Ok(Opened::Two { bundle: version2::bundle_of(bytes, self.checksum)? })
            }
        }
    }
}

impl Authentication {
    /// Whether a packet that was taken has a code of authentication that is right.
    pub(crate) fn is_authentic(&self, bytes: &[u8], checksum: Checksum) -> bool {
        match self {
            Self::Off => false,
            Self::Required(_) => true,
            Self::WherePresent(key) => DownPacket::decode(bytes, Verification::Required(key), checksum).is_ok(),
        }
    }

    fn verification(&self) -> Verification<'_> {
        match self {
            Self::Off => Verification::Off,
            Self::Required(key) => Verification::Required(key),
            Self::WherePresent(key) => Verification::WherePresent(key),
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
