//! Whether a picture can be captioned at all, from its pixels alone: before the model, in integers, the same on every machine.
//!
//! Statistics of the luma (ITU-R BT.601) of the model's square, and of its dark channel, the least of red, green and blue (He et al. 2011),
//! each compared with what dev images show:
//!
//! | reason | statistic |
//! |---|---|
//! | dark | 98th percentile below the limit |
//! | overexposed | share of pixels at the end of the scale above the limit |
//! | blank, foggy | distance of the 2nd and 98th percentile below a quarter of the limit, below the limit |
//! | foggy | 2nd percentile of the dark channel, as a share of itself and that distance, above the limit: scattered light lifts the darkest places |
//! | noisy | differences of neighbours, as a share of those at twice the distance, above the limit: noise is as strong at any distance |
//! | defocused | the same share in the direction where it is least, below the limit: without detail it tends to one half |
//! | smeared | differences of neighbours in the direction where they are least, as a share of those at four times the distance in all, below the limit |

use super::Reason;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What the pixels show. Shares are in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageStatistics {
    /// 98th percentile of the luma.
    pub white: u16,
    /// The same less the 2nd percentile.
    pub contrast: u16,
    /// Share of pixels whose luma is [`CLIPPED`] or more.
    pub clipped: u16,
    /// 2nd percentile of the dark channel, as a share of itself and the contrast.
    pub veil: u16,
    /// Differences at distance 1 as a share of those at distance 2, mean over the directions.
    pub fineness: u16,
    /// The same in the direction where it is least.
    pub sharpness: u16,
    /// Differences at distance 1, a pixel, in the direction where they are least, as a share of the mean at distance 4.
    pub steadiness: u16,
}

/// From here on a pixel is at the end of the scale.
pub const CLIPPED: u8 = 248;

/// Directions, as steps down and to the right, with their length in 1024ths of a pixel.
const DIRECTIONS: [(usize, isize, u64); 8] =
    [(0, 1, 1024), (1, 0, 1024), (1, 1, 1448), (1, -1, 1448), (1, 2, 2290), (2, 1, 2290), (1, -2, 2290), (2, -1, 2290)];
/// Of the rows every fourth one is looked at: a quarter of the time, the same statistics.
const ROWS: usize = 4;
/// Added to a mean difference that something is divided by, in 256ths of a level: a flat picture has no texture to speak of.
const FLOOR: u64 = 13;

impl ImageStatistics {
    /// Inlined, so that a caller can have it compiled for the CPU at hand.
    ///
    /// Of a square picture with sides of `side` pixels, RGB with 8 bits, row by row; nothing of one that is smaller than 16 pixels.
    #[inline(always)]
    #[must_use]
    pub fn of(pixels: &[u8], side: usize) -> Self {
        if side < 16 || pixels.len() != 3 * side * side {
            return Self::default();
        }
        let pixels = pixels.as_chunks::<3>().0;
        let luma: Vec<u8> = pixels.iter().map(luma).collect();
        let (lights, total) = (histogram(&luma), luma.len() as u32);
        let (black, white) = (percentile(&lights, 2), percentile(&lights, 98));
        let contrast = white - black;
        let clipped: u32 = lights[usize::from(CLIPPED)..].iter().sum();
        let dark_channel: Vec<u8> = pixels.iter().map(|&[red, green, blue]| red.min(green).min(blue)).collect();
        let darkest = percentile(&histogram(&dark_channel), 2);
        let at = |scale: usize| DIRECTIONS.map(|direction| difference(&luma, side, direction, scale));
        let (near, middle, far) = (at(1), at(2), at(4));
        let share = |part: u64, whole: u64| (part * 1000 / (whole + FLOOR)).min(u64::from(u16::MAX));
        let shares: [u64; 8] = core::array::from_fn(|n| share(near[n], middle[n]));
        let a_pixel = near.iter().zip(DIRECTIONS).map(|(difference, (_, _, length))| difference * 1024 / length);
        Self {
            white,
            contrast,
            clipped: (clipped * 1000 / total) as u16,
            veil: (u32::from(darkest) * 1000 / u32::from(darkest + contrast).max(1)) as u16,
            fineness: (shares.iter().sum::<u64>() / 8) as u16,
            sharpness: shares.iter().copied().min().unwrap_or_default() as u16,
            steadiness: share(a_pixel.min().unwrap_or_default(), far.iter().sum::<u64>() / 8) as u16,
        }
    }
}

/// How often each level is there.
#[inline(always)]
fn histogram(levels: &[u8]) -> [u32; 256] {
    let mut counts = [0; 256];
    levels.iter().for_each(|&level| counts[usize::from(level)] += 1);
    counts
}

/// The level that `percent` of a hundred pixels are below.
fn percentile(counts: &[u32; 256], percent: u32) -> u16 {
    let mut left = counts.iter().sum::<u32>() * percent / 100;
    let place = counts.iter().position(|&count| {
        let found = count > left;
        left = left.saturating_sub(count);
        found
    });
    place.unwrap_or(255) as u16
}

/// ITU-R BT.601 in 256ths.
fn luma(&[red, green, blue]: &[u8; 3]) -> u8 {
    ((77 * u32::from(red) + 150 * u32::from(green) + 29 * u32::from(blue)) >> 8) as u8
}

/// Mean |difference| of pixels that are `scale` steps apart, in 256ths of a level.
#[inline(always)]
fn difference(luma: &[u8], side: usize, (down, right, _): (usize, isize, u64), scale: usize) -> u64 {
    let (down, right) = (down * scale, right * scale as isize);
    let (left_start, right_start) = if right < 0 { (right.unsigned_abs(), 0) } else { (0, right.unsigned_abs()) };
    let width = side - right.unsigned_abs();
    let (mut sum, mut count) = (0u64, 0u64);
    for row in (0..side - down).step_by(ROWS) {
        let here = &luma[row * side + left_start..][..width];
        let there = &luma[(row + down) * side + right_start..][..width];
        sum += u64::from(distance(here, there));
        count += width as u64;
    }
    sum * 256 / count.max(1)
}

/// Σ |a − b|. Sixteen sums side by side, for which compilers find wide instructions; none of 255 differences is too large for 16 bits.
#[inline(always)]
fn distance(a: &[u8], b: &[u8]) -> u32 {
    const SUMS: usize = 16;
    let mut sum = 0;
    for (a, b) in a.chunks(255 * SUMS).zip(b.chunks(255 * SUMS)) {
        let (mut sums, (a, a_rest), (b, b_rest)) = ([0u16; SUMS], a.as_chunks::<SUMS>(), b.as_chunks::<SUMS>());
        for (a, b) in a.iter().zip(b) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                *sum += u16::from(a.abs_diff(*b));
            }
        }
        sum += sums.iter().map(|&sum| u32::from(sum)).sum::<u32>();
        sum += a_rest.iter().zip(b_rest).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>();
    }
    sum
}

/// What dev images show at most, and at least. A picture beyond one of these is outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageLimits {
    /// Least [`ImageStatistics::white`].
    pub white: u16,
    /// Least [`ImageStatistics::contrast`].
    pub contrast: u16,
    /// Largest [`ImageStatistics::clipped`].
    pub clipped: u16,
    /// Largest [`ImageStatistics::veil`]; bundles that were calibrated before it was looked at have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub veil: Option<u16>,
    /// Largest [`ImageStatistics::fineness`].
    pub fineness: u16,
    /// Least [`ImageStatistics::sharpness`].
    pub sharpness: u16,
    /// Least [`ImageStatistics::steadiness`].
    pub steadiness: u16,
}

impl ImageLimits {
    /// Fails with the key of a limit that no picture can be on either side of, and the most that it may be.
    pub(crate) fn validate(&self) -> Result<(), (&'static str, u16, u16)> {
        let veil = self.veil.unwrap_or_default();
        let limits = [
            ("white", self.white, 255),
            ("contrast", self.contrast, 255),
            ("clipped", self.clipped, 1000),
            ("veil", veil, 1000),
        ];
        limits.into_iter().find(|&(_, found, most)| found > most).map_or(Ok(()), Err)
    }

    /// Limits that leave at most `per_mille` thousandths of these images outside by each statistic; `None` without images.
    #[must_use]
    pub fn of(images: &[ImageStatistics], per_mille: usize) -> Option<Self> {
        let sorted = |statistic: fn(&ImageStatistics) -> u16| {
            let mut values: Vec<u16> = images.iter().map(statistic).collect();
            values.sort_unstable();
            values
        };
        let outside = images.len() * per_mille / 1000;
        let least = |statistic| sorted(statistic).get(outside).copied();
        let largest = |statistic| sorted(statistic).into_iter().rev().nth(outside);
        Some(Self {
            white: least(|image| image.white)?,
            contrast: least(|image| image.contrast)?,
            clipped: largest(|image| image.clipped)?,
            veil: Some(largest(|image| image.veil)?),
            fineness: largest(|image| image.fineness)?,
            sharpness: least(|image| image.sharpness)?,
            steadiness: least(|image| image.steadiness)?,
        })
    }

    /// Limits beyond which a picture is beyond both.
    #[must_use]
    pub fn loosest(self, other: Self) -> Self {
        Self {
            white: self.white.min(other.white),
            contrast: self.contrast.min(other.contrast),
            clipped: self.clipped.max(other.clipped),
            veil: self.veil.zip(other.veil).map(|(own, other)| own.max(other)),
            fineness: self.fineness.max(other.fineness),
            sharpness: self.sharpness.min(other.sharpness),
            steadiness: self.steadiness.min(other.steadiness),
        }
    }

    /// Why a picture is outside, the plainest reason first; empty where it is not.
    #[must_use]
    pub fn reasons(&self, image: &ImageStatistics) -> Vec<Reason> {
        let flat = image.contrast < self.contrast;
        let dark = image.white < self.white;
        let overexposed = image.clipped > self.clipped;
        let blank = flat && image.contrast <= self.contrast / 4;
        let lit = !dark && !overexposed;
        let veiled = self.veil.is_some_and(|most| image.veil > most);
        let found = [
            (blank && lit, Reason::Blank),
            (dark, Reason::Dark),
            (overexposed, Reason::Overexposed),
            ((flat || veiled) && !blank && lit, Reason::Foggy),
            (image.fineness > self.fineness && !blank, Reason::Noisy),
            (image.sharpness < self.sharpness && !blank, Reason::Defocused),
            (image.steadiness < self.steadiness && !blank, Reason::Smeared),
        ];
        found.into_iter().filter_map(|(is_so, reason)| is_so.then_some(reason)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{STEP, scramble, unit};

    const SIDE: usize = 64;

    /// A picture of its grey levels.
    fn picture(level: impl Fn(usize, usize) -> f32) -> ImageStatistics {
        let pixels: Vec<u8> =
            (0..SIDE * SIDE).flat_map(|n| [level(n % SIDE, n / SIDE).clamp(0.0, 255.0) as u8; 3]).collect();
        ImageStatistics::of(&pixels, SIDE)
    }

    /// White noise from −1 to 1.
    fn noise(x: usize, y: usize) -> f32 {
        2.0 * unit(scramble(((y * SIDE + x) as u64 + 1).wrapping_mul(STEP))) - 1.0
    }

    /// Blocks with edges, a little texture on them: what a scene has.
    fn scene(x: usize, y: usize) -> f32 {
        90.0 + 80.0 * ((x / 9 + y / 7) % 2) as f32 + 12.0 * noise(x / 2, y / 2)
    }

    /// The mean of a scene over a box.
    fn blurred(x: usize, y: usize, (width, height): (usize, usize)) -> f32 {
        let places = (0..width).flat_map(|dx| (0..height).map(move |dy| (dx, dy)));
        places.map(|(dx, dy)| scene(x + dx, y + dy)).sum::<f32>() / (width * height) as f32
    }

    fn limits() -> ImageLimits {
        let scenes: Vec<ImageStatistics> =
            (0..8).map(|n| picture(|x, y| 0.6 * blurred(x + n, y, (1, 1)) + 0.4 * blurred(x, y + n, (2, 2)))).collect();
        ImageLimits::of(&scenes, 5).unwrap_or_else(|| unreachable!("there are scenes"))
    }

    #[test]
    fn each_kind_of_spoiled_picture_has_its_reason() {
        let limits = limits();
        let reasons = |level: &dyn Fn(usize, usize) -> f32| limits.reasons(&picture(level));
        assert_eq!(reasons(&|x, y| 0.6 * scene(x, y) + 0.4 * blurred(x, y, (2, 2))), []);
        assert_eq!(reasons(&|_, _| 190.0), [Reason::Blank]);
        assert_eq!(reasons(&|x, y| 4.0 + 2.0 * noise(x, y))[0], Reason::Dark);
        assert_eq!(reasons(&|x, y| 100.0 + 4.0 * scene(x, y))[0], Reason::Overexposed);
        assert_eq!(reasons(&|x, y| 150.0 + 0.35 * scene(x, y))[0], Reason::Foggy);
        // A seventh of the contrast is left, which other pictures have no more of; but nothing dark is.
        let low = ImageLimits { contrast: 8, ..limits };
        let fog = picture(|x, y| 170.0 + 0.14 * scene(x, y));
        assert_eq!(low.reasons(&fog)[0], Reason::Foggy, "{fog:?}");
        assert!(!ImageLimits { veil: None, ..low }.reasons(&fog).contains(&Reason::Foggy));
        assert_eq!(reasons(&|x, y| 25.0 + 0.6 * scene(x, y) + 70.0 * noise(x, y)), [Reason::Noisy]);
        // Nothing finer than waves of 60 pixels.
        let defocused = reasons(&|x, y| 120.0 + 90.0 * libm::sinf(x as f32 / 9.0) * libm::sinf(y as f32 / 9.0));
        assert!(defocused.iter().any(|reason| [Reason::Defocused, Reason::Smeared].contains(reason)), "{defocused:?}");
        // Streaks: every column one level.
        let smeared = reasons(&|x, _| scene(x, 0));
        assert!(smeared.contains(&Reason::Smeared), "{smeared:?}");
    }

    #[test]
    fn limits_leave_the_asked_share_outside() {
        let images: Vec<ImageStatistics> = (0..1000)
            .map(|n| ImageStatistics { white: n, contrast: n, clipped: n, veil: n, ..ImageStatistics::default() })
            .collect();
        let limits = ImageLimits::of(&images, 5);
        let found = limits.map(|limits| (limits.white, limits.contrast, limits.clipped, limits.veil));
        assert_eq!(found, Some((5, 5, 994, Some(994))));
        assert_eq!(ImageLimits::of(&[], 5), None);
    }

    #[test]
    fn what_is_no_square_has_no_statistics() {
        assert_eq!(ImageStatistics::of(&[0; 30], 64), ImageStatistics::default());
        assert_eq!(ImageStatistics::of(&[], 0), ImageStatistics::default());
    }
}
