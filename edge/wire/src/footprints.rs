//! Packets with footprints.

use crate::checksum::Checksum;
use crate::down::Down;
use crate::error::WireError;
use crate::footprint::{Footprint, content, footprints};
use crate::key::Key;
use crate::packet::DownPacket;
use alloc::vec::Vec;

/// Footprints on their way to the ground.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FootprintPacket {
    /// Who sends; 0: not given.
    pub vehicle: u16,
    /// The bundle at work.
    pub bundle: u16,
    /// One to [`MAX_FOOTPRINTS`](crate::MAX_FOOTPRINTS), by ascending numbers.
    pub footprints: Vec<Footprint>,
}

impl FootprintPacket {
    /// The packet's bytes, with a code of authentication where there is a key.
    pub fn encode(&self, key: Option<&Key>, checksum: Checksum) -> Result<Vec<u8>, WireError> {
        let content = content(&self.footprints)?;
        let body = Down::Footprints(&content);
        DownPacket { vehicle: self.vehicle, bundle: self.bundle, body }.encode(key, checksum)
    }

    /// The footprints of a packet.
    pub fn of(packet: &DownPacket<'_>) -> Result<Self, WireError> {
        let Down::Footprints(content) = packet.body else { return Err(WireError::NoFootprints) };
        Ok(Self { vehicle: packet.vehicle, bundle: packet.bundle, footprints: footprints(content)? })
    }
}
