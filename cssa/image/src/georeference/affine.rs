//! From pixels to the model's coordinates: ModelPixelScale with a tie point, else ModelTransformation.

use super::keys::Keys;
use crate::ifd::{Directories, Directory};
use crate::problem::Problem;
use std::io::{Read, Seek};

const PIXEL_SCALE: (u16, &str) = (33550, "ModelPixelScale");
const TIE_POINTS: (u16, &str) = (33922, "ModelTiepoint");
const TRANSFORMATION: (u16, &str) = (34264, "ModelTransformation");
const RASTER_TYPE: u16 = 1025;
const PIXEL_IS_POINT: u16 = 2;

/// x = a·column + b·row + c, y = d·column + e·row + f.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Affine([f64; 6]);

impl Affine {
    /// Whether a file says how its pixels lie.
    pub(super) fn is_there(directory: &Directory) -> bool {
        directory.entries.iter().any(|entry| entry.tag == PIXEL_SCALE.0 || entry.tag == TRANSFORMATION.0)
    }

    pub(super) fn read<R: Read + Seek>(
        directories: &mut Directories<R>,
        directory: &Directory,
        keys: &Keys,
    ) -> Result<Self, Problem> {
        let mut numbers =
            |(tag, name): (u16, &'static str)| match directory.entries.iter().find(|entry| entry.tag == tag) {
                Some(entry) => directories.value(name, entry).map(|value| value.numbers()),
                None => Ok(Vec::new()),
            };
        let (scale, ties) = (numbers(PIXEL_SCALE)?, numbers(TIE_POINTS)?);
        let mut affine = match (scale.as_slice(), ties.as_slice()) {
            (&[sx, sy, ..], &[column, row, _, x, y, _, ..]) if sx != 0.0 && sy != 0.0 => {
                [sx, 0.0, x - column * sx, 0.0, -sy, y + row * sy]
            }
            _ => match numbers(TRANSFORMATION)?.as_slice() {
                &[a, b, _, c, d, e, _, f, _, _, _, _, _, _, _, _] => [a, b, c, d, e, f],
                matrix => return Err(unusable(matrix, &scale, &ties)),
            },
        };
        if keys.short(RASTER_TYPE) == Some(PIXEL_IS_POINT) {
            // Coordinates are those of pixel centres.
            affine[2] -= (affine[0] + affine[1]) / 2.0;
            affine[5] -= (affine[3] + affine[4]) / 2.0;
        }
        let area = affine[0] * affine[4] - affine[1] * affine[3];
        if affine.iter().all(|value| value.is_finite()) && area != 0.0 {
            Ok(Self(affine))
        } else {
            Err(Problem::value(TRANSFORMATION.1, format!("{affine:?}"), "an affine transformation"))
        }
    }

    pub(super) fn apply(&self, (column, row): (f64, f64)) -> (f64, f64) {
        let [a, b, c, d, e, f] = self.0;
        (a * column + b * row + c, d * column + e * row + f)
    }
}

fn unusable(matrix: &[f64], scale: &[f64], ties: &[f64]) -> Problem {
    if !matrix.is_empty() {
        return Problem::value(TRANSFORMATION.1, format!("{} numbers", matrix.len()), "16 numbers");
    }
    match (scale.len(), ties.len() / 6) {
        (0, 0) => Problem::Absent("georeference"),
        (0, points) => {
            Problem::value(PIXEL_SCALE.1, format!("not there, with {points} tie points"), "a size of pixels")
        }
        (_, 0) => Problem::value(TIE_POINTS.1, "not there", "a tie point"),
        _ => Problem::value(PIXEL_SCALE.1, format!("{scale:?}"), "two numbers that are not 0"),
    }
}
