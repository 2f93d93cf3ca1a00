//! The source's thread: reads frames and passes them on, waiting where the captioner is busy, or dropping them where they are live.

use super::at_work::AtWork;
use super::control::{Control, Faults, TICK, rest_while};
use super::error::{Result, chain};
use super::frame_queue::{FrameSender, Refused};
use super::outcome::Dropped;
use super::position::TagFaults;
use super::sources::{Ledger, Next, Source};
use super::store::{ChangeKind, DEBRIS, Outcome, Store};
use super::vitals::Pulse;
use cssa_wire::FaultKind;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Frames after which settled frames that cannot come again are forgotten.
const TIDY: u64 = 1000;

/// What is known of frames: those that are settled by the store, those at work by their file.
pub(super) struct Known {
    pub(super) store: Arc<Store>,
    pub(super) at_work: Arc<AtWork>,
    pub(super) control: Control,
    pub(super) pulse: Arc<Pulse>,
}

impl Ledger for Known {
    fn is_settled(&self, key: &str) -> bool {
        // A store that does not answer now will be asked again when the frame is settled.
        self.store.is_done(key).unwrap_or(false)
    }

    fn begin(&self, key: &str) {
        self.at_work.begin(key, || {
            self.pulse.beat();
            !self.control.is_stopped()
        });
    }

    fn flush(&self) -> Result<()> {
        self.store.flush()
    }
}

/// Starts the thread. A source that fails before its first frame ends it.
pub(super) fn read(
    mut source: Box<dyn Source>,
    known: Known,
    frames: FrameSender,
    faults: Faults,
) -> JoinHandle<Result<()>> {
    std::thread::spawn(move || {
        source.pulse(&known.pulse);
        let Known { store, at_work, control, pulse } = &known;
        let (mut given, mut tags) = (0u64, TagFaults::new(faults.clone()));
        let pause = |time| rest_while(time, || !control.is_stopped());
        while !control.is_stopped() {
            pulse.beat();
            let next = source.next(&known);
            match &next {
                Ok(Next::Frame(frame)) => at_work.give(frame.key.as_deref()),
                _ => at_work.rest(),
            }
            match next {
                Ok(Next::Frame(frame)) => {
                    given += 1;
                    tags.note(&frame.name, &frame.problems);
                    if given.is_multiple_of(TIDY)
                        && let Err(error) = store.forget(|key| source.is_gone(key))
                    {
                        faults.record(FaultKind::StoreErrors, chain(&error));
                    }
                    if source.is_live() {
                        match frames.try_send(frame) {
                            Ok(()) => {}
                            Err(Refused::Full) => {
                                let (change, busy) =
                                    (store.change(ChangeKind::Refused), Outcome::Dropped(Dropped::Busy));
                                while let Err(error) = store.settle(change, None, &busy) {
                                    faults.record(FaultKind::StoreErrors, chain(&error));
                                    if control.is_stopped() {
                                        return Ok(());
                                    }
                                    pulse.beat();
                                    std::thread::sleep(TICK);
                                }
                            }
                            Err(Refused::Ended) => return Ok(()),
                        }
                    } else if frames.send(frame, || pulse.beat()).is_err() {
                        return Ok(());
                    }
                }
                Ok(Next::Debris { bytes, said }) => {
                    if let Some(said) = said {
                        tracing::warn!("{said}");
                    }
                    if let Err(error) = store.count_by(DEBRIS, bytes) {
                        faults.record(FaultKind::StoreErrors, chain(&error));
                    }
                }
                Ok(Next::Unread(error)) => {
                    tracing::warn!("{}", chain(&error));
                    faults.count(FaultKind::UnreadFiles, chain(&error));
                }
                Ok(Next::Nothing) => pause(TICK),
                Ok(Next::End) => return Ok(()),
                // What was ended with the program is no fault.
                Ok(Next::Failed(_)) | Err(_) if control.is_stopped() => return Ok(()),
                Ok(Next::Failed(error)) => {
                    faults.record(FaultKind::SourceErrors, chain(&error));
                    pause(TICK);
                }
                // What has worked before is expected back.
                Err(error) if given > 0 && !source.ends_with_an_error() => {
                    faults.record(FaultKind::SourceErrors, chain(&error));
                    pause(Duration::from_secs(1));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    })
}
