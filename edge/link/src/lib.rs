//! The link between vehicle and ground: what carries packets down and commands up. Both ends use the same ports and frames.
//!
//! | framing | a packet on a datagram link | in a stream |
//! |---|---|---|
//! | plain | the packet | a zero byte, the packet, COBS-encoded, and a zero byte |
//! | ccsds | a space packet | space packets, one after the other |
//! | ccsds-rs | a marked codeblock | marked codeblocks, one after the other |
//!
//! **Space packet** (CCSDS 133.0-B-2), big-endian: 3 bits version 0; 1 bit type, 0 down, 1 up; 1 bit 0, no secondary header; 11 bits
//! APID; 2 bits 11, unsegmented; 14 bits count, by APID; 16 bits length of the data less one; the packet.
//!
//! **Marked codeblock** (CCSDS 131.0-B-5): 1a cf fc 1d; then 255 bytes, xor-ed with the pseudo-random sequence: 223 of data (a space
//! packet, and an idle one of APID 2047 whose data are 0x55, or zeros where less than 7 bytes are left) and 32 of parity,
//! Reed–Solomon (255,223) in the dual basis, interleaving depth 1.
//!
//! **MAVLink**: TUNNEL (385), payload type 0, the packet as it is, at most 128 bytes; the vehicle is system 1, component 191, unless
//! told otherwise, and sends a HEARTBEAT (0) each second, of an onboard controller (MAV_TYPE 18) without an autopilot.
//!
//! `fixtures/wire/frames.txt` has golden vectors.
//!
//! ```
//! use cssa_link::{Deframer, Direction, Format, Framer, Framing};
//! use cssa_wire::{Command, Key, Up, UpPacket};
//!
//! let format = Format { framing: Framing::Ccsds, ..Format::default() };
//! let command = UpPacket { vehicle: 12, station: 1, counter: 1, body: Up::Command(Command::SelfTest) };
//! let packet = command.encode(&Key::new([7; 32]), format.checksum)?;
//! let stream = Framer::new(format, Direction::Up).stream(&packet);
//! assert_eq!(Deframer::new(format, Direction::Up).push(&stream), [Ok(packet)]);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod address;
mod codeblock;
mod error;
mod found;
mod framing;
mod key;
mod mavlink;
mod port;
mod remote;
mod space_packet;
mod stream;
#[cfg(test)]
mod tests;
mod transfer_frame;
mod udp;

pub use address::{Address, is_mavlink_address};
pub use error::LinkError;
pub use found::{Direction, Found, FrameError};
pub use framing::{Deframer, Format, Framer, Framing};
pub use key::{read_key, write_new_key};
pub use mavlink::MavlinkId;
pub use port::{End, Port, Received};
pub use remote::resolve;
