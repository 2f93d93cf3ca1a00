//! Projections that a file defines itself: ProjCoordTransGeoKey and its parameters (GeoTIFF 1.1, annex C).

use super::keys::Keys;
use crate::problem::Problem;

const METHOD: u16 = 3075;
const PARALLEL_1: u16 = 3078;
const PARALLEL_2: u16 = 3079;
const NATURAL_LONGITUDE: u16 = 3080;
const NATURAL_LATITUDE: u16 = 3081;
const EASTING: u16 = 3082;
const NORTHING: u16 = 3083;
const FALSE_LONGITUDE: u16 = 3084;
const FALSE_LATITUDE: u16 = 3085;
const FALSE_EASTING: u16 = 3086;
const FALSE_NORTHING: u16 = 3087;
const CENTRE_LONGITUDE: u16 = 3088;
const CENTRE_LATITUDE: u16 = 3089;
const CENTRE_EASTING: u16 = 3090;
const CENTRE_NORTHING: u16 = 3091;
const SCALE: u16 = 3092;
const CENTRE_SCALE: u16 = 3093;
const POLE_LONGITUDE: u16 = 3095;

/// PROJ's words of the projection that the keys define; `metres` is the file's unit of length.
pub(super) fn words(keys: &Keys, metres: f64) -> Result<String, Problem> {
    let Some(method) = keys.short(METHOD) else {
        return Err(Problem::System("a projected one of the file's own, without its projection (GeoKey 3075)".into()));
    };
    let any = |wanted: &[u16]| wanted.iter().find_map(|&key| keys.double(key));
    let needed = |wanted: &[u16]| {
        any(wanted).ok_or_else(|| {
            let name = keys.text(1026);
            Problem::System(format!("{name:?}, projection method {method} without its GeoKey {}", wanted[0]))
        })
    };
    let longitude = || needed(&[NATURAL_LONGITUDE, FALSE_LONGITUDE, CENTRE_LONGITUDE]);
    let latitude = || needed(&[NATURAL_LATITUDE, FALSE_LATITUDE, CENTRE_LATITUDE]);
    let scale = any(&[SCALE, CENTRE_SCALE]);
    let k = scale.unwrap_or(1.0);
    let x = any(&[EASTING, FALSE_EASTING, CENTRE_EASTING]).unwrap_or(0.0) * metres;
    let y = any(&[NORTHING, FALSE_NORTHING, CENTRE_NORTHING]).unwrap_or(0.0) * metres;
    let projection = match method {
        1 => format!("+proj=tmerc +lat_0={} +lon_0={} +k={k}", latitude()?, longitude()?),
        7 => match any(&[PARALLEL_1]) {
            Some(parallel) => format!("+proj=merc +lat_ts={parallel} +lon_0={}", longitude()?),
            // PROJ has no other latitude than the equator's there.
            None if any(&[NATURAL_LATITUDE]).is_none_or(|latitude| latitude == 0.0) => {
                format!("+proj=merc +lon_0={} +k={k}", longitude()?)
            }
            None => return Err(unknown(keys, method)),
        },
        8 => format!(
            "+proj=lcc +lat_1={} +lat_2={} +lat_0={} +lon_0={}",
            needed(&[PARALLEL_1])?,
            needed(&[PARALLEL_2])?,
            needed(&[FALSE_LATITUDE, NATURAL_LATITUDE, CENTRE_LATITUDE])?,
            needed(&[FALSE_LONGITUDE, NATURAL_LONGITUDE, CENTRE_LONGITUDE])?,
        ),
        9 => {
            let latitude = latitude()?;
            format!("+proj=lcc +lat_1={latitude} +lat_0={latitude} +lon_0={} +k_0={k}", longitude()?)
        }
        10 => format!(
            "+proj=laea +lat_0={} +lon_0={}",
            needed(&[CENTRE_LATITUDE, NATURAL_LATITUDE])?,
            needed(&[CENTRE_LONGITUDE, NATURAL_LONGITUDE])?
        ),
        11 => format!(
            "+proj=aea +lat_1={} +lat_2={} +lat_0={} +lon_0={}",
            needed(&[PARALLEL_1])?,
            needed(&[PARALLEL_2])?,
            latitude()?,
            longitude()?,
        ),
        15 => {
            let parallel = needed(&[NATURAL_LATITUDE, PARALLEL_1])?;
            let pole = if parallel < 0.0 { -90 } else { 90 };
            let longitude = needed(&[POLE_LONGITUDE, NATURAL_LONGITUDE])?;
            match scale {
                // Variant A: the scale is that at the pole.
                Some(k) if parallel.abs() == 90.0 => format!("+proj=stere +lat_0={pole} +lon_0={longitude} +k={k}"),
                Some(k) if k != 1.0 => return Err(unknown(keys, method)),
                _ => format!("+proj=stere +lat_0={pole} +lat_ts={parallel} +lon_0={longitude}"),
            }
        }
        16 => format!("+proj=sterea +lat_0={} +lon_0={} +k={k}", latitude()?, longitude()?),
        _ => return Err(unknown(keys, method)),
    };
    Ok(format!("{projection} +x_0={x} +y_0={y}"))
}

fn unknown(keys: &Keys, method: u16) -> Problem {
    Problem::System(format!("{:?}, projection method {method} (GeoKey 3075), not known here", keys.text(1026)))
}
