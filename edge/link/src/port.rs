//! What every port does, whatever carries its packets.

use crate::error::LinkError;
use crate::found::{Direction, Found};
use std::time::Duration;

/// Something that carries packets. A program's own goes to `edge::run::run_with`; `edge/examples/own_link.rs` is one.
pub trait Port: Send {
    /// Sends a packet: from the vehicle to the ground; from the ground to the vehicle that was heard last. An error means that it did
    /// not go out.
    fn send(&mut self, packet: &[u8]) -> Result<(), LinkError>;

    /// What came, after `wait` at most; nothing where nothing did.
    fn receive(&mut self, wait: Duration) -> Result<Received, LinkError>;

    /// Bytes of the largest packet that [`Port::send`] takes.
    fn largest(&self) -> usize;

    /// Bytes that a packet of `length` bytes takes with all that is put around it.
    fn cost(&self, length: usize) -> usize;

    /// Says that this end is there, where the port has a message for that and it is due: called several times a second, also while
    /// nothing else is sent.
    fn announce(&mut self) -> Result<(), LinkError> {
        Ok(())
    }

    /// Shows a caption to whoever sits at the ground station, where the port can; its priority says how it stands out.
    fn show(&mut self, _text: &str, _priority: u8) -> Result<(), LinkError> {
        Ok(())
    }

    /// Frames that are missing, where they are counted.
    fn missing(&self) -> u64 {
        0
    }
}

/// What a port heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// From whom: an address, a device, a file.
    pub from: String,
    /// Where an answer goes, where that says more than who it is: the port of a UDP address.
    pub peer: Option<String>,
    /// Packets, and what was there in their place.
    pub found: Vec<Found>,
    /// There will be no more: the file has ended.
    pub ended: bool,
}

/// Which end of the link this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Sends captions and obeys commands.
    Vehicle,
    /// Receives captions and acknowledges them.
    Ground,
}

impl End {
    /// The direction of what this end sends.
    pub(crate) fn sends(self) -> Direction {
        match self {
            Self::Vehicle => Direction::Down,
            Self::Ground => Direction::Up,
        }
    }

    /// The direction of what it receives.
    pub(crate) fn receives(self) -> Direction {
        match self {
            Self::Vehicle => Direction::Up,
            Self::Ground => Direction::Down,
        }
    }
}

/// Whether nothing came in time.
pub(crate) fn is_timeout(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}
