//! How large a stage's steps are.

use crate::config::{Config, Network, Schedule};
use crate::progress::Progress;

/// Constants of an optimizer.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Learning rate.
    pub schedule: Schedule,
    /// Steps that the schedule has done before this stage.
    pub before: usize,
    /// Steps of the whole schedule.
    pub total: usize,
    /// d, for Noam.
    pub width: usize,
    /// Largest norm of all gradients together.
    pub clip: f64,
    /// Decoupled decay of matrices.
    pub weight_decay: f64,
    /// Share that the averaged weights keep.
    pub average: f64,
    /// Decoupled pull toward the first weights.
    pub pull: f64,
    /// Factor of the learning rate for the backbone's tensors.
    pub backbone_rate: f64,
}

impl Settings {
    /// A schedule of `total` steps of its own, without weight decay and averaging.
    pub fn new(config: &Config, schedule: Schedule, clip: f64, total: usize) -> Self {
        let Network { width, backbone_rate, .. } = config.network;
        let (weight_decay, average, pull) = (0.0, 0.0, 0.0);
        Self { schedule, before: 0, total, width, clip, weight_decay, average, pull, backbone_rate }
    }
}

impl Settings {
    /// Says so where the schedule never leaves its warm-up.
    pub fn warn(&self, stage: &str, progress: &Progress) {
        let (Schedule::Noam { warmup, .. } | Schedule::Cosine { warmup, .. }) = self.schedule;
        if self.total > 0 && warmup > self.total {
            progress.say(&format!(
                "warning: {stage} warms up over {warmup} steps and has {}: its rate ends at {:.1e} of a peak of {:.1e}",
                self.total,
                rate(self, self.total),
                rate(self, warmup)
            ));
        }
    }
}

/// The learning rate of step `step` of the schedule, counted from 1.
pub fn rate(settings: &Settings, step: usize) -> f64 {
    let n = step as f64;
    match settings.schedule {
        Schedule::Noam { factor, warmup } => {
            let warmup = warmup.max(1) as f64;
            factor * (settings.width as f64).powf(-0.5) * n.powf(-0.5).min(n * warmup.powf(-1.5))
        }
        Schedule::Cosine { peak, warmup } if step <= warmup => peak * n / warmup.max(1) as f64,
        Schedule::Cosine { peak, warmup } => {
            let done = (step - warmup) as f64 / settings.total.saturating_sub(warmup).max(1) as f64;
            peak * 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(schedule: Schedule) -> Settings {
        let settings = Settings::new(&Config::default(), schedule, 1.0, 110);
        Settings { width: 512, ..settings }
    }

    #[test]
    fn noam_peaks_at_its_warmup() {
        let s = settings(Schedule::Noam { factor: 1.0, warmup: 20_000 });
        let peak = rate(&s, 20_000);
        assert!((peak - 512f64.powf(-0.5) * 20_000f64.powf(-0.5)).abs() < 1e-12);
        assert!(rate(&s, 19_000) < peak && rate(&s, 21_000) < peak);
    }

    #[test]
    fn cosine_rises_and_falls_to_zero() {
        let s = settings(Schedule::Cosine { peak: 2.0, warmup: 10 });
        assert_eq!((rate(&s, 5), rate(&s, 10)), (1.0, 2.0));
        assert!((rate(&s, 60) - 1.0).abs() < 1e-12 && rate(&s, 110).abs() < 1e-12);
    }
}
