//! Files and serial lines: frames one after the other.

use crate::error::LinkError;
use crate::framing::{Deframer, Format, Framer, Framing};
use crate::port::{End, Port, Received, is_timeout};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A frame whose rest has not come after so long is none.
const STALE: Duration = Duration::from_secs(2);
/// A receiver of transfer frames stays locked where it gets one at least so often.
const IDLE: Duration = Duration::from_secs(1);

pub(crate) struct Stream {
    place: Place,
    end: End,
    format: Format,
    framer: Framer,
    deframer: Deframer,
    open: Option<Box<dyn Device>>,
    /// When something came last, until it has been looked at.
    last: Option<Instant>,
    /// When something was sent last.
    sent: Instant,
}

enum Place {
    File(PathBuf),
    Serial(String, u32),
}

/// A file or a serial line, open.
trait Device: Send {
    /// All of it or, where that can be, nothing: half a packet would spoil the next one.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Some bytes; none after `wait`, or at the end.
    fn read(&mut self, bytes: &mut [u8], wait: Duration) -> io::Result<usize>;

    /// Whether no bytes mean the end.
    fn ends(&self) -> bool;
}

/// A file under its name. Whoever collects what is written may move or remove it meanwhile: what comes then begins a new one.
struct NamedFile {
    path: PathBuf,
    file: File,
}

impl NamedFile {
    fn to_read(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.into(), file: File::open(path)? })
    }

    /// A pipe that nobody reads would hold up whoever opens it, and what is written to one is on no disk.
    fn to_append(path: &Path) -> io::Result<Self> {
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(io::Error::other("it is no regular file"));
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        cssa::files::sync_folder_of(path).map_err(io::Error::other)?;
        Ok(Self { path: path.into(), file })
    }

    /// Whether the file that is open is still the one of its name.
    fn is_there(&self) -> io::Result<bool> {
        let identity = |file: &Metadata| (file.dev(), file.ino());
        match std::fs::metadata(&self.path) {
            Ok(named) => Ok(identity(&named) == identity(&self.file.metadata()?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Device for NamedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.is_there()? {
            *self = Self::to_append(&self.path)?;
        }
        let before = self.file.metadata()?.len();
        let written = self.file.write_all(bytes).and_then(|()| self.file.sync_data());
        if written.is_err() {
            self.file.set_len(before).ok();
        }
        written
    }

    fn read(&mut self, bytes: &mut [u8], _wait: Duration) -> io::Result<usize> {
        self.file.read(bytes)
    }

    fn ends(&self) -> bool {
        true
    }
}

impl Device for Box<dyn serialport::SerialPort> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.set_timeout(Duration::from_secs(10))?;
        self.write_all(bytes)?;
        self.flush()
    }

    fn read(&mut self, bytes: &mut [u8], wait: Duration) -> io::Result<usize> {
        self.set_timeout(wait.max(Duration::from_millis(1)))?;
        match Read::read(self, bytes) {
            Err(error) if is_timeout(&error) => Ok(0),
            read => read,
        }
    }

    fn ends(&self) -> bool {
        false
    }
}

impl Stream {
    pub(crate) fn file(path: &Path, end: End, format: Format) -> Self {
        Self::new(Place::File(path.into()), end, format)
    }

    pub(crate) fn serial(device: &str, baud: u32, end: End, format: Format) -> Self {
        Self::new(Place::Serial(device.into(), baud), end, format)
    }

    fn new(place: Place, end: End, format: Format) -> Self {
        let (framer, deframer) = (Framer::new(format, end.sends()), Deframer::new(format, end.receives()));
        Self { place, end, format, framer, deframer, open: None, last: None, sent: Instant::now() }
    }

    fn name(&self) -> String {
        match &self.place {
            Place::File(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Place::Serial(device, _) => device.clone(),
        }
    }

    fn failed(&self, cause: io::Error) -> LinkError {
        let port = match &self.place {
            Place::File(path) => path.display().to_string(),
            Place::Serial(device, _) => device.clone(),
        };
        LinkError::Port { port, cause }
    }

    fn device(&self) -> io::Result<Box<dyn Device>> {
        Ok(match (&self.place, self.end) {
            (Place::File(path), End::Ground) => Box::new(NamedFile::to_read(path)?),
            (Place::File(path), End::Vehicle) => Box::new(NamedFile::to_append(path)?),
            (Place::Serial(device, baud), _) => Box::new(serialport::new(device, *baud).open()?),
        })
    }

    /// Runs `action` on the open device; an error closes it.
    fn with<T>(&mut self, action: impl FnOnce(&mut Self, &mut dyn Device) -> io::Result<T>) -> Result<T, LinkError> {
        let device = match self.open.take() {
            Some(device) => Ok(device),
            None => self.device(),
        };
        let done = device.and_then(|mut device| {
            let result = action(self, device.as_mut())?;
            self.open = Some(device);
            Ok(result)
        });
        done.map_err(|cause| self.failed(cause))
    }
}

impl Port for Stream {
    fn send(&mut self, packet: &[u8]) -> Result<(), LinkError> {
        if matches!((&self.place, self.end), (Place::File(_), End::Ground)) {
            return Err(self.failed(io::Error::other("a file takes no answer")));
        }
        let frame = self.framer.stream(packet);
        self.sent = Instant::now();
        self.with(|_, device| device.write(&frame))
    }

    /// On a serial line an idle transfer frame, where the framing has such and nothing else was sent for a second.
    fn announce(&mut self) -> Result<(), LinkError> {
        if matches!(self.place, Place::File(_)) || self.sent.elapsed() < IDLE {
            return Ok(());
        }
        let Some(frame) = self.framer.idle() else { return Ok(()) };
        self.sent = Instant::now();
        self.with(|_, device| device.write(&frame))
    }

    fn receive(&mut self, wait: Duration) -> Result<Received, LinkError> {
        if matches!((&self.place, self.end), (Place::File(_), End::Vehicle)) {
            std::thread::sleep(wait);
            return Ok(Received::default());
        }
        let from = self.name();
        self.with(|port, device| {
            let mut bytes = [0; 1024];
            let read = device.read(&mut bytes, wait)?;
            let ended = read == 0 && device.ends();
            if read > 0 {
                port.last = Some(Instant::now());
            }
            let is_stale = port.last.is_some_and(|last| last.elapsed() > STALE);
            let found = if ended || is_stale {
                port.last = None;
                port.deframer.end()
            } else {
                port.deframer.push(&bytes[..read])
            };
            Ok(Received { from, peer: None, found, ended })
        })
    }

    fn largest(&self) -> usize {
        self.format.largest()
    }

    fn cost(&self, length: usize) -> usize {
        match self.format.framing {
            Framing::Plain => cssa_wire::frame_length(length),
            _ => self.format.cost(length),
        }
    }

    fn missing(&self) -> u64 {
        self.deframer.missing()
    }
}
