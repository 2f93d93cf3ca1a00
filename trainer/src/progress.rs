//! The one place that shows how far a run is.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// Shows stages on the terminal, or as a line every now and then where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Everything is shown.
    Shown,
    /// Nothing is: another rank tells it.
    Silent,
}

/// A stage in progress.
#[derive(Debug)]
pub struct Stage {
    bar: ProgressBar,
    name: String,
    lines: bool,
    total: usize,
    started: Instant,
    reported: std::cell::Cell<Instant>,
    before: std::cell::Cell<u64>,
}

const STYLE: &str = "{prefix} [{bar:30}] {pos}/{len} {per_sec} left {eta} {msg}";
const BETWEEN_LINES: Duration = Duration::from_secs(20);

impl Progress {
    /// A stage of `total` images.
    pub fn stage(&self, name: String, total: usize) -> Stage {
        let (shown, terminal) = (*self == Self::Shown, console_is_terminal());
        let lines = shown && !terminal;
        let target = if shown && terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total as u64), target);
        if let Ok(style) = ProgressStyle::with_template(STYLE) {
            bar.set_style(style);
        }
        bar.set_prefix(name.clone());
        let now = Instant::now();
        Stage {
            bar,
            name,
            lines,
            total,
            started: now,
            reported: std::cell::Cell::new(now),
            before: std::cell::Cell::new(0),
        }
    }

    /// A line of its own.
    #[expect(clippy::print_stderr, reason = "this is the program's reporter")]
    pub fn say(&self, line: &str) {
        if *self == Self::Shown {
            eprintln!("{line}");
        }
    }
}

impl Stage {
    /// `images` more are done.
    pub fn advance(&self, images: usize) {
        self.bar.inc(images as u64);
        if self.lines && self.reported.get().elapsed() >= BETWEEN_LINES {
            self.reported.set(Instant::now());
            self.line();
        }
    }

    /// `images` were done before this program was started.
    pub fn advance_from(&self, images: usize) {
        self.bar.inc(images as u64);
        self.before.set(images as u64);
    }

    /// What to show beside the numbers, the loss for example.
    pub fn message(&self, text: String) {
        self.bar.set_message(text);
    }

    /// Images a second since the stage began.
    pub fn rate(&self) -> f64 {
        (self.bar.position() - self.before.get()) as f64 / self.started.elapsed().as_secs_f64().max(1e-9)
    }

    fn line(&self) {
        let left = self.total.saturating_sub(self.bar.position() as usize) as f64 / self.rate().max(1e-9);
        let (done, message) = (self.bar.position(), self.bar.message());
        Progress::Shown.say(&format!(
            "{} {done}/{} {:.1} images/s left {left:.0} s {message}",
            self.name,
            self.total,
            self.rate()
        ));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.lines {
            self.line();
        }
        self.bar.finish_and_clear();
    }
}

fn console_is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}
