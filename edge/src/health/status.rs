//! What the program says of itself: `status.json` and a line of the log, from a thread of its own.

use crate::control::{Faults, TICK};
use crate::error::{Error, Result, chain};
use crate::orders::Orders;
use crate::store::Store;
use crate::vitals::{Pulse, Vitals};
use cssa::files;
use cssa_wire::FaultKind;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Its file in the state folder.
pub(crate) const STATUS: &str = "status.json";

/// What `status.json` and each heartbeat say.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    /// Seconds since 1970, by the system's clock.
    pub time: u64,
    /// Seconds since the start, monotonic.
    pub uptime: u64,
    /// The bundle at work; empty until one is loaded.
    pub bundle: String,
    /// The runtime at work; empty until one is loaded.
    pub runtime: String,
    /// Frames by outcome and packets, since the state folder was made.
    pub counters: BTreeMap<String, u64>,
    /// Captions that wait for the link.
    pub waiting: u64,
    /// What went wrong since the start, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Why each happened last.
    pub last_faults: BTreeMap<String, String>,
    /// °C, where it is known.
    pub celsius: Option<f64>,
    /// Mean energy of a caption in millijoules, where a power monitor is there.
    pub millijoules: Option<f64>,
    /// Resident memory in MiB.
    pub rss_mib: f64,
    /// Threads that show no sign of life, where there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lifeless: Vec<String>,
    /// What the ground has ordered, where it has.
    #[serde(skip_serializing_if = "Orders::is_empty")]
    pub orders: Orders,
    /// Whether this is the last status of a run that has ended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
}

impl Status {
    /// Removes what an earlier run said: of this one nothing is known yet.
    ///
    /// # Errors
    /// The state folder does not let it.
    pub(crate) fn forget(state: &Path) -> Result<()> {
        let path = state.join(STATUS);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::path(path)(error)),
            _ => Ok(()),
        }
    }
}

/// What only the captioning thread knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) bundle: String,
    pub(crate) runtime: String,
    /// Of the bundle at work: 1 is a, 2 is b, 0 is none.
    pub(crate) slot: u8,
    pub(crate) celsius: Option<f64>,
    pub(crate) millijoules: Option<f64>,
    pub(crate) peripheral_errors: u64,
    pub(crate) orders: Orders,
}

/// Writes the status.
#[derive(Clone)]
pub(crate) struct Reporter {
    pub(super) store: Arc<Store>,
    pub(super) faults: Faults,
    vitals: Vitals,
    gauges: Arc<Mutex<Gauges>>,
    pub(super) state: PathBuf,
    pub(super) started: Instant,
    /// The counters at the start.
    pub(super) before: Arc<BTreeMap<String, u64>>,
    /// Whether the last status is written: none comes behind it.
    has_ended: Arc<Mutex<bool>>,
}

impl Reporter {
    pub(crate) fn new(store: Arc<Store>, (faults, vitals): (Faults, Vitals), state: &Path, started: Instant) -> Self {
        let before = Arc::new(store.counters().unwrap_or_default());
        let (gauges, has_ended) = (Arc::default(), Arc::default());
        Self { store, faults, vitals, gauges, state: state.into(), started, before, has_ended }
    }

    /// Where the captioning thread writes what it knows.
    pub(crate) fn gauges(&self) -> MutexGuard<'_, Gauges> {
        self.gauges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is to say now.
    pub(crate) fn status(&self) -> Status {
        let (all, gauges) = (self.faults.all(), self.gauges().clone());
        let mut faults: BTreeMap<String, u64> =
            all.iter().map(|(kind, fault)| (kind.name().into(), fault.count)).collect();
        if gauges.peripheral_errors > 0 {
            faults.insert("peripheral_errors".into(), gauges.peripheral_errors);
        }
        Status {
            time: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            uptime: self.started.elapsed().as_secs(),
            bundle: gauges.bundle,
            runtime: gauges.runtime,
            counters: self.store.counters().unwrap_or_default(),
            waiting: self.store.waiting().unwrap_or_default(),
            faults,
            last_faults: all.into_iter().map(|(kind, fault)| (kind.name().into(), fault.last)).collect(),
            celsius: gauges.celsius,
            millijoules: gauges.millijoules,
            lifeless: self.vitals.lifeless().iter().map(ToString::to_string).collect(),
            orders: gauges.orders,
            ended: false,
            rss_mib: cssa::process::memory().map_or(0.0, |memory| memory.resident_mib),
        }
    }

    /// Writes `status.json`.
    fn write(&self, status: &Status) -> Result<()> {
        let mut has_ended = self.has_ended.lock().unwrap_or_else(PoisonError::into_inner);
        if *has_ended {
            return Ok(());
        }
        *has_ended = status.ended;
        Ok(files::write(&self.state.join(STATUS), &serde_json::to_vec_pretty(status).map_err(Error::Status)?)?)
    }

    /// The last status, which says so.
    pub(crate) fn end(&self) -> Status {
        let status = Status { ended: true, ..self.status() };
        // That it could not be written is a fault that it has not.
        let _unwritten = self.write(&status);
        status
    }

    /// Writes the status and logs it, now and every so often until the end, and when the ground has ordered something else.
    pub(crate) fn run(&self, every: Duration, pulse: &Pulse, over: &AtomicBool) {
        let (mut last, mut orders): (Option<Instant>, _) = (None, self.gauges().orders.clone());
        while !over.load(Ordering::Relaxed) {
            pulse.beat();
            let now = self.gauges().orders.clone();
            if last.is_none_or(|last| last.elapsed() >= every) || now != orders {
                (last, orders) = (Some(Instant::now()), now);
                let status = self.status();
                match self.write(&status).and_then(|()| Ok(serde_json::to_string(&status)?)) {
                    Ok(line) => tracing::info!("{line}"),
                    Err(error) => self.faults.record(FaultKind::StatusErrors, chain(&error)),
                }
            }
            std::thread::sleep(TICK);
        }
    }
}
