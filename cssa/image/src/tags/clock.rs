//! Dates and times as Exif and XMP have them.

use chrono::{NaiveDate, NaiveDateTime};

/// A receiver that counts GPS weeks with ten bits is so many days behind after they have overflowed.
const ROLLOVER: chrono::Days = chrono::Days::new(1024 * 7);

/// Before this year no drone had a receiver for its camera: such a date is a receiver's that has lost count of the weeks.
const FIRST_YEAR: i32 = 2010;

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

/// Seconds of a zone's offset: `+02:00`, `Z`.
pub(super) fn offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes) = (i64::from(digits(hours)?), i64::from(digits(minutes)?));
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60)
}

/// Seconds since 1970, where packets have them.
pub(super) fn seconds(time: NaiveDateTime, offset: i64) -> Option<u32> {
    u32::try_from(time.and_utc().timestamp() - offset).ok()
}

/// The receiver's time, with the weeks that it lost: a date that was before there were such receivers is right as it is, or with
/// 1,024 weeks more, as the camera's own clock says; `None` where that does not tell.
pub(super) fn with_lost_weeks(time: NaiveDateTime, camera: Option<NaiveDateTime>) -> Option<NaiveDateTime> {
    use chrono::Datelike;
    if time.year() >= FIRST_YEAR {
        return Some(time);
    }
    let near = |time: &NaiveDateTime| camera.is_some_and(|camera| (camera - *time).num_days().abs() <= 2);
    [Some(time), time.checked_add_days(ROLLOVER)].into_iter().flatten().find(near)
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
        assert_eq!((offset("+02:00"), offset("-03:30"), offset("02:00")), (Some(7200), Some(-12_600), None));
        let behind = NaiveDate::from_ymd_opt(2004, 9, 20).and_then(|date| date.and_hms_opt(10, 11, 12));
        assert_eq!(behind.and_then(|time| with_lost_weeks(time, right)), right);
        assert_eq!(behind.and_then(|time| with_lost_weeks(time, None)), None);
        assert_eq!(right.and_then(|time| with_lost_weeks(time, None)), right);
    }
}
