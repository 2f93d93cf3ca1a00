//! Frames that wait between the source and the captioner: bounded in number and in bytes of their pixels.

use super::sources::Frame;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Holds at most `frames` frames, and at most `bytes` bytes of pixels or one frame.
pub(super) fn frame_queue(frames: usize, bytes: u64) -> (FrameSender, FrameReceiver) {
    let (sender, receiver) = sync_channel(frames);
    let room = Arc::new(Room { most: bytes, held: Mutex::new(Some(0)), changed: Condvar::new() });
    (FrameSender { frames: sender, room: Arc::clone(&room) }, FrameReceiver { frames: receiver, room })
}

/// The source's end.
pub(super) struct FrameSender {
    frames: SyncSender<Frame>,
    room: Arc<Room>,
}

/// The captioner's end.
pub(super) struct FrameReceiver {
    frames: Receiver<Frame>,
    room: Arc<Room>,
}

/// Bytes that wait.
struct Room {
    most: u64,
    /// `None` where nobody takes frames any more.
    held: Mutex<Option<u64>>,
    changed: Condvar,
}

impl FrameSender {
    /// Waits for room. A frame that nobody takes any more is gone.
    pub(super) fn send(&self, frame: Frame) -> Result<(), SendError<()>> {
        let bytes = bytes(&frame);
        let held = self.room.held.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |held: &mut Option<u64>| held.is_some_and(|held| self.room.is_full(held, bytes));
        let mut held = self.room.changed.wait_while(held, full).unwrap_or_else(PoisonError::into_inner);
        match held.as_mut() {
            Some(held) => *held += bytes,
            None => return Err(SendError(())),
        }
        // Whoever drops the other end must not find the lock held by one that waits for it.
        drop(held);
        self.frames.send(frame).map_err(|_| SendError(()))
    }

    /// Does not wait. A frame that has no room is gone.
    pub(super) fn try_send(&self, frame: Frame) -> Result<(), TrySendError<()>> {
        let bytes = bytes(&frame);
        let mut held = self.room.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = held.as_mut() else { return Err(TrySendError::Disconnected(())) };
        if self.room.is_full(*held, bytes) {
            return Err(TrySendError::Full(()));
        }
        self.frames.try_send(frame).map_err(|error| match error {
            TrySendError::Full(_) => TrySendError::Full(()),
            TrySendError::Disconnected(_) => TrySendError::Disconnected(()),
        })?;
        *held += bytes;
        Ok(())
    }
}

impl FrameReceiver {
    /// The next frame, waited for so long.
    pub(super) fn recv_timeout(&self, most: Duration) -> Result<Frame, RecvTimeoutError> {
        self.frames.recv_timeout(most).inspect(|frame| self.room.leave(frame))
    }

    /// The frames that wait now.
    pub(super) fn try_iter(&self) -> impl Iterator<Item = Frame> + '_ {
        self.frames.try_iter().inspect(|frame| self.room.leave(frame))
    }
}

impl Drop for FrameReceiver {
    fn drop(&mut self) {
        *self.room.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.room.changed.notify_all();
    }
}

impl Room {
    fn is_full(&self, held: u64, more: u64) -> bool {
        held > 0 && held + more > self.most
    }

    fn leave(&self, frame: &Frame) {
        if let Some(held) = self.held.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            *held = held.saturating_sub(bytes(frame));
        }
        self.changed.notify_all();
    }
}

fn bytes(frame: &Frame) -> u64 {
    frame.pixels.as_ref().map_or(0, |pixels| pixels.as_raw().len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Whereabouts;
    use crate::sources::Taken;
    use image::RgbImage;

    fn frame(side: u32) -> Frame {
        Frame {
            name: String::new(),
            key: None,
            pixels: Ok(RgbImage::new(side, side)),
            position: Whereabouts::Unsaid,
            taken: Taken::arrived(),
            problems: Vec::new(),
        }
    }

    #[test]
    fn a_queue_holds_so_many_bytes_or_one_frame() {
        let (sender, receiver) = frame_queue(4, 700);
        assert!(sender.try_send(frame(100)).is_ok(), "a frame alone always passes");
        assert!(matches!(sender.try_send(frame(1)), Err(TrySendError::Full(_))));
        assert_eq!(receiver.try_iter().count(), 1);
        for expected in [true, true, false] {
            assert_eq!(sender.try_send(frame(10)).is_ok(), expected);
        }
        let waiting = std::thread::spawn(move || sender.send(frame(10)).and_then(|()| sender.send(frame(10))).is_err());
        assert!(receiver.recv_timeout(Duration::from_secs(5)).is_ok());
        assert!(receiver.recv_timeout(Duration::from_secs(5)).is_ok());
        assert!(receiver.recv_timeout(Duration::from_secs(5)).is_ok());
        drop(receiver);
        assert!(waiting.join().is_ok());
    }

    #[test]
    fn whoever_waits_for_room_learns_that_nobody_takes_frames() {
        let (sender, receiver) = frame_queue(4, 10);
        assert!(sender.send(frame(5)).is_ok());
        let waiting = std::thread::spawn(move || sender.send(frame(5)).is_err());
        std::thread::sleep(Duration::from_millis(50));
        drop(receiver);
        assert!(waiting.join().is_ok_and(|refused| refused));
    }
}
