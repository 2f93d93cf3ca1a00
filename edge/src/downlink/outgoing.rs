//! A packet that is to be sent, and what there is to do.

use crate::store::{Change, Waiting, WaitingReport};
use cssa_wire::Footprint;

/// A packet that is to be sent, already marked as tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its captions.
    pub captions: Vec<Waiting>,
    /// What the store makes of it, once it went out.
    pub change: Change,
    /// The report that it is instead, where it is one, and whether it goes out for the first time.
    pub report: Option<(WaitingReport, bool)>,
    /// Footprints of its captions, which follow in another packet.
    pub footprints: Vec<Footprint>,
    /// How many footprints it carries itself.
    pub carries: usize,
}

impl Outgoing {
    /// A packet without captions.
    pub(super) fn beside(bytes: Vec<u8>, change: Change) -> Self {
        Self { bytes, captions: Vec::new(), change, report: None, footprints: Vec::new(), carries: 0 }
    }

    /// What it says for the first time, as lines for whoever reads no packets, with their priorities.
    #[must_use]
    pub fn lines(&self) -> Vec<(String, u8)> {
        let said = |waiting: &Waiting| {
            let caption = &waiting.caption;
            let outside = caption.outside.map_or(String::new(), |reason| format!("({reason}) "));
            (format!("{outside}{}", caption.text), caption.priority)
        };
        let captions = self.captions.iter().filter(|waiting| waiting.tries <= 1).map(said);
        let reports = self.report.iter().filter(|(_, is_new)| *is_new).map(|(report, _)| (report.line(), 1));
        captions.chain(reports).collect()
    }
}

/// What there is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Send this.
    Send(Outgoing),
    /// Nothing for so many seconds: all that waits has been sent, or may not be sent now.
    Wait(f64),
    /// Nothing waits.
    Empty,
}

/// What a port takes.
#[derive(Clone, Copy)]
pub struct Room<'a> {
    /// Bytes of its largest packet.
    pub largest: usize,
    /// Bytes that a packet takes with its frame.
    pub cost: &'a dyn Fn(usize) -> usize,
}
