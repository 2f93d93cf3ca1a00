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

use crate::error::Result;
use cssa_wire::Ask;
use encode::SMALL_SIDE;
use frames::Frames;
use image::RgbImage;
use ring::Ring;
use std::path::Path;

/// The pictures of a state folder.
#[derive(Debug)]
pub struct Pictures {
    ring: Option<Ring>,
    frames: Frames,
}

/// A picture that goes down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The caption of its frame.
    pub subject: Subject,
    /// WebP.
    pub bytes: Vec<u8>,
}

/// Why there is no such picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotMade {
    /// Nothing is kept of the frame, or never was.
    NotKept,
    /// Only the small picture is.
    OnlySmall,
    /// The crop lies outside of the frame.
    Outside,
    /// It is larger than any picture that goes down.
    TooLarge,
}

impl NotMade {
    /// What the ground is told.
    #[must_use]
    pub fn said(self) -> &'static str {
        match self {
            Self::NotKept => "",
            Self::OnlySmall => "only its small picture is, of 160 pixels",
            Self::Outside => "the crop lies outside of the frame",
            Self::TooLarge => "it has more than 256 KiB: ask for fewer pixels",
        }
    }
}

impl Pictures {
    /// Opens what a state folder has, or makes it.
    pub fn open(state: &Path, config: &PicturesConfig) -> Result<Self> {
        Ok(Self { ring: Ring::open(state, config.small_bytes)?, frames: Frames::open(state, config.frame_bytes)? })
    }

    /// Keeps the small picture of a captioned frame, and the whole frame where it is notable: flagged, or with a watch-word.
    pub fn keep(&mut self, subject: Subject, frame: &RgbImage, is_notable: IsNotable) -> Result<()> {
        if let Some((ring, small)) = self.ring.as_ref().zip(encode::small(frame)) {
            ring.put(subject, &small)?;
        }
        if is_notable == IsNotable::Yes { self.frames.put(subject, frame) } else { Ok(()) }
    }

    /// Makes the picture that is asked for.
    pub fn make(&self, ask: &Ask) -> Result<Result<Picture, NotMade>> {
        let side = u32::from(ask.pixels);
        let small = || self.ring.as_ref().map_or(Ok(None), |ring| ring.get(ask.caption));
        if ask.crop.is_none() && side <= SMALL_SIDE {
            let Some((subject, bytes)) = small()? else { return Ok(Err(NotMade::NotKept)) };
            let smaller = || encode::decoded(&bytes).and_then(|picture| encode::sized(&picture, side));
            let bytes = if side < SMALL_SIDE { smaller().unwrap_or(bytes) } else { bytes };
            return Ok(Ok(Picture { subject, bytes }));
        }
        let Some((subject, frame)) = self.frames.get(ask.caption)? else {
            return Ok(Err(if small()?.is_some() { NotMade::OnlySmall } else { NotMade::NotKept }));
        };
        let frame = match ask.crop.map(|crop| encode::cropped(&frame, crop)) {
            None => frame,
            Some(Some(crop)) => crop,
            Some(None) => return Ok(Err(NotMade::Outside)),
        };
        Ok(encode::sized(&frame, side).map(|bytes| Picture { subject, bytes }).ok_or(NotMade::TooLarge))
    }

    /// Forgets everything.
    pub fn forget(&mut self) -> Result<()> {
        self.ring.as_ref().map_or(Ok(()), Ring::clear)?;
        self.frames.clear()
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
        let mut pictures = Pictures::open(folder.path(), &config)?;
        pictures.keep(subject(1), &frame, IsNotable::No)?;
        pictures.keep(subject(2), &frame, IsNotable::Yes)?;
        let ask = |caption, pixels, crop| Ask { ask: 9, caption, pixels, crop };
        let size = |pictures: &Pictures, ask: &Ask| -> Result<Result<(u32, u32), NotMade>> {
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
            (ask(2, 160, Some([1000, 0, 1, 1])), Err(NotMade::Outside)),
            (ask(3, 160, None), Err(NotMade::NotKept)),
            (ask(3, 640, None), Err(NotMade::NotKept)),
        ] {
            assert_eq!(size(&pictures, &asked)?, expected, "{asked:?}");
        }
        let whole = pictures.make(&ask(1, 160, None))?.map(|picture| picture.bytes);
        drop(pictures);
        let mut pictures = Pictures::open(folder.path(), &config)?;
        assert_eq!(pictures.make(&ask(1, 160, None))?.map(|picture| picture.bytes), whole, "the same after a start");
        pictures.forget()?;
        assert_eq!(
            [size(&pictures, &ask(1, 160, None))?, size(&pictures, &ask(2, 640, None))?],
            [Err(NotMade::NotKept); 2]
        );
        Ok(())
    }
}
