//! The coordinate system of a file's keys, and from it to WGS 84.

use super::epsg::{self, Known, Shift};
use super::keys::{Keys, USER_DEFINED};
use super::projection;
use crate::Place;
use crate::problem::Problem;
use proj4rs::Proj;
use proj4rs::transform::transform;

const MODEL_TYPE: u16 = 1024;
const PROJECTED: u16 = 1;
const GEOGRAPHIC: u16 = 2;
const CITATION: u16 = 1026;
const GEOGRAPHIC_CODE: u16 = 2048;
const DATUM: u16 = 2050;
const MERIDIAN: u16 = 2051;
const ANGLE_UNIT: u16 = 2054;
const ANGLE_SIZE: u16 = 2055;
const ELLIPSOID: u16 = 2056;
const SEMI_MAJOR: u16 = 2057;
const SEMI_MINOR: u16 = 2058;
const FLATTENING: u16 = 2059;
const MERIDIAN_LONGITUDE: u16 = 2061;
const TO_WGS84: u16 = 2062;
const PROJECTED_CODE: u16 = 3072;
const PROJECTION: u16 = 3074;
const LENGTH_UNIT: u16 = 3076;
const LENGTH_SIZE: u16 = 3077;

/// A point comes back by its projection to so many metres: else the projection does not hold there.
const COMES_BACK: f64 = 0.01;
const FOOT: f64 = 0.3048;
const US_FOOT: f64 = 1200.0 / 3937.0;
/// Ellipsoids that proj4rs has by their axes.
const CLARKE_1866: &str = "+a=6378206.4 +rf=294.9786982138982";
const MODIFIED_AIRY: &str = "+a=6377340.189 +rf=299.3249373654824";

/// A coordinate system.
#[derive(Clone, Debug)]
pub(super) struct System {
    /// What it is called in messages.
    name: String,
    /// PROJ's words: the projection and the ellipsoid.
    words: String,
    /// Degrees of the prime meridian: proj4rs does not add them to degrees, and takes them for radians elsewhere.
    meridian: f64,
    shifts: Vec<Shift>,
    /// The file's unit: degrees, or lengths of the definition's unit.
    unit: f64,
    is_projected: bool,
}

impl System {
    /// From a file's keys; the error names the system that is not known here.
    pub(super) fn read(keys: &Keys) -> Result<Self, Problem> {
        if let Some(key) = [MODEL_TYPE, GEOGRAPHIC_CODE, PROJECTED_CODE].iter().find(|&&key| keys.is_misplaced(key)) {
            return Err(Problem::System(format!("GeoKey {key} is no code")));
        }
        let has = |key| keys.short(key).is_some();
        let citation = keys.text(CITATION);
        let system = match keys.short(MODEL_TYPE) {
            Some(PROJECTED) => Self::projected(keys),
            Some(GEOGRAPHIC) => Self::geographic(keys),
            None if has(PROJECTED_CODE) => Self::projected(keys),
            None if has(GEOGRAPHIC_CODE) => Self::geographic(keys),
            None => Err(Problem::System(format!("{citation:?}, without a model type (GeoKey 1024)"))),
            Some(other) => {
                Err(Problem::System(format!("{citation:?} of model type {other}, expected 1 or 2 (GeoKey 1024)")))
            }
        }?;
        match system.proj() {
            Ok(_) => Ok(system),
            Err(error) => Err(Problem::System(format!("{}, not known here: {error}", system.name))),
        }
    }

    fn geographic(keys: &Keys) -> Result<Self, Problem> {
        let (Known { words, shifts }, name) = base(keys)?;
        let words = words.replace("+proj=longlat", "").trim().to_owned();
        let (own, words) = take_word(&words, "+angle=");
        let own = own.and_then(|angle| angle.parse().ok()).unwrap_or(1.0);
        let unit = degrees(keys)?.unwrap_or(own);
        Ok(Self::new(name, &format!("+proj=longlat {words}"), shifts, unit, false))
    }

    fn projected(keys: &Keys) -> Result<Self, Problem> {
        let metres = metres(keys)?;
        if let Some(code) = keys.short(PROJECTED_CODE).filter(|&code| code != USER_DEFINED) {
            let name = format!("EPSG:{code}");
            let Known { words, shifts } =
                epsg::projected(code).ok_or_else(|| Problem::System(format!("{name}, not known here")))?;
            let unit = metres.map_or(1.0, |metres| metres / own_metres(&words));
            return Ok(Self::new(name, &words, shifts, unit, true));
        }
        let name = format!("{:?}", keys.text(CITATION));
        let projection = match keys.short(PROJECTION).filter(|&code| code != USER_DEFINED) {
            Some(code) => {
                let unknown = || Problem::System(format!("{name}, projection EPSG:{code}, not known here"));
                without(&epsg::with_projection(code).ok_or_else(unknown)?.words, |word| is_base(word) || is_unit(word))
            }
            None if degrees(keys)?.is_some_and(|unit| unit != 1.0) => {
                return Err(Problem::System(format!("{name}, a projection with angles of another unit than degrees")));
            }
            None => projection::words(keys, metres.unwrap_or(1.0))?,
        };
        let has_base = [GEOGRAPHIC_CODE, DATUM, ELLIPSOID].iter().any(|&key| keys.short(key).is_some());
        if !has_base && keys.double(SEMI_MAJOR).is_none() {
            return Err(Problem::System(format!("{name}, without its datum (GeoKey 2048)")));
        }
        let (Known { words, shifts }, _) = base(keys)?;
        let below = without(&words, |word| word == "+proj=longlat" || word.starts_with("+angle="));
        // False eastings are metres in PROJ's words: so are the coordinates then.
        let unit = metres.unwrap_or(1.0);
        Ok(Self::new(name, &format!("{projection} {below}"), shifts, unit, true))
    }

    fn new(name: String, words: &str, shifts: Vec<Shift>, unit: f64, is_projected: bool) -> Self {
        let (meridian, words) = take_word(&for_proj4rs(words), "+pm=");
        let meridian = meridian.and_then(|degrees| degrees.parse().ok()).unwrap_or(0.0);
        Self { name, words, meridian, shifts, unit, is_projected }
    }

    /// The place at the model's coordinates.
    pub(super) fn locate(&self, (x, y): (f64, f64)) -> Result<Place, Problem> {
        let outside = || Problem::Outside(format!("{x}, {y} in {}", self.name));
        let failed = |error: proj4rs::errors::Error| Problem::Outside(format!("{x}, {y} in {}: {error}", self.name));
        let own = self.proj().map_err(failed)?;
        let plain = Proj::from_proj_string("+proj=longlat +ellps=WGS84").map_err(failed)?;
        let to_model =
            |value: f64| if self.is_projected { value * self.unit } else { (value * self.unit).to_radians() };
        let (x, y) = (to_model(x), to_model(y));
        let are_degrees = y.abs() <= 90_f64.to_radians() && x.abs() <= 360_f64.to_radians();
        if !self.is_projected && !are_degrees {
            return Err(outside());
        }
        let mut point = (x, y, 0.0);
        transform(&own, &plain, &mut point).map_err(failed)?;
        if self.is_projected {
            let mut back = point;
            transform(&plain, &own, &mut back).map_err(failed)?;
            let comes_back = (back.0 - x).hypot(back.1 - y) * own_metres(&self.words) < COMES_BACK;
            if !comes_back {
                return Err(outside());
            }
        }
        let (longitude, latitude) = (wrapped(point.0.to_degrees() + self.meridian), point.1.to_degrees());
        if self.words.contains("+nadgrids=@null") {
            return Place::new(latitude, longitude).ok_or_else(outside);
        }
        let datum = self.words.split(' ').find_map(|word| word.strip_prefix("+datum="));
        let below = without(&self.words, |word| !is_ellipsoid(word) || word.starts_with("+datum="));
        let below = format!("{below} {}", ellipsoid_of(datum));
        let shift = match self.shifts.iter().find(|shift| shift.holds(latitude, longitude)) {
            Some(shift) => shift.parameters,
            // Datums on these ellipsoids are geocentric: WGS 84 to a metre or two, and PROJ takes them for it.
            None if ["+ellps=GRS80", "+ellps=WGS84"].iter().any(|ellipsoid| below.contains(ellipsoid)) => [0.0; 7],
            None => {
                let place = format!("{latitude:.3}, {longitude:.3}");
                return Err(Problem::System(format!("{}, without a shift to WGS 84 for {place}", self.name)));
            }
        };
        let [a, b, c, d, e, f, g] = shift;
        let source = format!("+proj=longlat {below} +towgs84={a},{b},{c},{d},{e},{f},{g}");
        let source = Proj::from_proj_string(&source).map_err(failed)?;
        let wgs84 = Proj::from_proj_string("+proj=longlat +datum=WGS84").map_err(failed)?;
        let mut point = (longitude.to_radians(), point.1, 0.0);
        transform(&source, &wgs84, &mut point).map_err(failed)?;
        Place::new(point.1.to_degrees(), wrapped(point.0.to_degrees())).ok_or_else(outside)
    }

    fn proj(&self) -> Result<Proj, proj4rs::errors::Error> {
        let words = without(&self.words, |word| word.starts_with("+datum=") || word.starts_with("+nadgrids="));
        let datum = self.words.split(' ').find_map(|word| word.strip_prefix("+datum="));
        Proj::from_proj_string(&format!("{words} {}", ellipsoid_of(datum)))
    }
}

impl Shift {
    fn holds(&self, latitude: f64, longitude: f64) -> bool {
        let [south, west, north, east] = self.area;
        let inside = match west <= east {
            true => longitude >= west && longitude <= east,
            // Across the antimeridian.
            false => longitude >= west || longitude <= east,
        };
        inside && latitude >= south && latitude <= north
    }
}

/// The geographic system below, with its name.
fn base(keys: &Keys) -> Result<(Known, String), Problem> {
    if let Some(code) = keys.short(GEOGRAPHIC_CODE).filter(|&code| code != USER_DEFINED) {
        let name = format!("EPSG:{code}");
        let known = epsg::geographic(code).ok_or_else(|| Problem::System(format!("{name}, not known here")))?;
        return Ok((known, name));
    }
    let name = format!("{:?}", keys.text(2049));
    let meridian = meridian(keys, &name)?;
    if let Some(code) = keys.short(DATUM).filter(|&code| code != USER_DEFINED) {
        let unknown = || Problem::System(format!("{name}, datum EPSG:{code}, not known here"));
        let known = epsg::on_datum(code).ok_or_else(unknown)?;
        let words = without(&known.words, |word| word.starts_with("+angle=") || word.starts_with("+pm="));
        return Ok((Known { words: format!("{words}{meridian}"), ..known }, name));
    }
    let (words, is_wgs84) = ellipsoid(keys, &name)?;
    let parameters = match keys.doubles(TO_WGS84) {
        Some(&[x, y, z]) => [x, y, z, 0.0, 0.0, 0.0, 0.0],
        Some(&[x, y, z, a, b, c, s]) => [x, y, z, a, b, c, s],
        Some(other) => return Err(Problem::System(format!("{name}, its shift to WGS 84 has {} numbers", other.len()))),
        None if is_wgs84 => [0.0; 7],
        None => return Err(Problem::System(format!("{name} on {words}, without its shift to WGS 84"))),
    };
    let shifts = vec![Shift { parameters, area: [-90.0, -180.0, 90.0, 180.0] }];
    Ok((Known { words: format!("+proj=longlat {words}{meridian}"), shifts }, name))
}

/// PROJ's words of the ellipsoid, and whether it is that of WGS 84 to a few decimetres, as it is where the file says nothing.
fn ellipsoid(keys: &Keys, name: &str) -> Result<(String, bool), Problem> {
    let numbers = (keys.double(SEMI_MAJOR), keys.double(SEMI_MINOR), keys.double(FLATTENING));
    let (a, rf) = match (keys.short(ELLIPSOID).filter(|&code| code != USER_DEFINED), numbers) {
        (_, (Some(a), _, Some(rf))) => (a, rf),
        (_, (Some(a), Some(b), None)) if a > b => (a, a / (a - b)),
        (None, (None, None, None)) | (Some(7030), _) => (6_378_137.0, 298.257_223_563),
        (Some(7019), _) => (6_378_137.0, 298.257_222_101),
        (code, _) => {
            let code = code.map_or("of its own".to_owned(), |code| format!("EPSG:{code}"));
            return Err(Problem::System(format!("{name}, ellipsoid {code}, without its axes")));
        }
    };
    if !(a > 6.3e6 && a < 6.4e6 && rf > 200.0 && rf < 400.0) {
        return Err(Problem::System(format!("{name}, ellipsoid with a = {a} m and 1/f = {rf}")));
    }
    let is_wgs84 = (a - 6_378_137.0).abs() < 0.5 && (rf - 298.257).abs() < 0.001;
    Ok((format!("+a={a} +rf={rf}"), is_wgs84))
}

/// PROJ's word of a prime meridian that is not Greenwich's.
fn meridian(keys: &Keys, name: &str) -> Result<String, Problem> {
    // Greenwich, Lisbon, Paris, Bogota, Madrid, Rome, Bern, Jakarta, Ferro, Brussels, Stockholm, Athens, Oslo.
    const KNOWN: [f64; 13] = [
        0.0,
        -9.131_906_111_111,
        2.337_229_166_667,
        -74.080_916_666_667,
        -3.687_938_888_889,
        12.452_333_333_333,
        7.439_583_333_333,
        106.807_719_444_444,
        -17.666_666_666_667,
        4.367_975,
        18.058_277_777_778,
        23.716_337_5,
        10.722_916_666_667,
    ];
    match keys.short(MERIDIAN) {
        None | Some(8901) => match keys.double(MERIDIAN_LONGITUDE) {
            Some(longitude) if longitude != 0.0 => Ok(format!(" +pm={}", longitude * degrees(keys)?.unwrap_or(1.0))),
            _ => Ok(String::new()),
        },
        Some(code @ 8902..=8913) => Ok(format!(" +pm={}", KNOWN[usize::from(code - 8901)])),
        Some(code) => match keys.double(MERIDIAN_LONGITUDE).filter(|_| code == USER_DEFINED) {
            Some(longitude) => Ok(format!(" +pm={}", longitude * degrees(keys)?.unwrap_or(1.0))),
            None => Err(Problem::System(format!("{name}, prime meridian EPSG:{code}, not known here"))),
        },
    }
}

/// Degrees of the file's unit of angle, where it names one.
fn degrees(keys: &Keys) -> Result<Option<f64>, Problem> {
    Ok(Some(match keys.short(ANGLE_UNIT) {
        None => return Ok(None),
        Some(9101) => 180.0 / std::f64::consts::PI,
        Some(9102 | 9122) => 1.0,
        Some(9103) => 1.0 / 60.0,
        Some(9104) => 1.0 / 3600.0,
        Some(9105 | 9106) => 0.9,
        Some(9109) => 180e-6 / std::f64::consts::PI,
        Some(code) => match keys.double(ANGLE_SIZE).filter(|&size| code == USER_DEFINED && size > 0.0) {
            Some(radians) => radians.to_degrees(),
            None => return Err(Problem::System(format!("unit of angle EPSG:{code} (GeoKey 2054), not known here"))),
        },
    }))
}

/// Metres of the file's unit of length, where it names one.
fn metres(keys: &Keys) -> Result<Option<f64>, Problem> {
    Ok(Some(match keys.short(LENGTH_UNIT) {
        None => return Ok(None),
        Some(9001) => 1.0,
        Some(9002) => FOOT,
        Some(9003) => US_FOOT,
        Some(9005) => 0.304_797_265_4,
        Some(9014) => 6.0 * FOOT,
        Some(9030) => 1852.0,
        Some(9031) => 1.000_013_596_5,
        Some(9035) => 5280.0 * US_FOOT,
        Some(9036) => 1000.0,
        Some(9093) => 5280.0 * FOOT,
        Some(9096) => 3.0 * FOOT,
        Some(code) => match keys.double(LENGTH_SIZE).filter(|&size| code == USER_DEFINED && size > 0.0) {
            Some(metres) => metres,
            None => return Err(Problem::System(format!("unit of length EPSG:{code} (GeoKey 3076), not known here"))),
        },
    }))
}

/// Metres of the unit that PROJ's words name.
fn own_metres(words: &str) -> f64 {
    let value = |name: &str| words.split(' ').find_map(|word| word.strip_prefix(name));
    match (value("+units="), value("+to_meter=")) {
        (Some("ft"), _) => FOOT,
        (Some("us-ft"), _) => US_FOOT,
        (Some("km"), _) => 1000.0,
        (Some("ind-yd"), _) => 0.914_395_23,
        (_, Some(metres)) => metres.parse().unwrap_or(1.0),
        _ => 1.0,
    }
}

/// PROJ's words as proj4rs computes them as PROJ does: it passes over one name of the scale, and takes (a − b)/b for the flattening
/// of an ellipsoid that is given by its axes.
fn for_proj4rs(words: &str) -> String {
    let value =
        |name: &str| words.split(' ').find_map(|word| word.strip_prefix(name)).and_then(|value| value.parse().ok());
    let flattened = match (value("+a="), value("+b=")) {
        (Some::<f64>(a), Some::<f64>(b)) if a > b => {
            format!("{} +rf={}", without(words, |word| word.starts_with("+b=")), a / (a - b))
        }
        _ => words.to_owned(),
    };
    let by_axes = flattened.replace("+ellps=clrk66", CLARKE_1866).replace("+ellps=mod_airy", MODIFIED_AIRY);
    by_axes.replace("+k_0=", "+k=")
}

/// proj4rs would shift by the datum's name: its ellipsoid alone is wanted.
fn ellipsoid_of(datum: Option<&str>) -> &'static str {
    match datum {
        Some("WGS84") => "+ellps=WGS84",
        Some("NAD83" | "GGRS87") => "+ellps=GRS80",
        Some("NAD27") => CLARKE_1866,
        Some("potsdam" | "hermannskogel") => "+ellps=bessel",
        Some("carthage") => "+ellps=clrk80ign",
        Some("ire65") => MODIFIED_AIRY,
        Some("nzgd49") => "+ellps=intl",
        Some("OSGB36") => "+ellps=airy",
        _ => "",
    }
}

fn is_ellipsoid(word: &str) -> bool {
    ["+ellps=", "+datum=", "+a=", "+b=", "+rf=", "+R="].iter().any(|name| word.starts_with(name))
}

fn is_base(word: &str) -> bool {
    is_ellipsoid(word) || ["+pm=", "+nadgrids=", "+towgs84="].iter().any(|name| word.starts_with(name))
}

fn is_unit(word: &str) -> bool {
    word.starts_with("+units=") || word.starts_with("+to_meter=")
}

fn without(words: &str, is_out: impl Fn(&str) -> bool) -> String {
    words.split(' ').filter(|word| !word.is_empty() && !is_out(word)).collect::<Vec<_>>().join(" ")
}

/// The value of a word, and the others.
fn take_word(words: &str, name: &str) -> (Option<String>, String) {
    let value = words.split(' ').find_map(|word| word.strip_prefix(name)).map(str::to_owned);
    (value, without(words, |word| word.starts_with(name)))
}

/// A longitude between −180 and 180.
fn wrapped(longitude: f64) -> f64 {
    match longitude {
        _ if longitude > 180.0 => longitude - 360.0,
        _ if longitude < -180.0 => longitude + 360.0,
        _ => longitude,
    }
}
