//! Frames that a command writes to its standard output, as a GStreamer pipeline of a camera does: JPEG after JPEG (MJPEG,
//! `jpegenc ! fdsink`), also as the parts of `multipart/x-mixed-replace`, or binary PBM, PGM, PPM and PAM. After damage the reader goes on
//! with the next frame that begins; bytes between frames are counted, and said in one line a burst.

mod event;
mod input;
mod jpeg;
mod multipart;
mod pnm;
mod preview;
mod stream;
mod survey;

use self::event::{Debris, Event, Raw};
use self::stream::FrameReader;
pub use self::survey::{Survey, survey};
use super::ledger::Ledger;
use super::source::{Frame, Next, Running, Source, kill, wait};
use super::taken::Taken;
use super::zone;
use crate::error::{Error, Result};
use crate::patient::Patient;
use crate::position::{View, Whereabouts};
use crate::vitals::Pulse;
use cssa_image::{Kept, Picture, tags};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// A command that ended is not started again sooner; twice as late each time that it gave no frame.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

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
    output: Option<FrameReader<Patient<ChildStdout>>>,
    pulse: Option<Arc<Pulse>>,
    started: Option<Instant>,
    pause: Duration,
    frames: u64,
    /// Of the command at work.
    has_given: bool,
    /// What stands between the frames was said.
    is_between_said: bool,
    /// What is done to the pixels of frames was said.
    is_note_said: bool,
}

impl PipeSource {
    /// A source whose command is not started yet.
    #[must_use]
    pub fn new(pipe: Pipe) -> Self {
        let (child, is_between_said, is_note_said) = (Running::default(), false, false);
        Self {
            pipe,
            child,
            output: None,
            pulse: None,
            started: None,
            pause: PAUSE,
            frames: 0,
            has_given: false,
            is_between_said,
            is_note_said,
        }
    }

    fn wait_longer(&mut self) {
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    fn start(&mut self) -> Result<()> {
        let (program, arguments) = self.pipe.command.split_first().ok_or(Error::NoCommand)?;
        let mut started = Command::new(program);
        started.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        let mut child = started.spawn().map_err(|source| Error::Command { program: program.clone(), source })?;
        let output = child.stdout.take().ok_or(Error::NoOutput)?;
        self.output = Some(FrameReader::new(Patient::new(output, self.pulse.clone())));
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        Ok(())
    }

    fn frame(&mut self, raw: Raw) -> Frame {
        let taken = Taken::arrived();
        self.frames += 1;
        (self.pause, self.has_given) = (PAUSE, true);
        let name = format!("frame {}", self.frames);
        let mut note = None;
        let mut view = View::default();
        let (pixels, tags) = match raw {
            Raw::Jpeg(bytes) => {
                let tags = tags::read(&bytes);
                let decoded = cssa_image::picture(bytes, Kept::Reduced).map_err(|error| format!("{name}: {error}"));
                note = decoded.as_ref().ok().and_then(Picture::note);
                view = decoded.as_ref().map_or(view, |picture| View::whole(&tags, picture.size_in_file()));
                (decoded.map(|picture| picture.pixels), tags)
            }
            Raw::Picture(picture) => {
                let (pixels, scaling) = cssa_image::scaled_to_rgb8(picture);
                note = scaling.map(|scaling| scaling.to_string());
                let size = (f64::from(pixels.width()), f64::from(pixels.height()));
                view = View::whole(&tags::Tags::default(), size);
                (Ok(pixels), tags::Tags::default())
            }
            Raw::Damaged(problem) => (Err(format!("{name}: {problem}")), tags::Tags::default()),
        };
        if let Some(line) = note.and_then(|note| self.noted(&name, &note)) {
            tracing::info!("{line}");
        }
        let (position, mut problems) = (Whereabouts::of_camera(&tags), tags.problems((0.0, 0.0)));
        let (time, zone) = zone::time(&tags, Some(cssa::clock::now()));
        problems.extend(zone);
        Frame { name, key: None, pixels, position, view, taken: taken.tagged(time), problems }
    }

    /// What was done to a frame's pixels is said once: of a stream it is the same for all.
    fn noted(&mut self, name: &str, note: &str) -> Option<String> {
        let is_first = !std::mem::replace(&mut self.is_note_said, true);
        is_first.then(|| format!("{name}: {note}; frames that come are treated alike, each by its own values"))
    }

    /// A burst of bytes that are no frame is said once; what stands between all frames, once for all.
    fn said(&mut self, debris: &Debris) -> Option<String> {
        let Debris { noise, between, preview, goes_on } = *debris;
        let behind = format!("behind frame {}", self.frames);
        if noise > 0 {
            return (!goes_on).then(|| format!("{behind}: {} bytes that are no frame", noise + between));
        }
        if std::mem::replace(&mut self.is_between_said, true) {
            return None;
        }
        let preview = preview.map(|(width, height)| format!(" with a preview of {width} × {height} pixels"));
        let preview = preview.unwrap_or_default();
        Some(format!("{behind}: {between} bytes between frames{preview}; more of that kind is only counted"))
    }
}

impl Source for PipeSource {
    fn next(&mut self, _: &dyn Ledger) -> Result<Next> {
        if self.output.is_none() {
            if self.started.is_some_and(|started| started.elapsed() < self.pause) {
                return Ok(Next::Nothing);
            }
            let again = self.started.replace(Instant::now()).is_some();
            self.has_given = false;
            match self.start() {
                // What worked once may work again: a camera that is gone comes back.
                Err(error) if again => {
                    self.wait_longer();
                    return Ok(Next::Failed(error));
                }
                started => started?,
            }
        }
        let Some(output) = &mut self.output else { return Ok(Next::Nothing) };
        match output.next() {
            Ok(Some(Event::Frame(raw))) => Ok(Next::Frame(self.frame(raw))),
            Ok(Some(Event::Debris(debris))) => {
                let (bytes, said) = (debris.bytes(), self.said(&debris));
                Ok(Next::Debris { bytes, said })
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
                    Ok(_) if !self.has_given && self.pipe.restart => {
                        Some(Error::CommandWithoutFrames { program: program.clone() })
                    }
                    Ok(_) => None,
                    Err(error) => Some(Error::Stream(error)),
                };
                if !self.has_given {
                    self.wait_longer();
                }
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

    fn pulse(&mut self, pulse: &Arc<Pulse>) {
        self.pulse = Some(Arc::clone(pulse));
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

#[cfg(test)]
mod tests;
