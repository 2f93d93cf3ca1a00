//! Packets up: what the ground says, always under a key.

use crate::acknowledge::SelectiveAck;
use crate::checksum::Checksum;
use crate::command::Command;
use crate::error::{WireError, bounded};
use crate::key::Key;
use crate::limits::{MAX_UP, MAX_UP_BODY, UP_MAC as MAC, UPWARD, WIRE_VERSION};
use crate::missing::MissingParts;
use alloc::vec::Vec;
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

/// Most acknowledgements of a packet: their number takes one byte.
const MAX_ACKS: usize = 127;

/// What the ground says. The order is the packet's: only ever append, and without a new wire version only what no earlier vehicle is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum Up {
    /// Captions have arrived.
    Acknowledge(Vec<SelectiveAck>),
    /// A picture is wanted.
    Ask(Ask),
    /// Something is to be done.
    Command(Command),
    /// Parts of a picture have not arrived, or it is whole.
    Missing(MissingParts),
}

/// A picture that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Ask {
    /// The number of the request: parts of the picture have it.
    pub ask: u16,
    /// The number of the caption whose picture it is.
    pub caption: u32,
    /// The picture's longer side in pixels, 16 to 8192.
    pub pixels: u16,
    /// A part of it: left, top, width and height, in pixels of the frame.
    pub crop: Option<[u16; 4]>,
}

/// A packet on its way up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpPacket {
    /// For whom; 0: for a vehicle that gives no number.
    pub vehicle: u16,
    /// Who sends: stations count by themselves.
    pub station: u8,
    /// Counts the station's packets; whether it is new is for a [`Window`](crate::Window) to say.
    pub counter: u32,
    /// What it says.
    pub body: Up,
}

/// A packet up as postcard has it, before its checksum: for programs that read packets by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct UpFields {
    /// [`WIRE_VERSION`], 64 more, and 128 more where the checksum has 16 bits.
    pub version: u8,
    /// For whom; 0: for a vehicle that gives no number.
    pub vehicle: u16,
    /// Who sends.
    pub station: u8,
    /// Counts the station's packets.
    pub counter: u32,
    /// What it says.
    pub body: Up,
    /// HMAC-SHA-256 over the bytes of all fields before, its first 16 bytes.
    pub mac: [u8; MAC],
}

impl Up {
    /// As many of the arrivals, the first ones first, as one packet holds.
    #[must_use]
    pub fn acknowledge(arrivals: impl IntoIterator<Item = SelectiveAck>) -> Self {
        let (mut taken, mut left) = (Vec::new(), MAX_UP_BODY);
        for arrival in arrivals {
            let size = arrival.size();
            if size <= left && taken.len() < MAX_ACKS {
                left -= size;
                taken.push(arrival);
            }
        }
        Self::Acknowledge(taken)
    }

    fn check(&self) -> Result<(), WireError> {
        match self {
            Self::Acknowledge(arrivals) => arrivals
                .iter()
                .try_for_each(|arrival| bounded("captions", arrival.count(), "32 at most", arrival.is_bounded())),
            Self::Ask(Ask { pixels, crop, .. }) => {
                bounded("pixels", *pixels, "16 to 8192", (16..=8192).contains(pixels))?;
                let side = crop.map_or(1, |[_, _, width, height]| width.min(height));
                bounded("a crop's side", side, "1 or more", side >= 1)
            }
            Self::Command(command) => command.check(),
            Self::Missing(missing) => missing.check(),
        }
    }
}

impl UpPacket {
    /// The packet's bytes under a key.
    pub fn encode(&self, key: &Key, checksum: Checksum) -> Result<Vec<u8>, WireError> {
        self.body.check()?;
        let version = checksum.mark(WIRE_VERSION | UPWARD);
        let covered = (version, self.vehicle, self.station, self.counter, &self.body);
        let mut bytes = postcard::to_allocvec(&covered).map_err(|_| WireError::Malformed)?;
        bytes.extend(key.mac::<MAC>(&bytes));
        checksum.seal(&mut bytes);
        if bytes.len() > MAX_UP {
            return Err(WireError::Length { found: bytes.len() });
        }
        Ok(bytes)
    }

    /// Reads a packet for `vehicle`: its checksum, its version, for whom it is, its code of authentication, its bounds. It is refused
    /// where it would not give exactly these bytes again. Never panics, whatever the bytes.
    pub fn decode(bytes: &[u8], vehicle: u16, key: &Key, checksum: Checksum) -> Result<Self, WireError> {
        let content = content_of(bytes, checksum)?;
        let Ok((fields, [])) = postcard::take_from_bytes::<UpFields>(content) else {
            return Err(WireError::Malformed);
        };
        if fields.vehicle != vehicle {
            return Err(WireError::Vehicle { found: fields.vehicle, expected: vehicle });
        }
        if !key.is_of(&content[..content.len().saturating_sub(MAC)], &fields.mac) {
            return Err(WireError::Mac);
        }
        fields.body.check()?;
        if postcard::to_allocvec(&fields).map_err(|_| WireError::Malformed)? != content {
            return Err(WireError::Malformed);
        }
        let UpFields { station, counter, body, .. } = fields;
        Ok(Self { vehicle, station, counter, body })
    }
}

/// Whether bytes are a packet up that nothing damaged.
#[must_use]
pub fn is_up(bytes: &[u8], checksum: Checksum) -> bool {
    content_of(bytes, checksum).is_ok()
}

/// The bytes before the checksum, where length, checksum and version are right.
fn content_of(bytes: &[u8], checksum: Checksum) -> Result<&[u8], WireError> {
    if bytes.len() > MAX_UP {
        return Err(WireError::Length { found: bytes.len() });
    }
    let content = checksum.open(bytes)?;
    match content.first() {
        Some(&found) if found == checksum.mark(WIRE_VERSION | UPWARD) => Ok(content),
        Some(&found) => Err(WireError::Version { found }),
        None => Err(WireError::Length { found: bytes.len() }),
    }
}
