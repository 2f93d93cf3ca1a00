//! A caption as bytes for the link.

use crate::caption::CssaCaption;
use crate::foreign::{self, SizedStruct, null, place};
use crate::status::{CssaStatus, Failure, Result, guarded};
use cssa_wire::{Caption, CaptionPacket, Checksum, DEFAULT_DECIMALS, Key, MAX_PRIORITY, Position, push_frame};
use std::ffi::c_char;
use std::mem::{MaybeUninit, size_of};

/// What closes a packet: the ground must expect the same.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum CssaChecksum {
    /// 32 bits.
    Crc32 = 0,
    /// 16 bits, where the link has a code of its own.
    Crc16 = 1,
}

/// What stands around a packet.
#[repr(u32)]
#[derive(Clone, Copy, Debug)]
pub enum CssaFraming {
    /// Nothing: a datagram, a frame of another protocol.
    None = 0,
    /// COBS between two zero bytes: a file or a byte stream, one after the other, as `ground decode` reads them.
    Stream = 1,
}

/// How a caption is packed: zero or NULL is the default of each.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CssaPacket {
    /// sizeof(CssaPacket).
    pub size: usize,
    /// Degrees north, −90 to 90, where has_position is 1.
    pub latitude: f64,
    /// Degrees east, −180 to 180, where has_position is 1.
    pub longitude: f64,
    /// The key that the vehicle shares with the ground, 64 hexadecimal digits, as `ground key` writes it; NULL: none.
    pub key: *const c_char,
    /// The caption's number: two with the same number are the same caption to the ground.
    pub number: u32,
    /// Seconds since 1970-01-01 UTC, or since the vehicle's start where they are less than 1577836800.
    pub time: u32,
    /// The vehicle's number, up to 65535; 0: not given.
    pub vehicle: u32,
    /// 1 where there is a position; 0: none.
    pub has_position: u32,
    /// 0 to 3: how much it matters.
    pub priority: u32,
    /// CssaChecksum: what closes it.
    pub checksum: u32,
    /// CssaFraming: what stands around it.
    pub framing: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: repr(C), its size first, two doubles, a pointer that may be anything, eight numbers of 32 bits; no padding.
unsafe impl SizedStruct for CssaPacket {
    const NAME: &'static str = "packet";
    const FIRST: usize = 2 * size_of::<usize>() + 2 * size_of::<f64>() + size_of::<[u32; 8]>();
}

/// Packs a caption into `buffer`, which has room for `capacity` bytes, and puts the packet's length into `*length`. `packet` may be NULL.
///
/// Where the buffer is too small, nothing is written to it, the code is CSSA_STATUS_BUFFER, and `*length` is what is needed: with a
/// capacity of 0, and a buffer of NULL, that is how to ask. Of other errors `*length` is 0. A caption of a dozen words takes about 30
/// bytes, none more than CSSA_MAX_PACKET.
///
/// CSSA_STATUS_ARGUMENT, PACKET, BUFFER.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cssa_pack(
    caption: Option<&CssaCaption>,
    packet: *const CssaPacket,
    buffer: *mut u8,
    capacity: usize,
    length: Option<&mut MaybeUninit<usize>>,
) -> CssaStatus {
    guarded(|| {
        let length = place("length", length, 0)?;
        // SAFETY: a CssaPacket or NULL, as the header says.
        let how = unsafe { How::read(packet) }?;
        let packed = packed(caption.ok_or_else(|| null("caption"))?, how)?;
        *length = packed.len();
        // SAFETY: room for so many bytes or NULL, as the header says.
        unsafe { foreign::fill(buffer, capacity, &packed) }
    })
}

/// Bytes of a packet at most, with what stands around it.
pub const CSSA_MAX_PACKET: u32 = 4120;

fn packed(caption: &CssaCaption, how: How) -> Result<Vec<u8>> {
    let How { vehicle, position, key, checksum, framing, number, time, priority } = how;
    let CssaCaption { made, language, .. } = caption;
    let caption = Caption {
        sequence: number,
        time,
        position,
        confidence: made.confidence,
        outside: made.outside(),
        priority,
        repeat: false,
        text: made.text.clone(),
    };
    let packet = CaptionPacket { vehicle, bundle: language.id, decimals: DEFAULT_DECIMALS, captions: vec![caption] };
    let bytes = packet.encode(&language.model, key.as_ref(), checksum).map_err(Failure::of_packing)?;
    Ok(match framing {
        CssaFraming::None => bytes,
        CssaFraming::Stream => {
            let mut stream = Vec::new();
            push_frame(&mut stream, &bytes);
            stream
        }
    })
}

struct How {
    vehicle: u16,
    position: Option<Position>,
    key: Option<Key>,
    checksum: Checksum,
    framing: CssaFraming,
    number: u32,
    time: u32,
    priority: u8,
}

impl How {
    /// What C passes; NULL is the default of everything.
    ///
    /// # Safety
    /// It is what `cssa.h` says.
    unsafe fn read(packet: *const CssaPacket) -> Result<Self> {
        // SAFETY: the same contract.
        let Some(packet) = (unsafe { foreign::sized(packet) })? else {
            let (checksum, framing) = (Checksum::Crc32, CssaFraming::None);
            return Ok(Self {
                vehicle: 0,
                position: None,
                key: None,
                checksum,
                framing,
                number: 0,
                time: 0,
                priority: 0,
            });
        };
        let wrong =
            |name, found: u32, expected| Failure::argument(format!("packet: {name} is {found}, expected {expected}"));
        let vehicle = packet.vehicle;
        let vehicle = u16::try_from(vehicle).map_err(|_| wrong("vehicle", vehicle, "0 to 65535"))?;
        let priority = u8::try_from(packet.priority).ok().filter(|priority| *priority <= MAX_PRIORITY);
        let position = match packet.has_position {
            0 => None,
            1 => Some(position(packet.latitude, packet.longitude)?),
            other => return Err(wrong("has_position", other, "0 or 1")),
        };
        // SAFETY: a text or NULL, by the same contract.
        let key = match unsafe { foreign::text(packet.key) } {
            None => None,
            Some(text) => Some(text.to_str().ok().and_then(Key::from_hexadecimal).ok_or_else(|| {
                Failure::argument("packet: key is none, expected 64 hexadecimal digits, as `ground key` writes them")
            })?),
        };
        let checksum = match packet.checksum {
            0 => Checksum::Crc32,
            1 => Checksum::Crc16,
            other => return Err(wrong("checksum", other, "a CssaChecksum, 0 or 1")),
        };
        let framing = match packet.framing {
            0 => CssaFraming::None,
            1 => CssaFraming::Stream,
            other => return Err(wrong("framing", other, "a CssaFraming, 0 or 1")),
        };
        if packet.reserved != 0 {
            return Err(wrong("reserved", packet.reserved, "0"));
        }
        Ok(Self {
            vehicle,
            position,
            key,
            checksum,
            framing,
            number: packet.number,
            time: packet.time,
            priority: priority.ok_or_else(|| wrong("priority", packet.priority, "0 to 3"))?,
        })
    }
}

fn position(latitude: f64, longitude: f64) -> Result<Position> {
    let said = || format!("packet: {latitude} north, {longitude} east, expected degrees, −90 to 90 and −180 to 180");
    Position::new(latitude, longitude).ok_or_else(|| Failure::argument(said()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cssa_wire::{MAX_PACKET, frame_length};

    #[test]
    fn the_longest_packet_is_said() {
        assert!(frame_length(MAX_PACKET) <= CSSA_MAX_PACKET as usize);
    }
}
