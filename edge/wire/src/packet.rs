//! Packets down as bytes: what is around every body.

use crate::checksum::Checksum;
use crate::down::Down;
use crate::error::WireError;
use crate::key::Key;
use crate::limits::{EARLIER_VERSION, MAX_PACKET, WIRE_VERSION};
use alloc::vec::Vec;
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

/// Bytes of a packet's code of authentication, and of the field that holds it.
const MAC: usize = 4;
const MAC_FIELD: usize = 1 + MAC;

/// A packet on its way down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DownPacket<'a> {
    /// Who sends; 0: not given.
    pub vehicle: u16,
    /// The bundle at work.
    pub bundle: u16,
    /// What it holds.
    pub body: Down<'a>,
}

/// A packet down as postcard has it, before its checksum: for programs that read packets by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct DownFields<'a> {
    /// [`WIRE_VERSION`], and 128 more where the checksum has 16 bits.
    pub version: u8,
    /// Who sends; 0: not given.
    pub vehicle: u16,
    /// First 16 bits of the bundle's hash, little-endian.
    pub bundle: [u8; 2],
    /// What it holds.
    #[serde(borrow)]
    pub body: Down<'a>,
    /// HMAC-SHA-256 over the bytes of all fields before, its first four bytes, where the sender has a key.
    pub mac: Option<[u8; MAC]>,
}

/// What a receiver asks of a packet's code of authentication.
#[derive(Clone, Copy, Debug)]
pub enum Verification<'a> {
    /// Nothing: there is no key.
    Off,
    /// It is there and right.
    Required(&'a Key),
    /// It is right where it is there.
    WherePresent(&'a Key),
}

/// The versions that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// [`version2`](crate::version2).
    Two,
    /// [`DownPacket`].
    Three,
}

/// The version of a packet down, once its length, checksum and version are right. The reader says which checksum it expects: a
/// packet that names the other one is of no version.
pub fn version_of(bytes: &[u8], checksum: Checksum) -> Result<Version, WireError> {
    if bytes.len() > MAX_PACKET {
        return Err(WireError::Length { found: bytes.len() });
    }
    let &found = checksum.open(bytes)?.first().ok_or(WireError::Length { found: bytes.len() })?;
    match found {
        _ if found == checksum.mark(WIRE_VERSION) => Ok(Version::Three),
        _ if found == checksum.mark(EARLIER_VERSION) => Ok(Version::Two),
        _ => Err(WireError::Version { found }),
    }
}

/// The number of what a packet down holds, by its first bytes: whoever puts it into frames need not look further.
#[must_use]
pub fn body_of(bytes: &[u8]) -> Option<u8> {
    let (begin, _) = postcard::take_from_bytes::<(u8, u16, [u8; 2], u8)>(bytes).ok()?;
    Some(begin.3)
}

impl<'a> DownPacket<'a> {
    /// The packet's bytes, with a code of authentication where there is a key.
    pub fn encode(&self, key: Option<&Key>, checksum: Checksum) -> Result<Vec<u8>, WireError> {
        self.body.check()?;
        let (version, bundle) = (checksum.mark(WIRE_VERSION), self.bundle.to_le_bytes());
        let covered = (version, self.vehicle, bundle, self.body);
        let covered = postcard::to_allocvec(&covered).map_err(|_| WireError::Malformed)?;
        let mac = key.map(|key| key.mac::<MAC>(&covered));
        let mut bytes = postcard::to_extend(&mac, covered).map_err(|_| WireError::Malformed)?;
        checksum.seal(&mut bytes);
        if bytes.len() > MAX_PACKET {
            return Err(WireError::Length { found: bytes.len() });
        }
        Ok(bytes)
    }

    /// Reads a packet: its checksum, its version, its code of authentication as `verification` asks, its bounds. It is refused where
    /// it would not give exactly these bytes again. Never panics and never allocates more than the packet takes, whatever the bytes.
    pub fn decode(bytes: &'a [u8], verification: Verification<'_>, checksum: Checksum) -> Result<Self, WireError> {
        if version_of(bytes, checksum)? != Version::Three {
            return Err(WireError::Version { found: bytes[0] });
        }
        let content = &bytes[..bytes.len() - checksum.length()];
        let Ok((fields, [])) = postcard::take_from_bytes::<DownFields<'_>>(content) else {
            return Err(WireError::Malformed);
        };
        verification.check(content, fields.mac.as_ref())?;
        fields.body.check()?;
        if postcard::to_allocvec(&fields).map_err(|_| WireError::Malformed)? != content {
            return Err(WireError::Malformed);
        }
        Ok(Self { vehicle: fields.vehicle, bundle: u16::from_le_bytes(fields.bundle), body: fields.body })
    }
}

impl Verification<'_> {
    fn check(self, content: &[u8], mac: Option<&[u8; MAC]>) -> Result<(), WireError> {
        let (key, mac) = match (self, mac) {
            (Self::Off, _) | (Self::WherePresent(_), None) => return Ok(()),
            (Self::Required(_), None) => return Err(WireError::NoMac),
            (Self::Required(key) | Self::WherePresent(key), Some(mac)) => (key, mac),
        };
        let covered = &content[..content.len().saturating_sub(MAC_FIELD)];
        if key.is_of(covered, mac) { Ok(()) } else { Err(WireError::Mac) }
    }
}
