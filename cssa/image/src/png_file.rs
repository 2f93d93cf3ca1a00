//! PNG row by row: what is too large is reduced while it is read, more than 8 bits are read twice, for their percentiles and for
//! their pixels.

use crate::error::DecodeError;
use crate::orientation::of_exif;
use crate::picture::{Kept, MAX_HELD, MAX_PIXELS, Picture, check_size};
use crate::reduce::{Reducer, factor};
use crate::scaling::{Scaling, WORDS};
use image::metadata::Orientation;
use png::{BitDepth, Decoder, Limits, Reader, Transformations};
use std::io::{BufRead, Seek, SeekFrom};

/// Whether these are the first bytes of a PNG.
pub(crate) fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n")
}

/// The picture of a file, or of bytes, that begins where it stands. Of the file no more than a piece is held.
pub(crate) fn read(input: &mut (impl BufRead + Seek), kept: Kept) -> Result<Picture, DecodeError> {
    let begin = input.stream_position()?;
    let mut reader = open(&mut *input)?;
    let info = reader.info();
    let size = (info.width, info.height);
    let orientation = info.exif_metadata.as_deref().map_or(Orientation::NoTransforms, of_exif);
    let factor = factor(size, kept.pixels());
    let (colour, depth) = reader.output_color_type();
    let samples = colour.samples();
    let mut scaling = None;
    let mut reducer = Reducer::new(size, factor);
    if depth == BitDepth::Sixteen {
        let mut counts = vec![0u64; WORDS];
        let has_alpha = samples.is_multiple_of(2);
        rows(&mut reader, |row| {
            for pixel in row.chunks_exact(samples * 2).filter(|pixel| !has_alpha || !is_transparent(pixel)) {
                let used = &pixel[..(samples - usize::from(has_alpha)) * 2];
                used.chunks_exact(2).for_each(|word| counts[usize::from(u16::from_be_bytes([word[0], word[1]]))] += 1);
            }
        })?;
        let found = Scaling::of_counts(&counts, 0.0, true);
        let table = found.table(0.0);
        scaling = Some(found);
        drop(reader);
        input.seek(SeekFrom::Start(begin))?;
        rows(&mut open(input)?, |row| {
            let byte = |word: &[u8]| table[usize::from(u16::from_be_bytes([word[0], word[1]]))];
            let rgb: Vec<u8> = row
                .chunks_exact(samples * 2)
                .flat_map(|pixel| match samples {
                    2 | 4 if is_transparent(pixel) => [0; 3],
                    1 | 2 => [byte(pixel); 3],
                    _ => [byte(pixel), byte(&pixel[2..]), byte(&pixel[4..])],
                })
                .collect();
            reducer.push(&rgb);
        })?;
    } else {
        rows(&mut reader, |row| {
            let rgb: Vec<u8> = match samples {
                1 => row.iter().flat_map(|&grey| [grey; 3]).collect(),
                2 => row.as_chunks().0.iter().flat_map(|&[grey, alpha]| seen([grey; 3], alpha)).collect(),
                3 => return reducer.push(row),
                _ => row
                    .as_chunks()
                    .0
                    .iter()
                    .flat_map(|&[red, green, blue, alpha]| seen([red, green, blue], alpha))
                    .collect(),
            };
            reducer.push(&rgb);
        })?;
    }
    let short = || DecodeError::Inconsistent("the PNG has fewer rows than it says".into());
    let pixels = reducer.finish(size.1).ok_or_else(short)?;
    Ok(Picture::new(pixels, size, orientation, factor, scaling))
}

/// What is transparent is black, whatever colour lies under it: nobody sees that.
fn seen(rgb: [u8; 3], alpha: u8) -> [u8; 3] {
    if alpha == 0 { [0; 3] } else { rgb }
}

fn is_transparent(pixel: &[u8]) -> bool {
    pixel.ends_with(&[0, 0])
}

fn open<R: BufRead + Seek>(input: R) -> Result<Reader<R>, DecodeError> {
    let mut decoder = Decoder::new_with_limits(input, Limits { bytes: MAX_HELD as usize });
    decoder.set_ignore_text_chunk(true);
    decoder.set_transformations(Transformations::EXPAND);
    let header = decoder.read_header_info()?;
    check_size(u64::from(header.width), u64::from(header.height), MAX_PIXELS)?;
    Ok(decoder.read_info()?)
}

/// Gives each row, as long as the file has them. Interlaced files have their rows only at the end: they are held whole.
fn rows<R: BufRead + Seek>(reader: &mut Reader<R>, mut row: impl FnMut(&[u8])) -> Result<(), DecodeError> {
    if reader.info().interlaced {
        let bytes = reader.output_buffer_size().unwrap_or(usize::MAX);
        if bytes as u64 > MAX_HELD {
            return Err(DecodeError::Piece { bytes: bytes as u64, most: MAX_HELD });
        }
        let mut all = vec![0; bytes];
        let line = reader.next_frame(&mut all)?.line_size;
        all.chunks_exact(line.max(1)).for_each(row);
        return Ok(());
    }
    // Not until the reader says that there are no more: a file whose end is missing behind its last row is whole.
    for n in 0..reader.info().height {
        let next = reader.next_row()?;
        row(next.ok_or_else(|| DecodeError::Inconsistent(format!("the PNG ends before row {n}")))?.data());
    }
    Ok(())
}
