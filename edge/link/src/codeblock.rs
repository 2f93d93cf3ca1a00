//! Reed–Solomon codeblocks on the link (CCSDS 131.0-B-5): the attached sync marker, then 223 bytes of data and 32 of parity in the
//! dual basis, pseudo-randomized. What the data leaves free is filled with an idle space packet.

use crate::found::FrameError;
use crate::space_packet;
use fec::reed_solomon::ccsds::dual_to_conv;
use fec::reed_solomon::{Decoder, Encoder};

/// Bytes of data in a block.
pub(crate) const DATA: usize = 223;
/// Bytes of a block with its marker.
pub(crate) const SIZE: usize = BLOCK + MARKER.len();
const BLOCK: usize = 255;
/// 131.0-B-5, 9.3.4.1.
const MARKER: [u8; 4] = [0x1a, 0xcf, 0xfc, 0x1d];
/// Bits of a marker that may be wrong, and of one that is where it must be. It is never left unseen: a codeblock that has slipped by
/// whole bytes is nearly a codeword, and the pseudo-random sequence does not help.
const WRONG_BITS: u32 = 3;
const WRONG_BITS_LOCKED: u32 = 10;
/// By so many bytes a codeblock can have slipped and be corrected: a marker so shortly before another one is looked at beside that.
const SLIP: usize = (BLOCK - DATA) / 2;

/// The coder of both directions.
#[derive(Debug)]
pub(crate) struct Coding {
    encoder: Encoder,
    decoder: Decoder,
    random: [u8; BLOCK],
    /// The last block was good, so the next marker is expected where it ended.
    is_locked: bool,
}

impl Coding {
    pub(crate) fn new() -> Self {
        Self { encoder: Encoder::new_ccsds(), decoder: Decoder::new_ccsds(), random: random(), is_locked: false }
    }

    /// Marker and codeblock with at most [`DATA`] bytes; what is longer is cut, so that senders look at the limit first.
    pub(crate) fn encode(&mut self, data: &[u8]) -> Vec<u8> {
        let mut block = data[..data.len().min(DATA)].to_vec();
        block.extend(space_packet::idle(DATA - block.len()));
        let mut parity = [0; BLOCK - DATA];
        // Exactly the message's length and the parity's: nothing else can fail.
        let _done = self.encoder.encode_ccsds_dual(&block, &mut parity);
        block.extend(parity);
        block.iter_mut().zip(self.random).for_each(|(byte, random)| *byte ^= random);
        [&MARKER[..], &block].concat()
    }

    /// The data of all codeblocks in a stream, and how many bytes of it are done with. What lies between two good ones is at most two
    /// problems, however many markers are in it.
    pub(crate) fn scan(&mut self, stream: &[u8], ended: bool) -> (usize, Vec<Result<Vec<u8>, FrameError>>) {
        let (mut at, mut between, mut found) = (0, Between::default(), Vec::new());
        while at + MARKER.len() <= stream.len() {
            let wrong = if std::mem::take(&mut self.is_locked) { WRONG_BITS_LOCKED } else { WRONG_BITS };
            if wrong_bits(&stream[at..]) > wrong {
                (at, between.skipped) = (at + 1, between.skipped + 1);
                continue;
            }
            let start = at + MARKER.len();
            let Some(block) = stream.get(start..start + BLOCK) else {
                if !ended {
                    self.is_locked = wrong == WRONG_BITS_LOCKED;
                    break;
                }
                (at, between.skipped) = (at + 1, between.skipped + 1);
                continue;
            };
            match self.decode(block) {
                Some((data, corrected)) => match self.better(&stream[at..], corrected) {
                    Better::Unknown if !ended => {
                        self.is_locked = wrong == WRONG_BITS_LOCKED;
                        break;
                    }
                    Better::Here => (at, between.skipped) = (at + 1, between.skipped + 1),
                    Better::No | Better::Unknown => {
                        between.end(&mut found);
                        found.push(Ok(data));
                        at = start + BLOCK;
                        self.is_locked = true;
                    }
                },
                None => (at, between.uncorrectable) = (at + 1, between.uncorrectable + 1),
            }
        }
        if ended || at > 0 {
            between.end(&mut found);
        }
        (if ended { stream.len() } else { at }, found)
    }

    /// Whether a marker shortly after the first begins a block of which fewer bytes are wrong: then the first is none.
    fn better(&mut self, stream: &[u8], corrected: usize) -> Better {
        let mut better = Better::No;
        for slip in 1..=if corrected > 0 { SLIP } else { 0 } {
            let Some((marker, rest)) = stream.get(slip..).and_then(|rest| rest.split_at_checked(MARKER.len())) else {
                return Better::Unknown;
            };
            if wrong_bits(marker) > WRONG_BITS {
                continue;
            }
            match rest.get(..BLOCK).map(|block| self.decode(block)) {
                Some(Some((_, fewer))) if fewer < corrected => return Better::Here,
                Some(_) => {}
                None => better = Better::Unknown,
            }
        }
        better
    }

    /// The data of a block, and how many of its bytes were wrong.
    fn decode(&mut self, block: &[u8]) -> Option<(Vec<u8>, usize)> {
        let block: Vec<u8> = block.iter().zip(self.random).map(|(byte, random)| byte ^ random).collect();
        if is_degenerate(&block) {
            return None;
        }
        let mut data = vec![0; DATA];
        self.decoder.decode_ccsds_dual(&block, &mut data).ok()?;
        let mut parity = [0; BLOCK - DATA];
        let _done = self.encoder.encode_ccsds_dual(&data, &mut parity);
        let right = data.iter().chain(&parity);
        let wrong = block.iter().zip(right).filter(|(block, right)| block != right).count();
        Some((data, wrong))
    }
}

/// Whether there is a better block than the one that a marker begins.
enum Better {
    No,
    Here,
    /// Not all of it has come.
    Unknown,
}

/// What lies between two codeblocks that are good.
#[derive(Default)]
struct Between {
    skipped: usize,
    uncorrectable: usize,
}

impl Between {
    fn end(&mut self, found: &mut Vec<Result<Vec<u8>, FrameError>>) {
        let Self { skipped, uncorrectable } = std::mem::take(self);
        if uncorrectable > 0 {
            found.push(Err(FrameError::Uncorrectable(uncorrectable)));
        }
        if skipped > 0 {
            found.push(Err(FrameError::NoFrame(skipped)));
        }
    }
}

fn wrong_bits(stream: &[u8]) -> u32 {
    stream.iter().zip(MARKER).map(|(byte, marker)| (byte ^ marker).count_ones()).sum()
}

/// Whether only the last of the 32 syndromes is not zero: no error pattern that can be corrected gives that, and fec 0.2.2's decoder
/// panics at it. One is enough for nearly all blocks.
fn is_degenerate(block: &[u8]) -> bool {
    // Roots (α^11)^112 to (α^11)^143, by the field's polynomial (131.0-B-5, 4.3).
    const ROOTS: std::ops::Range<u32> = 112..144;
    let power = |exponent: u32| (0..exponent % 255).fold(1, |value, _| times(value, 2));
    let syndrome = |root: u32| {
        let root = power(11 * root);
        block.iter().fold(0, |sum, &byte| times(sum, root) ^ dual_to_conv(byte))
    };
    let mut roots = ROOTS;
    let first_wrong = roots.find(|&root| syndrome(root) != 0);
    first_wrong == Some(ROOTS.end - 1)
}

/// The product in the code's field, x^8 + x^7 + x^2 + x + 1.
fn times(one: u8, other: u8) -> u8 {
    (0..8).rev().fold(0, |product: u8, bit| {
        let doubled = product << 1 ^ if product & 0x80 == 0 { 0 } else { 0x87 };
        doubled ^ if other >> bit & 1 == 1 { one } else { 0 }
    })
}

/// The pseudo-random sequence of 131.0-B-5, 10.4.1: x^8 + x^7 + x^5 + x^3 + 1 from all ones.
fn random() -> [u8; BLOCK] {
    let (mut register, mut bytes) = (0xff_u8, [0; BLOCK]);
    for byte in &mut bytes {
        for _ in 0..8 {
            *byte = *byte << 1 | register & 1;
            let next = (register ^ register >> 3 ^ register >> 5 ^ register >> 7) & 1;
            register = register >> 1 | next << 7;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_random_sequence_is_that_of_the_standard() {
        assert_eq!(random()[..10], [0xff, 0x48, 0x0e, 0xc0, 0x9a, 0x0d, 0x70, 0xbc, 0x8e, 0x2c]);
    }

    #[test]
    fn sixteen_wrong_bytes_are_corrected_and_more_are_said() {
        let mut coding = Coding::new();
        let block = coding.encode(b"data");
        assert_eq!(block.len(), 259);
        let mut stream = b"noise".to_vec();
        for wrong in [0, 16, 17] {
            let mut damaged = block.clone();
            damaged.iter_mut().skip(9).step_by(13).take(wrong).for_each(|byte| *byte ^= 0xa5);
            // The first marker has few wrong bits; the second is where it must be.
            damaged[1] ^= if wrong == 16 { 0xff } else { 5 };
            stream.extend(damaged);
        }
        let (used, found) = coding.scan(&stream, true);
        let starts = |found: &Result<Vec<u8>, FrameError>| found.as_ref().is_ok_and(|data| data.starts_with(b"data"));
        assert_eq!(used, stream.len());
        assert_eq!(found[0], Err(FrameError::NoFrame(5)));
        assert!(starts(&found[1]) && starts(&found[2]), "{found:?}");
        assert_eq!(found[3], Err(FrameError::Uncorrectable(1)));
        assert!(found[4..].iter().all(Result::is_err));
    }

    /// A block that has slipped by a few bytes can be corrected, too: what noise that looks like a marker begins is not taken for it.
    #[test]
    fn a_marker_in_the_noise_before_a_block_loses_nothing() {
        for before in MARKER.len()..=SLIP + 2 {
            for wrong in [0, 3] {
                let (mut stream, mut coding) = (Vec::new(), Coding::new());
                for number in 0..5 {
                    stream.extend(MARKER);
                    stream.extend((MARKER.len()..before).map(|n| n as u8 * 29));
                    let mut block = coding.encode(&[number; 40]);
                    block.iter_mut().skip(9).step_by(50).take(wrong).for_each(|byte| *byte ^= 0xa5);
                    stream.extend(block);
                }
                for step in [1, 97, stream.len()] {
                    let (mut coding, mut buffer, mut data) = (Coding::new(), Vec::new(), Vec::new());
                    for piece in stream.chunks(step) {
                        buffer.extend(piece);
                        let (used, found) = coding.scan(&buffer, false);
                        buffer.drain(..used);
                        data.extend(found.into_iter().flatten());
                    }
                    data.extend(coding.scan(&buffer, true).1.into_iter().flatten());
                    let numbers: Vec<u8> = data.iter().map(|data| data[0]).collect();
                    assert_eq!(numbers, [0, 1, 2, 3, 4], "{before} bytes before, {wrong} wrong, in pieces of {step}");
                }
            }
        }
    }

    #[test]
    fn a_datagram_of_markers_is_one_problem() {
        let stream = MARKER.repeat(15_000);
        let (used, found) = Coding::new().scan(&stream, true);
        assert_eq!(used, stream.len());
        let [Err(FrameError::Uncorrectable(blocks)), Err(FrameError::NoFrame(_))] = found[..] else {
            panic!("{} problems", found.len());
        };
        assert!(blocks > 14_000, "{blocks}");
    }

    #[test]
    fn a_block_of_the_next_weaker_code_is_refused() -> Result<(), Box<dyn std::error::Error>> {
        use fec::reed_solomon::ccsds::conv_to_dual;
        // 31 of the 32 roots: a codeword of that code has the syndromes 0 to 30 of ours at zero.
        let mut weaker = Encoder::new(0x187, 112, 11, 31);
        let (message, mut block): (Vec<u8>, _) = ((0..224).collect(), vec![0; 255]);
        weaker.encode(&message, &mut block).map_err(|error| error.to_string())?;
        let mut coding = Coding::new();
        let frame: Vec<u8> =
            block.iter().zip(coding.random).map(|(&byte, random)| conv_to_dual(byte) ^ random).collect();
        let (_, found) = coding.scan(&[&MARKER[..], &frame].concat(), true);
        assert_eq!(found[0], Err(FrameError::Uncorrectable(1)));
        let (_, found) = coding.scan(&Coding::new().encode(b"data"), true);
        assert!(found[0].is_ok(), "and the next one is read");
        Ok(())
    }
}
