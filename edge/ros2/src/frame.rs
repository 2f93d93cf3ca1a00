//! A frame on its way: what came, from where, and what became of it.

use crate::messages::{Data, Header, Image};
use crate::pixels;
use crate::refusal::{MAX_FRAME_ID, Refusal};
use cssa_captioner::Caption;
use cssa_image::Kept;
use image::RgbImage;
use std::sync::Arc;
use std::time::Instant;

/// A frame that came.
#[derive(Debug)]
pub(crate) struct Frame {
    /// 1 is the first one.
    pub(crate) number: u64,
    pub(crate) topic: Arc<str>,
    pub(crate) header: Header,
    pub(crate) form: Form,
    pub(crate) received: Instant,
}

/// What a message has of a picture.
#[derive(Debug)]
pub(crate) enum Form {
    /// `sensor_msgs/Image`.
    Raw(Image),
    /// `sensor_msgs/CompressedImage`: the file that it has, whatever its `format` says.
    File(Data),
}

impl Form {
    /// Refuses what is not worth a place: what can be known without the pixels.
    ///
    /// # Errors
    /// Too many bytes, a raw image whose encoding is not taken or whose fields contradict each other.
    pub(crate) fn check(&self, header: &Header) -> Result<(), Refusal> {
        let data = match self {
            Self::Raw(image) => &image.data,
            Self::File(data) => data,
        };
        match data {
            Data { bytes, length } if bytes.len() < *length => Err(Refusal::Large(*length)),
            _ if header.frame_id.len() > MAX_FRAME_ID => Err(Refusal::FrameId(header.frame_id.len())),
            _ => match self {
                Self::Raw(image) => pixels::check(image),
                Self::File(_) => Ok(()),
            },
        }
    }

    /// The picture.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn pixels(self) -> Result<RgbImage, Refusal> {
        match self {
            Self::Raw(image) => pixels::rgb(image),
            Self::File(data) => Ok(cssa_image::picture(data.bytes, Kept::Reduced)?.pixels),
        }
    }
}

/// What became of a frame.
pub(crate) struct Outcome {
    pub(crate) number: u64,
    pub(crate) topic: Arc<str>,
    pub(crate) header: Header,
    pub(crate) received: Instant,
    pub(crate) result: Result<Caption, Refusal>,
}

#[cfg(test)]
impl Default for Frame {
    fn default() -> Self {
        let form = Form::File(Data::default());
        Self { number: 0, topic: "/image".into(), header: Header::default(), form, received: Instant::now() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_refused_without_its_bytes() {
        let large = Form::File(Data { bytes: Vec::new(), length: usize::MAX });
        assert_eq!(large.check(&Header::default()).err().map(|refusal| refusal.kind()), Some("large"));
        let header = Header { frame_id: "x".repeat(MAX_FRAME_ID + 1), ..Header::default() };
        let empty = Form::Raw(Image::default());
        assert_eq!(empty.check(&header).err().map(|refusal| refusal.kind()), Some("frame_id"));
        assert_eq!(empty.check(&Header::default()).err().map(|refusal| refusal.kind()), Some("encoding"));
        let depths = Form::Raw(Image { encoding: "32FC1".repeat(1 << 20), ..Image::default() });
        let said = depths.check(&Header::default()).map_err(|refusal| refusal.to_string());
        assert!(
            said.is_err_and(|said| said.starts_with("encoding \"32FC132FC1") && said.len() < 400),
            "its text is cut"
        );
    }

    #[test]
    fn a_file_is_what_its_bytes_say() -> Result<(), Box<dyn std::error::Error>> {
        let file = std::fs::read(fixtures::scenes().join("images/scene_00000.jpg"))?;
        assert!(Form::File(Data::from(file)).pixels().is_ok_and(|found| found.width() > 0));
        for (bytes, kind) in [(&b"GIF89a"[..], "format"), (&[0xff, 0xd8, 0xff, 0xe0][..], "damaged"), (&[], "format")] {
            let refusal = Form::File(Data::from(bytes.to_vec())).pixels().err();
            assert_eq!(refusal.map(|refusal| refusal.kind()), Some(kind), "{bytes:?}");
        }
        Ok(())
    }
}
