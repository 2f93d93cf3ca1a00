//! `[link]` of `edge.toml`.

use anyhow::{Context, Result, ensure};
use cssa_link::read_key;
use cssa_link::{Address, Format, Framing};
use cssa_wire::Checksum;
use cssa_wire::DEFAULT_DECIMALS;
use cssa_wire::command::Key;
use serde::Deserialize;
use std::path::PathBuf;

/// Where packets go.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkConfig {
    /// `file:PATH` (appended), `udp:HOST:PORT`, `serial:DEVICE:BAUD`, or `mavlink:KIND:ADDRESS` (TUNNEL messages).
    pub to: String,
    /// What packets travel in: `plain` (a datagram each, COBS in a file and on a serial line), `ccsds` (space packets), `ccsds-rs`
    /// (space packets in Reed–Solomon codeblocks). MAVLink has its own frames.
    #[serde(default)]
    pub framing: Framing,
    /// Application process identifier of space packets.
    #[serde(default = "apid")]
    pub apid: u16,
    /// Bits of a packet's checksum, 32 or 16: where the link checks by itself, 16 do.
    #[serde(default)]
    pub checksum: Checksum,
    /// The key that this vehicle shares with its ground (`ground key` makes one). With it captions are sent until the ground
    /// acknowledges them, and commands are obeyed; without, there is no way up.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// A caption that is not acknowledged after so many seconds is sent again, and then after twice, four times, up to sixteen times
    /// as many: somewhat more than there and back takes. While nobody answers, one caption goes out every so many seconds.
    #[serde(default = "resend_seconds")]
    pub resend_seconds: f64,
    /// How often each caption is sent where nobody acknowledges.
    #[serde(default = "once")]
    pub sends: u8,
    /// Most captions in a packet, 1 to 64: those that wait share its overhead.
    #[serde(default = "several")]
    pub captions: u8,
    /// Decimals of a degree that positions are sent with, 0 to 7: 5 are 1.1 m.
    #[serde(default = "decimals", alias = "digits")]
    pub decimals: u8,
    /// Bytes a second that the link takes; 0: as many as it does.
    #[serde(default)]
    pub bytes_per_second: u32,
    /// A budget for each contact, where the ground is not always there.
    #[serde(default)]
    pub contact: Option<ContactConfig>,
    /// MAVLink only: captions as STATUSTEXT too, for a ground station that knows nothing of packets.
    #[serde(default)]
    pub statustext: bool,
}

/// What a contact may take.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactConfig {
    /// Bytes, with all that the link puts around packets (STATUSTEXT is not counted); at least 300, more than the largest frame of a
    /// caption.
    pub bytes: u32,
    /// A contact begins when the ground is heard, and another one when it is heard again after so many seconds without.
    #[serde(default = "gap_seconds")]
    pub gap_seconds: f64,
    /// A file with the passes instead, one a line: begin and end as RFC 3339 has them. Outside of them nothing is sent.
    #[serde(default)]
    pub passes: Option<PathBuf>,
}

fn apid() -> u16 {
    66
}

fn resend_seconds() -> f64 {
    10.0
}

fn once() -> u8 {
    1
}

fn several() -> u8 {
    16
}

fn decimals() -> u8 {
    DEFAULT_DECIMALS
}

fn gap_seconds() -> f64 {
    1800.0
}

impl LinkConfig {
    /// A link with the defaults.
    #[must_use]
    pub fn new(to: &str) -> Self {
        Self {
            to: to.into(),
            framing: Framing::Plain,
            apid: apid(),
            checksum: Checksum::Crc32,
            key: None,
            resend_seconds: resend_seconds(),
            sends: once(),
            captions: several(),
            decimals: decimals(),
            bytes_per_second: 0,
            contact: None,
            statustext: false,
        }
    }

    /// How packets travel.
    #[must_use]
    pub fn format(&self) -> Format {
        Format { framing: self.framing, apid: self.apid, checksum: self.checksum }
    }

    /// Where they go.
    pub fn address(&self) -> Result<Address> {
        self.to.parse().context("link.to")
    }

    /// The key, where there is one.
    pub fn key(&self) -> Result<Option<Key>> {
        Ok(self.key.as_deref().map(read_key).transpose()?)
    }

    /// Names the first value that cannot be.
    pub fn validate(&self) -> Result<()> {
        let address = self.address()?;
        ensure!(self.sends >= 1, "link.sends is 0, expected 1 or more");
        ensure!((1..=64).contains(&self.captions), "link.captions is {}, expected 1 to 64", self.captions);
        ensure!(self.decimals <= 7, "link.decimals is {}, expected 0 to 7", self.decimals);
        ensure!(self.apid < 2047, "link.apid is {}, expected 0 to 2046", self.apid);
        ensure!(
            (0.05..=1e5).contains(&self.resend_seconds),
            "link.resend_seconds is {}, expected 0.05 to 100000",
            self.resend_seconds
        );
        let file = matches!(address, Address::File(_));
        ensure!(!file || self.key.is_none(), "link.key: a file takes no acknowledgements, expected none with file:");
        let mavlink = matches!(address, Address::Mavlink(_));
        ensure!(mavlink || !self.statustext, "link.statustext needs a link.to of mavlink:");
        ensure!(!mavlink || self.framing == Framing::Plain, "link.framing: MAVLink has its own frames, expected plain");
        if let Some(contact) = &self.contact {
            ensure!(contact.bytes >= 300, "link.contact.bytes is {}, expected 300 or more", contact.bytes);
            ensure!(
                (1.0..=1e7).contains(&contact.gap_seconds),
                "link.contact.gap_seconds is {}, expected 1 to 10000000",
                contact.gap_seconds
            );
        }
        Ok(())
    }
}
