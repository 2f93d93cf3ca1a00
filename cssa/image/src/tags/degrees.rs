//! Degrees, minutes and seconds as Exif and XMP have them.

/// A rational number.
pub(super) type Rational = (i64, i64);

/// Degrees of three parts; the error says what is wrong. A part with a fraction is the last that is not 0. Fewer parts are none:
/// numbers of which some were lost look like them.
pub(super) fn degrees(parts: &[Rational], most: f64) -> Result<f64, String> {
    let shown = || parts.iter().map(|(up, down)| format!("{up}/{down}")).collect::<Vec<_>>().join(" ");
    if parts.len() != 3 {
        return Err(format!("{} numbers", parts.len()));
    }
    // Erased memory is all ones.
    let erased = i64::from(u32::MAX);
    if parts.iter().any(|&(up, down)| down <= 0 || up < 0 || up == erased || down == erased) {
        return Err(shown());
    }
    let is_whole = |&(up, down): &Rational| up % down == 0;
    let fraction = parts.iter().position(|part| !is_whole(part));
    let after_fraction = fraction.map_or(&[][..], |at| &parts[at + 1..]);
    if after_fraction.iter().any(|&(up, _)| up != 0) {
        return Err(shown());
    }
    let values: Vec<f64> = parts.iter().map(|&(up, down)| up as f64 / down as f64).collect();
    // Writers round up to 60.
    if values[1..].iter().any(|&value| value > 60.0) {
        return Err(shown());
    }
    let sum = values.iter().zip([1.0, 60.0, 3600.0]).map(|(value, unit)| value / unit).sum::<f64>();
    if sum <= most { Ok(sum) } else { Err(shown()) }
}

/// Whether a hemisphere is the negative one: a letter or a word of English, one of `names` (the positive, the negative).
pub(super) fn is_negative(text: &str, names: [&str; 2]) -> Option<bool> {
    let is = |name: &str| {
        let letter = text.len() == 1 && text.eq_ignore_ascii_case(&name[..1]);
        letter || text.eq_ignore_ascii_case(name)
    };
    match (is(names[0]), is(names[1])) {
        (true, false) => Some(false),
        (false, true) => Some(true),
        _ => None,
    }
}

/// Names of the hemispheres.
pub(super) const NORTH_SOUTH: [&str; 2] = ["north", "south"];
/// Names of the hemispheres.
pub(super) const EAST_WEST: [&str; 2] = ["east", "west"];

/// Whether GPSStatus says that the measurement is void, as a letter or in words.
pub(super) fn is_void(status: &str) -> bool {
    let status = status.trim();
    status.eq_ignore_ascii_case("V") || status.to_ascii_lowercase().ends_with("void")
}

/// Whether positions on a datum of this name are those of WGS 84 to a metre or two.
pub(super) fn is_wgs84(datum: &str) -> bool {
    let plain: String = datum.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    let known =
        ["", "WGS84", "WGS1984", "ETRS89", "NAD83", "GRS80", "JGD2000", "JGD2011", "GDA94", "GDA2020", "CGCS2000"];
    known.contains(&plain.as_str()) || plain.starts_with("ITRF") || plain.starts_with("WGS84G")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_were_lost_are_no_degrees() {
        let near =
            |parts: &[Rational], right: f64| degrees(parts, 90.0).is_ok_and(|found| (found - right).abs() < 1e-9);
        assert!(near(&[(48, 1), (12, 1), (3060, 100)], 48.2085));
        assert!(near(&[(48, 1), (1251, 100), (0, 1)], 48.2085) && near(&[(48, 1), (60, 1), (0, 1)], 49.0));
        assert!(near(&[(482_085, 10_000), (0, 1), (0, 1)], 48.2085));
        for odd in [
            &[(4_294_967_295, 4_294_967_295); 3][..],
            &[(48, 1), (12, 1)][..],
            &[(48, 1), (1251, 100)],
            &[(482_085, 10_000)],
            &[(48, 1)],
            &[(48, 1), (12, 1), (0, 0)],
            &[(48, 1), (1251, 100), (12, 1)],
            &[(48, 1), (61, 1), (0, 1)],
            &[(90, 1), (0, 1), (1, 1)],
            &[(-48, 1), (12, 1), (0, 1)],
            &[],
        ] {
            assert!(degrees(odd, 90.0).is_err(), "{odd:?}");
        }
        assert_eq!(is_negative("South", NORTH_SOUTH), Some(true));
        assert_eq!((is_negative("N", EAST_WEST), is_negative("", EAST_WEST)), (None, None));
        assert!(is_wgs84("WGS-84") && !is_wgs84("TOKYO"));
    }
}
