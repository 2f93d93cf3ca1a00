//! Frames that a command writes to its standard output, as a GStreamer pipeline of a camera does: JPEG after JPEG (MJPEG,
//! `jpegenc ! fdsink`) or binary PPM (`P6`). After damage the reader goes on with the next frame that begins.

use super::source::{Frame, Next, Running, Source, kill, wait};
use crate::error::{Error, Result};
use crate::position::{note, position};
use cssa_image::tags;
use image::RgbImage;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Largest frame, in bytes.
const MAX_FRAME: usize = 1 << 28;
/// Largest side of a PPM frame, in pixels.
const MAX_SIDE: usize = 16_384;
/// A command that ended is not started again sooner.
const PAUSE: Duration = Duration::from_secs(1);

/// A command that writes frames.
#[derive(Clone, Debug)]
pub struct Pipe {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// A frame that comes while the last one is being captioned is dropped.
    pub live: bool,
    /// Start the command again when it ends; else end with it.
    pub restart: bool,
}

/// A command's frames.
#[derive(Debug)]
pub struct PipeSource {
    pipe: Pipe,
    child: Running,
    output: Option<FrameReader<BufReader<ChildStdout>>>,
    started: Option<Instant>,
    frames: u64,
}

impl PipeSource {
    /// A source whose command is not started yet.
    #[must_use]
    pub fn new(pipe: Pipe) -> Self {
        Self { pipe, child: Running::default(), output: None, started: None, frames: 0 }
    }

    fn start(&mut self) -> Result<()> {
        let (program, arguments) = self.pipe.command.split_first().ok_or(Error::NoCommand)?;
        let mut started = Command::new(program);
        started.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = started.spawn().map_err(|source| Error::Command { program: program.clone(), source })?;
        let output = child.stdout.take().ok_or(Error::NoOutput)?;
        self.output = Some(FrameReader::new(BufReader::with_capacity(1 << 16, output)));
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        Ok(())
    }
}

impl Source for PipeSource {
    fn next(&mut self, _settled: &dyn Fn(&str) -> bool) -> Result<Next> {
        if self.output.is_none() {
            if self.started.is_some_and(|started| started.elapsed() < PAUSE) {
                return Ok(Next::Nothing);
            }
            let again = self.started.replace(Instant::now()).is_some();
            match self.start() {
                // What worked once may work again: a camera that is gone comes back.
                Err(error) if again => return Ok(Next::Failed(error)),
                started => started?,
            }
        }
        let Some(output) = &mut self.output else { return Ok(Next::Nothing) };
        match output.next() {
            Ok(Some(pixels)) => {
                self.frames += 1;
                let name = format!("frame {}", self.frames);
                let (pixels, tags) = match pixels {
                    Raw::Jpeg(bytes) => {
                        let decoded = cssa_image::decode(&bytes).map_err(|error| format!("{name}: {error}"));
                        (decoded, tags::read(&bytes))
                    }
                    Raw::Pixels(pixels) => (Ok(pixels), tags::Tags::default()),
                    Raw::Damaged(problem) => (Err(format!("{name}: {problem}")), tags::Tags::default()),
                };
                note(&name, &tags.problems((0.0, 0.0)));
                let (position, time) = (tags.place((0.0, 0.0)).and_then(position), tags.time);
                Ok(Next::Frame(Frame { name, key: None, pixels, position, time }))
            }
            ended => {
                self.output = None;
                let status = match ended {
                    Ok(_) => wait(&self.child),
                    Err(error) => {
                        kill(&self.child);
                        Err(error)
                    }
                };
                let program = &self.pipe.command[0];
                let failed = match status {
                    Ok(Some(status)) if !status.success() => {
                        Some(Error::CommandFailed { program: program.clone(), status })
                    }
                    Ok(_) => None,
                    Err(error) => Some(Error::Stream(error)),
                };
                match (failed, self.pipe.restart) {
                    (Some(error), true) => Ok(Next::Failed(error)),
                    (Some(error), false) => Err(error),
                    (None, true) => Ok(Next::Nothing),
                    (None, false) => Ok(Next::End),
                }
            }
        }
    }

    fn ends_with_an_error(&self) -> bool {
        !self.pipe.restart
    }

    fn is_live(&self) -> bool {
        self.pipe.live
    }

    fn command(&self) -> Option<Running> {
        Some(Arc::clone(&self.child))
    }
}

impl Drop for PipeSource {
    fn drop(&mut self) {
        kill(&self.child);
    }
}

/// What was read.
#[derive(Debug, PartialEq)]
enum Raw {
    Jpeg(Vec<u8>),
    Pixels(RgbImage),
    Damaged(String),
}

/// Finds frames in a stream.
#[derive(Debug)]
struct FrameReader<R> {
    input: R,
    /// The first two bytes of a JPEG were read at the end of a damaged one.
    begun: bool,
}

impl<R: BufRead> FrameReader<R> {
    fn new(input: R) -> Self {
        Self { input, begun: false }
    }

    /// The next frame; `None` at the end of the stream.
    fn next(&mut self) -> io::Result<Option<Raw>> {
        if std::mem::take(&mut self.begun) {
            return self.jpeg().map(Some);
        }
        let mut skipped = 0usize;
        let noise = |skipped: usize| Raw::Damaged(format!("{skipped} bytes that are no frame"));
        loop {
            let Some(first) = peek(&mut self.input)? else { return Ok((skipped > 0).then(|| noise(skipped))) };
            let begins = first == 0xFF || first == b'P';
            if begins && skipped > 0 {
                return Ok(Some(noise(skipped)));
            }
            self.input.consume(1);
            if begins {
                let second = peek(&mut self.input)?;
                if (first, second) == (0xFF, Some(0xD8)) {
                    self.input.consume(1);
                    return self.jpeg().map(Some);
                }
                if (first, second) == (b'P', Some(b'6')) {
                    self.input.consume(1);
                    return read_ppm(&mut self.input).map(Some);
                }
            }
            skipped += 1;
        }
    }

    /// A JPEG from its third byte on: marker by marker, through the entropy-coded pixels, to its end.
    fn jpeg(&mut self) -> io::Result<Raw> {
        let input = &mut self.input;
        let mut bytes = vec![0xFF, 0xD8];
        let cut_off = || Raw::Damaged("a JPEG that is cut off".into());
        let mut in_scan = false;
        loop {
            if bytes.len() > MAX_FRAME {
                return Ok(Raw::Damaged(format!("a JPEG of more than {MAX_FRAME} bytes")));
            }
            let Some(next) = byte(input)? else { return Ok(cut_off()) };
            bytes.push(next);
            if next != 0xFF {
                if in_scan {
                    continue;
                }
                return Ok(Raw::Damaged("a JPEG with a damaged marker".into()));
            }
            let marker = loop {
                match byte(input)? {
                    Some(0xFF) => bytes.push(0xFF),
                    Some(marker) => break marker,
                    None => return Ok(cut_off()),
                }
            };
            bytes.push(marker);
            match marker {
                0xD9 => return Ok(Raw::Jpeg(bytes)),
                0x00 | 0xD0..=0xD7 | 0x01 => {}
                0xD8 => {
                    self.begun = true;
                    return Ok(Raw::Damaged("a JPEG that is cut off by the next".into()));
                }
                _ => {
                    let mut length = [0; 2];
                    if input.read_exact(&mut length).is_err() {
                        return Ok(cut_off());
                    }
                    bytes.extend(length);
                    let rest = u64::from(u16::from_be_bytes(length)).saturating_sub(2);
                    if input.take(rest).read_to_end(&mut bytes)? as u64 != rest {
                        return Ok(cut_off());
                    }
                    in_scan = marker == 0xDA;
                }
            }
        }
    }
}

fn peek(input: &mut impl BufRead) -> io::Result<Option<u8>> {
    Ok(input.fill_buf()?.first().copied())
}

fn byte(input: &mut impl BufRead) -> io::Result<Option<u8>> {
    let found = peek(input)?;
    input.consume(usize::from(found.is_some()));
    Ok(found)
}

/// A PPM from its third byte on.
fn read_ppm(input: &mut impl BufRead) -> io::Result<Raw> {
    let mut numbers = [0usize; 3];
    for number in &mut numbers {
        match ppm_number(input)? {
            Some(found) => *number = found,
            None => return Ok(Raw::Damaged("a PPM with a damaged header".into())),
        }
    }
    let [width, height, largest] = numbers;
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) || largest != 255 {
        return Ok(Raw::Damaged(format!(
            "a PPM of {width} × {height} pixels up to {largest}, expected sides up to {MAX_SIDE} and 255"
        )));
    }
    let length = width * height * 3;
    if length > MAX_FRAME {
        return Ok(Raw::Damaged(format!("a PPM of {length} bytes, expected at most {MAX_FRAME}")));
    }
    // Not `with_capacity(length)`: a header that lies must not take the memory.
    let mut pixels = Vec::new();
    input.take(length as u64).read_to_end(&mut pixels)?;
    match RgbImage::from_raw(width as u32, height as u32, pixels) {
        Some(image) => Ok(Raw::Pixels(image)),
        None => Ok(Raw::Damaged("a PPM that is cut off".into())),
    }
}

/// A decimal number of a PPM's header and the white space behind it; comments may stand before it.
fn ppm_number(input: &mut impl BufRead) -> io::Result<Option<usize>> {
    let mut number: Option<usize> = None;
    let mut comment = false;
    for _ in 0..1000 {
        match byte(input)? {
            Some(b'\n') if comment => comment = false,
            Some(_) if comment => {}
            Some(b'#') if number.is_none() => comment = true,
            Some(digit @ b'0'..=b'9') => {
                number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(usize::from(digit - b'0')));
            }
            Some(b' ' | b'\t' | b'\r' | b'\n') if number.is_some() => return Ok(number),
            Some(b' ' | b'\t' | b'\r' | b'\n') => {}
            _ => return Ok(None),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;
    use proptest::prelude::*;

    fn jpeg() -> Result<Vec<u8>> {
        let image = RgbImage::from_fn(64, 48, |x, y| image::Rgb([(x * 4) as u8, (y * 4) as u8, (x ^ y) as u8]));
        let mut bytes = Vec::new();
        image.write_with_encoder(image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90))?;
        Ok(bytes)
    }

    fn all(bytes: &[u8]) -> Result<Vec<Raw>> {
        let mut reader = FrameReader::new(BufReader::with_capacity(7, bytes));
        let mut found = Vec::new();
        while let Some(raw) = reader.next()? {
            found.push(raw);
        }
        Ok(found)
    }

    #[test]
    fn frames_are_found_again_after_damage() -> Result<()> {
        let jpeg = jpeg()?;
        let mut ppm = b"P6 # a comment\n2 1\n255\n".to_vec();
        ppm.extend([1, 2, 3, 4, 5, 6]);
        let cut = &jpeg[..jpeg.len() - 9];
        let found = all(&[&jpeg, &ppm[..], b"noise", cut, &jpeg, b"P6 99999 1 255\n", &jpeg].concat())?;
        let shown: Vec<&str> = found
            .iter()
            .map(|raw| match raw {
                Raw::Jpeg(bytes) if *bytes == jpeg => "jpeg",
                Raw::Jpeg(_) => "another jpeg",
                Raw::Pixels(_) => "pixels",
                Raw::Damaged(_) => "damaged",
            })
            .collect();
        assert_eq!(shown[..5], ["jpeg", "pixels", "damaged", "damaged", "jpeg"], "{shown:?}");
        assert_eq!(shown.last(), Some(&"jpeg"));
        Ok(())
    }

    #[test]
    fn a_command_that_ends_is_started_again_or_not() -> Result<()> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("a.jpg"), jpeg()?)?;
        let command = ["cat".to_owned(), folder.path().join("a.jpg").display().to_string()];
        let pipe = |live, restart| Pipe { command: command.to_vec(), live, restart };
        let mut source = PipeSource::new(pipe(false, false));
        assert!(matches!(source.next(&|_| false)?, Next::Frame(Frame { pixels: Ok(_), .. })));
        assert!(matches!(source.next(&|_| false)?, Next::End));
        // A failure is an end where the command is not started again, and said where it is.
        for (restart, script) in [(false, "exit 3"), (true, "exit 3"), (true, "kill -9 $$")] {
            let command = ["sh", "-c", script].map(str::to_owned).to_vec();
            let mut source = PipeSource::new(Pipe { command, live: false, restart });
            assert_eq!(source.ends_with_an_error(), !restart);
            let said = match source.next(&|_| false) {
                Err(error) if !restart => error,
                Ok(Next::Failed(error)) if restart => error,
                other => anyhow::bail!("{script}: {other:?}"),
            };
            assert!(said.to_string().contains("\"sh\" failed: "), "{said}");
        }
        let mut source = PipeSource::new(pipe(true, true));
        assert!(matches!(source.next(&|_| false)?, Next::Frame(_)));
        let mut frames = 0;
        for _ in 0..60 {
            match source.next(&|_| false)? {
                Next::Frame(_) => frames += 1,
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
        }
        assert!(frames >= 1, "the camera came back");
        assert!(
            PipeSource::new(Pipe { command: vec!["/no/such/camera".into()], live: true, restart: true })
                .next(&|_| false)
                .is_err()
        );
        Ok(())
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let found = all(&bytes).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert!(found.len() <= bytes.len() + 1);
        }
    }
}
