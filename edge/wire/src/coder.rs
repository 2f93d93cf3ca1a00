//! An arithmetic coder for messages of a few bytes.
//!
//! The interval [low, low + range) has 56 bits; a symbol with the cumulative weight c, the weight w and the total t narrows it to
//! [low + c·(range/t), low + (c+w)·(range/t)), with whole division. Whenever range falls below 2^48 the upper byte goes out. At the
//! end the fewest bytes go out that name a number in the interval when zeros follow, and zero bytes at the end are left off: the
//! reader takes what is missing for zeros. Integers only: every machine computes the same.

use alloc::vec::Vec;

const TOP: u64 = 1 << 56;
const LEAST: u64 = 1 << 48;

/// Writes or reads symbols: one description of a message serves both.
pub(crate) trait Coder {
    /// A symbol by its weights; a reader does not look at `symbol` and gives the one it found. Weights of 0 never occur.
    fn choose(&mut self, weights: &[u32], symbol: usize) -> usize;

    /// One of `total` equally likely numbers.
    fn uniform(&mut self, total: u32, value: u32) -> u32;
}

/// Writes.
#[derive(Debug)]
pub(crate) struct Encoder {
    bytes: Vec<u8>,
    low: u64,
    range: u64,
}

/// Reads.
#[derive(Debug)]
pub(crate) struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The message's number less the interval's lower end.
    code: u64,
    range: u64,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), low: 0, range: TOP }
    }

    fn narrow(&mut self, before: u64, weight: u64, total: u64) {
        let unit = self.range / total;
        self.low += before * unit;
        self.range = weight * unit;
        self.carry();
        while self.range < LEAST {
            self.bytes.push((self.low >> 48) as u8);
            self.low = (self.low & (LEAST - 1)) << 8;
            self.range <<= 8;
        }
    }

    fn carry(&mut self) {
        if self.low >= TOP {
            self.low -= TOP;
            for byte in self.bytes.iter_mut().rev() {
                *byte = byte.wrapping_add(1);
                if *byte != 0 {
                    break;
                }
            }
        }
    }

    /// The message.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        for kept in 0..=7 {
            let step = TOP >> (8 * kept);
            let number = self.low.div_ceil(step) * step;
            if number < self.low + self.range {
                self.low = number;
                self.carry();
                self.bytes.extend((0..kept).map(|byte| (self.low >> (48 - 8 * byte)) as u8));
                break;
            }
        }
        while self.bytes.last() == Some(&0) {
            self.bytes.pop();
        }
        self.bytes
    }
}

impl Coder for Encoder {
    fn choose(&mut self, weights: &[u32], symbol: usize) -> usize {
        let sum = |weights: &[u32]| weights.iter().map(|&weight| u64::from(weight)).sum::<u64>();
        self.narrow(sum(&weights[..symbol]), u64::from(weights[symbol]), sum(weights));
        symbol
    }

    fn uniform(&mut self, total: u32, value: u32) -> u32 {
        self.narrow(u64::from(value), 1, u64::from(total));
        value
    }
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { bytes, at: 0, code: 0, range: TOP };
        for _ in 0..7 {
            decoder.code = decoder.code << 8 | decoder.next();
        }
        decoder
    }

    fn next(&mut self) -> u64 {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        u64::from(byte)
    }

    /// How many units of the interval lie below the message's number; at most `total` − 1, whatever the bytes.
    fn place(&self, total: u64) -> u64 {
        (self.code / (self.range / total)).min(total - 1)
    }

    fn narrow(&mut self, before: u64, weight: u64, total: u64) {
        let unit = self.range / total;
        self.code = self.code.saturating_sub(before * unit);
        self.range = weight * unit;
        while self.range < LEAST {
            let byte = self.next();
            self.code = (self.code << 8 | byte) & (TOP - 1);
            self.range <<= 8;
        }
    }
}

impl Coder for Decoder<'_> {
    fn choose(&mut self, weights: &[u32], _symbol: usize) -> usize {
        let total = weights.iter().map(|&weight| u64::from(weight)).sum::<u64>();
        let (place, mut before) = (self.place(total), 0);
        let mut found = 0;
        for (symbol, &weight) in weights.iter().enumerate() {
            let weight = u64::from(weight);
            if place < before + weight {
                found = symbol;
                break;
            }
            before += weight;
        }
        self.narrow(before, u64::from(weights[found]), total);
        found
    }

    fn uniform(&mut self, total: u32, _value: u32) -> u32 {
        let place = self.place(u64::from(total));
        self.narrow(place, 1, u64::from(total));
        place as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn likely_messages_are_short() {
        let mut encoder = Encoder::new();
        for _ in 0..100 {
            encoder.choose(&[999, 1], 0);
        }
        assert_eq!(encoder.finish(), [0u8; 0], "the interval begins at 0");
        let mut encoder = Encoder::new();
        for _ in 0..100 {
            encoder.choose(&[1, 999], 1);
        }
        assert_eq!(encoder.finish().len(), 1);
        let mut encoder = Encoder::new();
        encoder.uniform(u32::MAX, 0x1234_5678);
        assert!(encoder.finish().len() <= 5);
    }

    proptest! {
        #[test]
        fn everything_comes_back(message in proptest::collection::vec((proptest::collection::vec(1u32..100_000, 1..40), any::<u32>()), 0..80)) {
            let mut encoder = Encoder::new();
            let mut bits = 0.0;
            for (weights, value) in &message {
                let symbol = *value as usize % weights.len();
                encoder.choose(weights, symbol);
                encoder.uniform(value.saturating_add(1).max(1), *value);
                let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
                bits += (total / f64::from(weights[symbol])).log2() + f64::from(value.saturating_add(1)).log2();
            }
            let bytes = encoder.finish();
            prop_assert!(bytes.len() as f64 <= bits / 8.0 + 1.01 + message.len() as f64 * 0.001, "{} bytes for {bits} bits", bytes.len());
            let mut decoder = Decoder::new(&bytes);
            for (weights, value) in &message {
                prop_assert_eq!(decoder.choose(weights, 0), *value as usize % weights.len());
                prop_assert_eq!(decoder.uniform(value.saturating_add(1).max(1), 0), *value);
            }
        }

        #[test]
        fn any_bytes_are_some_message(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut decoder = Decoder::new(&bytes);
            for n in 1..200u32 {
                prop_assert!(decoder.choose(&[n, 0, 1, 7], 0) < 4);
                prop_assert!(decoder.uniform(n * 9_999_999, 0) < n * 9_999_999);
            }
        }
    }
}
