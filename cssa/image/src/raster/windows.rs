//! Reads windows of a TIFF's samples: strips, tiles and planes a piece at a time, and which pixels are none.

use super::values::Samples;
use super::{PIECE, Raster, fax};
use crate::Window;
use crate::error::DecodeError;

impl Raster {
    /// Goes through a window in pieces that follow the file's strips or tiles and have a bounded size.
    pub(super) fn pieces(
        &self,
        window: Window,
        each: &mut dyn FnMut(&Self, Window) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let pixel = self.samples_per_pixel as u64 * self.bytes_per_sample.max(1) as u64;
        let most = (PIECE / pixel).max(1);
        let (across, down) = (u64::from(self.block.0), u64::from(self.block.1));
        let (width, rows) = if across * down > most {
            (across.min(most), (most / across.min(most)).max(1))
        } else {
            let beside = u64::from(window.width).div_ceil(across) + 1;
            let width = across * (most / (across * down)).clamp(1, beside);
            (width, if width >= u64::from(window.width) { down * (most / (width * down)).max(1) } else { down })
        };
        let step = |from: u32, by: u64, end: u32| ((u64::from(from) / by + 1) * by).min(end.into()) as u32;
        let (right, bottom) = (window.x + window.width, window.y + window.height);
        let mut y = window.y;
        while y < bottom {
            let below = step(y, rows, bottom);
            let mut x = window.x;
            while x < right {
                let behind = step(x, width, right);
                each(self, Window { x, y, width: behind - x, height: below - y })?;
                x = behind;
            }
            y = below;
        }
        Ok(())
    }

    /// The samples of the bands that are shown, pixel by pixel, as the file has them.
    pub(super) fn stored(&self, Window { x, y, width, height }: Window) -> Result<Vec<u8>, DecodeError> {
        if matches!(self.samples, Samples::Fax) {
            return fax::read(self.source.as_ref(), &self.ifd, Window { x, y, width, height });
        }
        let mut samples = self.as_read(Window { x, y, width, height })?;
        if self.swapped {
            samples.chunks_exact_mut(self.bytes_per_sample).for_each(<[u8]>::reverse);
        }
        Ok(samples)
    }

    fn as_read(&self, Window { x, y, width, height }: Window) -> Result<Vec<u8>, DecodeError> {
        let (rows, columns) = (height as usize, width as usize);
        let (x, y) = (x as usize, y as usize);
        let bytes = self.bytes_per_sample;
        if !self.planes {
            let all = self.file.read_window_bytes_from_ifd(&self.ifd, y, x, rows, columns)?;
            if self.samples_per_pixel == self.bands {
                return Ok(all);
            }
            let pixels = all.chunks_exact(self.samples_per_pixel * bytes);
            return Ok(pixels.flat_map(|pixel| &pixel[..self.bands * bytes]).copied().collect());
        }
        let mut samples = vec![0; rows * columns * self.bands * bytes];
        for band in 0..self.bands {
            let plane = self.file.read_band_window_bytes_from_ifd(&self.ifd, band, y, x, rows, columns)?;
            let pixels = samples.chunks_exact_mut(self.bands * bytes);
            for (pixel, sample) in pixels.zip(plane.chunks_exact(bytes)) {
                pixel[band * bytes..(band + 1) * bytes].copy_from_slice(sample);
            }
        }
        Ok(samples)
    }

    /// Which pixels are masked, transparent or not in the file.
    pub(super) fn hidden(&self, window: Window) -> Result<Option<Vec<bool>>, DecodeError> {
        let Window { x, y, width, height } = window;
        let mut hidden: Option<Vec<bool>> = None;
        let mut hide = |which: &dyn Fn(usize) -> bool| {
            let hidden = hidden.get_or_insert_with(|| vec![false; width as usize * height as usize]);
            hidden.iter_mut().enumerate().for_each(|(n, hidden)| *hidden |= which(n));
        };
        let (rows, columns, down, right) = (height as usize, width as usize, y as usize, x as usize);
        let is_read = self.scaling.is_some()
            || matches!(self.samples, Samples::Words { .. } | Samples::Reals(_) | Samples::Bytes { largest: 255 });
        if let Some(band) = self.alpha.filter(|_| is_read) {
            let alpha = self.file.read_band_window_bytes_from_ifd(&self.ifd, band, down, right, rows, columns)?;
            let bytes = self.bytes_per_sample;
            hide(&|n| alpha[n * bytes..(n + 1) * bytes].iter().all(|byte| *byte == 0));
        }
        if let Some(mask) = &self.mask {
            let mask = self.file.read_window_bytes_from_ifd(mask, down, right, rows, columns)?;
            let bytes = (mask.len() / (rows * columns)).max(1);
            hide(&|n| mask[n * bytes] == 0);
        }
        if let Some(missing) = &self.missing {
            let across = self.size.0.div_ceil(self.block.0);
            hide(&|n| {
                let (column, row) = (x + n as u32 % width, y + n as u32 / width);
                missing[(row / self.block.1 * across + column / self.block.0) as usize]
            });
        }
        Ok(hidden)
    }
}
