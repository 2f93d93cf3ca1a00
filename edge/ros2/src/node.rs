//! The node at work: takes what comes, hands the newest frame to the captioner, tells what became of it.

use crate::error::{Error, Result};
use crate::flow::{Flow, Left};
use crate::frame::Outcome;
use crate::slot::Slot;
use crate::topics::Topics;
use crate::worker;
use cssa_captioner::Captioner;
use ros2_client::dds::rustdds::mio1::event::Source;
use ros2_client::dds::rustdds::mio1::{Events, Interest, Poll, Token, Waker};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::{Duration, Instant};

/// Between two diagnostics.
const REPORTED: Duration = Duration::from_secs(1);
/// So soon a signal is heard, and a captioner that died is missed.
const LOOKED: Duration = Duration::from_millis(200);
/// Telling the other nodes that this one goes takes at most so long.
const FAREWELL: Duration = Duration::from_secs(1);
/// What wakes the loop: who it was does not matter.
const WOKEN: Token = Token(0);

/// Captions until `stop` is set.
///
/// # Errors
/// The system does not let it wait, the captioner's thread ended, or more than `most` MiB are in memory.
pub(crate) fn run(
    mut topics: Topics,
    captioner: Captioner,
    bundle: String,
    most: usize,
    stop: &AtomicBool,
) -> Result<()> {
    let mut poll = Poll::new().map_err(Error::Wait)?;
    register(&mut topics, &poll).map_err(Error::Wait)?;
    let waker = Waker::new(poll.registry(), WOKEN).map_err(Error::Wait)?;
    serve_parameters(&mut topics)?;
    let (slot, runtime, at_work) = (Arc::new(Slot::default()), captioner.active(), captioner.at_work());
    let wake = move || {
        if let Err(problem) = waker.wake() {
            tracing::warn!("a caption is told {} ms late: {problem}", LOOKED.as_millis());
        }
    };
    let outcomes = worker::spawn(captioner, Arc::clone(&slot), wake).map_err(Error::Wait)?;
    tracing::info!("{} captions {} with {at_work}", topics.node.fully_qualified_name(), topics.frames_from());

    let mut flow = Flow::new(topics, Arc::clone(&slot), bundle, runtime);
    let ended = caption(&mut flow, &outcomes, &mut poll, most, stop);
    slot.end();
    match ended {
        // RustDDS is at work on what will never end, and dropping what is its own waits for that.
        Err(Error::Memory { .. }) => std::mem::forget(flow),
        _ => leave(flow),
    }
    ended
}

fn caption(
    flow: &mut Flow,
    outcomes: &Receiver<Outcome>,
    poll: &mut Poll,
    most: usize,
    stop: &AtomicBool,
) -> Result<()> {
    let (mut events, mut report) = (Events::with_capacity(16), Instant::now() + REPORTED);
    while !stop.load(Ordering::Relaxed) {
        let wait = report.saturating_duration_since(Instant::now()).min(LOOKED);
        let wait = if flow.take() == Left::Maybe { Duration::ZERO } else { wait };
        loop {
            match outcomes.try_recv() {
                Ok(outcome) => flow.tell(outcome),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Err(Error::Worker),
            }
        }
        if report <= Instant::now() {
            check_memory(most)?;
            flow.report();
            report = Instant::now() + REPORTED;
        }
        match poll.poll(&mut events, Some(wait)) {
            Err(problem) if problem.kind() != ErrorKind::Interrupted => return Err(Error::Wait(problem)),
            _ => {}
        }
    }
    tracing::info!("ended: {}", flow.summary());
    Ok(())
}

/// Tells the others and drops what is RustDDS's, in a thread that nobody waits for longer than it takes: RustDDS may be busy for ever.
fn leave(flow: Flow) {
    let (left, gone) = mpsc::channel();
    let leaving = std::thread::Builder::new().name("leaving".into()).spawn(move || {
        drop(flow);
        // Where nobody waits any more nobody is told.
        left.send(()).ok();
    });
    if leaving.is_err() || gone.recv_timeout(FAREWELL).is_err() {
        tracing::warn!("the other nodes were not told of the end: RustDDS is busy");
    }
}

/// One datagram can make RustDDS take memory without an end, and hear nothing meanwhile: the node ends, and whoever started it starts it again.
fn check_memory(most: usize) -> Result<()> {
    let resident = cssa::process::memory().map_or(0.0, |memory| memory.resident_mib);
    if resident > most as f64 { Err(Error::Memory { resident, most }) } else { Ok(()) }
}

fn register(topics: &mut Topics, poll: &Poll) -> std::io::Result<()> {
    let add = |source: &mut dyn Source| source.register(poll.registry(), WOKEN, Interest::READABLE);
    if let Some(images) = &mut topics.images {
        add(&mut images.messages)?;
    }
    if let Some(files) = &mut topics.files {
        add(&mut files.messages)?;
    }
    add(&mut topics.fixes.messages)?;
    add(&mut topics.service)
}

/// Calls of `get_parameters` and the like are answered, and other nodes are met, in a thread of its own, until the node is dropped.
fn serve_parameters(topics: &mut Topics) -> Result<()> {
    let refused = |problem: String| Error::Dds { what: "the services of parameters".into(), problem };
    let spinner = topics.node.spinner().map_err(|problem| refused(problem.to_string()))?;
    let serve = move || {
        if let Err(problem) = futures_executor::block_on(spinner.spin()) {
            tracing::warn!("parameters are not served any more: {problem}");
        }
    };
    std::thread::Builder::new().name("parameters".into()).spawn(serve).map_err(Error::Wait)?;
    Ok(())
}
