//! What a stream is made of, without its pixels: every byte belongs to a frame or to debris.

use super::event::{Event, Raw};
use super::stream::FrameReader;
use std::io::{self, Read};

/// What a stream was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Frames.
    pub frames: u64,
    /// Frames that are damaged or refused.
    pub damaged: u64,
    /// Bytes of frames, damaged ones too.
    pub frame_bytes: u64,
    /// Bytes of no frame.
    pub debris: u64,
    /// Most bytes that were held at a time when a frame or debris was given.
    pub held: usize,
}

/// Reads a stream to its end as the source does.
///
/// # Errors
/// The stream cannot be read.
pub fn survey(input: impl Read) -> io::Result<Survey> {
    let mut reader = FrameReader::new(input);
    let (mut survey, mut used) = (Survey::default(), 0);
    while let Some(event) = reader.next()? {
        match event {
            Event::Frame(raw) => {
                let is_damaged = matches!(raw, Raw::Damaged(_));
                survey.damaged += u64::from(is_damaged);
                survey.frames += u64::from(!is_damaged);
                survey.frame_bytes += reader.used() - used;
            }
            Event::Debris(debris) => survey.debris += debris.bytes(),
        }
        used = reader.used();
        survey.held = survey.held.max(reader.held());
    }
    Ok(survey)
}
