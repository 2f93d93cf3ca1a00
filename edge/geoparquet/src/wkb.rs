//! Points and polygons as WKB (OGC 06-103r4, 8.2): longitude and latitude in degrees.

use crate::Bounds;

/// The bounds of a polygon, of two or three dimensions, in either byte order.
///
/// # Errors
/// Bytes that end too early, another geometry, or no area within the degrees of the Earth.
pub fn bounds(bytes: &[u8]) -> Result<Bounds, String> {
    let mut rest = Rest { bytes, little: true };
    rest.little = rest.take::<1>()?[0] == 1;
    let kind = rest.word()?;
    if kind & 0x2000_0000 != 0 {
        rest.word()?;
    }
    let dimensions = 2 + usize::from(kind & 0x8000_0000 != 0 || (1000..2000).contains(&(kind & 0xffff)));
    if (kind & 0xffff) % 1000 != 3 {
        return Err(format!("a WKB geometry of type {kind}, expected a polygon (3)"));
    }
    let mut found = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    for _ in 0..rest.word()? {
        for _ in 0..rest.word()? {
            let (x, y) = (rest.number()?, rest.number()?);
            for _ in 2..dimensions {
                rest.number()?;
            }
            found = [found[0].min(x), found[1].min(y), found[2].max(x), found[3].max(y)];
        }
    }
    let is_area = found[0] < found[2] && found[1] < found[3];
    let on_earth = found[0] >= -180.0 && found[2] <= 180.0 && found[1] >= -90.0 && found[3] <= 90.0;
    if is_area && on_earth { Ok(found) } else { Err(format!("a polygon within {found:?}, expected degrees")) }
}

/// A point.
#[must_use]
pub fn point([longitude, latitude]: [f64; 2]) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend(u32::to_le_bytes(1));
    [longitude, latitude].iter().for_each(|number| bytes.extend(number.to_le_bytes()));
    bytes
}

/// A polygon of four corners, which it closes.
#[must_use]
pub fn polygon(corners: &[[f64; 2]; 4]) -> Vec<u8> {
    let mut bytes = vec![1];
    [3, 1, 5].iter().for_each(|word: &u32| bytes.extend(word.to_le_bytes()));
    let closed = corners.iter().chain(&corners[..1]);
    closed.flatten().for_each(|number| bytes.extend(number.to_le_bytes()));
    bytes
}

struct Rest<'a> {
    bytes: &'a [u8],
    little: bool,
}

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (taken, rest) = self.bytes.split_first_chunk::<N>().ok_or("a WKB geometry that ends too early")?;
        self.bytes = rest;
        Ok(*taken)
    }

    fn word(&mut self) -> Result<u32, String> {
        let bytes = self.take()?;
        Ok(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn number(&mut self) -> Result<f64, String> {
        let bytes = self.take()?;
        Ok(if self.little { f64::from_le_bytes(bytes) } else { f64::from_be_bytes(bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polygon_comes_back_by_its_bounds_and_damage_is_named() {
        let bytes = polygon(&[[1.0, 4.0], [3.0, 4.0], [3.0, 2.0], [1.0, 2.0]]);
        assert_eq!(bounds(&bytes), Ok([1.0, 2.0, 3.0, 4.0]));
        assert!((0..bytes.len()).all(|length| bounds(&bytes[..length]).is_err()));
        assert!(bounds(&[1, 1, 0, 0, 0]).is_err_and(|said| said.contains("expected a polygon")));
    }
}
