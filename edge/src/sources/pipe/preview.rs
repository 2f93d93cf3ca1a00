//! Which JPEGs behind a frame are its previews.

/// What may stand behind the last frame and belong to it.
#[derive(Debug, Default)]
pub(super) struct Behind {
    /// Its size.
    pub(super) frame: Option<(u16, u16)>,
    /// The sizes of the previews that came.
    pub(super) previews: Vec<(u16, u16)>,
    /// Where its own index says that pictures begin, in bytes of the stream, and their lengths.
    pub(super) pictures: Vec<(u64, u64)>,
}

impl Behind {
    /// Whether a JPEG is the last frame's preview: its index says so, or it is the frame on a smaller scale and the first of its size.
    /// (A camera that changes to a smaller size goes on with frames of that size.)
    pub(super) fn is_preview(&self, at: u64, length: usize, size: Option<(u16, u16)>) -> bool {
        let (Some(frame), Some(size)) = (self.frame, size) else { return false };
        let (width, height) = ((f64::from(frame.0), f64::from(size.0)), (f64::from(frame.1), f64::from(size.1)));
        let scales = (width.1 / width.0, height.1 / height.0);
        let is_smaller = scales.0 <= 0.75 && scales.1 <= 0.75;
        let is_named =
            self.pictures.iter().any(|&(begin, named)| begin == at && (named == length as u64 || is_smaller));
        let is_scaled = is_smaller && (scales.0 / scales.1 - 1.0).abs() < 0.05;
        is_named || is_scaled && !self.previews.contains(&size)
    }
}
