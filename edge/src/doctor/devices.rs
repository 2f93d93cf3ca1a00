//! Cameras, serial ports, GPIO lines, power monitors: what is there, and whether this user may use it.

use super::{Finding, Machine};
use rustix::fs::{Access, access};

/// Devices of a kind.
struct Kind {
    thing: &'static str,
    /// Beginnings of their names in `/dev`.
    names: &'static [&'static str],
    /// Who may use them.
    group: &'static str,
    /// What to do where there are none.
    advice: &'static str,
}

const KINDS: [Kind; 4] = [
    Kind {
        thing: "cameras",
        names: &["video"],
        group: "video",
        advice: "source.kind = \"folder\" or \"list\" needs none; a camera's driver makes /dev/video0",
    },
    Kind {
        thing: "serial ports",
        names: &["ttyTHS", "ttyUSB", "ttyACM", "ttyAMA"],
        group: "dialout",
        advice: "links and receivers over UDP, files and MAVLink over UDP need none",
    },
    Kind {
        thing: "GPIO",
        names: &["gpiochip"],
        group: "gpio",
        advice: "only peripherals.trigger and peripherals.watchdog need it",
    },
    Kind {
        thing: "I²C",
        names: &["i2c-"],
        group: "i2c",
        advice: "only peripherals.power without the kernel's driver needs it",
    },
];

pub(super) fn findings(machine: &Machine) -> Vec<Finding> {
    let mut found: Vec<Finding> = KINDS.iter().map(|kind| finding(machine, kind)).collect();
    let monitors = machine.named("sys/class/hwmon", "hwmon").into_iter().filter(|name| {
        let label = std::fs::read_to_string(machine.path(&format!("sys/class/hwmon/{name}/name"))).unwrap_or_default();
        label.trim().starts_with("ina3221")
    });
    let monitors: Vec<String> = monitors.collect();
    found.push(match monitors.is_empty() {
        false => Finding::good("power", format!("INA3221 at /sys/class/hwmon/{}", monitors.join(", "))),
        true => {
            Finding::absent("power", "no INA3221 of the kernel's", "without one nothing is said of a caption's energy")
        }
    });
    let zones = machine.named("sys/class/thermal", "thermal_zone");
    found.push(match zones.is_empty() {
        false => Finding::good("temperature", format!("{} zones", zones.len())),
        true => Finding::absent(
            "temperature",
            "the kernel has no thermal zone",
            "peripherals.temperature needs one to rest in the heat",
        ),
    });
    found
}

fn finding(machine: &Machine, kind: &Kind) -> Finding {
    let devices: Vec<String> = kind.names.iter().flat_map(|name| machine.named("dev", name)).collect();
    if devices.is_empty() {
        return Finding::absent(kind.thing, "none", kind.advice);
    }
    let may = |name: &&String| access(machine.path(&format!("dev/{name}")), Access::READ_OK | Access::WRITE_OK).is_ok();
    let (mine, others): (Vec<&String>, Vec<&String>) = devices.iter().partition(may);
    let list = |names: &[&String]| names.iter().map(|name| format!("/dev/{name}")).collect::<Vec<_>>().join(", ");
    if others.is_empty() {
        return Finding::good(kind.thing, list(&mine));
    }
    let advice = format!(
        "add the user to the group {}: usermod --append --groups {} USER (the service's is cssa)",
        kind.group, kind.group
    );
    Finding::absent(kind.thing, format!("{} may not be read and written by this user", list(&others)), advice)
}
