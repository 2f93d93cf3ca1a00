//! The zone of a camera's clock where no tag says it: by when the image was written.

use cssa_image::Problem;
use cssa_image::tags::Tags;

/// Seconds by which the writer's clock, and the camera's, may be wrong.
const NEAR: i64 = 30;
/// Zones that are no whole hours from UTC, in minutes.
const BROKEN: [i64; 13] = [-570, -210, -150, 210, 270, 330, 345, 390, 525, 570, 630, 765, 825];

/// The time of tags, in seconds since 1970, and what is to be said of it. Where they name no zone, it is the one that brings the time to when
/// the image was `written`; where none does, the camera's clock counts as UTC.
pub(super) fn time(tags: &Tags, written: Option<u32>) -> (Option<u32>, Option<Problem>) {
    let Some(time) = tags.time.filter(|_| tags.is_zoneless) else { return (tags.time, None) };
    match written.and_then(|written| offset(i64::from(time) - i64::from(written))) {
        // It is known to be UTC.
        Some(0) => (Some(time), None),
        Some(offset) => {
            let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
            let zone = format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60);
            let said = format!("the clock of the camera is at {zone}, by when its image was written");
            (u32::try_from(i64::from(time) - offset).ok(), Some(Problem::Zoneless(said)))
        }
        None => (Some(time), Some(Problem::Zoneless("the clock of the camera counts as UTC".into()))),
    }
}

/// The zone that a clock is in which is so many seconds ahead of UTC, in seconds.
fn offset(ahead: i64) -> Option<i64> {
    let hours = (-12..=14).map(|hour| hour * 60);
    hours.chain(BROKEN).map(|minutes| minutes * 60).find(|zone| (ahead - zone).abs() <= NEAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_taken_from_when_the_image_was_written() {
        let noon = 1_714_990_272;
        let tags = |is_zoneless| {
            let mut tags = Tags::default();
            (tags.time, tags.is_zoneless) = (Some(noon), is_zoneless);
            tags
        };
        let at = |ahead: i64, is_zoneless| {
            let tags = tags(is_zoneless);
            let (time, said) = time(&tags, u32::try_from(i64::from(noon) - ahead).ok());
            (time.map_or(0, |time| i64::from(noon) - i64::from(time)), said.map(|said| said.to_string()))
        };
        assert_eq!((at(7201, false), at(-3, true), at(12, true)), ((0, None), (0, None), (0, None)));
        assert_eq!(at(7200 - 3, true).0, 7200);
        assert!(at(7200, true).1.is_some_and(|said| said.contains("at +02:00")));
        assert!(at(-12_600, true).1.is_some_and(|said| said.contains("at -03:30")));
        assert_eq!((at(20_700 - 9, true).0, at(-43_200, true).0, at(50_400, true).0), (20_700, -43_200, 50_400));
        // Copied later, changed since, or a clock that is wrong: nothing is known.
        for ahead in [7100, 900, 54_000, -46_800, -86_400] {
            assert_eq!(at(ahead, true), (0, Some("no zone: the clock of the camera counts as UTC".into())), "{ahead}");
        }
        assert!(time(&tags(true), None).1.is_some() && time(&Tags::default(), Some(noon)) == (None, None));
    }
}
