//! TIFF as GDAL, cameras and scanners write it, of any size: read in windows, the values of the whole file scaled alike.
//!
//! Grey, RGB, palettes, CMYK, YCbCr and Lab; of further bands the first three are red, green and blue, whatever the file calls
//! them, others, alpha and near infrared, are left out. Strips, tiles and planes; tiles that the file leaves out are black.

mod colours;
mod directory;
mod fax;
mod kinds;
mod values;
mod windows;

use self::directory::Directory;
use self::kinds::{by_photometric, samples, unsupported_compression};
use self::values::Samples;
use crate::Window;
use crate::caught::caught;
use crate::error::DecodeError;
use crate::orientation;
use crate::picture::{Kept, MAX_HELD, MAX_PIXELS, MAX_SIDE, Picture, check_size, note};
use crate::reduce::{Reducer, factor};
use crate::scaling::Scaling;
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
/// The code of WebP compression, whose pictures have three or four bands.
const WEBP: u64 = 50_001;
/// The code of LERC compression.
const LERC: u64 = 34_887;
/// Bytes of decoded strips and tiles that are kept, unless one has more.
const CACHE: u64 = 1 << 26;

/// A TIFF's first image that is no thumbnail.
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

    /// As [`Self::open`], of whatever gives bytes by their place: an object of a store, for one.
    pub fn of_source(source: SharedSource) -> Result<Self, DecodeError> {
        caught(|| Self::uncaught(source))
    }

    fn uncaught(source: SharedSource) -> Result<Self, DecodeError> {
        let directory = Directory::of_image(source.as_ref())?;
        let number = |tag, absent| directory.number(source.as_ref(), tag).unwrap_or(absent);
        let compression = number(directory::COMPRESSION, 1);
        if let Some(name) = unsupported_compression(compression) {
            return Err(DecodeError::Unsupported(name));
        }
        let photometric = number(directory::PHOTOMETRIC, 1);
        let (width, height) = (number(directory::WIDTH, 0), number(directory::HEIGHT, 0));
        check_size(width, height, MAX_SIDE * MAX_SIDE)?;
        let formats = directory.numbers(source.as_ref(), directory::SAMPLE_FORMAT).unwrap_or_default();
        let (bits, format) = (number(directory::BITS, 1), formats.first().copied().unwrap_or(1));
        // The library knows no half-precision numbers: it is told that they are words.
        let is_half = (bits, format) == (16, 3);
        let hidden = if is_half { &[directory::SAMPLE_FORMAT][..] } else { &[] };
        let file = open(directory.only_pixels(&source, hidden), CACHE)?;
        let ifd = file.read_ifd_at_offset(directory.at)?;
        let layout = ifd.raster_layout().map_err(|error| by_photometric(error.into(), photometric))?;
        let block = match (ifd.tile_width(), ifd.tile_height()) {
            (Some(width), Some(height)) if ifd.is_tiled() => (width, height),
            _ => (ifd.width(), ifd.rows_per_strip().min(ifd.height())),
        };
        if block.0 == 0 || block.1 == 0 {
            return Err(DecodeError::Inconsistent("the TIFF has strips or tiles without pixels".into()));
        }
        let planes = layout.planar_configuration == 2;
        if compression == WEBP && (planes || !matches!(layout.samples_per_pixel, 3 | 4)) {
            let bands = layout.samples_per_pixel;
            let said = if planes { "WebP in planes".into() } else { format!("WebP of {bands} bands") };
            return Err(DecodeError::Unsupported(said));
        }
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
        let rgb = caught(|| self.rgb(stored))?;
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
            let band = Window { x: 0, y, width, height: rows.min(height - y) };
            reducer.push(&caught(|| self.rgb(band))?);
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
