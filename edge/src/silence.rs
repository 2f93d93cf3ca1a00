//! Notices a camera that gives no frames.

use std::time::{Duration, Instant};

/// Cameras give frames every second or more often: after so long one is silent.
const SILENT: Duration = Duration::from_secs(60);

/// How long a camera has given nothing.
#[derive(Debug)]
pub(super) struct Silence {
    since: Instant,
    is_said: bool,
}

impl Silence {
    /// It begins now.
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, is_said: false }
    }

    /// A frame came.
    pub(super) fn end(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// What is to be said of it, once.
    pub(super) fn fault(&mut self, now: Instant) -> Option<String> {
        let lasts = now.saturating_duration_since(self.since) >= SILENT;
        let is_new = lasts && !std::mem::replace(&mut self.is_said, lasts);
        is_new.then(|| format!("no frame for {} seconds", SILENT.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_silence_is_said_once() {
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        let mut silence = Silence::new(began);
        assert_eq!(silence.fault(after(59)), None);
        assert_eq!(silence.fault(after(60)).as_deref(), Some("no frame for 60 seconds"));
        assert_eq!(silence.fault(after(600)), None);
        silence.end(after(600));
        assert_eq!(silence.fault(after(659)), None);
        assert!(silence.fault(after(661)).is_some());
    }
}
