//! `[link]` of `edge.toml`.

use super::keys::Keys;
use crate::error::{Error, Result, ensure};
use cssa_link::{Address, End, Format, Framing, MavlinkId, Port, read_key};
use cssa_wire::{Checksum, DEFAULT_DECIMALS, Key};
use serde::Deserialize;
use std::path::PathBuf;

/// Where packets go.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkConfig {
    /// `file:PATH` (appended), `udp:HOST:PORT`, `serial:DEVICE:BAUD`, or `mavlink:KIND:ADDRESS` (TUNNEL messages).
    pub to: String,
    /// Framing of packets: `plain` (one datagram each; COBS in a file and on a serial line), `ccsds` (space packets),
    /// `ccsds-rs` (space packets in Reed–Solomon codeblocks), `ccsds-tm` (down in TM transfer frames in such
    /// codeblocks; the spacecraft identifier is the last ten bits of the vehicle's number). MAVLink has its own frames.
    #[serde(default)]
    pub framing: Framing,
    /// Application process identifier of space packets.
    #[serde(default = "apid")]
    pub apid: u16,
    /// The vehicle's number, 1 to 65535, which every packet names; 0: none is given. What comes up is for this number.
    #[serde(default)]
    pub vehicle: u16,
    /// MAVLink only: the number of the system that this computer is part of, the autopilot's (SYSID_THISMAV, MAV_SYS_ID), 1 to 254.
    /// Left out, `position.system` where the position comes by MAVLink, else 1.
    #[serde(default)]
    pub system: Option<u8>,
    /// MAVLink only: the number of this component, 1 to 255. Left out, 191, the onboard computer's.
    #[serde(default)]
    pub component: Option<u8>,
    /// Bits of a packet's checksum, 32 or 16: where the link checks by itself, 16 do.
    #[serde(default)]
    pub checksum: Checksum,
    /// The key that this vehicle shares with its ground (`ground key` makes one). With it packets carry a code of authentication,
    /// captions are sent until the ground acknowledges them, and commands are obeyed; without, there is no way up. A key that came over
    /// the link stands above it until another one is written here.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// While `key` is being changed, the one that is to take its place: packets from the ground are taken under either, and packets down
    /// are under it as soon as the ground was heard under it. Meanwhile none is taken over the link.
    #[serde(default)]
    pub next_key: Option<PathBuf>,
    /// Retransmission timeout in seconds; doubles up to 16×. Set it slightly above the round trip. While nobody
    /// answers, one caption goes out per timeout.
    #[serde(default = "resend_seconds")]
    pub resend_seconds: f64,
    /// Every so many seconds a packet goes out that says how the vehicle is, 36 bytes after ten hours (40 with a key, at most 51
    /// and 55): silence must not look like death. 0: none.
    #[serde(default = "housekeeping_seconds")]
    pub housekeeping_seconds: u16,
    /// How often each caption is sent where nobody acknowledges.
    #[serde(default = "once")]
    pub sends: u8,
    /// Most captions in a packet, 1 to 64: those that wait share its overhead.
    #[serde(default = "several")]
    pub captions: u8,
    /// Decimals of a degree that positions are sent with, 0 to 7: 5 are 1.1 m.
    #[serde(default = "decimals", alias = "digits")]
    pub decimals: u8,
    /// Send where captions' images lie on the ground, 11 bytes each in packets of their own behind the captions; needs `[camera]`.
    #[serde(default)]
    pub footprints: bool,
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
    /// Bytes, with all that the link puts around packets (STATUSTEXT and HEARTBEAT are not counted); at least 300, more than the largest frame of a
    /// caption.
    pub bytes: u32,
    /// A contact begins when the ground is heard, and another one when it is heard again after so many seconds without.
    #[serde(default = "gap_seconds")]
    pub gap_seconds: f64,
    /// Bytes of each contact that pictures leave for captions that may still come. Left out, half of them.
    #[serde(default)]
    pub reserve: Option<u32>,
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

fn housekeeping_seconds() -> u16 {
    60
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
            vehicle: 0,
            system: None,
            component: None,
            checksum: Checksum::Crc32,
            key: None,
            next_key: None,
            resend_seconds: resend_seconds(),
            housekeeping_seconds: housekeeping_seconds(),
            sends: once(),
            captions: several(),
            decimals: decimals(),
            footprints: false,
            bytes_per_second: 0,
            contact: None,
            statustext: false,
        }
    }

    /// How packets travel.
    #[must_use]
    pub fn format(&self) -> Format {
        let spacecraft = self.vehicle & 0x3ff;
        Format { framing: self.framing, apid: self.apid, spacecraft, checksum: self.checksum }
    }

    /// Where they go.
    pub fn address(&self) -> Result<Address> {
        self.to.parse().map_err(Error::Address)
    }

    /// The vehicle's end of it; `own_system` is what the position's receiver takes for the vehicle's own MAVLink system.
    pub fn port(&self, own_system: Option<u8>) -> Result<Box<dyn Port>> {
        let usual = MavlinkId::of(End::Vehicle);
        let system = self.system.or(own_system).unwrap_or(usual.system);
        let sender = MavlinkId { system, component: self.component.unwrap_or(usual.component) };
        Ok(self.address()?.port_of(sender, End::Vehicle, self.format()))
    }

    /// What flies, and is rather not meant.
    #[must_use]
    pub fn warning(&self) -> Option<&'static str> {
        let problem = "link.vehicle is not given: the ground can tell this vehicle and its passes from others by addresses only. \
             Give it a number, 1 to 65535";
        (self.vehicle == 0).then_some(problem)
    }

    /// The key, where there is one.
    pub fn key(&self) -> Result<Option<Key>> {
        Ok(self.key.as_deref().map(read_key).transpose()?)
    }

    /// The next key, where there is one.
    pub fn next_key(&self) -> Result<Option<Key>> {
        Ok(self.next_key.as_deref().map(read_key).transpose()?)
    }

    /// The key and, while it is being changed, the next one, where there are any.
    ///
    /// # Errors
    /// One cannot be read, or both are the same.
    pub fn keys(&self) -> Result<Option<Keys>> {
        let (key, next) = (self.key()?, self.next_key()?);
        let problem = "it is the key of link.key, expected another one";
        ensure!(next.is_none() || next != key, Error::Contradiction { field: "link.next_key", problem });
        Ok(match (key, next) {
            (Some(key), Some(next)) => Some(Keys::changing(key, next)),
            (key, _) => key.map(Keys::from),
        })
    }

    /// Names the first value that cannot be.
    pub fn validate(&self) -> Result<()> {
        self.problems().into_iter().next().map_or(Ok(()), Err)
    }

    /// An error for each value that cannot be, by its key.
    #[must_use]
    pub fn problems(&self) -> Vec<Error> {
        let Self { sends, captions, decimals, framing, apid, resend_seconds, .. } = *self;
        let resend = Error::setting("link.resend_seconds", resend_seconds, "0.05 to 100000");
        let mut values = vec![
            (sends >= 1, Error::setting("link.sends", sends, "1 or more")),
            ((1..=64).contains(&captions), Error::setting("link.captions", captions, "1 to 64")),
            (decimals <= 7, Error::setting("link.decimals", decimals, "0 to 7")),
            (apid <= 2046, Error::setting("link.apid", apid, "0 to 2046")),
            (
                framing != Framing::CcsdsTm || apid <= 2044,
                Error::setting("link.apid", apid, "0 to 2044 in transfer frames"),
            ),
            ((0.05..=1e5).contains(&resend_seconds), resend),
        ];
        if let Some(ContactConfig { bytes, gap_seconds, .. }) = self.contact {
            values.push((bytes >= 300, Error::setting("link.contact.bytes", bytes, "300 or more")));
            let reserve = self.contact.as_ref().and_then(|contact| contact.reserve).unwrap_or(0);
            values.push((reserve <= bytes, Error::setting("link.contact.reserve", reserve, "no more than its bytes")));
            let gap = Error::setting("link.contact.gap_seconds", gap_seconds, "1 to 10000000");
            values.push(((1.0..=1e7).contains(&gap_seconds), gap));
        }
        match self.address() {
            Err(problem) => values.push((false, problem)),
            Ok(address) => {
                let contradiction = |field, problem| Error::Contradiction { field, problem };
                let (file, mavlink) = (matches!(address, Address::File(_)), matches!(address, Address::Mavlink(_)));
                let problem = "a file takes no acknowledgements, expected none with file:";
                values.push((!file || self.key.is_none(), contradiction("link.key", problem)));
                let problem = "there is no link.key that it could follow, expected both or none";
                values.push((self.next_key.is_none() || self.key.is_some(), contradiction("link.next_key", problem)));
                values.push((mavlink || !self.statustext, Error::StatusText));
                for (field, number, most, expected) in
                    [("link.system", self.system, 254, "1 to 254"), ("link.component", self.component, 255, "1 to 255")]
                {
                    let Some(number) = number else { continue };
                    let problem = "only MAVLink has it, expected a link.to of mavlink:";
                    values.push((mavlink, contradiction(field, problem)));
                    values.push(((1..=most).contains(&number), Error::setting(field, number, expected)));
                }
                let problem = "MAVLink has its own frames, expected plain";
                let is_plain = self.framing == Framing::Plain;
                values.push((!mavlink || is_plain, contradiction("link.framing", problem)));
            }
        }
        values.into_iter().filter(|(is_right, _)| !is_right).map(|(_, problem)| problem).collect()
    }
}
