//! NMEA 0183 from a serial device: RMC sentences have position, date and time.

use super::{Fix, Receiver};
use crate::error::{Error, Result};
use cssa_wire::Position;
use nmea::sentences::RmcData;
use nmea::sentences::rmc::RmcStatusOfFix;
use nmea::{ParseResult, parse_str};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

/// Longer lines are no sentences.
const MAX_LINE: usize = 256;

/// Reads sentences until the device is gone.
pub fn read(device: &Path, baud: u32, receiver: &Receiver) -> Result<()> {
    let name = device.to_string_lossy();
    let input: Box<dyn Read> = match serialport::new(name.as_ref(), baud).timeout(Duration::from_secs(3600)).open() {
        Ok(port) => Box::new(port),
        Err(_) => Box::new(File::open(device).map_err(Error::path(device))?),
    };
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.by_ref().take(MAX_LINE as u64).read_until(b'\n', &mut line).map_err(Error::Stream)? == 0 {
            return Ok(());
        }
        if let Some(fix) = std::str::from_utf8(&line).ok().and_then(|line| sentence(line.trim())) {
            receiver.say(fix);
        }
    }
}

/// The fix in a sentence with a right checksum.
fn sentence(line: &str) -> Option<Fix> {
    let Ok(ParseResult::RMC(rmc)) = parse_str(line) else { return None };
    if rmc.status_of_fix == RmcStatusOfFix::Invalid {
        return None;
    }
    Some(Fix { position: Position::new(rmc.lat?, rmc.lon?)?, time: time(&rmc) })
}

fn time(rmc: &RmcData) -> Option<u32> {
    u32::try_from(rmc.fix_date?.and_time(rmc.fix_time?).and_utc().timestamp()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, Result};

    #[test]
    fn a_sentence_is_checked_and_read() -> Result<()> {
        let good = "$GNRMC,123519.00,A,4807.038,N,01131.000,E,022.4,084.4,230324,003.1,W,A*3D";
        let body = &good[1..good.len() - 3];
        let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
        let good = format!("${body}*{sum:02X}");
        let fix = sentence(&good).context("no fix")?;
        let (latitude, longitude) = fix.position.degrees();
        assert!((latitude - 48.1173).abs() < 1e-5 && (longitude - 11.51667).abs() < 1e-5);
        assert_eq!(fix.time, Some(1_711_197_319));
        assert!(sentence(&good.replace("4807", "4907")).is_none(), "a wrong checksum");
        assert!(sentence("garbage").is_none());
        let folder = tempfile::tempdir()?;
        let device = folder.path().join("tty");
        std::fs::write(&device, format!("\u{0}noise\r\n{good}\r\n$GPGSV\r\n"))?;
        let receiver = Receiver::default();
        read(&device, 9600, &receiver)?;
        assert_eq!(receiver.fix(), Some(fix));
        Ok(())
    }
}
