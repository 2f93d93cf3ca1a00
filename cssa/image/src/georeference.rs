//! GeoTIFF 1.1 georeferencing: from a pixel to degrees, for geographic, UTM and Web Mercator coordinates.

use crate::Place;
use proj4rs::Proj;
use proj4rs::transform::transform;
use std::io::{Read, Seek};
use tiff::decoder::Decoder;
use tiff::tags::Tag;

/// How an image lies on the earth.
#[derive(Clone, Debug, Default)]
pub struct Georeference {
    /// x and y of the model as affine functions of column and row: x = a·column + b·row + c, y = d·column + e·row + f.
    affine: [f64; 6],
    system: System,
}

#[derive(Clone, Debug, Default)]
enum System {
    /// Degrees east and north.
    #[default]
    Geographic,
    /// A projection, as PROJ describes it.
    Projected(String),
}

const PROJECTED: u16 = 1;
const MODEL_TYPE: u16 = 1024;
const RASTER_TYPE: u16 = 1025;
const PROJECTED_CODE: u16 = 3072;
const PIXEL_IS_POINT: u16 = 2;

impl Georeference {
    /// From a TIFF's tags; `None` where it has none, or a coordinate system that is not known here.
    pub fn read<R: Read + Seek>(decoder: &mut Decoder<R>) -> Option<Self> {
        let keys = decoder.get_tag_u16_vec(Tag::GeoKeyDirectoryTag).ok()?;
        let key = |wanted: u16| {
            let mut entries = keys.get(4..)?.chunks_exact(4);
            entries.find(|entry| entry[0] == wanted && entry[1] == 0).map(|entry| entry[3])
        };
        let system = if key(MODEL_TYPE)? == PROJECTED {
            System::Projected(projection(key(PROJECTED_CODE)?)?)
        } else {
            System::Geographic
        };
        let mut affine = match decoder.get_tag_f64_vec(Tag::ModelTransformationTag) {
            Ok(matrix) if matrix.len() == 16 => [matrix[0], matrix[1], matrix[3], matrix[4], matrix[5], matrix[7]],
            _ => {
                let scale = decoder.get_tag_f64_vec(Tag::ModelPixelScaleTag).ok()?;
                let tie = decoder.get_tag_f64_vec(Tag::ModelTiepointTag).ok()?;
                let (&[sx, sy, ..], &[column, row, _, x, y, ..]) = (scale.as_slice(), tie.as_slice()) else {
                    return None;
                };
                [sx, 0.0, x - column * sx, 0.0, -sy, y + row * sy]
            }
        };
        if key(RASTER_TYPE) == Some(PIXEL_IS_POINT) {
            // Coordinates are those of pixel centres: half a pixel on.
            affine[2] -= (affine[0] + affine[1]) / 2.0;
            affine[5] -= (affine[3] + affine[4]) / 2.0;
        }
        affine.iter().all(|value| value.is_finite()).then_some(Self { affine, system })
    }

    /// The place of a point of the image, in pixels from its upper left corner.
    #[must_use]
    pub fn place(&self, (column, row): (f64, f64)) -> Option<Place> {
        let [a, b, c, d, e, f] = self.affine;
        let (x, y) = (a * column + b * row + c, d * column + e * row + f);
        match &self.system {
            System::Geographic => Place::new(y, x),
            System::Projected(definition) => {
                let from = Proj::from_proj_string(definition).ok()?;
                let to = Proj::from_proj_string("+proj=longlat +datum=WGS84 +no_defs").ok()?;
                let mut point = (x, y, 0.0);
                transform(&from, &to, &mut point).ok()?;
                Place::new(point.1.to_degrees(), point.0.to_degrees())
            }
        }
    }
}

/// PROJ's description of an EPSG code.
fn projection(code: u16) -> Option<String> {
    match code {
        32601..=32660 => Some(format!("+proj=utm +zone={} +datum=WGS84 +units=m +no_defs", code - 32600)),
        32701..=32760 => Some(format!("+proj=utm +zone={} +south +datum=WGS84 +units=m +no_defs", code - 32700)),
        25828..=25838 => Some(format!("+proj=utm +zone={} +ellps=GRS80 +units=m +no_defs", code - 25800)),
        3857 => Some("+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +x_0=0 +y_0=0 +k=1 +units=m +no_defs".into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(system: System, affine: [f64; 6], at: (f64, f64)) -> Option<(f64, f64)> {
        Georeference { affine, system }.place(at).map(|place| (place.latitude, place.longitude))
    }

    #[test]
    fn known_points_of_each_system() {
        // The Stephansdom in Vienna by three systems; UTM 33N and Web Mercator from published conversions to the metre.
        let (latitude, longitude) = (48.20849, 16.37208);
        let degrees = place(System::Geographic, [1e-5, 0.0, 16.37, 0.0, -1e-5, 48.21], (208.0, 151.0));
        let near = |found: Option<(f64, f64)>, within: f64| {
            found.is_some_and(|(a, b)| (a - latitude).abs() < within && (b - longitude).abs() < within)
        };
        assert!(near(degrees, 1.1e-5), "{degrees:?}");
        let mercator = projection(3857).map(System::Projected).unwrap_or_default();
        let (x, y) = (
            longitude.to_radians() * 6_378_137.0,
            (latitude.to_radians() / 2.0 + std::f64::consts::FRAC_PI_4).tan().ln() * 6_378_137.0,
        );
        let mercator = place(mercator, [1.0, 0.0, x, 0.0, -1.0, y], (0.0, 0.0));
        assert!(near(mercator, 1.1e-5), "{mercator:?}");
        let utm = projection(32633).map(System::Projected).unwrap_or_default();
        // On the zone's central meridian, 15° east: easting 500,000 m; the equator is northing 0.
        assert_eq!(place(utm.clone(), [1.0, 0.0, 500_000.0, 0.0, -1.0, 0.0], (0.0, 0.0)), Some((0.0, 15.0)));
        // A meridian arc of 5,000,000 m × 0.9996: from WGS 84's series, 45.15 degrees north.
        let north = place(utm, [1.0, 0.0, 500_000.0, 0.0, -1.0, 5_000_000.0], (0.0, 0.0));
        assert!(north.is_some_and(|(a, b)| (a - 45.1535).abs() < 5e-4 && (b - 15.0).abs() < 1e-5), "{north:?}");
        assert!(projection(2056).is_none());
    }
}
