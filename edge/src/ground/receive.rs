//! Takes packets from datagrams, a serial line or a file, and keeps their captions.

use super::archive::{Archive, Kept};
use crate::wire::{self, LARGEST_PACKET, Packet, WireError};
use anyhow::{Context, Result, bail, ensure};
use cssa::bundle::Language;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Where packets come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A packet a datagram.
    Udp(String),
    /// COBS, a device and its rate.
    Serial(String, u32),
    /// COBS, a file that is read to its end.
    File(PathBuf),
}

impl std::str::FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("{text:?}, expected udp:ADDRESS:PORT, serial:DEVICE:BAUD or file:PATH");
        let (kind, rest) = text.split_once(':').ok_or_else(expected)?;
        match kind {
            "udp" if rest.contains(':') => Ok(Self::Udp(rest.into())),
            "serial" => {
                let (device, baud) = rest.rsplit_once(':').ok_or_else(expected)?;
                Ok(Self::Serial(device.into(), baud.parse().map_err(|_| expected())?))
            }
            "file" => Ok(Self::File(rest.into())),
            _ => Err(expected()),
        }
    }
}

/// What came, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Count {
    /// Packets whose checksum was right.
    pub packets: u64,
    /// Captions that are new.
    pub captions: u64,
    /// Captions that were there already.
    pub again: u64,
    /// Packets of a bundle that is not here, kept for later.
    pub undecoded: u64,
    /// Damaged packets, and what is none.
    pub damaged: u64,
}

/// Is told of every packet: who sent it, and what is in it or why nothing is.
pub type Show<'a> = &'a mut dyn FnMut(&str, &Result<Packet, WireError>) -> Result<()>;

/// A receiver with the bundles that it knows.
#[derive(Debug)]
pub struct Receiver {
    languages: BTreeMap<u16, Language>,
    archive: Archive,
    /// What came.
    pub count: Count,
}

impl Receiver {
    /// A receiver that first decodes what waited in the archive for one of its bundles.
    pub fn new(languages: impl IntoIterator<Item = Language>, archive: Archive) -> Result<Self> {
        let languages: BTreeMap<u16, Language> =
            languages.into_iter().map(|language| (language.id, language)).collect();
        let mut receiver = Self { languages, archive, count: Count::default() };
        for bundle in receiver.languages.keys().copied().collect::<Vec<_>>() {
            for (sender, packet) in receiver.archive.undecoded(bundle)? {
                // One that is no packet after all is counted as damaged.
                let _counted = receiver.take(&sender, &packet)?;
            }
            receiver.archive.forget_undecoded(bundle)?;
        }
        Ok(receiver)
    }

    /// Takes the bytes of a packet. An error is one of the archive; a damaged packet is counted.
    pub fn take(&mut self, sender: &str, bytes: &[u8]) -> Result<Result<Packet, WireError>> {
        let bundle = match wire::bundle_of(bytes) {
            Ok(bundle) => bundle,
            Err(error) => {
                self.count.damaged += 1;
                return Ok(Err(error));
            }
        };
        self.count.packets += 1;
        let Some(language) = self.languages.get(&bundle) else {
            self.count.undecoded += u64::from(self.archive.keep_undecoded(sender, bundle, bytes)?);
            let expected = self.languages.keys().next().copied().unwrap_or_default();
            return Ok(Err(WireError::Bundle { found: bundle, expected }));
        };
        let decoded = Packet::decode(bytes, bundle, &language.model);
        match &decoded {
            Ok(packet) => {
                let Kept { new, again } = self.archive.keep(sender, packet)?;
                self.count.captions += new as u64;
                self.count.again += again as u64;
            }
            Err(_) => self.count.damaged += 1,
        }
        Ok(decoded)
    }

    /// Receives until the file ends or `stop`; every packet is shown to `show`.
    pub fn receive(&mut self, from: &From, stop: &AtomicBool, show: Show<'_>) -> Result<()> {
        match from {
            From::Udp(address) => self.datagrams(address, stop, show),
            From::Serial(device, baud) => {
                let port = serialport::new(device, *baud).timeout(Duration::from_millis(200)).open();
                self.stream(device, port.with_context(|| device.clone())?, stop, show)
            }
            From::File(path) => {
                let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
                let file = std::fs::File::open(path).with_context(|| format!("{}", path.display()))?;
                self.stream(&name, file, stop, show)
            }
        }
    }

    fn datagrams(&mut self, address: &str, stop: &AtomicBool, show: Show<'_>) -> Result<()> {
        let socket = UdpSocket::bind(address).with_context(|| address.to_owned())?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        let mut bytes = vec![0; 1 << 16];
        while !stop.load(Ordering::Relaxed) {
            let (length, sender) = match socket.recv_from(&mut bytes) {
                Ok(received) => received,
                Err(error) if is_timeout(&error) => continue,
                Err(error) => bail!("{address}: {error}"),
            };
            let sender = sender.ip().to_string();
            let taken = self.take(&sender, &bytes[..length])?;
            show(&sender, &taken)?;
        }
        Ok(())
    }

    /// Frames of a stream; after garbage it goes on with the next.
    fn stream(&mut self, sender: &str, stream: impl Read, stop: &AtomicBool, show: Show<'_>) -> Result<()> {
        const LONGEST: usize = LARGEST_PACKET + LARGEST_PACKET / 254 + 2;
        let mut stream = BufReader::new(stream);
        let mut frame = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let room = (LONGEST - frame.len()) as u64;
            let read = stream.by_ref().take(room).read_until(0, &mut frame);
            let ended = match read {
                Ok(0) => true,
                Ok(_) => false,
                Err(error) if is_timeout(&error) => continue,
                Err(error) => return Err(error).context(sender.to_owned()),
            };
            if frame.last() == Some(&0) || frame.len() >= LONGEST || ended {
                for found in wire::frames(&frame) {
                    let taken = match found.packet {
                        Ok(bytes) => self.take(sender, &bytes)?,
                        Err(error) => {
                            self.count.damaged += 1;
                            Err(error)
                        }
                    };
                    show(sender, &taken)?;
                }
                frame.clear();
            }
            if ended {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The archive.
    #[must_use]
    pub fn archive(&self) -> &Archive {
        &self.archive
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut | std::io::ErrorKind::Interrupted
    )
}

/// The languages of bundles, by their places; two with one id would be told apart by nobody.
pub fn languages(places: &[PathBuf]) -> Result<Vec<Language>> {
    let mut all: Vec<Language> = Vec::new();
    for place in places {
        let language = Language::read(place)?;
        let other = all.iter().any(|other| other.id == language.id && other.model != language.model);
        ensure!(!other, "{}: another bundle has its id {:04x}, too", place.display(), language.id);
        all.push(language);
    }
    Ok(all)
}
