//! What a housekeeping packet says of the vehicle.

use super::Reporter;
use crate::outcome::{Dropped, Group};
use crate::store::{FRAMES, QUEUED};
use cssa_wire::{DroppedFrames, FaultKind, Housekeeping};
use rustix::fs::statvfs;
use std::collections::BTreeMap;
use std::path::Path;

/// A value that is not known.
const UNKNOWN_CELSIUS: i8 = i8::MIN;
const UNKNOWN_DISK: u8 = u8::MAX;
/// Steps of the free share of a disk.
const DISK_STEPS: u64 = 32;

impl Reporter {
    /// How the vehicle is now. Counters are those since its start; what there is to send and when is the link's.
    pub(crate) fn housekeeping(&self, sequence: u16, period: u16) -> Housekeeping {
        let (counters, gauges) = (self.store.counters().unwrap_or_default(), self.gauges().clone());
        let since = |name: &str| since_start(&counters, &self.before, name);
        let dropped = |group| {
            let all = Dropped::ALL.into_iter().filter(|dropped| dropped.group() == group);
            all.fold(0_u16, |sum, dropped| sum.wrapping_add(since(dropped.name())))
        };
        let (fault, fault_count) =
            self.faults.last().map_or((0, 0), |(kind, count)| (FaultKind::code(kind), low(count)));
        Housekeeping {
            sequence,
            period,
            uptime: u32::try_from(self.started.elapsed().as_secs()).unwrap_or(u32::MAX),
            frames: since(FRAMES),
            queued: since(QUEUED),
            dropped: DroppedFrames {
                image: dropped(Group::Image),
                policy: dropped(Group::Policy),
                link: dropped(Group::Link),
                machine: dropped(Group::Machine),
            },
            fault,
            fault_count,
            slot: gauges.slot,
            // Of −127 to 127 every value is one.
            celsius: gauges.celsius.map_or(UNKNOWN_CELSIUS, |celsius| celsius.round().clamp(-127.0, 127.0) as i8),
            free_disk: free_disk(&self.state),
            millijoules: gauges.millijoules.map_or(0, |millijoules| millijoules.round().clamp(1.0, 65535.0) as u16),
            waiting: u16::try_from(self.store.waiting().unwrap_or_default()).unwrap_or(u16::MAX),
        }
    }
}

/// A counter less what it was at the start, modulo 2^16.
fn since_start(now: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>, name: &str) -> u16 {
    let of = |counters: &BTreeMap<String, u64>| counters.get(name).copied().unwrap_or(0);
    low(of(now).wrapping_sub(of(before)))
}

/// The lowest 16 bits.
fn low(count: u64) -> u16 {
    (count & 0xffff) as u16
}

/// The free share of the disk that has a folder, in 1/32.
fn free_disk(folder: &Path) -> u8 {
    let Ok(disk) = statvfs(folder) else { return UNKNOWN_DISK };
    let steps = disk.f_bavail.saturating_mul(DISK_STEPS).checked_div(disk.f_blocks);
    steps.map_or(UNKNOWN_DISK, |steps| steps.min(DISK_STEPS) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Faults;
    use crate::store::{Caption, ChangeKind, Outcome, Store};
    use crate::vitals::Vitals;
    use anyhow::Result;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    #[test]
    fn counters_are_those_since_the_start_and_what_is_not_known_says_so() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let store = Arc::new(Store::open(folder.path(), 100)?);
        let settle = |outcome: &Outcome| store.settle(store.change(ChangeKind::Captioned), None, outcome).map(drop);
        let queued = Outcome::Queued(Caption { text: "a river".into(), ..Caption::default() });
        (0..3).try_for_each(|_| settle(&queued))?;
        let (faults, vitals) = (Faults::default(), Vitals::start());
        let reporter =
            Reporter::new(Arc::clone(&store), (faults.clone(), vitals.clone()), folder.path(), Instant::now());
        let at_first = reporter.housekeeping(7, 60);
        assert_eq!((at_first.sequence, at_first.period, at_first.frames, at_first.queued), (7, 60, 0, 0));
        assert_eq!((at_first.celsius, at_first.millijoules, at_first.slot, at_first.fault), (-128, 0, 0, 0));
        assert_eq!(at_first.waiting, 3, "what waits, waits from before the start, too");
        assert!(at_first.free_disk <= 32, "{at_first:?}");
        settle(&queued)?;
        for reason in Dropped::ALL {
            settle(&Outcome::Dropped(reason))?;
        }
        faults.record(FaultKind::LinkErrors, "no route");
        faults.record(FaultKind::StoreErrors, "full");
        faults.record(FaultKind::StoreErrors, "full");
        (reporter.gauges().celsius, reporter.gauges().slot) = (Some(61.6), 2);
        let now = reporter.housekeeping(8, 60);
        assert_eq!((now.frames, now.queued), (1 + Dropped::ALL.len() as u16, 1));
        assert_eq!(now.dropped, DroppedFrames { image: 4, policy: 3, link: 2, machine: 5 });
        assert_eq!((now.fault, now.fault_count), (FaultKind::StoreErrors.code(), 2));
        assert_eq!((now.celsius, now.slot), (62, 2));
        assert!(reporter.status().lifeless.is_empty());
        let _stuck = vitals.watch("the link", Duration::ZERO);
        std::thread::sleep(Duration::from_millis(5));
        let lifeless = reporter.status().lifeless;
        assert!(lifeless.len() == 1 && lifeless[0].starts_with("the link's thread is stuck"), "{lifeless:?}");
        assert_eq!(since_start(&[("x".into(), 65_540)].into(), &[("x".into(), 3)].into(), "x"), 1, "modulo 2^16");
        assert_eq!(free_disk(Path::new("/no/such/folder")), UNKNOWN_DISK);
        Ok(())
    }
}
