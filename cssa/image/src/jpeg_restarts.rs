//! Restart intervals that a transmission has lost, as libjpeg takes them: restarts are numbered, so an interval that is not
//! there is known by the next one's number and is filled with the colour before it; one that comes again is left out.

/// The Huffman tables, frame and restart interval that a scan's pixels are coded by.
#[derive(Debug, Default)]
pub(crate) struct Coding {
    /// The codes of nothing (a mean that does not change, the end of a block) by table, for means and for the rest.
    nothing: [[Option<Code>; 4]; 2],
    /// Components of the frame: name, and blocks of a unit.
    components: Vec<(u8, u32)>,
    /// Units in an interval, 0: there are none.
    pub(crate) interval: u32,
}

#[derive(Clone, Copy, Debug)]
struct Code {
    bits: u32,
    length: u32,
}

/// Most bytes that are filled in.
const MAX_FILLED: usize = 1 << 22;

/// Annex K's codes, where a file has no tables.
const STANDARD: [[Code; 2]; 2] = [
    [Code { bits: 0b00, length: 2 }, Code { bits: 0b00, length: 2 }],
    [Code { bits: 0b1010, length: 4 }, Code { bits: 0b00, length: 2 }],
];

impl Coding {
    /// A segment of Huffman tables.
    pub(crate) fn tables(&mut self, mut segment: &[u8]) {
        while let Some((&[class_and_table, ref counts @ ..], rest)) = segment.split_first_chunk::<17>() {
            let symbols: usize = counts.iter().map(|count| usize::from(*count)).sum();
            let Some((symbols, behind)) = rest.split_at_checked(symbols) else { return };
            let (class, table) = (usize::from(class_and_table >> 4 & 1), usize::from(class_and_table & 3));
            self.nothing[class][table] = code_of_nothing(counts, symbols);
            segment = behind;
        }
    }

    /// A frame header.
    pub(crate) fn frame(&mut self, segment: &[u8]) {
        let components = segment.get(6..).unwrap_or_default().chunks_exact(3);
        self.components = components.map(|c| (c[0], u32::from(c[1] >> 4) * u32::from(c[1] & 15))).collect();
    }

    /// An interval in which nothing changes, for a scan with this header; `None` where it cannot be coded.
    fn lost_interval(&self, scan: &[u8]) -> Option<Vec<u8>> {
        let count = usize::from(*scan.first()?);
        let mut writer = BitWriter::default();
        for _ in 0..self.interval {
            for selector in scan.get(1..1 + 2 * count)?.chunks_exact(2) {
                let &(_, blocks) = self.components.iter().find(|(name, _)| *name == selector[0])?;
                for _ in 0..if count == 1 { 1 } else { blocks } {
                    for (class, table) in [(0, selector[1] >> 4 & 3), (1, selector[1] & 3)] {
                        let table = usize::from(table);
                        let standard = STANDARD[class].get(table).copied();
                        writer.push(self.nothing[class][table].or(standard)?);
                    }
                }
            }
        }
        Some(writer.finish())
    }

    /// The coded pixels of a scan with lost intervals filled, repeated ones left out and the restarts numbered anew.
    pub(crate) fn resynchronized(&self, scan: &[u8], coded: &[u8]) -> Vec<u8> {
        const FIRST: u8 = 0xD0;
        let mut whole = Vec::with_capacity(coded.len());
        let (mut begun, mut due) = (0, 0u8);
        let is_restart = |pair: &[u8]| pair[0] == 0xFF && (FIRST..FIRST + 8).contains(&pair[1]);
        let restarts = coded.windows(2).enumerate().filter(|(_, pair)| is_restart(pair));
        let mut repeated = false;
        for (at, pair) in restarts {
            if !repeated {
                whole.extend_from_slice(&coded[begun..at]);
            }
            begun = at + 2;
            let ahead = (pair[1] - FIRST).wrapping_sub(due) & 7;
            repeated = ahead >= 6;
            if repeated {
                continue;
            }
            let lost = if ahead <= 2 { ahead } else { 0 };
            for _ in 0..lost {
                let interval = self.lost_interval(scan).filter(|_| whole.len() < coded.len() + MAX_FILLED);
                let Some(interval) = interval else { return coded.to_vec() };
                whole.extend([0xFF, FIRST + due]);
                whole.extend(interval);
                due = (due + 1) & 7;
            }
            whole.extend([0xFF, FIRST + due]);
            due = (due + 1) & 7;
        }
        if !repeated {
            whole.extend_from_slice(&coded[begun..]);
        }
        whole
    }
}

/// The code of symbol 0 by the canonical order of Annex C.
fn code_of_nothing(counts: &[u8], symbols: &[u8]) -> Option<Code> {
    let (mut bits, mut symbols) = (0u32, symbols.iter());
    for (length, count) in (1..).zip(counts) {
        for symbol in symbols.by_ref().take(usize::from(*count)) {
            if *symbol == 0 {
                return Some(Code { bits, length });
            }
            bits += 1;
        }
        bits <<= 1;
    }
    None
}

#[derive(Debug, Default)]
struct BitWriter {
    bytes: Vec<u8>,
    held: u32,
    bits: u32,
}

impl BitWriter {
    fn push(&mut self, code: Code) {
        (self.held, self.bits) = (self.held << code.length | code.bits, self.bits + code.length);
        while self.bits >= 8 {
            self.bits -= 8;
            self.byte((self.held >> self.bits) as u8);
            self.held &= (1 << self.bits) - 1;
        }
    }

    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
        if byte == 0xFF {
            self.bytes.push(0);
        }
    }

    /// The last byte is filled with ones.
    fn finish(mut self) -> Vec<u8> {
        if self.bits > 0 {
            let free = 8 - self.bits;
            self.byte((self.held << free | ((1 << free) - 1)) as u8);
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_intervals_are_filled_and_repeated_ones_left_out() {
        let coding = Coding { components: vec![(1, 4), (2, 1), (3, 1)], interval: 1, ..Coding::default() };
        let scan = [3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0];
        // Four blocks of 00 1010, two of 00 00, filled with ones.
        let lost = [0b0010_1000, 0b1010_0010, 0b1000_1010, 0, 0];
        let coded = |restarts: &[u8]| -> Vec<u8> {
            let later = restarts.iter().flat_map(|n| [0xFF, 0xD0 + n, 0x30 + n]);
            [7].into_iter().chain(later).collect()
        };
        let whole = coded(&[0, 1, 2, 3, 4, 5, 6, 7, 0, 1]);
        assert_eq!(coding.resynchronized(&scan, &whole), whole);
        let found = coding.resynchronized(&scan, &coded(&[0, 2]));
        assert_eq!(found, [&coded(&[0])[..], &[0xFF, 0xD1], &lost[..4], &[0xFF, 0xD2, 0x32]].concat());
        assert_eq!(coding.resynchronized(&scan, &coded(&[0, 1, 0, 2])), coded(&[0, 1, 2]));
    }

    #[test]
    fn codes_follow_from_counts_of_lengths() {
        let mut counts = [0u8; 16];
        (counts[1], counts[2]) = (2, 3);
        let code = code_of_nothing(&counts, &[1, 2, 3, 0, 4]);
        assert!(code.is_some_and(|code| (code.bits, code.length) == (0b101, 3)), "{code:?}");
    }
}
