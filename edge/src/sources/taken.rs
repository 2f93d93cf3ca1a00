//! When a frame was taken.

use crate::position::Receiver;
use cssa::clock;
use cssa_image::Problem;
use cssa_wire::{EARLIEST_UTC, Time};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A time in the future by less is now: tags and file systems have whole seconds.
const AHEAD: Duration = Duration::from_secs(1);
/// Where in its second something was taken that has whole seconds.
const MIDDLE: Duration = Duration::from_millis(500);

/// In seconds.
const DAY: u32 = 86_400;

/// When the program started, as far as sources are concerned: [`count_from_now`].
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Times of frames that nothing tells count from here on.
pub(super) fn count_from_now() {
    LazyLock::force(&START);
}

fn since_start() -> u32 {
    START.elapsed().as_secs().try_into().unwrap_or(u32::MAX)
}

/// When a frame was taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Taken {
    /// By its own tags, in seconds since 1970.
    tagged: Option<u32>,
    /// By the system's clock, in seconds since 1970, where that was set.
    clock: Option<u32>,
    /// Seconds from the program's start to when the frame came.
    after_start: u32,
    /// On the clock that nobody sets; `None` where it is not known, or was before the computer started.
    at: Option<Instant>,
}

impl Taken {
    /// A frame of a camera that has arrived now.
    #[must_use]
    pub fn arrived() -> Self {
        Self { tagged: None, clock: clock::utc(), after_start: since_start(), at: Some(Instant::now()) }
    }

    /// With the time that its tags say, in seconds since 1970.
    #[must_use]
    pub fn tagged(self, tagged: Option<u32>) -> Self {
        Self { tagged, ..self }
    }

    /// A file that was last changed then; `tagged`: what its tags say. As tags, a time before 2020 or more than a day ahead of the system's
    /// clock is not believed: it was taken now for all that is known, and nobody knows where.
    #[must_use]
    pub fn file(tagged: Option<u32>, changed: Option<SystemTime>) -> Self {
        let changed = changed.filter(|changed| is_believed(*changed));
        let by_tags = tagged.map(|time| {
            let second = UNIX_EPOCH + Duration::from_secs(time.into());
            let middle = second + MIDDLE;
            // It was written when it had been taken.
            changed.filter(|changed| (second..middle).contains(changed)).unwrap_or(middle)
        });
        let clock = changed.and_then(seconds).or_else(clock::utc);
        Self { tagged, clock, after_start: since_start(), at: by_tags.or(changed).and_then(instant) }
    }

    /// The moment, where the program can know where the vehicle was.
    #[must_use]
    pub fn at(&self) -> Option<Instant> {
        self.at
    }

    /// As packets have it: by its tags, else by the receiver, else by the system's clock; where nothing tells the time, from the program's
    /// start on.
    #[must_use]
    pub fn time(&self, receiver: &Receiver) -> u32 {
        let utc = self.tagged.or_else(|| receiver.time(self.at?)).or(self.clock);
        utc.map_or(Time::AfterStart(self.after_start), Time::from).seconds()
    }
}

/// What is wrong with the time of a file's last change, where it is not believed.
#[must_use]
pub(super) fn problem(changed: SystemTime) -> Option<Problem> {
    let since = changed.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let expected = "2020 or later, and no more than a day past this computer's clock: the file counts as of now";
    let found = format!("{since} seconds after 1970");
    (!is_believed(changed)).then_some(Problem::Value { tag: "the time of the file's last change", found, expected })
}

/// In seconds since 1970.
pub(super) fn seconds(time: SystemTime) -> Option<u32> {
    time.duration_since(UNIX_EPOCH).ok()?.as_secs().try_into().ok()
}

fn is_believed(time: SystemTime) -> bool {
    let latest = clock::now().saturating_add(DAY);
    time.duration_since(UNIX_EPOCH).is_ok_and(|since| (EARLIEST_UTC.into()..=latest.into()).contains(&since.as_secs()))
}

/// A time of the system's clock on the one that nobody sets.
fn instant(time: SystemTime) -> Option<Instant> {
    let age = match SystemTime::now().duration_since(time) {
        Ok(age) => age,
        Err(ahead) if ahead.duration() < AHEAD => Duration::ZERO,
        Err(_) => return None,
    };
    Instant::now().checked_sub(age)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Fix;
    use cssa_wire::Position;

    #[test]
    fn a_file_was_taken_when_its_tags_or_its_time_say() {
        let receiver = Receiver::default();
        let ago = |seconds| SystemTime::now().checked_sub(Duration::from_secs(seconds));
        let seconds = |time: Option<SystemTime>| {
            time.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0, |since| since.as_secs() as u32)
        };
        let old = Taken::file(None, ago(30));
        assert_eq!(old.time(&receiver), seconds(ago(30)));
        assert_eq!(ago(30).and_then(problem), None);
        let age = old.at().map(|at| at.elapsed().as_secs());
        assert_eq!(age, Some(30));
        let tagged = Taken::file(Some(seconds(ago(90))), ago(30));
        assert_eq!(tagged.time(&receiver), seconds(ago(90)));
        assert!(tagged.at().is_some_and(|at| (88..=91).contains(&at.elapsed().as_secs())));
        // A clock that is ahead says nothing of where the vehicle was.
        let ahead = SystemTime::now() + Duration::from_secs(3600);
        assert_eq!(Taken::file(None, Some(ahead)).at(), None);
        assert_eq!(Taken::file(Some(u32::MAX), ago(30)).at(), None);
        // Clocks that were never set, and cards of cameras with such.
        for odd in [0, 315_532_800, u64::from(seconds(ago(0))) + 172_800] {
            let time = UNIX_EPOCH + Duration::from_secs(odd);
            let said = problem(time).map(|problem| problem.to_string()).unwrap_or_default();
            assert!(said.starts_with(&format!("the time of the file's last change is {odd} seconds")), "{said}");
            let odd = Taken::file(None, Some(time));
            assert_eq!(odd.at(), None);
            assert!(seconds(ago(0)).abs_diff(odd.time(&receiver)) <= 1);
        }
    }

    /// A computer without a battery, at 1970 or at the date of its system's image.
    #[test]
    fn where_nothing_tells_the_time_it_counts_from_the_start() {
        let unset = Taken { clock: None, after_start: 40, ..Taken::arrived() };
        assert_eq!(unset.time(&Receiver::default()), 40);
        assert_eq!(Taken { after_start: u32::MAX, ..unset }.time(&Receiver::default()), EARLIEST_UTC - 1);
        assert_eq!(unset.tagged(Some(1_800_000_000)).time(&Receiver::default()), 1_800_000_000);
        let receiver = Receiver::default();
        let Some(position) = Position::new(1.0, 2.0) else { unreachable!("it is a place") };
        receiver.say(Fix { position, time: Some(2_000_000_000) });
        let unset = Taken { clock: None, ..Taken::arrived() };
        assert!((2_000_000_000..2_000_000_002).contains(&unset.time(&receiver)));
    }

    #[test]
    fn the_receivers_time_is_taken_before_the_systems() {
        let receiver = Receiver::default();
        let Some(position) = Position::new(1.0, 2.0) else { unreachable!("it is a place") };
        receiver.say(Fix { position, time: Some(2_000_000_000) });
        let arrived = Taken::arrived();
        assert!((2_000_000_000..2_000_000_002).contains(&arrived.time(&receiver)));
        assert_eq!(Taken::arrived().tagged(Some(7)).time(&receiver), 7);
        assert!(Taken::arrived().time(&Receiver::default()) < 2_000_000_000);
    }
}
