//! What goes wrong in a campaign: drawn from its seed.

use std::fmt;

/// Frames of a campaign.
pub(super) const FRAMES: usize = 24;

/// A fault of one kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fault {
    /// The flight program is killed at so many-th flush of a file of its state, or of the folder after a rename.
    KilledAtSync(u64),
    /// It is killed before or after so many-th frame that it opens.
    KilledAtFrame(u64),
    /// The disk of the store is full from one write to another.
    Full(u64, u64),
    /// The store's disk fails from one flush to another.
    Broken(u64, u64),
    /// A frame's file cannot be opened the first six times: two tries to read it.
    Denied(usize),
    /// A frame's file comes only after the first run.
    Late(usize),
    /// The clock is set, by so many seconds, so many milliseconds after the start.
    ClockSet(i64, u64),
    /// The receiver's device goes away and comes back.
    ReceiverGone,
    /// The receiver's device says junk.
    ReceiverJunk,
    /// Junk comes to the ground's port, and to the vehicle's.
    Junk,
    /// It is too hot for a while.
    Heat,
    /// The active slot is damaged before the start.
    SlotDamaged,
    /// It is damaged in flight.
    SlotDamagedInFlight,
    /// A second station hears the same vehicle, and acknowledges.
    TwoGrounds,
    /// The ground program is killed and started again.
    GroundKilled,
    /// The link loses a part of what it carries, and gives some of it twice.
    Loss(f64),
    /// A call that sends a packet never comes back.
    Hang(u64),
    /// So many-th flush of the store never comes back: early ones are those of the start.
    StoreHangs(u64),
    /// Somebody stops the program after so many milliseconds.
    Stopped(u64),
}

/// The faults of one campaign.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) faults: Vec<Fault>,
}

/// Kinds that a campaign may have.
const KINDS: usize = 19;

impl Plan {
    /// Two to four faults of different kinds.
    pub(super) fn of(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let count = random.usize(2..=4);
        let mut kinds: Vec<usize> = (0..KINDS).collect();
        random.shuffle(&mut kinds);
        // Every kind has its turn as the first one, so that a few seeds in a row meet all.
        let first = seed as usize % KINDS;
        kinds.retain(|&kind| kind != first);
        let kinds = std::iter::once(first).chain(kinds).take(count);
        Self { seed, faults: kinds.map(|kind| draw(kind, &mut random)).collect() }
    }

    /// Whether a fault of that kind is among them.
    pub(super) fn has(&self, kind: impl Fn(&Fault) -> bool) -> bool {
        self.faults.iter().any(kind)
    }

    /// What the preloaded library is told.
    pub(super) fn rules(&self) -> String {
        let rules = self.faults.iter().filter_map(|fault| match fault {
            Fault::KilledAtSync(n) => Some(format!("sync:/state:{n}:{n}:kill")),
            Fault::KilledAtFrame(n) => Some(format!("open:/frames/:{n}:{n}:kill")),
            Fault::Full(from, to) => Some(format!("write:store.redb:{from}:{to}:ENOSPC")),
            Fault::Broken(from, to) => Some(format!("sync:store.redb:{from}:{to}:EIO")),
            Fault::Denied(frame) => Some(format!("open:/frames/{frame:03}.jpg:1:6:EACCES")),
            Fault::ClockSet(seconds, after) => Some(format!("clock::{after}:100000000:{seconds}")),
            Fault::StoreHangs(n) => Some(format!("sync:store.redb:{n}:{n}:hang")),
            Fault::Hang(n) => Some(format!("send::{n}:{n}:hang")),
            _ => None,
        });
        rules.collect::<Vec<_>>().join(";")
    }
}

fn draw(kind: usize, random: &mut fastrand::Rng) -> Fault {
    match kind {
        0 => Fault::KilledAtSync(random.u64(1..60)),
        1 => Fault::KilledAtFrame(random.u64(1..=FRAMES as u64)),
        2 => {
            let from = random.u64(10..200);
            Fault::Full(from, from + random.u64(1..40))
        }
        3 => {
            let from = random.u64(3..40);
            Fault::Broken(from, from + random.u64(0..5))
        }
        4 => Fault::Denied(random.usize(0..FRAMES)),
        5 => Fault::Late(random.usize(0..FRAMES)),
        6 => Fault::ClockSet(if random.bool() { 3600 } else { -3600 }, random.u64(400..1200)),
        7 => Fault::ReceiverGone,
        8 => Fault::ReceiverJunk,
        9 => Fault::Junk,
        10 => Fault::Heat,
        11 => Fault::SlotDamaged,
        12 => Fault::SlotDamagedInFlight,
        13 => Fault::TwoGrounds,
        14 => Fault::GroundKilled,
        15 => Fault::Loss(0.1 + 0.4 * random.f64()),
        16 => Fault::Hang(random.u64(1..10)),
        17 => Fault::StoreHangs(random.u64(1..20)),
        _ => Fault::Stopped(random.u64(300..1500)),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "seed {}: {:?}", self.seed, self.faults)
    }
}
