//! One direction of a link.

use super::error::{Error, Result};

/// A sender that is so many seconds ahead of the link loses what it sends: modems hold little.
const BACKLOG: f64 = 2.0;

/// What a link does to what it carries.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChannelSettings {
    /// Bits a second; 0: as many as come.
    pub bits_per_second: f64,
    /// Milliseconds on the way.
    pub latency_ms: f64,
    /// Share of frames that are lost whole.
    pub loss: f64,
    /// Share of bits that arrive wrong.
    pub bit_errors: f64,
    /// Seconds from the beginning of one pass to that of the next; 0: the link is always there.
    pub every_seconds: f64,
    /// Seconds that a pass lasts.
    pub pass_seconds: f64,
    /// The same seed gives the same losses.
    pub seed: u64,
}

impl ChannelSettings {
    /// Names the first value that cannot be.
    pub fn validate(&self) -> Result<()> {
        for (name, found, limit, expected) in [
            ("loss", self.loss, 1.0, "0 to 1"),
            ("bit_errors", self.bit_errors, 0.5, "0 to 0.5"),
            ("bits_per_second", self.bits_per_second, 1e12, "0 to 1e12"),
            ("latency_ms", self.latency_ms, 1e9, "0 to 1e9"),
            ("every_seconds", self.every_seconds, 1e9, "0 to 1e9"),
        ] {
            // No range contains NaN: it is refused.
            if !(0.0..=limit).contains(&found) {
                return Err(Error::Setting { name, found, expected });
            }
        }
        let is_within = self.pass_seconds > 0.0 && self.pass_seconds <= self.every_seconds;
        if self.every_seconds > 0.0 && !is_within {
            let expected = "more than 0 and at most every_seconds";
            return Err(Error::Setting { name: "pass_seconds", found: self.pass_seconds, expected });
        }
        Ok(())
    }

    /// Whether the link is there at a time in seconds.
    #[must_use]
    pub fn is_up(&self, now: f64) -> bool {
        self.every_seconds <= 0.0 || now % self.every_seconds < self.pass_seconds
    }

    /// Seconds that bytes take on the link.
    #[must_use]
    pub fn seconds(&self, bytes: usize) -> f64 {
        if self.bits_per_second > 0.0 { 8.0 * bytes as f64 / self.bits_per_second } else { 0.0 }
    }
}

/// One direction of a link at work.
#[derive(Debug)]
pub struct Channel {
    settings: ChannelSettings,
    random: fastrand::Rng,
    free_at: f64,
}

impl Channel {
    /// A link that has carried nothing; `direction` makes the losses of both directions differ.
    #[must_use]
    pub fn new(settings: ChannelSettings, direction: u64) -> Self {
        Self { settings, random: fastrand::Rng::with_seed(settings.seed << 1 ^ direction), free_at: 0.0 }
    }

    /// Carries a frame at a time in seconds: when it arrives and what does, or nothing.
    pub fn carry(&mut self, bytes: &[u8], now: f64) -> Option<(f64, Vec<u8>)> {
        let lost = self.random.f64() < self.settings.loss;
        if !self.settings.is_up(now) || self.free_at - now > BACKLOG {
            return None;
        }
        self.free_at = self.free_at.max(now) + self.settings.seconds(bytes.len());
        if lost {
            return None;
        }
        let mut bytes = bytes.to_vec();
        self.disturb(&mut bytes);
        Some((self.free_at + self.settings.latency_ms / 1e3, bytes))
    }

    /// Turns bits over; the distances between them are drawn, not every bit.
    fn disturb(&mut self, bytes: &mut [u8]) {
        if self.settings.bit_errors <= 0.0 {
            return;
        }
        let mut bit = 0;
        loop {
            // ln of a number above 0 and at most 1.
            let skipped = (1.0 - self.random.f64()).ln() / (1.0 - self.settings.bit_errors).ln();
            bit += skipped as usize;
            let Some(byte) = bytes.get_mut(bit / 8) else { return };
            *byte ^= 1 << (bit % 8);
            bit += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_does_what_its_settings_say() {
        let settings = ChannelSettings {
            bits_per_second: 8000.0,
            latency_ms: 250.0,
            loss: 0.2,
            bit_errors: 1e-3,
            every_seconds: 100.0,
            pass_seconds: 60.0,
            seed: 7,
        };
        assert!(settings.validate().is_ok() && ChannelSettings { loss: 1.1, ..settings }.validate().is_err());
        let mut channel = Channel::new(settings, 0);
        let (mut arrived, mut wrong) = (0, 0);
        for frame in 0..2000 {
            // One every 0.11 s within passes; each takes 0.1 s.
            let now = f64::from(frame % 500) * 0.11 + f64::from(frame / 500) * 100.0;
            let Some((at, bytes)) = channel.carry(&[0; 100], now) else { continue };
            assert!((at - now - 0.35).abs() < 0.01, "{now} {at}");
            arrived += 1;
            wrong += bytes.iter().map(|byte| byte.count_ones()).sum::<u32>();
        }
        assert!((1540..1660).contains(&arrived), "{arrived}");
        let rate = f64::from(wrong) / (800.0 * f64::from(arrived));
        assert!((rate / 1e-3 - 1.0).abs() < 0.15, "{rate}");
        assert!(channel.carry(&[0], 470.0).is_none(), "between passes");
        let flood = (0..200).filter(|_| channel.carry(&[0; 100], 500.0).is_some()).count();
        assert!((10..=21).contains(&flood), "{flood} of a flood");
    }
}
