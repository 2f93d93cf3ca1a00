//! From a TIFF's samples to red, green and blue with 8 bits.

use super::Raster;
use super::values::{Samples, Words};
use crate::Window;
use crate::error::DecodeError;
use crate::scaling::{Scaling, WORDS};

impl Raster {
    /// Red, green and blue of a window of the file.
    pub(super) fn rgb(&self, window: Window) -> Result<Vec<u8>, DecodeError> {
        let mut rgb = vec![0; window.width as usize * window.height as usize * 3];
        self.pieces(window, &mut |raster, piece| {
            let mut pixels = raster.piece(piece)?;
            if let Some(hidden) = raster.hidden(piece)? {
                let hidden = pixels.chunks_exact_mut(3).zip(&hidden).filter(|(_, hidden)| **hidden);
                hidden.for_each(|(pixel, _)| pixel.fill(0));
            }
            let (line, stride) = (piece.width as usize * 3, window.width as usize * 3);
            for (n, row) in pixels.chunks_exact(line).enumerate() {
                let at = ((piece.y - window.y) as usize + n) * stride + (piece.x - window.x) as usize * 3;
                rgb[at..at + line].copy_from_slice(row);
            }
            Ok(())
        })?;
        Ok(rgb)
    }

    fn piece(&self, piece: Window) -> Result<Vec<u8>, DecodeError> {
        if matches!(self.samples, Samples::Colours) {
            return self.colours(piece);
        }
        let stored = self.stored(piece)?;
        let shown = |byte: u8| if self.white_is_zero { 255 - byte } else { byte };
        let bytes: Vec<u8> = match &self.samples {
            Samples::Palette(colours) => {
                let colour = |index: u8| colours.get(usize::from(index)).copied().unwrap_or_default();
                return Ok(stored.into_iter().flat_map(colour).collect());
            }
            Samples::Bytes { largest: 255 } if !self.white_is_zero => stored,
            Samples::Bytes { largest } => {
                let largest = u16::from(*largest);
                let byte = |sample: u8| shown(((u16::from(sample) * 255 + largest / 2) / largest) as u8);
                stored.into_iter().map(byte).collect()
            }
            Samples::Fax => stored.into_iter().map(|bit| shown(bit * 255)).collect(),
            Samples::Words { of, first } => {
                let nodata = self.nodata_word(*first);
                let words = stored.chunks_exact(of.width()).map(|sample| of.word(sample));
                words.map(|word| if Some(word) == nodata { 0 } else { shown(self.table[usize::from(word)]) }).collect()
            }
            Samples::Reals(of) => {
                let (nodata, scaling) =
                    (self.nodata.map(|value| of.rounded(value)), self.scaling.unwrap_or(Scaling::Empty));
                let values = stored.chunks_exact(of.width()).map(|sample| of.value(sample));
                let byte = |value: f64| {
                    if Some(value) == nodata || !value.is_finite() { 0 } else { shown(scaling.byte(value)) }
                };
                values.map(byte).collect()
            }
            Samples::Colours => Vec::new(),
        };
        Ok(if self.bands == 1 { bytes.into_iter().flat_map(|grey| [grey; 3]).collect() } else { bytes })
    }

    /// What the library makes red, green and blue of.
    fn colours(&self, Window { x, y, width, height }: Window) -> Result<Vec<u8>, DecodeError> {
        let (rows, columns) = (height as usize, width as usize);
        let bytes = self.file.read_decoded_window_bytes_from_ifd(&self.ifd, y as usize, x as usize, rows, columns)?;
        let layout = self.ifd.decoded_raster_layout()?;
        let (samples, pixel) = (layout.samples_per_pixel, layout.samples_per_pixel * layout.bytes_per_sample);
        if samples < 3 {
            return Err(DecodeError::Unsupported(format!("{samples} inks")));
        }
        let pixels = bytes.chunks_exact(pixel.max(1));
        Ok(match layout.bytes_per_sample {
            1 => pixels.flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
            2 => {
                let byte = |word: &[u8]| ((u32::from(u16::from_ne_bytes([word[0], word[1]])) + 128) / 257) as u8;
                pixels.flat_map(|pixel| [byte(pixel), byte(&pixel[2..]), byte(&pixel[4..])]).collect()
            }
            bytes => return Err(DecodeError::Unsupported(format!("colours of {} bits", bytes * 8))),
        })
    }

    /// Finds the percentiles of the valid values.
    pub(super) fn scale(&mut self) -> Result<(), DecodeError> {
        let scaling = match &self.samples {
            Samples::Words { of, first } => {
                let mut counts = vec![0u64; WORDS];
                let nodata = self.nodata_word(*first);
                self.pieces(Window::of(self.size), &mut |raster, piece| {
                    let samples = raster.stored(piece)?;
                    let hidden = raster.hidden(piece)?;
                    for (n, sample) in samples.chunks_exact(of.width()).enumerate() {
                        if hidden.as_ref().is_none_or(|hidden| !hidden[n / raster.bands]) {
                            counts[usize::from(of.word(sample))] += 1;
                        }
                    }
                    Ok(())
                })?;
                if let Some(nodata) = nodata {
                    counts[usize::from(nodata)] = 0;
                }
                Scaling::of_counts(&counts, *first, matches!(of, Words::Unsigned))
            }
            Samples::Reals(of) => {
                let nodata = self.nodata.map(|value| of.rounded(value));
                Scaling::of_passes(|each| {
                    self.pieces(Window::of(self.size), &mut |raster, piece| {
                        let samples = raster.stored(piece)?;
                        let hidden = raster.hidden(piece)?;
                        for (n, sample) in samples.chunks_exact(of.width()).enumerate() {
                            let value = of.value(sample);
                            if Some(value) != nodata && hidden.as_ref().is_none_or(|hidden| !hidden[n / raster.bands]) {
                                each(value);
                            }
                        }
                        Ok(())
                    })
                })?
            }
            _ => return Ok(()),
        };
        if let Samples::Words { first, .. } = self.samples {
            self.table = scaling.table(first);
        }
        self.scaling = Some(scaling);
        Ok(())
    }

    fn nodata_word(&self, first: f64) -> Option<u16> {
        let word = self.nodata? - first;
        (word.fract() == 0.0 && (0.0..WORDS as f64).contains(&word)).then_some(word as u16)
    }
}
