//! Reads what may come late or never, and shows that its thread is alive meanwhile.

use super::control::TICK;
use super::vitals::Pulse;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;

/// A pipe, waited for as long as it takes.
#[derive(Debug)]
pub(crate) struct Patient<R> {
    input: R,
    /// Of the thread that reads, where somebody looks after it.
    pulse: Option<Arc<Pulse>>,
}

impl<R: Read + AsFd> Patient<R> {
    pub(crate) fn new(input: R, pulse: Option<Arc<Pulse>>) -> Self {
        Self { input, pulse }
    }

    /// Waits until there is something to read, or the end.
    fn wait(&self) -> io::Result<()> {
        let tick = Timespec { tv_sec: 0, tv_nsec: i64::from(TICK.subsec_nanos()) };
        loop {
            self.pulse.iter().for_each(|pulse| pulse.beat());
            match poll(&mut [PollFd::new(&self.input, PollFlags::IN)], Some(&tick)) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl<R: Read + AsFd> Read for Patient<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            self.wait()?;
            match self.input.read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vitals::Vitals;
    use anyhow::Result;
    use std::io::Write;
    use std::time::Duration;

    #[test]
    fn who_waits_is_alive_until_something_comes() -> Result<()> {
        let vitals = Vitals::start();
        let (output, mut input) = io::pipe()?;
        let mut patient = Patient::new(output, Some(Arc::new(vitals.watch("the source", 3 * TICK))));
        let reading = std::thread::spawn(move || {
            let mut bytes = [0; 8];
            let first = patient.read(&mut bytes).ok();
            (first, bytes, patient.read(&mut bytes).ok())
        });
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(vitals.lifeless(), [], "nothing came for five ticks");
        input.write_all(b"ab")?;
        drop(input);
        let ended = reading.join().ok();
        assert_eq!(ended, Some((Some(2), *b"ab\0\0\0\0\0\0", Some(0))));
        Ok(())
    }
}
