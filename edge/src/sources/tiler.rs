//! Cuts a large image into overlapping squares.

/// A rectangle of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// The tiles of an image, row by row, each with its number.
#[derive(Clone, Debug)]
pub struct Tiles {
    columns: Vec<u32>,
    rows: Vec<u32>,
    size: (u32, u32),
    next: usize,
}

impl Tiles {
    /// How high each is.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.size.1
    }
}

impl Iterator for Tiles {
    type Item = (usize, Tile);

    fn next(&mut self) -> Option<(usize, Tile)> {
        let n = self.next;
        let y = *self.rows.get(n / self.columns.len())?;
        self.next += 1;
        let x = self.columns[n % self.columns.len()];
        Some((n, Tile { x, y, width: self.size.0, height: self.size.1 }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.columns.len() * self.rows.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Tiles {}

/// The tiles of an image of `width` × `height` pixels: squares of `side` pixels (less where the image is smaller) that repeat at
/// least the share `overlap` of each other and cover everything; the last ones end at the edge. `side` 0: one tile.
#[must_use]
pub fn tiles((width, height): (u32, u32), side: u32, overlap: f64) -> Tiles {
    if side == 0 {
        return Tiles { columns: vec![0], rows: vec![0], size: (width, height), next: 0 };
    }
    let (columns, rows) = (starts(width, side, overlap), starts(height, side, overlap));
    Tiles { columns, rows, size: (side.min(width), side.min(height)), next: 0 }
}

fn starts(length: u32, side: u32, overlap: f64) -> Vec<u32> {
    let room = length.saturating_sub(side);
    let step = (f64::from(side) * (1.0 - overlap)).max(1.0);
    let steps = (f64::from(room) / step).ceil() as u32;
    (0..=steps)
        .map(|n| if steps == 0 { 0 } else { (u64::from(room) * u64::from(n) / u64::from(steps)) as u32 })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_images_are_one_tile() {
        let whole = Tile { x: 0, y: 0, width: 300, height: 200 };
        assert_eq!(tiles((300, 200), 0, 0.25).collect::<Vec<_>>(), [(0, whole)]);
        assert_eq!(tiles((300, 200), 512, 0.25).collect::<Vec<_>>(), [(0, whole)]);
        let two = tiles((400, 256), 256, 0.25);
        assert_eq!(two.map(|(_, tile)| tile.x).collect::<Vec<_>>(), [0, 144]);
    }

    proptest! {
        #[test]
        fn everything_is_covered_with_overlap(width in 1u32..3000, height in 1u32..1500, side in 32u32..700, overlap in 0.0..0.9) {
            let tiles: Vec<Tile> = tiles((width, height), side, overlap).map(|(_, tile)| tile).collect();
            for start in [starts(width, side, overlap), starts(height, side, overlap)] {
                for pair in start.windows(2) {
                    prop_assert!(pair[0] < pair[1]);
                    prop_assert!(f64::from(pair[1] - pair[0]) <= f64::from(side) * (1.0 - overlap) + 1.0);
                }
            }
            prop_assert!(tiles.iter().all(|tile| tile.x + tile.width <= width && tile.y + tile.height <= height));
            let last = tiles[tiles.len() - 1];
            prop_assert_eq!((last.x + last.width, last.y + last.height), (width, height));
        }
    }
}
