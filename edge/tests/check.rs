//! `edge run --check`: what can be known of a receiver before the flight.

use std::path::Path;
use std::process::Command;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// What `--check` says of a configuration, or nothing where it passes.
fn check(folder: &Path, position: &str, link: &str) -> Result<String> {
    let config = folder.join("edge.toml");
    let state = folder.join("state");
    let text = format!(
        "state = {state:?}\n[source]\nkind = \"folder\"\npath = \"/tmp\"\n[link]\nto = \"{link}\"\n[position]\n{position}\n"
    );
    std::fs::write(&config, text)?;
    let output = Command::new(env!("CARGO_BIN_EXE_edge")).args(["run", "--check", "--config"]).arg(&config).output()?;
    let said = String::from_utf8(output.stderr)?;
    Ok(if output.status.success() { String::new() } else { said })
}

/// What `--check` says of a link, whether it passes or not.
fn link(folder: &Path, link: &str) -> Result<(bool, String)> {
    let (config, state) = (folder.join("edge.toml"), folder.join("state"));
    let source = "[source]\nkind = \"folder\"\npath = \"/tmp\"\n";
    std::fs::write(&config, format!("state = {state:?}\n{source}[link]\n{link}\n"))?;
    let output = Command::new(env!("CARGO_BIN_EXE_edge")).args(["run", "--check", "--config"]).arg(&config).output()?;
    Ok((output.status.success(), String::from_utf8(output.stderr)?))
}

#[test]
fn a_vehicle_without_a_number_is_said() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (passes, said) = link(folder.path(), "to = \"udp:127.0.0.1:1\"")?;
    assert!(passes && said.contains("edge.toml: link.vehicle is not given"), "{said}");
    assert_eq!(link(folder.path(), "to = \"udp:127.0.0.1:1\"\nvehicle = 12")?, (true, String::new()));
    Ok(())
}

#[test]
fn numbers_of_mavlink_are_checked() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mavlink = "to = \"mavlink:udpout:127.0.0.1:1\"\nvehicle = 12\n";
    assert_eq!(link(folder.path(), &format!("{mavlink}system = 7\ncomponent = 192"))?, (true, String::new()));
    for (wrong, expected) in [
        (format!("{mavlink}system = 255"), "link.system is 255, expected 1 to 254"),
        (format!("{mavlink}component = 0"), "link.component is 0, expected 1 to 255"),
        ("to = \"udp:127.0.0.1:1\"\nsystem = 7".into(), "link.system: only MAVLink has it"),
    ] {
        let (passes, said) = link(folder.path(), &wrong)?;
        assert!(!passes && said.contains(expected), "{said}");
    }
    Ok(())
}

#[test]
fn receivers_that_cannot_be_are_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let device = folder.path().join("tty");
    std::fs::write(&device, "")?;
    let nmea = |device: &Path| format!("kind = \"nmea\"\ndevice = {device:?}");
    let udp = "udp:127.0.0.1:1";
    assert_eq!(check(folder.path(), &nmea(&device), udp)?, "");
    assert_eq!(check(folder.path(), "kind = \"mavlink\"\naddress = \"udpin:0.0.0.0:14550\"", udp)?, "");
    let absent = check(folder.path(), &nmea(&folder.path().join("gone")), udp)?;
    assert!(absent.contains("gone: No such file"), "{absent}");
    let mistyped = check(folder.path(), "kind = \"mavlink\"\naddress = \"udpin:0.0.0.0\"", udp)?;
    assert!(mistyped.contains("position.address is \"udpin:0.0.0.0\", expected udpin:ADDRESS:PORT"), "{mistyped}");
    let absent = check(folder.path(), "kind = \"mavlink\"\naddress = \"serial:/dev/no-such:57600\"", udp)?;
    assert!(absent.contains("/dev/no-such: No such file"), "{absent}");
    let ground = check(folder.path(), "kind = \"mavlink\"\naddress = \"udpin:0.0.0.0:1\"\nsystem = 255", udp)?;
    assert!(ground.contains("position.system is 255, expected 1 to 254"), "{ground}");
    let shared = check(folder.path(), &nmea(&device), &format!("serial:{}:57600", device.display()))?;
    assert!(shared.contains("position: the link has this device"), "{shared}");
    Ok(())
}
