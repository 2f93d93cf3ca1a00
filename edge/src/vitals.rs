//! Whether all threads are alive: each says by when it will show its next sign of life, and signs of life to the outside depend on all.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A thread that ended as it should.
const ENDED: u64 = u64::MAX;
/// One that panicked.
const PANICKED: u64 = 0;

/// The threads that must be alive.
#[derive(Clone, Debug)]
pub struct Vitals {
    began: Instant,
    threads: Arc<Mutex<Vec<Arc<Thread>>>>,
}

#[derive(Debug)]
struct Thread {
    name: &'static str,
    /// By when its next sign is due, in milliseconds since the beginning.
    due: AtomicU64,
}

/// A thread's own end: shows that it is alive. Dropped by a panic, it says that the thread is dead.
#[derive(Debug)]
pub struct Pulse {
    thread: Arc<Thread>,
    began: Instant,
    most: Duration,
}

/// A thread that shows no sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifeless {
    /// Which.
    pub name: &'static str,
    /// For how long its sign is overdue; nothing where it panicked.
    pub overdue: Option<Duration>,
}

impl fmt::Display for Lifeless {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.overdue {
            Some(overdue) => {
                let seconds = overdue.as_secs_f64();
                write!(formatter, "{}'s thread is stuck: its sign of life is {seconds:.1} s overdue", self.name)
            }
            None => write!(formatter, "{}'s thread panicked", self.name),
        }
    }
}

impl Vitals {
    /// No thread yet.
    #[must_use]
    pub fn start() -> Self {
        Self { began: Instant::now(), threads: Arc::default() }
    }

    /// One more thread, which will show a sign of life every `most` at least, and is alive now.
    #[must_use]
    pub fn watch(&self, name: &'static str, most: Duration) -> Pulse {
        let thread = Arc::new(Thread { name, due: AtomicU64::new(0) });
        let pulse = Pulse { thread: Arc::clone(&thread), began: self.began, most };
        pulse.beat();
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        pulse
    }

    /// The threads that are not alive.
    #[must_use]
    pub fn lifeless(&self) -> Vec<Lifeless> {
        let now = milliseconds(self.began.elapsed());
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let late = threads.iter().map(|thread| (thread.name, thread.due.load(Ordering::Relaxed)));
        let overdue = |due| (due != PANICKED).then(|| Duration::from_millis(now - due));
        late.filter(|(_, due)| *due < now).map(|(name, due)| Lifeless { name, overdue: overdue(due) }).collect()
    }
}

impl Pulse {
    /// Shows a sign of life.
    pub fn beat(&self) {
        self.busy(self.most);
    }

    /// Shows a sign of life; the next one may take so long.
    pub fn busy(&self, most: Duration) {
        self.thread.due.store(milliseconds(self.began.elapsed() + most), Ordering::Relaxed);
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        let due = if std::thread::panicking() { PANICKED } else { ENDED };
        self.thread.due.store(due, Ordering::Relaxed);
    }
}

/// From 1 on: 0 is no time.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).map_or(ENDED - 1, |milliseconds| milliseconds.clamp(1, ENDED - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_late_or_panicked_is_named_and_one_that_ended_is_not() {
        let vitals = Vitals::start();
        let (soon, ended) =
            (vitals.watch("the link", Duration::from_millis(30)), vitals.watch("the source", Duration::ZERO));
        let dying = vitals.watch("the model", Duration::from_secs(60));
        assert_eq!(vitals.lifeless(), []);
        drop(ended);
        std::thread::sleep(Duration::from_millis(60));
        let found = vitals.lifeless();
        assert_eq!(found.len(), 1);
        assert!(
            found[0].to_string().starts_with("the link's thread is stuck: its sign of life is 0.0"),
            "{}",
            found[0]
        );
        soon.busy(Duration::from_secs(60));
        assert_eq!(vitals.lifeless(), []);
        let panicked = std::thread::spawn(move || {
            let _pulse = dying;
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(panicked.join().is_err());
        assert_eq!(vitals.lifeless(), [Lifeless { name: "the model", overdue: None }]);
    }
}
