//! What is kept of captioned frames, and the picture that a ground asks for.

mod config;
mod encode;
mod frames;
mod ring;
mod subject;

pub use config::PicturesConfig;
pub(crate) use frames::FRAMES;
pub(crate) use ring::RING;
pub use subject::Subject;

use crate::error::{Error, Result};
use cssa::files::FileError;
use cssa_wire::Ask;
use encode::SMALL_SIDE;
use frames::{Frames, RESERVE};
use image::RgbImage;
use ring::Ring;
use std::path::{Path, PathBuf};

/// The pictures of a state folder. What of it cannot be opened is tried again with each frame; the rest goes on.
#[derive(Debug)]
pub struct Pictures {
    state: PathBuf,
    config: PicturesConfig,
    ring: Option<Ring>,
    frames: Option<Frames>,
}

/// A picture that goes down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The caption of its frame.
    pub subject: Subject,
    /// WebP.
    pub bytes: Vec<u8>,
    /// Width and height of the whole frame that is kept, by whose pixels crops go; 0 where none is.
    pub frame: [u16; 2],
}

/// Why there is no such picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotMade {
    /// Nothing is kept of the frame, or never was.
    NotKept,
    /// Only the small picture is.
    OnlySmall,
    /// The crop lies outside of the frame, of this width and height.
    Outside([u16; 2]),
    /// It is larger than any picture that goes down.
    TooLarge,
}

impl NotMade {
    /// What the ground is told.
    #[must_use]
    pub fn said(self) -> String {
        match self {
            Self::NotKept => String::new(),
            Self::OnlySmall => "only its small picture is, of 160 pixels".into(),
            Self::Outside([width, height]) => format!("the crop lies outside of the frame, {width} x {height}"),
            Self::TooLarge => "it has more than 256 KiB: ask for fewer pixels".into(),
        }
    }
}

/// What a picture is made of.
#[derive(Debug)]
pub struct Source {
    subject: Subject,
    bytes: Vec<u8>,
    making: Making,
}

#[derive(Debug)]
enum Making {
    /// It is that.
    Nothing,
    /// Of a small picture a smaller one.
    Smaller(u32),
    /// Of a whole frame, or of a part of it.
    Frame(u32, Option<[u16; 4]>),
}

impl Source {
    /// Makes the picture; nobody waits for it.
    pub fn picture(self) -> Result<Picture, NotMade> {
        let Self { subject, bytes, making } = self;
        let mut size = [0; 2];
        let bytes = match making {
            Making::Nothing => bytes,
            Making::Smaller(side) => {
                encode::decoded(&bytes).and_then(|picture| encode::sized(&picture, side)).unwrap_or(bytes)
            }
            Making::Frame(side, crop) => {
                // A frame that is damaged is as one that is not there.
                let frame = frames::decoded(&bytes).ok_or(NotMade::NotKept)?;
                size = [frame.width(), frame.height()].map(|side| u16::try_from(side).unwrap_or(u16::MAX));
                let part = crop.map(|crop| encode::cropped(&frame, crop).ok_or(NotMade::Outside(size))).transpose()?;
                encode::sized(part.as_ref().unwrap_or(&frame), side).ok_or(NotMade::TooLarge)?
            }
        };
        Ok(Picture { subject, bytes, frame: size })
    }
}

impl Pictures {
    /// What a state folder has, or will have.
    #[must_use]
    pub fn of(state: &Path, config: &PicturesConfig) -> Self {
        Self { state: state.into(), config: *config, ring: None, frames: None }
    }

    /// Opens what is not open; gives what is wrong with it.
    pub fn open(&mut self) -> Vec<Error> {
        let mut problems = Vec::new();
        if self.ring.is_none() {
            match Ring::open(&self.state, self.config.small_bytes) {
                Ok(ring) => self.ring = ring,
                Err(error) => problems.push(error),
            }
        }
        if self.frames.is_none() {
            match Frames::open(&self.state, self.config.frame_bytes) {
                Ok(frames) => self.frames = Some(frames),
                Err(error) => problems.push(error),
            }
        }
        problems
    }

    /// Keeps the small picture of a captioned frame, and the whole frame where it is notable: flagged, or with a watch-word. Gives what is
    /// wrong.
    pub fn keep(&mut self, subject: Subject, frame: &RgbImage, is_notable: IsNotable) -> Vec<Error> {
        let mut problems = self.open();
        if frames::free(&self.state).is_some_and(|free| free < RESERVE / 4) {
            problems.push(FileError::content(&self.state, "the disk is nearly full: pictures are not kept").into());
            return problems;
        }
        if let Some((ring, small)) = self.ring.as_ref().zip(encode::small(frame)) {
            problems.extend(ring.put(subject, &small).err());
        }
        if let (Some(frames), IsNotable::Yes) = (&mut self.frames, is_notable) {
            problems.extend(frames.put(subject, frame).err());
        }
        problems
    }

    /// What the picture that is asked for is to be made of.
    pub fn source(&mut self, ask: &Ask) -> Result<Result<Source, NotMade>> {
        self.open();
        let side = u32::from(ask.pixels);
        let small = || self.ring.as_ref().map_or(Ok(None), |ring| ring.get(ask.caption));
        if ask.crop.is_none() && side <= SMALL_SIDE {
            let making = if side < SMALL_SIDE { Making::Smaller(side) } else { Making::Nothing };
            let found = small()?.map(|(subject, bytes)| Source { subject, bytes, making });
            return Ok(found.ok_or(NotMade::NotKept));
        }
        let frame = self.frames.as_ref().map_or(Ok(None), |frames| frames.get(ask.caption))?;
        let making = Making::Frame(side, ask.crop);
        match frame {
            Some((subject, bytes)) => Ok(Ok(Source { subject, bytes, making })),
            None => Ok(Err(if small()?.is_some() { NotMade::OnlySmall } else { NotMade::NotKept })),
        }
    }

    /// Makes the picture that is asked for.
    pub fn make(&mut self, ask: &Ask) -> Result<Result<Picture, NotMade>> {
        Ok(self.source(ask)?.and_then(Source::picture))
    }

    /// The disk has no room for what is more important: the oldest frame goes.
    pub fn give_way(&mut self) -> Result<()> {
        self.frames.as_mut().map_or(Ok(()), |frames| frames.forget_oldest().map(drop))
    }

    /// Forgets everything.
    pub fn forget(&mut self) -> Result<()> {
        self.open();
        self.ring.as_ref().map_or(Ok(()), Ring::clear)?;
        self.frames.as_mut().map_or(Ok(()), Frames::clear)
    }
}

/// Whether the whole frame of a caption is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsNotable {
    /// It is flagged, or has a watch-word.
    Yes,
    /// Its small picture must do.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;
    use image::Rgb;

    #[test]
    fn what_is_kept_is_shown_and_the_rest_is_said() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let config = PicturesConfig { small_bytes: 30_000, frame_bytes: 1 << 20, ..PicturesConfig::default() };
        let frame = RgbImage::from_fn(1000, 600, |x, y| Rgb([(x / 4) as u8, (y / 3) as u8, 90]));
        let subject = |number| Subject { number, time: 5, digest: 6 };
        let mut pictures = Pictures::of(folder.path(), &config);
        assert!(pictures.keep(subject(1), &frame, IsNotable::No).is_empty());
        assert!(pictures.keep(subject(2), &frame, IsNotable::Yes).is_empty());
        let ask = |caption, pixels, crop| Ask { ask: 9, caption, pixels, crop };
        let size = |pictures: &mut Pictures, ask: &Ask| -> Result<Result<(u32, u32), NotMade>> {
            let decoded = |picture: Picture| encode::decoded(&picture.bytes).map(|found| found.dimensions());
            Ok(pictures.make(ask)?.map(|picture| decoded(picture).unwrap_or_default()))
        };
        let crop = Some([900, 500, 200, 50]);
        for (asked, expected) in [
            (ask(1, 160, None), Ok((160, 96))),
            (ask(1, 40, None), Ok((40, 24))),
            (ask(1, 640, None), Err(NotMade::OnlySmall)),
            (ask(1, 160, crop), Err(NotMade::OnlySmall)),
            (ask(2, 640, None), Ok((640, 384))),
            (ask(2, 8192, None), Ok((1000, 600))),
            (ask(2, 50, crop), Ok((50, 25))),
            (ask(2, 160, Some([1000, 0, 1, 1])), Err(NotMade::Outside([1000, 600]))),
            (ask(3, 160, None), Err(NotMade::NotKept)),
            (ask(3, 640, None), Err(NotMade::NotKept)),
        ] {
            assert_eq!(size(&mut pictures, &asked)?, expected, "{asked:?}");
        }
        let whole = pictures.make(&ask(1, 160, None))?.map(|picture| picture.bytes);
        let mut pictures = Pictures::of(folder.path(), &config);
        assert_eq!(pictures.make(&ask(1, 160, None))?.map(|picture| picture.bytes), whole, "the same after a start");
        pictures.forget()?;
        assert_eq!(
            [size(&mut pictures, &ask(1, 160, None))?, size(&mut pictures, &ask(2, 640, None))?],
            [Err(NotMade::NotKept); 2]
        );
        Ok(())
    }

    /// What is broken takes nothing else with it, and goes on when it is whole again.
    #[test]
    fn one_of_both_is_enough() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let ring = folder.path().join(RING);
        std::fs::create_dir(&ring)?;
        let mut pictures = Pictures::of(folder.path(), &PicturesConfig::default());
        let (subject, frame) = (|number| Subject { number, time: 5, digest: 6 }, RgbImage::new(300, 200));
        let problems = pictures.keep(subject(1), &frame, IsNotable::Yes);
        assert!(problems.len() == 1 && problems[0].to_string().contains(RING), "{problems:?}");
        let ask = |caption, pixels| Ask { ask: 9, caption, pixels, crop: None };
        assert!(pictures.make(&ask(1, 640))?.is_ok());
        std::fs::remove_dir(&ring)?;
        assert!(pictures.keep(subject(2), &frame, IsNotable::No).is_empty());
        assert!(pictures.make(&ask(2, 160))?.is_ok());
        pictures.give_way()?;
        assert_eq!(pictures.make(&ask(1, 640))?, Err(NotMade::NotKept));
        Ok(())
    }
}
