//! The path of the drone: line by line, to and fro, as a lawn is mown.

use cssa_image::Window;
use edge::sources::tiles;

/// Side of a frame of an image, in its pixels: what the flight program cuts large images into.
const SIDE: u32 = 512;
/// Side of a frame of a landscape of scenes, in its pixels: a scene without the margin that it shares with its neighbours.
const SCENE: u32 = 208;
/// Pixels from a scene's corner to its frame's.
const MARGIN: u32 = 24;

/// The frames of a flight, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Course {
    pub(crate) frames: Vec<Window>,
    /// Frames that the whole ground has.
    pub(crate) whole: usize,
}

impl Course {
    /// Over an image of so many columns and rows, at most `most` frames.
    pub(crate) fn over_image(size: (u32, u32), most: usize) -> Self {
        let tiles = tiles(size, SIDE, 0.0);
        let whole = tiles.len();
        let windows = tiles.map(|(_, tile)| Window { x: tile.x, y: tile.y, width: tile.width, height: tile.height });
        Self { frames: to_and_fro(windows, most), whole }
    }

    /// Over a landscape of so many columns and rows of scenes.
    pub(crate) fn over_scenes(columns: u32, rows: u32) -> Self {
        let frame = |row, column| Window {
            x: column * scenes::STEP + MARGIN,
            y: row * scenes::STEP + MARGIN,
            width: SCENE,
            height: SCENE,
        };
        let windows = (0..rows).flat_map(|row| (0..columns).map(move |column| frame(row, column)));
        let whole = (columns * rows) as usize;
        Self { frames: to_and_fro(windows, whole), whole }
    }
}

/// Every other row backwards; at most so many.
fn to_and_fro(windows: impl Iterator<Item = Window>, most: usize) -> Vec<Window> {
    let mut rows: Vec<Vec<Window>> = Vec::new();
    for (count, window) in windows.enumerate() {
        match rows.last_mut() {
            Some(row) if row.first().is_some_and(|first| first.y == window.y) => row.push(window),
            _ if count >= most => break,
            _ => rows.push(vec![window]),
        }
    }
    rows.iter_mut().skip(1).step_by(2).for_each(|row| row.reverse());
    rows.into_iter().flatten().take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_flown_over_line_by_line_as_far_as_the_time_allows() {
        let corners = |course: &Course| course.frames.iter().map(|frame| (frame.x, frame.y)).collect::<Vec<_>>();
        let whole = Course::over_image((1536, 1024), 100);
        assert_eq!(corners(&whole), [(0, 0), (512, 0), (1024, 0), (1024, 512), (512, 512), (0, 512)]);
        let cut = Course::over_image((1536, 1024), 4);
        assert_eq!((cut.frames.len(), cut.whole), (4, 6));
        assert_eq!(cut.frames, whole.frames[..4]);
        // What is smaller than a frame is one.
        let small = Course::over_image((300, 200), 100);
        assert_eq!(small.frames, [Window { x: 0, y: 0, width: 300, height: 200 }]);
        let scenes = Course::over_scenes(2, 2);
        assert_eq!(corners(&scenes), [(24, 24), (256, 24), (256, 256), (24, 256)]);
        // A file may say that it is as large as it likes.
        assert_eq!(Course::over_image((1 << 20, 1 << 20), 50).frames.len(), 50);
    }
}
