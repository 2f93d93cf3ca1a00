//! Dates and times as Exif and XMP have them.

use crate::problem::Problem;
use chrono::{NaiveDate, NaiveDateTime};

/// A receiver that counts GPS weeks with ten bits is so many days behind after they have overflowed.
const ROLLOVER: chrono::Days = chrono::Days::new(1024 * 7);

/// 2020-01-01 in seconds since 1970: an earlier date is that of a clock that was never set, or of a receiver that has lost count of
/// the weeks. (As NMEA's.)
const EARLIEST: i64 = 1_577_836_800;
/// A camera's clock may be in another zone than it says, never a day ahead.
const AHEAD: i64 = 86_400;

/// The date of `YYYY:MM:DD`; other separators are taken.
pub(super) fn date(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || !text.is_ascii() || ![4, 7].iter().all(|&at| b":-/.".contains(&bytes[at])) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| digits(&text[range]);
    NaiveDate::from_ymd_opt(number(0..4)? as i32, number(5..7)?, number(8..10)?)
}

/// `YYYY:MM:DD HH:MM:SS`, with a `T` and a fraction as XMP has it.
pub(super) fn date_time(text: &str) -> Option<NaiveDateTime> {
    if !text.is_ascii() || text.len() < 19 {
        return None;
    }
    let (day, rest) = text.split_at(10);
    let (clock, fraction) = rest[1..].split_at(8);
    let separated = [&rest[..1], &clock[2..3], &clock[5..6]];
    let is_fraction =
        fraction.is_empty() || fraction.strip_prefix('.').is_some_and(|digits_| digits(digits_).is_some());
    if !matches!(separated, [" " | "T", ":", ":"]) || !is_fraction {
        return None;
    }
    date(day)?.and_hms_opt(digits(&clock[..2])?, digits(&clock[3..5])?, digits(&clock[6..8])?)
}

/// Seconds of a zone's offset: `+02:00`, `+0200`, `+02`, `Z`.
pub(super) fn offset(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("Z") {
        return Some(0);
    }
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let parts = rest.split_once(':').filter(|(_, minutes)| minutes.len() == 2);
    let parts = parts.or_else(|| rest.split_at_checked(2).filter(|(_, minutes)| matches!(minutes.len(), 0 | 2)));
    let (hours, minutes) = parts.filter(|(hours, _)| hours.len() <= 2)?;
    let minutes = if minutes.is_empty() { 0 } else { i64::from(digits(minutes)?) };
    let hours = i64::from(digits(hours)?);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60)
}

/// Seconds since 1970, as packets have them, of a time at a zone's offset, where it may be right: not before 2020, and not a day
/// past the computer's clock, `now`, where that one was set.
pub(super) fn believed(tag: &'static str, time: NaiveDateTime, offset: i64, now: u32) -> Result<u32, Problem> {
    let seconds = time.and_utc().timestamp() - offset;
    let now = i64::from(now);
    let expected = if seconds < EARLIEST {
        "2020 or later: earlier clocks were never set, or lost count of weeks"
    } else if now >= EARLIEST && seconds > now + AHEAD {
        "no more than a day past this computer's clock"
    } else {
        let expected = "a time before 2106";
        return u32::try_from(seconds).map_err(|_| Problem::value(tag, time.to_string(), expected));
    };
    Err(Problem::value(tag, time.to_string(), expected))
}

/// The receiver's time, with the weeks that it lost, where the camera's own clock says so.
pub(super) fn with_lost_weeks(time: NaiveDateTime, camera: Option<NaiveDateTime>) -> Option<NaiveDateTime> {
    if time.and_utc().timestamp() >= EARLIEST {
        return Some(time);
    }
    let near = |time: &NaiveDateTime| camera.is_some_and(|camera| (camera - *time).num_days().abs() <= 2);
    time.checked_add_days(ROLLOVER).filter(near)
}

/// A number of digits alone.
fn digits(text: &str) -> Option<u32> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_strictly() {
        let right = NaiveDate::from_ymd_opt(2024, 5, 6).and_then(|date| date.and_hms_opt(10, 11, 12));
        for text in ["2024:05:06 10:11:12", "2024-05-06 10:11:12", "2024-05-06T10:11:12", "2024-05-06T10:11:12.250"] {
            assert_eq!(date_time(text), right, "{text}");
        }
        for text in
            ["0000:00:00 00:00:00", "    :  :     :  :  ", "2024:05:06", "2024:05:06 24:00:00", "2024:13:06 10:11:12"]
        {
            assert_eq!(date_time(text), None, "{text}");
        }
        let behind = NaiveDate::from_ymd_opt(2004, 9, 20).and_then(|date| date.and_hms_opt(10, 11, 12));
        assert_eq!(behind.and_then(|time| with_lost_weeks(time, right)), right);
        assert_eq!(behind.and_then(|time| with_lost_weeks(time, None)), None);
        assert_eq!(right.and_then(|time| with_lost_weeks(time, None)), right);
    }

    #[test]
    fn zones_are_read_as_cameras_write_them() {
        for (text, seconds) in
            [("+02:00", 7200), ("+0200", 7200), ("+02", 7200), ("-03:30", -12_600), ("-0330", -12_600), ("Z", 0)]
        {
            assert_eq!(offset(text), Some(seconds), "{text}");
        }
        for text in ["", "+", "02:00", "+2", "+020", "+02:0", "+02:60", "+15:00", "+0é0", "   :  ", "CEST", "++2:00"] {
            assert_eq!(offset(text), None, "{text}");
        }
    }

    #[test]
    fn clocks_that_were_never_set_are_not_believed() {
        let now = 1_795_000_000;
        let at = |seconds: i64| {
            chrono::DateTime::from_timestamp(seconds, 0).map(|time| time.naive_utc()).unwrap_or_default()
        };
        let found = |seconds: i64, offset: i64, now: u32| believed("DateTimeOriginal", at(seconds), offset, now);
        assert_eq!(found(1_714_990_272, 0, now), Ok(1_714_990_272));
        assert_eq!(found(1_714_990_272, 7200, now), Ok(1_714_983_072));
        assert!(found(EARLIEST - 1, 0, now).is_err() && found(EARLIEST, 0, now).is_ok());
        assert!(found(EARLIEST, 1, now).is_err() && found(EARLIEST - 1, -1, now).is_ok());
        assert!(found(i64::from(now) + AHEAD, 0, now).is_ok() && found(i64::from(now) + AHEAD + 1, 0, now).is_err());
        // A computer's clock that was never set contradicts nothing.
        assert!(found(i64::from(now) + 10 * AHEAD, 0, 100).is_ok() && found(EARLIEST - 1, 0, 100).is_err());
        assert!(found(i64::from(u32::MAX) + 1, 0, 100).is_err());
        let said = found(946_684_800, 0, now).err().map(|problem| problem.to_string()).unwrap_or_default();
        assert!(said.starts_with("DateTimeOriginal is 2000-01-01 00:00:00, expected 2020 or later"), "{said}");
    }
}
