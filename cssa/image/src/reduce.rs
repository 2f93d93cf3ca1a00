//! Images that are too large to be held as they are: reduced row by row while they are read.

use image::RgbImage;

/// Most bytes that are taken for pixels before there are any.
const MAX_BEFORE: usize = 1 << 24;

/// The smallest whole factor by which an image must be reduced to have at most `most` pixels.
pub(crate) fn factor((width, height): (u32, u32), most: u64) -> u32 {
    (1..).find(|by| u64::from(width.div_ceil(*by)) * u64::from(height.div_ceil(*by)) <= most).unwrap_or(1)
}

/// Takes rows of RGB and averages squares of `factor` × `factor` pixels, fewer at the right and lower edge.
#[derive(Debug)]
pub(crate) struct Reducer {
    width: u32,
    factor: u32,
    sums: Vec<u32>,
    /// Rows in `sums`.
    rows: u32,
    pixels: Vec<u8>,
    /// Bytes of the whole image.
    whole: usize,
}

impl Reducer {
    pub(crate) fn new((width, height): (u32, u32), factor: u32) -> Self {
        let (columns, rows) = (width.div_ceil(factor) as usize, height.div_ceil(factor) as usize);
        let sums = if factor == 1 { Vec::new() } else { vec![0; columns * 3] };
        // A header that lies must not take the memory.
        let whole = columns * rows * 3;
        Self { width, factor, sums, rows: 0, pixels: Vec::with_capacity(whole.min(MAX_BEFORE)), whole }
    }

    /// One row or several, whole.
    pub(crate) fn push(&mut self, rgb: &[u8]) {
        if self.pixels.capacity() - self.pixels.len() < rgb.len() {
            self.pixels.reserve_exact(self.whole.saturating_sub(self.pixels.len()));
        }
        if self.factor == 1 {
            self.pixels.extend_from_slice(rgb);
            return;
        }
        for row in rgb.chunks_exact(self.width as usize * 3) {
            for (sums, square) in self.sums.chunks_exact_mut(3).zip(row.chunks(self.factor as usize * 3)) {
                for pixel in square.chunks_exact(3) {
                    sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u32::from(*value));
                }
            }
            self.rows += 1;
            if self.rows == self.factor {
                self.average();
            }
        }
    }

    fn average(&mut self) {
        let (width, factor, rows) = (self.width, self.factor, self.rows);
        for (n, sums) in self.sums.chunks_exact_mut(3).enumerate() {
            let area = rows * factor.min(width - n as u32 * factor);
            self.pixels.extend(sums.iter().map(|sum| ((sum + area / 2) / area) as u8));
            sums.fill(0);
        }
        self.rows = 0;
    }

    /// The image; `None` where its rows were not all there.
    pub(crate) fn finish(mut self, height: u32) -> Option<RgbImage> {
        if self.rows > 0 {
            self.average();
        }
        RgbImage::from_raw(self.width.div_ceil(self.factor), height.div_ceil(self.factor), self.pixels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_averaged_to_the_edges() {
        assert_eq!(factor((8000, 6000), 1 << 25), 2);
        assert_eq!(factor((4000, 3000), 1 << 25), 1);
        let mut reducer = Reducer::new((3, 3), 2);
        for value in [10u8, 20, 31] {
            reducer.push(&[value; 9]);
        }
        let image = reducer.finish(3);
        assert_eq!(image.map(RgbImage::into_raw), Some([[15; 6], [31; 6]].concat()));
        assert_eq!(Reducer::new((2, 2), 1).finish(2), None);
    }
}
