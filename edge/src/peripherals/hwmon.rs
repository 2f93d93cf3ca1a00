//! An INA3221 as Linux' own driver shows it (Documentation/hwmon/ina3221): where that has the chip, as JetPack's does, nobody
//! else gets it over I²C.

use super::no_answer;
use super::power::PowerMonitor;
use crate::config::PowerConfig;
use crate::error::{Error, Result};
use cssa::files;
use std::fs;
use std::path::{Path, PathBuf};

/// What the driver calls the chip.
const NAME: &str = "ina3221";
/// The channels of a chip.
const CHANNELS: std::ops::RangeInclusive<u8> = 1..=3;
/// Most bytes of a file in sysfs.
const PAGE: u64 = 4096;

/// A channel of an INA3221.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hwmon {
    millivolts: PathBuf,
    milliamperes: PathBuf,
}

impl Hwmon {
    /// The channel that the configuration means, where a driver has its chip.
    pub(crate) fn find(config: &PowerConfig) -> Option<Self> {
        let chips = fs::read_dir(&config.hwmon).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        let mut chips: Vec<PathBuf> =
            chips.filter(|chip| read(&chip.join("name")).is_ok_and(|name| name == NAME)).collect();
        chips.sort();
        let channel = |chip: &PathBuf| match &config.label {
            Some(label) => CHANNELS
                .into_iter()
                .find(|channel| read(&chip.join(format!("in{channel}_label"))).is_ok_and(|found| found == *label)),
            None => is_at(chip, config).then_some(config.channel),
        };
        chips.iter().find_map(|chip| {
            let channel = channel(chip)?;
            let [millivolts, milliamperes] = ["in", "curr"].map(|kind| chip.join(format!("{kind}{channel}_input")));
            (millivolts.exists() && milliamperes.exists()).then_some(Self { millivolts, milliamperes })
        })
    }
}

/// Whether a chip is at the configured bus and address; its device is called `1-0040`, for example.
fn is_at(chip: &Path, config: &PowerConfig) -> bool {
    let device = fs::canonicalize(chip.join("device")).unwrap_or_default();
    let name = device.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some((bus, address)) = name.split_once('-') else { return false };
    let is_bus = config.bus.as_ref().is_none_or(|path| path.to_string_lossy().ends_with(&format!("i2c-{bus}")));
    is_bus && u8::from_str_radix(address, 16) == Ok(config.address)
}

fn read(path: &Path) -> Result<String> {
    Ok(files::read_text(path, PAGE)?.trim().to_owned())
}

fn number(path: &Path) -> Result<f64> {
    let text = read(path)?;
    let expected = |_| no_answer("power monitor", &format_args!("{}: {text:?}, expected a number", path.display()));
    text.parse().map_err(expected)
}

impl PowerMonitor for Hwmon {
    fn watts(&mut self) -> Result<f64> {
        Ok(number(&self.millivolts)? * number(&self.milliamperes)? * 1e-6)
    }
}

/// What is wrong where there is neither the driver's channel nor a bus.
pub(crate) fn missing(config: &PowerConfig) -> Error {
    let what = match &config.label {
        Some(label) => format!("no channel {label:?} of an {NAME}"),
        None => format!("no {NAME} at {:#04x}", config.address),
    };
    let expected = "one, or peripherals.power.bus";
    Error::setting("peripherals.power.hwmon", format_args!("{} with {what}", config.hwmon.display()), expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;
    use std::os::unix::fs::symlink;

    /// Two chips, as an AGX Orin has them, and another sensor.
    fn sysfs(folder: &Path) -> Result<PowerConfig> {
        for (number, name, device, labels) in [
            (0, "tmp451", "1-004c", [""; 3]),
            (3, NAME, "1-0040", ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"]),
            (4, NAME, "1-0041", ["", "VDDQ", "VDD_IN"]),
        ] {
            let (chip, device) = (folder.join(format!("hwmon{number}")), folder.join("devices").join(device));
            fs::create_dir_all(&chip)?;
            fs::create_dir_all(&device)?;
            symlink(&device, chip.join("device"))?;
            fs::write(chip.join("name"), format!("{name}\n"))?;
            for (channel, label) in (1..).zip(labels) {
                fs::write(chip.join(format!("in{channel}_label")), format!("{label}\n"))?;
                fs::write(chip.join(format!("in{channel}_input")), "5000\n")?;
                fs::write(chip.join(format!("curr{channel}_input")), format!("{}\n", number * 100 + channel))?;
            }
        }
        let config = format!("hwmon = {folder:?}");
        Ok(toml::from_str(&config)?)
    }

    fn watts(config: &PowerConfig) -> Result<f64> {
        Ok(Hwmon::find(config).ok_or_else(|| missing(config))?.watts()?)
    }

    #[test]
    fn the_drivers_channel_is_found_by_label_or_by_bus_and_address() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut config = sysfs(folder.path())?;
        assert!((watts(&config)? - 5.0 * 0.301).abs() < 1e-9, "channel 1 at 0x40");
        config.label = Some("VDD_IN".into());
        assert!((watts(&config)? - 5.0 * 0.403).abs() < 1e-9);
        config = PowerConfig { label: None, bus: Some("/dev/i2c-1".into()), address: 0x41, channel: 2, ..config };
        assert!((watts(&config)? - 5.0 * 0.402).abs() < 1e-9);
        config.bus = Some("/dev/i2c-7".into());
        assert_eq!(Hwmon::find(&config), None, "that chip has another bus");
        config.label = Some("VDD_NONE".into());
        let told = missing(&config).to_string();
        assert!(told.contains("VDD_NONE") && told.contains("expected"), "{told}");
        Ok(())
    }

    #[test]
    fn a_value_that_is_no_number_is_named() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let config = sysfs(folder.path())?;
        let mut found = Hwmon::find(&config).ok_or_else(|| missing(&config))?;
        fs::write(folder.path().join("hwmon3/curr1_input"), "much\n")?;
        let told = found.watts().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told.contains("curr1_input") && told.contains("much"), "{told}");
        Ok(())
    }
}
