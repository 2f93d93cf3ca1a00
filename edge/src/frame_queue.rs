//! Frames that wait between the source and the captioner: bounded in number and in bytes of their pixels.

use super::control::TICK;
use super::sources::Frame;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Holds at most `frames` frames, and at most `bytes` bytes of pixels or one frame; those at hand count until the next are asked for.
pub(super) fn frame_queue(frames: usize, bytes: u64) -> (FrameSender, FrameReceiver) {
    let queue = Arc::new(Queue { most: (frames, bytes), held: Mutex::default(), changed: Condvar::new() });
    (FrameSender(Arc::clone(&queue)), FrameReceiver(queue))
}

/// The source's end.
pub(super) struct FrameSender(Arc<Queue>);

/// The captioner's end.
pub(super) struct FrameReceiver(Arc<Queue>);

/// Why a frame was not taken; it is gone.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is no room now.
    Full,
    /// Nobody takes frames any more.
    Ended,
}

/// What a wait for frames gave.
#[derive(Debug)]
pub(super) enum Taken {
    /// Frames, one at least.
    Frames(Vec<Frame>),
    /// None in time.
    Nothing,
    /// None ever again.
    End,
}

struct Queue {
    most: (usize, u64),
    held: Mutex<Held>,
    changed: Condvar,
}

#[derive(Default)]
struct Held {
    waiting: VecDeque<Frame>,
    /// Bytes of frames that wait, and of those that were taken last.
    bytes: u64,
    at_hand: u64,
    /// One end is gone.
    is_over: bool,
}

impl FrameSender {
    /// Waits for room, and calls `alive` several times a second meanwhile.
    pub(super) fn send(&self, frame: Frame, alive: impl Fn()) -> Result<(), Refused> {
        let mut held = self.0.lock();
        while !held.is_over && self.0.is_full(&held, &frame) {
            alive();
            held = self.0.changed.wait_timeout(held, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.0.push(held, frame)
    }

    /// Does not wait.
    pub(super) fn try_send(&self, frame: Frame) -> Result<(), Refused> {
        let held = self.0.lock();
        if !held.is_over && self.0.is_full(&held, &frame) {
            return Err(Refused::Full);
        }
        self.0.push(held, frame)
    }
}

impl FrameReceiver {
    /// The next frames that wait, `most` at most; one is waited for so long. Those that were taken before are done with.
    pub(super) fn take(&self, most: usize, wait: Duration) -> Taken {
        let mut held = self.0.lock();
        held.bytes -= std::mem::take(&mut held.at_hand);
        self.0.changed.notify_all();
        let is_idle = |held: &mut Held| held.waiting.is_empty() && !held.is_over;
        let waited = self.0.changed.wait_timeout_while(held, wait, is_idle);
        let mut held = waited.unwrap_or_else(PoisonError::into_inner).0;
        let count = most.min(held.waiting.len());
        let frames: Vec<Frame> = held.waiting.drain(..count).collect();
        held.at_hand = frames.iter().map(bytes).sum();
        match frames.is_empty() {
            false => Taken::Frames(frames),
            true if held.is_over => Taken::End,
            true => Taken::Nothing,
        }
    }

    /// No more frames are taken; gives those that wait.
    pub(super) fn close(self) -> impl Iterator<Item = Frame> {
        let mut held = self.0.lock();
        held.is_over = true;
        std::mem::take(&mut held.waiting).into_iter()
    }
}

impl Drop for FrameSender {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Drop for FrameReceiver {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_full(&self, held: &Held, frame: &Frame) -> bool {
        let (frames, most) = self.most;
        held.waiting.len() >= frames || (held.bytes > 0 && held.bytes + bytes(frame) > most)
    }

    fn push(&self, mut held: MutexGuard<'_, Held>, frame: Frame) -> Result<(), Refused> {
        if held.is_over {
            return Err(Refused::Ended);
        }
        held.bytes += bytes(&frame);
        held.waiting.push_back(frame);
        drop(held);
        self.changed.notify_all();
        Ok(())
    }

    fn end(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }
}

fn bytes(frame: &Frame) -> u64 {
    frame.pixels.as_ref().map_or(0, |pixels| pixels.as_raw().len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::{View, Whereabouts};

    use image::RgbImage;

    fn frame(side: u32) -> Frame {
        Frame {
            name: String::new(),
            key: None,
            pixels: Ok(RgbImage::new(side, side)),
            position: Whereabouts::Unsaid,
            view: View::default(),
            taken: crate::sources::Taken::arrived(),
            problems: Vec::new(),
        }
    }

    fn count(taken: &Taken) -> Option<usize> {
        match taken {
            Taken::Frames(frames) => Some(frames.len()),
            Taken::Nothing => Some(0),
            Taken::End => None,
        }
    }

    #[test]
    fn a_queue_holds_so_many_bytes_or_one_frame_with_those_at_hand() {
        let (sender, receiver) = frame_queue(4, 700);
        let now = Duration::ZERO;
        assert_eq!(sender.try_send(frame(100)), Ok(()), "a frame alone always passes");
        assert_eq!(sender.try_send(frame(1)), Err(Refused::Full));
        assert_eq!(count(&receiver.take(4, now)), Some(1));
        assert_eq!(sender.try_send(frame(1)), Err(Refused::Full), "the one at hand is still held");
        assert_eq!(count(&receiver.take(4, now)), Some(0));
        for expected in [Ok(()), Ok(()), Err(Refused::Full)] {
            assert_eq!(sender.try_send(frame(10)), expected);
        }
        let alive = Arc::new(Mutex::new(0));
        let told = Arc::clone(&alive);
        let waiting = std::thread::spawn(move || {
            let tell = || *told.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            sender.send(frame(10), tell).is_ok() && sender.send(frame(20), tell).is_ok()
        });
        std::thread::sleep(3 * TICK);
        assert!(*alive.lock().unwrap_or_else(PoisonError::into_inner) >= 2, "who waits is alive");
        assert_eq!(count(&receiver.take(2, now)), Some(2));
        assert_eq!(count(&receiver.take(2, Duration::from_secs(5))), Some(1));
        assert_eq!(count(&receiver.take(2, Duration::from_secs(5))), Some(1));
        assert!(waiting.join().is_ok_and(|sent| sent));
        assert_eq!(count(&receiver.take(2, Duration::from_secs(5))), None, "the source has ended");
    }

    #[test]
    fn a_queue_holds_so_many_frames() {
        let (sender, receiver) = frame_queue(2, 1 << 20);
        assert_eq!([(); 3].map(|()| sender.try_send(frame(1)).is_ok()), [true, true, false]);
        assert_eq!(receiver.close().count(), 2);
        assert_eq!(sender.try_send(frame(1)), Err(Refused::Ended));
    }

    #[test]
    fn whoever_waits_for_room_learns_that_nobody_takes_frames() {
        let (sender, receiver) = frame_queue(4, 10);
        assert_eq!(sender.try_send(frame(5)), Ok(()));
        let waiting = std::thread::spawn(move || sender.send(frame(5), || {}));
        std::thread::sleep(Duration::from_millis(50));
        drop(receiver);
        assert!(waiting.join().is_ok_and(|refused| refused == Err(Refused::Ended)));
    }
}
