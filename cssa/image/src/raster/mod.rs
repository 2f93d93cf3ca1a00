//! TIFF as GDAL, cameras and scanners write it, of any size: read in windows, the values of the whole file scaled alike.
//!
//! Grey, RGB, palettes, CMYK, YCbCr and Lab; of further bands the first three are red, green and blue, whatever the file calls
//! them, others, alpha and near infrared, are left out. Strips, tiles and planes; tiles that the file leaves out are black.

mod directory;
mod fax;
mod values;

use self::directory::Directory;
use self::values::{Real, Samples, Words};
use crate::Window;
use crate::error::DecodeError;
use crate::orientation;
use crate::picture::{Kept, MAX_HELD, MAX_PIXELS, Picture, check_size, note};
use crate::reduce::{Reducer, factor};
use crate::scaling::{Scaling, WORDS};
use cssa::errors::chain;
use image::RgbImage;
use image::metadata::Orientation;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use tiff_reader::source::{BytesSource, FileSource, SharedSource};
use tiff_reader::{ByteOrder, Ifd, OpenOptions, ParseBudgets, TiffFile};

/// Bytes of samples that are read at a time, unless a strip or tile has more.
const PIECE: u64 = 1 << 24;
/// The code of LERC compression.
const LERC: u64 = 34_887;
/// Bytes of decoded strips and tiles that are kept, unless one has more.
const CACHE: u64 = 1 << 26;

/// A TIFF's first image.
pub struct Raster {
    file: TiffFile,
    source: SharedSource,
    ifd: Ifd,
    size: (u32, u32),
    /// Columns and rows of a strip or tile.
    block: (u32, u32),
    planes: bool,
    samples_per_pixel: usize,
    bytes_per_sample: usize,
    samples: Samples,
    /// Bands that are shown: the first, or the first three.
    bands: usize,
    white_is_zero: bool,
    alpha: Option<usize>,
    mask: Option<Ifd>,
    nodata: Option<f64>,
    /// libtiff gives LERC the bytes of a sample in the file's order, the library gives them back in the machine's.
    swapped: bool,
    /// Tiles or strips that the file leaves out, where it does.
    missing: Option<Vec<bool>>,
    orientation: Orientation,
    scaling: Option<Scaling>,
    table: Vec<u8>,
    remarks: Vec<String>,
}

/// Whether these are the first bytes of a TIFF.
pub(crate) fn is_tiff(bytes: &[u8]) -> bool {
    [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|start| bytes.starts_with(*start))
}

/// Whether a file begins as a TIFF. A pipe or a device is none, and is not waited for.
#[must_use]
pub fn is_tiff_file(path: &Path) -> bool {
    let mut start = [0; 4];
    path.is_file()
        && std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && is_tiff(&start)
}

impl Raster {
    /// Opens a file; of more than 8 bits, its values are looked through once for their percentiles.
    pub fn open(path: &Path) -> Result<Self, DecodeError> {
        Self::of_source(Arc::new(FileSource::open(path)?))
    }

    /// As [`Self::open`], of a file's bytes.
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        Self::of_source(Arc::new(BytesSource::new(bytes)))
    }

    fn of_source(source: SharedSource) -> Result<Self, DecodeError> {
        let directory = Directory::first(source.as_ref())?;
        let number = |tag, absent| directory.number(source.as_ref(), tag).unwrap_or(absent);
        let compression = number(directory::COMPRESSION, 1);
        if let Some(name) = unsupported_compression(compression) {
            return Err(DecodeError::Unsupported(name));
        }
        let photometric = number(directory::PHOTOMETRIC, 1);
        let (width, height) = (number(directory::WIDTH, 0), number(directory::HEIGHT, 0));
        check_size(width, height, u64::MAX)?;
        let formats = directory.numbers(source.as_ref(), directory::SAMPLE_FORMAT).unwrap_or_default();
        let (bits, format) = (number(directory::BITS, 1), formats.first().copied().unwrap_or(1));
        // The library knows no half-precision numbers: it is told that they are words.
        let is_half = (bits, format) == (16, 3);
        let hidden = if is_half { &[directory::SAMPLE_FORMAT][..] } else { &[] };
        let file = open(directory.only_pixels(&source, hidden), CACHE)?;
        let ifd = file.ifd(0)?.clone();
        let layout = ifd.raster_layout().map_err(|error| by_photometric(error.into(), photometric))?;
        let block = match (ifd.tile_width(), ifd.tile_height()) {
            (Some(width), Some(height)) if ifd.is_tiled() => (width, height),
            _ => (ifd.width(), ifd.rows_per_strip().min(ifd.height())),
        };
        if block.0 == 0 || block.1 == 0 {
            return Err(DecodeError::Inconsistent("the TIFF has strips or tiles without pixels".into()));
        }
        let planes = layout.planar_configuration == 2;
        let samples_per_block = if planes { 1 } else { layout.samples_per_pixel as u64 };
        let bytes = u64::from(block.0) * u64::from(block.1) * samples_per_block * layout.bytes_per_sample as u64;
        if bytes > MAX_HELD {
            return Err(DecodeError::Piece { bytes, most: MAX_HELD });
        }
        let samples = samples(&directory, &source, (photometric, compression), (bits, format))?;
        let colours_of_library = matches!(samples, Samples::Colours);
        let extra = directory.numbers(source.as_ref(), directory::EXTRA_SAMPLES).unwrap_or_default();
        let alpha = extra.iter().position(|kind| matches!(kind, 1 | 2));
        let alpha = alpha.map(|n| layout.samples_per_pixel.saturating_sub(extra.len()) + n);
        let bands = match &samples {
            Samples::Palette(_) | Samples::Fax => 1,
            Samples::Colours => 3,
            _ if layout.samples_per_pixel >= 3 && alpha.is_none_or(|band| band >= 3) => 3,
            _ => 1,
        };
        let nodata = directory.text(source.as_ref(), directory::GDAL_NODATA);
        let mut remarks = Vec::new();
        let nodata = nodata.and_then(|text| {
            let number = text.parse().ok();
            if number.is_none() {
                remarks.push(format!("GDAL_NODATA is {text:?}, expected a number: no value is left out for it"));
            }
            number
        });
        let held = number(directory::ORIENTATION, 1).try_into().ok().and_then(Orientation::from_exif);
        let mut raster = Self {
            size: (width as u32, height as u32),
            block,
            planes: planes && !colours_of_library,
            samples_per_pixel: layout.samples_per_pixel,
            bytes_per_sample: layout.bytes_per_sample,
            samples,
            bands,
            white_is_zero: photometric == 0,
            alpha: alpha.filter(|band| (bands..layout.samples_per_pixel).contains(band)),
            mask: None,
            nodata,
            swapped: compression == LERC && file.byte_order() != native(),
            missing: None,
            orientation: held.unwrap_or(Orientation::NoTransforms),
            scaling: None,
            table: Vec::new(),
            remarks,
            file,
            source,
            ifd,
        };
        raster.check_blocks()?;
        if bytes * raster.planes_at_a_time() > CACHE {
            // A strip that is the whole image is read in several windows: it must be kept meanwhile.
            let cache = bytes * raster.planes_at_a_time() + CACHE;
            raster.file = open(directory.only_pixels(&raster.source, hidden), cache)?;
        }
        if matches!(raster.samples, Samples::Words { .. } | Samples::Reals(_)) {
            if let Some(at) = directory.mask(raster.source.as_ref(), raster.size) {
                match raster.read_mask(at) {
                    Ok(mask) => raster.mask = Some(mask),
                    Err(error) => raster.remarks.push(format!("the mask at byte {at} is not used: {}", chain(&error))),
                }
            }
            raster.scale()?;
        }
        Ok(raster)
    }

    /// Columns and rows, upright.
    #[must_use]
    pub fn dimensions(&self) -> (u32, u32) {
        orientation::seen_size(self.orientation, self.size)
    }

    /// What was done to the pixels, where anything was.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        note(self.scaling, self.remarks.iter().cloned())
    }

    /// Where a point of the upright image lies in the file's own columns and rows, which georeferences count.
    #[must_use]
    pub fn in_file(&self, point: (f64, f64)) -> (f64, f64) {
        orientation::stored_point(self.orientation, self.size, point)
    }

    /// The pixels of a window of the upright image.
    pub fn window(&self, window: Window) -> Result<RgbImage, DecodeError> {
        let stored = orientation::stored_window(self.orientation, self.size, window);
        let rgb = self.rgb(stored)?;
        let odd = || DecodeError::Inconsistent("the TIFF has fewer pixels than it says".into());
        let image = RgbImage::from_raw(stored.width, stored.height, rgb).ok_or_else(odd)?;
        Ok(orientation::apply(image, self.orientation))
    }

    /// The whole image, reduced while it is read where it is large.
    pub fn picture(&self, kept: Kept) -> Result<Picture, DecodeError> {
        let (width, height) = self.size;
        check_size(width.into(), height.into(), MAX_PIXELS)?;
        let factor = factor(self.size, kept.pixels());
        let mut reducer = Reducer::new(self.size, factor);
        let rows = (PIECE / (u64::from(width) * 3)).clamp(1, u64::from(height)) as u32;
        let rows = if rows > self.block.1 { rows - rows % self.block.1 } else { rows };
        for y in (0..height).step_by(rows as usize) {
            reducer.push(&self.rgb(Window { x: 0, y, width, height: rows.min(height - y) })?);
        }
        let odd = || DecodeError::Inconsistent("the TIFF has fewer rows than it says".into());
        let pixels = reducer.finish(height).ok_or_else(odd)?;
        let mut picture = Picture::new(pixels, self.size, self.orientation, factor, self.scaling);
        picture.remarks.clone_from(&self.remarks);
        Ok(picture)
    }

    fn planes_at_a_time(&self) -> u64 {
        if self.planes { self.bands as u64 } else { 1 }
    }

    /// Whether the file has as many strips or tiles as it must, and which of them it leaves out.
    fn check_blocks(&mut self) -> Result<(), DecodeError> {
        let tiled = self.ifd.is_tiled();
        let (offsets, lengths) = if tiled {
            (self.ifd.tile_offsets(), self.ifd.tile_byte_counts())
        } else {
            (self.ifd.strip_offsets(), self.ifd.strip_byte_counts())
        };
        let (offsets, lengths) = (offsets.unwrap_or_default(), lengths.unwrap_or_default());
        let across = u64::from(self.size.0.div_ceil(self.block.0));
        let down = u64::from(self.size.1.div_ceil(self.block.1));
        let planes = if self.ifd.planar_configuration() == 2 { self.samples_per_pixel as u64 } else { 1 };
        let expected = across * down * planes;
        if offsets.len() as u64 != expected || lengths.len() as u64 != expected {
            let (kind, found) = (if tiled { "tiles" } else { "strips" }, offsets.len().min(lengths.len()));
            return Err(DecodeError::Inconsistent(format!("the TIFF has {found} {kind}, expected {expected}")));
        }
        let missing: Vec<bool> = offsets.iter().zip(&lengths).map(|(at, length)| *at == 0 || *length == 0).collect();
        self.missing = missing.contains(&true).then_some(missing);
        Ok(())
    }

    fn read_mask(&self, at: u64) -> Result<Ifd, DecodeError> {
        // The mask is another directory of the file: the library sees the file as it is.
        Ok(open(Arc::clone(&self.source), 0)?.read_ifd_at_offset(at)?)
    }

    /// Finds the percentiles of the valid values.
    fn scale(&mut self) -> Result<(), DecodeError> {
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

    /// Goes through a window in pieces that follow the file's strips or tiles and have a bounded size.
    fn pieces(
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
    fn stored(&self, Window { x, y, width, height }: Window) -> Result<Vec<u8>, DecodeError> {
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
    fn hidden(&self, window: Window) -> Result<Option<Vec<bool>>, DecodeError> {
        let Window { x, y, width, height } = window;
        let mut hidden: Option<Vec<bool>> = None;
        let mut hide = |which: &dyn Fn(usize) -> bool| {
            let hidden = hidden.get_or_insert_with(|| vec![false; width as usize * height as usize]);
            hidden.iter_mut().enumerate().for_each(|(n, hidden)| *hidden |= which(n));
        };
        let (rows, columns, down, right) = (height as usize, width as usize, y as usize, x as usize);
        let deep = self.scaling.is_some() || matches!(self.samples, Samples::Words { .. } | Samples::Reals(_));
        if let Some(band) = self.alpha.filter(|_| deep) {
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

    /// Red, green and blue of a window of the file.
    fn rgb(&self, window: Window) -> Result<Vec<u8>, DecodeError> {
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
}

fn native() -> ByteOrder {
    if cfg!(target_endian = "little") { ByteOrder::LittleEndian } else { ByteOrder::BigEndian }
}

fn open(source: SharedSource, cache: u64) -> Result<TiffFile, DecodeError> {
    let parse_budgets = ParseBudgets { max_ifds: 64, max_ifd_entries: 4096, ..ParseBudgets::default() };
    let decode_output_bytes = MAX_HELD as usize;
    let options =
        OpenOptions { block_cache_bytes: cache as usize, parse_budgets, decode_output_bytes, ..OpenOptions::default() };
    Ok(TiffFile::from_source_with_options(source, options)?)
}

/// How the samples become 8 bits.
fn samples(
    directory: &Directory,
    source: &SharedSource,
    (photometric, compression): (u64, u64),
    (bits, format): (u64, u64),
) -> Result<Samples, DecodeError> {
    const GROUP_4: u64 = 4;
    match (photometric, bits, format) {
        (0 | 1, 1, _) if compression == GROUP_4 => Ok(Samples::Fax),
        _ if compression == GROUP_4 => Err(DecodeError::Unsupported("a fax of more than black and white".into())),
        (3, 1..=8, _) => {
            let map = directory.numbers(source.as_ref(), directory::COLOUR_MAP).unwrap_or_default();
            // Some programs write 8 bits where the standard has 16.
            let by = if map.iter().any(|value| *value > 255) { 8 } else { 0 };
            let colours = map.len() / 3;
            let at = |n: usize, band: usize| (map[band * colours + n] >> by) as u8;
            Ok(Samples::Palette((0..colours).map(|n| [at(n, 0), at(n, 1), at(n, 2)]).collect()))
        }
        (3, ..) => Err(DecodeError::Unsupported(format!("a palette of {bits} bits"))),
        (5 | 6 | 8, ..) => Ok(Samples::Colours),
        (0..=2 | 4, 1..=8, 1 | 4) => Ok(Samples::Bytes { largest: ((1u16 << bits) - 1) as u8 }),
        (0..=2 | 4, 9..=16, 1 | 4) => Ok(Samples::Words { of: Words::Unsigned, first: 0.0 }),
        (0..=2 | 4, 8, 2) => Ok(Samples::Words { of: Words::SignedByte, first: -128.0 }),
        (0..=2 | 4, 16, 2) => Ok(Samples::Words { of: Words::Signed, first: -32768.0 }),
        (0..=2 | 4, 16, 3) => Ok(Samples::Reals(Real::Half)),
        (0..=2 | 4, 32, 3) => Ok(Samples::Reals(Real::Single)),
        (0..=2 | 4, 64, 3) => Ok(Samples::Reals(Real::Double)),
        (0..=2 | 4, 32, 1 | 4) => Ok(Samples::Reals(Real::Unsigned32)),
        (0..=2 | 4, 32, 2) => Ok(Samples::Reals(Real::Signed32)),
        (0..=2 | 4, 64, 1 | 4) => Ok(Samples::Reals(Real::Unsigned64)),
        (0..=2 | 4, 64, 2) => Ok(Samples::Reals(Real::Signed64)),
        (0..=2 | 4, _, 5 | 6) => Err(DecodeError::Unsupported("complex numbers".into())),
        (0..=2 | 4, ..) => Err(DecodeError::Unsupported(format!("{bits} bits a sample of format {format}"))),
        _ => Err(DecodeError::Unsupported(photometric_name(photometric))),
    }
}

fn by_photometric(error: DecodeError, photometric: u64) -> DecodeError {
    if matches!(photometric, 0..=6 | 8) { error } else { DecodeError::Unsupported(photometric_name(photometric)) }
}

fn photometric_name(photometric: u64) -> String {
    match photometric {
        9 => "ICC Lab colours".into(),
        10 => "ITU Lab colours".into(),
        32_803 => "a camera's raw mosaic (CFA)".into(),
        32_844 => "LogL colours".into(),
        32_845 => "LogLuv colours".into(),
        34_892 => "a camera's linear raw colours".into(),
        other => format!("colours of kind {other} (PhotometricInterpretation)"),
    }
}

/// Names the compressions that are not read.
fn unsupported_compression(code: u64) -> Option<String> {
    let name = match code {
        1 | 4 | 5 | 7 | 8 | 32_773 | 32_946 | 34_887 | 50_000 | 50_001 => return None,
        2 => "CCITT Huffman",
        3 => "CCITT Group 3",
        6 => "old-style JPEG in TIFF",
        9 | 10 | 34_661 => "JBIG",
        32_766 => "NeXT",
        32_771 => "CCITT Huffman with word alignment",
        32_809 => "ThunderScan",
        32_908 | 32_909 => "Pixar",
        33_003 | 33_005 | 34_712 => "JPEG 2000",
        34_676 | 34_677 => "SGI Log",
        34_892 => "lossy DNG",
        34_925 => "LZMA",
        50_002 | 52_546 => "JPEG XL",
        other => return Some(format!("compression {other}")),
    };
    Some(name.into())
}
