//! Commands and acknowledgements from the ground, with a keyed code of authentication and a replay window.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | command version, [`COMMAND_VERSION`] |
//! | 8 | counter, u64 little-endian: higher than that of any command before under the same key |
//! | 1 and more | the [`Command`], by postcard: its number, then its fields |
//! | 16 | HMAC-SHA-256 over all bytes before, its first 16 (the baseline of CCSDS 355.0-B) |
//!
//! The counter is the clock's milliseconds or more, so that one whose archive is gone goes on where its clock is. A receiver takes
//! each counter once, and none that is 64 or more below the highest: [`Window`] (as RFC 4303, 3.4.3).

use alloc::vec::Vec;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The version that this code writes and reads.
pub const COMMAND_VERSION: u8 = 0xc1;
/// Bytes of a sealed command at most: what a MAVLink TUNNEL holds.
pub const MAX_COMMAND: usize = 128;
/// Bytes of a key.
pub const KEY: usize = 32;

const HEADER: usize = 9;
const CODE: usize = 16;
/// Captions of an [`SelectiveAck`] at most.
const MAX_ACKS: usize = 32;

/// What the ground says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Captions have arrived.
    Acknowledge(Vec<SelectiveAck>),
    /// Caption the golden image and report.
    SelfTest,
}

/// Captions that have arrived: which, and what. Numbers alone would do for a packet that somebody else made up, or that another
/// vehicle sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectiveAck {
    /// The first one's number.
    first: u32,
    /// A bitmap from `first` on, by the lengths of its runs: so many arrived, so many did not, and so on. At most 32 arrived.
    runs: Vec<u32>,
    /// The sum of the captions' [`digest`]s, modulo 2^32.
    digest: u32,
}

/// CRC-32/ISO-HDLC over a caption's number and time, both little-endian, and its words: what an acknowledgement is bound to.
#[must_use]
pub fn digest(sequence: u32, time: u32, text: &str) -> u32 {
    let mut content = Vec::with_capacity(8 + text.len());
    content.extend(sequence.to_le_bytes());
    content.extend(time.to_le_bytes());
    content.extend(text.as_bytes());
    crate::checksum::crc_32(&content)
}

/// What both ends know and nobody else: one key for each vehicle.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY]);

/// Why a command is not obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No command at all.
    #[error("no command: {found} bytes, expected version {COMMAND_VERSION:#04x} and 26 to {MAX_COMMAND} bytes")]
    Format {
        /// Bytes.
        found: usize,
    },
    /// Another key, or changed on the way.
    #[error("the command's code of authentication is wrong: another key, or changed on the way")]
    Code,
    /// Authentic, but not what this version knows.
    #[error("malformed command")]
    Malformed,
}

impl Key {
    /// A key of its bytes.
    #[must_use]
    pub fn new(bytes: [u8; KEY]) -> Self {
        Self(bytes)
    }

    /// A key of 64 hexadecimal digits.
    #[must_use]
    pub fn from_hexadecimal(text: &str) -> Option<Self> {
        let digits: Vec<u8> =
            text.trim().chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
        let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        if digits.len() != 2 * KEY {
            return None;
        }
        Some(Self(bytes.try_into().ok()?))
    }

    fn code(&self, content: &[u8]) -> Hmac<Sha256> {
        // HMAC fills a key up to a block of the hash with zeros.
        let mut block = [0; 64];
        block[..KEY].copy_from_slice(&self.0);
        let mut code = <Hmac<Sha256> as KeyInit>::new(&block.into());
        code.update(content);
        code
    }
}

impl core::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("Key")
    }
}

impl SelectiveAck {
    /// Arrivals of captions by number and digest; more than one where there are more than 32.
    #[must_use]
    pub fn of(captions: impl IntoIterator<Item = (u32, u32)>) -> Vec<Self> {
        let captions: Vec<(u32, u32)> =
            captions.into_iter().collect::<alloc::collections::BTreeMap<_, _>>().into_iter().collect();
        captions.chunks(MAX_ACKS).map(Self::of_few).collect()
    }

    /// Of at least one and at most 32 captions, in the order of their numbers.
    fn of_few(captions: &[(u32, u32)]) -> Self {
        let first = captions.first().map_or(0, |caption| caption.0);
        let (mut runs, mut next) = (alloc::vec![0], first);
        for &(number, _) in captions {
            if number != next {
                runs.extend([number.wrapping_sub(next), 0]);
            }
            if let Some(run) = runs.last_mut() {
                *run += 1;
            }
            next = number.wrapping_add(1);
        }
        let digest = captions.iter().fold(0, |sum: u32, caption| sum.wrapping_add(caption.1));
        Self { first, runs, digest }
    }

    /// The captions' numbers.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        let mut start = self.first;
        let runs = self.runs.chunks(2).map(move |run| {
            let arrived = start;
            start = run.iter().fold(start, |start, &length| start.wrapping_add(length));
            (arrived, run[0])
        });
        runs.flat_map(|(start, length)| (0..length).map(move |n| start.wrapping_add(n)))
    }

    /// Whether there are no more captions than there may be.
    fn is_bounded(&self) -> bool {
        self.runs.iter().step_by(2).map(|&length| u64::from(length)).sum::<u64>() <= MAX_ACKS as u64
    }

    /// Whether these are the captions, by their digests in the order of [`SelectiveAck::numbers`].
    pub fn is_of(&self, digests: impl IntoIterator<Item = u32>) -> bool {
        digests.into_iter().fold(0, u32::wrapping_add) == self.digest
    }
}

impl Command {
    /// As many of the arrivals, the first ones first, as one command holds.
    #[must_use]
    pub fn acknowledge(arrivals: impl IntoIterator<Item = SelectiveAck>) -> Self {
        // Version, counter, the command's number, a length, code.
        let (mut taken, mut left) = (Vec::new(), MAX_COMMAND - HEADER - 2 - CODE);
        for arrival in arrivals {
            let size = postcard::to_allocvec(&arrival).map_or(usize::MAX, |bytes| bytes.len());
            if size <= left && taken.len() < 127 {
                left -= size;
                taken.push(arrival);
            }
        }
        Self::Acknowledge(taken)
    }

    /// The command's bytes under a key.
    pub fn seal(&self, counter: u64, key: &Key) -> Result<Vec<u8>, CommandError> {
        let mut bytes = alloc::vec![COMMAND_VERSION];
        bytes.extend(counter.to_le_bytes());
        bytes.extend(postcard::to_allocvec(self).map_err(|_| CommandError::Malformed)?);
        let code = key.code(&bytes).finalize().into_bytes();
        bytes.extend(&code[..CODE]);
        if bytes.len() > MAX_COMMAND {
            return Err(CommandError::Format { found: bytes.len() });
        }
        Ok(bytes)
    }

    /// A command and its counter; whether that is new is for a [`Window`] to say. Never panics, whatever the bytes.
    pub fn open(bytes: &[u8], key: &Key) -> Result<(u64, Self), CommandError> {
        let wrong = CommandError::Format { found: bytes.len() };
        if !is_command(bytes) {
            return Err(wrong);
        }
        let (content, code) = bytes.split_last_chunk::<CODE>().ok_or(wrong)?;
        key.code(content).verify_truncated_left(code).map_err(|_| CommandError::Code)?;
        let (header, command) = content.split_first_chunk::<HEADER>().ok_or(wrong)?;
        let counter = header[1..].try_into().map(u64::from_le_bytes).map_err(|_| wrong)?;
        match postcard::take_from_bytes(command) {
            Ok((Self::Acknowledge(arrivals), [])) if !arrivals.iter().all(SelectiveAck::is_bounded) => {
                Err(CommandError::Malformed)
            }
            Ok((command, [])) => Ok((counter, command)),
            _ => Err(CommandError::Malformed),
        }
    }
}

/// Whether bytes look like a command.
#[must_use]
pub fn is_command(bytes: &[u8]) -> bool {
    (HEADER + 1 + CODE..=MAX_COMMAND).contains(&bytes.len()) && bytes[0] == COMMAND_VERSION
}

/// Which counters have been: the highest, and a bit for each of the 64 up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    highest: u64,
    seen: u64,
}

impl Window {
    /// A window that takes nothing up to `counter`.
    #[must_use]
    pub fn after(counter: u64) -> Self {
        Self { highest: counter, seen: u64::MAX }
    }

    /// Takes a counter that has not been; `false` where it has, or may have.
    pub fn take(&mut self, counter: u64) -> bool {
        if counter > self.highest {
            let ahead = counter - self.highest;
            self.seen = if ahead < 64 { self.seen << ahead | 1 } else { 1 };
            self.highest = counter;
            return true;
        }
        let behind = self.highest - counter;
        let is_new = behind < 64 && self.seen >> behind & 1 == 0;
        if is_new {
            self.seen |= 1 << behind;
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn key() -> Key {
        Key::new([7; KEY])
    }

    #[test]
    fn a_command_comes_back_under_its_key_only() -> Result<(), CommandError> {
        let numbers = [4, 5, 9, 515, 516, 90_000, u32::MAX];
        let digests = |time| numbers.map(|number| digest(number, time, "a river"));
        let arrivals = SelectiveAck::of(numbers.into_iter().zip(digests(7)));
        assert_eq!(arrivals.len(), 1);
        assert_eq!(arrivals[0].numbers().collect::<Vec<_>>(), numbers);
        assert!(arrivals[0].is_of(digests(7)) && !arrivals[0].is_of(digests(8)));
        let scattered = SelectiveAck::of((0..64).map(|n| (n << 8, 0)));
        assert_eq!(
            scattered.iter().flat_map(SelectiveAck::numbers).collect::<Vec<_>>(),
            (0..64).map(|n| n << 8).collect::<Vec<_>>()
        );
        let taken = |command: &Command| match command {
            Command::Acknowledge(taken) => taken.len(),
            Command::SelfTest => 0,
        };
        assert_eq!(taken(&Command::acknowledge(scattered.clone())), 1, "the other one has no room");
        let runs = (0..20).flat_map(|n| SelectiveAck::of((40 * n..40 * n + 32).map(|n| (n, u32::MAX / 7))));
        assert!(taken(&Command::acknowledge(runs)) >= 10);
        let endless = Command::Acknowledge(alloc::vec![SelectiveAck { first: 0, runs: alloc::vec![33], digest: 0 }]);
        assert_eq!(Command::open(&endless.seal(1, &key())?, &key()), Err(CommandError::Malformed));
        for command in [Command::acknowledge(arrivals), Command::acknowledge(scattered), Command::SelfTest] {
            let sealed = command.seal(12, &key())?;
            assert!(sealed.len() <= MAX_COMMAND);
            assert_eq!(Command::open(&sealed, &key())?, (12, command.clone()));
            assert_eq!(Command::open(&sealed, &Key::new([8; KEY])), Err(CommandError::Code));
            for at in 0..sealed.len() {
                let mut changed = sealed.clone();
                changed[at] ^= 1;
                assert!(Command::open(&changed, &key()).is_err(), "byte {at}");
            }
        }
        assert_eq!(Command::open(&[], &key()), Err(CommandError::Format { found: 0 }));
        Ok(())
    }

    #[test]
    fn keys_are_64_digits() {
        assert_eq!(Key::from_hexadecimal(&"07".repeat(32)), Some(key()));
        let long = "0".repeat(66);
        for wrong in ["", "07", "x", long.as_str(), &"0g".repeat(32)] {
            assert_eq!(Key::from_hexadecimal(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_counter_is_taken_once() {
        let mut window = Window::after(100);
        let taken = [100, 40, 101, 101, 103, 102, 102, 300, 237, 236, 300, 299].map(|counter| window.take(counter));
        assert_eq!(taken, [false, false, true, false, true, true, false, true, true, false, false, true]);
        let mut window = Window::default();
        assert!(window.take(0) && !window.take(0) && window.take(u64::MAX) && !window.take(0));
    }

    proptest! {
        #[test]
        fn any_bytes_are_no_command_or_one(bytes in proptest::collection::vec(any::<u8>(), 0..300), counters in proptest::collection::vec(0u64..200, 0..300)) {
            let _ = Command::open(&bytes, &key());
            let mut content = vec![COMMAND_VERSION; 1];
            content.extend(&bytes);
            let code = key().code(&content).finalize().into_bytes();
            content.extend(&code[..CODE]);
            let _ = Command::open(&content, &key());
            let (mut window, mut seen) = (Window::default(), alloc::collections::BTreeSet::new());
            for counter in counters {
                if window.take(counter) {
                    prop_assert!(seen.insert(counter));
                }
            }
        }
    }
}
