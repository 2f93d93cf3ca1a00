//! Whether `[position]` can be what it says: the form of its address, devices that are not there, a line that the link uses too.

use crate::config::PositionConfig;
use crate::downlink::LinkConfig;
use crate::error::{Error, Result, ensure};
use cssa_link::{Address, is_mavlink_address};
use std::fs;
use std::path::{Path, PathBuf};

/// What a MAVLink address may look like.
const ADDRESSES: &str =
    "udpin:ADDRESS:PORT, udpout:HOST:PORT, tcpin:ADDRESS:PORT, tcpout:HOST:PORT or serial:DEVICE:BAUD";

impl PositionConfig {
    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Tags => "tags".into(),
            Self::Nmea { device, .. } => device.display().to_string(),
            Self::Mavlink { address, .. } => address.clone(),
        }
    }

    /// The vehicle's own MAVLink system, where the position comes from it.
    #[must_use]
    pub fn system(&self) -> Option<u8> {
        match self {
            Self::Tags | Self::Nmea { .. } => None,
            Self::Mavlink { system, .. } => Some(*system),
        }
    }

    /// Names what cannot be, whatever devices are there.
    pub(crate) fn validate(&self, link: &LinkConfig) -> Result<()> {
        match self {
            Self::Tags => {}
            Self::Nmea { baud, .. } => ensure!(*baud > 0, Error::setting("position.baud", baud, "1 or more")),
            Self::Mavlink { address, system } => {
                ensure!(
                    is_mavlink_address(address),
                    Error::setting("position.address", format_args!("{address:?}"), ADDRESSES)
                );
                let expected = "1 to 254: 255 is a ground station";
                ensure!((1..=254).contains(system), Error::setting("position.system", system, expected));
            }
        }
        // A link without an address says so itself.
        let Ok(to) = link.address() else { return Ok(()) };
        let (Some(ours), Some(others)) = (self.line(), link_line(&to)) else { return Ok(()) };
        let problem = "the link has this device or port already, and two readers would take each other's bytes: let the \
                       autopilot's router give a second one (udpin: of another port)";
        ensure!(ours != others, Error::Contradiction { field: "position", problem });
        Ok(())
    }

    /// Whether the device is there, for `edge run --check`.
    ///
    /// # Errors
    /// It is not there, or is no device, pipe or file.
    pub fn check(&self) -> Result<()> {
        let Some(Line::Device(device)) = self.line() else { return Ok(()) };
        let metadata = fs::metadata(&device).map_err(Error::path(&device))?;
        let found = format_args!("the folder {}", device.display());
        ensure!(
            !metadata.is_dir(),
            Error::setting("position.device", found, "a serial device, a named pipe or a file")
        );
        Ok(())
    }

    fn line(&self) -> Option<Line> {
        match self {
            Self::Tags => None,
            Self::Nmea { device, .. } => Some(Line::device(device)),
            Self::Mavlink { address, .. } => mavlink_line(address),
        }
    }
}

/// What only one reader can have.
#[derive(Debug, PartialEq)]
enum Line {
    Device(PathBuf),
    Port(u16),
}

impl Line {
    /// Links such as those of `/dev/serial/by-id` are followed.
    fn device(path: &Path) -> Self {
        Self::Device(fs::canonicalize(path).unwrap_or_else(|_| path.into()))
    }
}

fn link_line(to: &Address) -> Option<Line> {
    match to {
        Address::Serial(device, _) => Some(Line::device(Path::new(device))),
        Address::Mavlink(address) => mavlink_line(address),
        Address::File(_) | Address::Udp(_) => None,
    }
}

fn mavlink_line(address: &str) -> Option<Line> {
    let (kind, rest) = address.split_once(':')?;
    let (before, after) = rest.rsplit_once(':')?;
    match kind {
        "serial" => Some(Line::device(Path::new(before))),
        "udpin" => after.parse().ok().map(Line::Port),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::chain;
    use anyhow::{Context, Result};

    fn mavlink(address: &str) -> PositionConfig {
        PositionConfig::Mavlink { address: address.into(), system: 1 }
    }

    #[test]
    fn mistyped_addresses_are_refused() -> Result<()> {
        let link = LinkConfig::new("udp:127.0.0.1:1");
        for good in ["udpin:0.0.0.0:14550", "udpin:[::]:14550", "tcpout:autopilot:5760", "serial:/dev/ttyTHS1:57600"] {
            mavlink(good).validate(&link)?;
        }
        for bad in
            ["udpin:0.0.0.0", "udp:0.0.0.0:14550", "udpin:0.0.0.0:145500", "serial:/dev/ttyTHS1", "udpin:0.0.0.:1", ""]
        {
            let error = mavlink(bad).validate(&link).err().with_context(|| format!("{bad:?} is taken"))?;
            assert!(chain(&error).starts_with(&format!("position.address is {bad:?}, expected udpin:")), "{error}");
        }
        let ground = PositionConfig::Mavlink { address: "udpin:0.0.0.0:14550".into(), system: 255 };
        assert!(ground.validate(&link).is_err());
        Ok(())
    }

    #[test]
    fn a_line_has_one_reader() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (device, alias) = (folder.path().join("tty"), folder.path().join("by-id"));
        fs::write(&device, "")?;
        std::os::unix::fs::symlink(&device, &alias)?;
        let receiver = PositionConfig::Nmea { device: alias.clone(), baud: 9600 };
        let link = |to: String| LinkConfig::new(&to);
        assert!(receiver.validate(&link(format!("serial:{}:57600", device.display()))).is_err());
        assert!(receiver.validate(&link(format!("mavlink:serial:{}:57600", device.display()))).is_err());
        receiver.validate(&link("serial:/dev/ttyOther:57600".into()))?;
        assert!(mavlink("udpin:0.0.0.0:14550").validate(&link("mavlink:udpin:127.0.0.1:14550".into())).is_err());
        mavlink("udpin:0.0.0.0:14551").validate(&link("mavlink:udpin:127.0.0.1:14550".into()))?;
        receiver.check()?;
        let absent = PositionConfig::Nmea { device: folder.path().join("none"), baud: 9600 };
        assert!(chain(&absent.check().err().context("a device")?).contains("none: No such file"));
        Ok(())
    }
}
