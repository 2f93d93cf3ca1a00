//! Numbers and places as symbols of an arithmetic-coded message.

use crate::coder::Coder;
use crate::error::WireError;
use crate::position::{Position, per_degree};

/// Lengths in bits, 0 to 33, by weight.
pub(crate) type Lengths = [u32; 34];
/// A count of captions.
pub(crate) const FEW: Lengths = falling(0, 2);
/// Any number of 32 bits.
pub(crate) const ANY: Lengths = [1; 34];
/// A number that is nearly always 0.
pub(crate) const SMALL: Lengths = falling(0, 4);
/// A difference in time or place.
pub(crate) const SPREAD: Lengths = falling(7, 1);

/// Weights that are highest at `peak` and fall by a factor of 2^(steps / 2) a bit on both sides, never below 1.
const fn falling(peak: usize, steps: usize) -> Lengths {
    let mut weights = [1; 34];
    let mut n = 0;
    while n < weights.len() {
        let halvings = n.abs_diff(peak) * steps;
        // 2^12 falling by halves; for an odd number of half steps three quarters stand for 1/√2.
        let whole = if halvings / 2 < 12 { 4096 >> (halvings / 2) } else { 1 };
        let share = if halvings % 2 == 1 { whole * 3 / 4 } else { whole };
        weights[n] = if share == 0 { 1 } else { share };
        n += 1;
    }
    weights
}

/// A place: the first as it is, others as the difference to the last one.
pub(crate) fn place<C: Coder>(
    coder: &mut C,
    decimals: u8,
    given: Option<Position>,
    last: &mut Option<(i64, i64)>,
) -> Result<Position, WireError> {
    let (north, east) = given.map_or((0, 0), |given| given.steps(decimals));
    let steps = match *last {
        None => {
            let total = |degrees: i64| (degrees * per_degree(decimals) + 1) as u32;
            let north = coder.uniform(total(180), north as u32);
            (i64::from(north), i64::from(coder.uniform(total(360), east as u32)))
        }
        Some((last_north, last_east)) => {
            let north = signed(coder, north - last_north);
            (last_north + north, last_east + signed(coder, east - last_east))
        }
    };
    *last = Some(steps);
    Position::of_steps(steps, decimals)
}

/// `number W`; values have at most 33 bits.
pub(crate) fn number<C: Coder>(coder: &mut C, lengths: &Lengths, value: u64) -> u64 {
    let length = coder.choose(lengths, (u64::BITS - value.leading_zeros()) as usize);
    if length <= 1 {
        return length as u64;
    }
    let below = length - 1;
    let low_bits = below.min(16);
    let low = coder.uniform(1 << low_bits, (value & ((1 << low_bits) - 1)) as u32);
    let rest = below - low_bits;
    let high = if rest > 0 { coder.uniform(1 << rest, ((value >> low_bits) & ((1 << rest) - 1)) as u32) } else { 0 };
    1 << below | u64::from(high) << low_bits | u64::from(low)
}

/// `signed SPREAD`.
pub(crate) fn signed<C: Coder>(coder: &mut C, value: i64) -> i64 {
    let interleaved = number(coder, &SPREAD, (value << 1 ^ value >> 63) as u64);
    (interleaved >> 1) as i64 ^ -((interleaved & 1) as i64)
}
