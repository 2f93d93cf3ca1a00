//! Where packets go: a file, datagrams, a serial line.

use crate::wire::push_frame;
use anyhow::{Context, Result, bail, ensure};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::time::Duration;

/// Something that takes packets.
pub trait Link: Send {
    /// Sends a packet; an error means that it did not go out, and it will be sent again.
    fn send(&mut self, packet: &[u8]) -> Result<()>;
}

/// A link by its description in the configuration; it opens with the first packet, and again after an error.
pub fn open(to: &str) -> Result<Box<dyn Link>> {
    let expected = "expected file:PATH, udp:HOST:PORT or serial:DEVICE:BAUD";
    let (kind, rest) = to.split_once(':').with_context(|| format!("link.to is {to:?}, {expected}"))?;
    match kind {
        "file" => Ok(Box::new(Stream { place: Place::File(rest.into()), open: None })),
        "udp" => {
            ensure!(rest.contains(':'), "link.to is {to:?}, {expected}");
            Ok(Box::new(Udp { to: rest.into(), socket: None }))
        }
        "serial" => {
            let (device, baud) = rest.rsplit_once(':').with_context(|| format!("link.to is {to:?}, {expected}"))?;
            let baud = baud.parse().with_context(|| format!("link.to is {to:?}: the rate is no number"))?;
            Ok(Box::new(Stream { place: Place::Serial(device.into(), baud), open: None }))
        }
        _ => bail!("link.to is {to:?}, {expected}"),
    }
}

enum Place {
    File(PathBuf),
    Serial(String, u32),
}

/// Packets one after the other, each COBS-encoded and ended by a zero byte.
struct Stream {
    place: Place,
    open: Option<Box<dyn WriteAll>>,
}

trait WriteAll: Send {
    fn write_all(&mut self, bytes: &[u8]) -> Result<()>;
}

impl WriteAll for File {
    /// All of it, or, where the disk is full, nothing: half a packet would spoil the next one.
    fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        let before = self.metadata()?.len();
        let written = Write::write_all(self, bytes).and_then(|()| self.sync_data());
        if written.is_err() {
            self.set_len(before).ok();
        }
        Ok(written?)
    }
}

impl WriteAll for Box<dyn serialport::SerialPort> {
    fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        Write::write_all(self, bytes)?;
        Ok(self.flush()?)
    }
}

impl Place {
    fn open(&self) -> Result<Box<dyn WriteAll>> {
        Ok(match self {
            Self::File(path) => {
                let mut file = OpenOptions::new().create(true).append(true).open(path);
                // What a kill in the middle of a packet left ends here, so that it spoils nothing else.
                if let Ok(file) = &mut file
                    && file.metadata()?.len() > 0
                {
                    Write::write_all(file, &[0])?;
                }
                Box::new(file.with_context(|| format!("{}", path.display()))?)
            }
            Self::Serial(device, baud) => {
                let port = serialport::new(device, *baud).timeout(Duration::from_secs(10)).open();
                Box::new(port.with_context(|| device.clone())?)
            }
        })
    }
}

impl Link for Stream {
    fn send(&mut self, packet: &[u8]) -> Result<()> {
        let mut frame = Vec::with_capacity(packet.len() + 3);
        push_frame(&mut frame, packet);
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.place.open()?,
        };
        open.write_all(&frame)?;
        self.open = Some(open);
        Ok(())
    }
}

struct Udp {
    to: String,
    socket: Option<UdpSocket>,
}

impl Link for Udp {
    fn send(&mut self, packet: &[u8]) -> Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => {
                let socket = UdpSocket::bind("0.0.0.0:0")?;
                socket.connect(&self.to).with_context(|| self.to.clone())?;
                socket
            }
        };
        socket.send(packet).with_context(|| self.to.clone())?;
        self.socket = Some(socket);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frames;

    #[test]
    fn a_file_goes_on_after_half_a_packet() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("packets.bin");
        std::fs::write(&path, [5, 1, 2])?;
        let to = format!("file:{}", path.display());
        for _ in 0..2 {
            let mut link = open(&to)?;
            link.send(&[1, 0, 2])?;
            link.send(&[3, 3])?;
        }
        let bytes = std::fs::read(&path)?;
        let found: Vec<usize> = frames(&bytes).map(|frame| frame.offset).collect();
        assert_eq!(found.len(), 5, "{bytes:?}");
        Ok(())
    }

    #[test]
    fn datagrams_arrive_whole_and_wrong_links_are_named() -> Result<()> {
        let ground = UdpSocket::bind("127.0.0.1:0")?;
        open(&format!("udp:{}", ground.local_addr()?))?.send(&[1, 0, 2])?;
        let mut bytes = [0; 9];
        assert_eq!(ground.recv(&mut bytes)?, 3);
        for wrong in ["ftp:x", "udp:host", "serial:/dev/x", "file"] {
            assert!(
                open(wrong).is_err_and(
                    |error| error.to_string().contains("expected") || error.to_string().contains("no number")
                ),
                "{wrong}"
            );
        }
        Ok(())
    }
}
