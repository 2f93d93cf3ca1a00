//! `edge run --check`: what can be known before the flight.

use super::{Result, edge, install, said};
use std::path::Path;

/// What `--check` says of a configuration, or nothing where it passes.
fn check(folder: &Path, position: &str, link: &str) -> Result<String> {
    let config = folder.join("edge.toml");
    let state = folder.join("state");
    let position = if position.is_empty() { String::new() } else { format!("[position]\n{position}") };
    let text = format!(
        "state = {state:?}\n[source]\nkind = \"folder\"\npath = \"/tmp\"\n[link]\nto = \"{link}\"\n{position}\n"
    );
    std::fs::write(&config, text)?;
    said_of(&config)
}

fn said_of(config: &Path) -> Result<String> {
    let output = edge().args(["run", "--check", "--config"]).arg(config).output()?;
    assert_eq!(output.status.code(), Some(i32::from(!output.status.success())));
    Ok(if output.status.success() { String::new() } else { said(&output) })
}

/// All problems at once, a line each, by their keys.
#[test]
fn every_problem_is_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("file"), "no key, no pass")?;
    let (file, gone) = (at("file"), at("gone"));
    let (config, inside) = (at("edge.toml"), at("file").join("state"));
    let cases = [
        (
            format!(
                "state = {inside:?}\nqueue = 0\n[model]\ntrust = {file:?}\nbundle = {gone:?}\nthreads = 0\nbeam = 200\n[source]\nkind = \"list\"\n\
                 path = {gone:?}\n[link]\nto = \"udp:ground:99999\"\nkey = {file:?}\nsends = 0\n\
                 contact = {{ bytes = 1, passes = {file:?} }}\n\
                 [camera]\nhorizontal_field_of_view = 180.0\nmount = {{ pitch = -200.0 }}\nground_elevation = 10000.0\n[position]\nkind = \"nmea\"\ndevice = {gone:?}\n\
                 [peripherals]\nwatchdog = {{ chip = {gone:?}, line = 1 }}\n\
                 power = {{ label = \"VDD_IN\", hwmon = {gone:?} }}\n"
            ),
            vec![
                "state: ",
                "queue is 0",
                "model.trust: ",
                "model.bundle: ",
                "model.threads is 0",
                "model.beam is 200",
                "source.path: ",
                "link.to: \"udp:ground:99999\": expected udp:HOST:PORT",
                "link.key: ",
                "link.sends is 0",
                "link.contact.bytes is 1",
                "link.contact.passes: ",
                "position: ",
                "camera.horizontal_field_of_view is 180",
                "camera.ground_elevation is 10000",
                "camera.mount.pitch is -200",
                "peripherals.watchdog.chip: ",
                "peripherals.power.hwmon is ",
            ],
        ),
        (
            format!(
                "state = {:?}\n[model]\nbundle = {gone:?}\n[source]\nkind = \"pipe\"\ncommand = [\"no-such-program\"]\n\
                 [link]\nto = \"upd:bogus\"\nsends = 0\nfootprints = true\n",
                at("state")
            ),
            vec![
                "model.bundle: ",
                "source.command: its program is \"no-such-program\"",
                "link.to: \"upd:bogus\"",
                "link.sends is 0",
                "link.footprints: without [camera]",
            ],
        ),
        (
            format!(
                "state = {:?}\n[model]\nbundle = {:?}\n[source]\nkind = \"scenes\"\npaths = [{gone:?}, {file:?}]\n\
                 [policy]\nleast_confidence = 0.5\nwatch = {{ airplain = 1, boat = 1, \"big zeppelin\" = 2 }}\n\
                 [link]\nto = \"serial:/dev/no-such:57600\"\n",
                at("state"),
                without_statistics(folder.path())?
            ),
            vec![
                "source.paths: ",
                "policy.least_confidence: ",
                "policy.watch.\"airplain\": ",
                "policy.watch.\"big zeppelin\": ",
                "link.to: /dev/no-such: No such file",
            ],
        ),
        (
            format!(
                "state = {:?}\n[source]\nkind = \"folder\"\npath = {gone:?}\n[link]\nto = \"mavlink:udpout:ground:99999\"\n\
                 [peripherals]\npower = {{ hwmon = {gone:?}, shunt_milliohm = inf }}\n\
                 temperature = {{ zone = {file:?}, warm = 60.0, limit = inf }}\n",
                at("state")
            ),
            vec![
                "source.path: ",
                "link.to: \"mavlink:udpout:ground:99999\": expected mavlink:",
                "peripherals.power.hwmon is ",
                "peripherals.power.shunt_milliohm is inf, expected above 0, at most 1000000",
                "peripherals.temperature.limit is inf, expected -100 to 200",
            ],
        ),
    ];
    for (text, expected) in cases {
        std::fs::write(&config, text)?;
        let told = said_of(&config)?;
        for problem in &expected {
            assert!(
                told.lines().any(|line| line.starts_with(&format!("error: {problem}"))),
                "{told}\nexpected {problem}"
            );
        }
        let last = format!("error: {}: {} problems", config.display(), expected.len());
        assert_eq!(told.lines().last(), Some(last.as_str()), "{told}");
    }
    assert!(!at("state").exists(), "nothing is written");
    Ok(())
}

/// The default bundle without what confidence is computed from.
fn without_statistics(folder: &Path) -> Result<std::path::PathBuf> {
    let mut contents = cssa::bundle::contents(&fixtures::bundle())?;
    let text = String::from_utf8(contents["manifest.toml"].clone())?;
    let mut manifest: cssa::bundle::Manifest = cssa::files::parse_toml(&fixtures::bundle(), &text)?;
    manifest.trust = None;
    for name in [cssa::bundle::TRUST, cssa::bundle::OBJECT_GROUPS] {
        manifest.files.remove(name);
        contents.remove(name);
    }
    contents.insert("manifest.toml".into(), toml::to_string(&manifest)?.into_bytes());
    let path = folder.join("without.cssa");
    cssa::bundle::BundleWriter::create(&path)?.write(&contents)?;
    Ok(path)
}

/// A slot that does not load is said, and so is one of which nothing is known.
#[test]
fn slots_that_do_not_fly_are_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = super::configure(folder.path(), &["scene_00001.jpg"], "", "")?;
    assert!(install(&config)?.status.success());
    assert_eq!(said_of(&config)?, "");
    let slots = folder.path().join("state/slots");
    super::flip(&slots.join("a/encoder.onnx"))?;
    let told = said_of(&config)?;
    assert!(told.contains("error: state: ") && told.contains("slots/a/encoder.onnx"), "{told}");
    std::fs::write(slots.join("slots.toml"), "")?;
    let told = said_of(&config)?;
    assert!(told.contains("error: state: ") && told.contains("nothing says which slot is good"), "{told}");
    Ok(())
}

/// What is packaged is right for the packaged bundle, watch-words and all, where its folders are.
#[test]
fn the_packaged_configuration_passes() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let packaged = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/edge.toml");
    let text = std::fs::read_to_string(packaged)?.replace("/var/lib/cssa", &folder.path().display().to_string());
    std::fs::create_dir(folder.path().join("incoming"))?;
    let config = folder.path().join("edge.toml");
    std::fs::write(&config, text)?;
    assert_eq!(said_of(&config)?, "");
    Ok(())
}

/// Places where packets cannot go, and one that is made before they do.
#[test]
fn links_that_cannot_be_are_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let of = |to: &str| check(folder.path(), "", to);
    assert_eq!(of(&format!("file:{}", folder.path().join("state/out.bin").display()))?, "");
    for (to, expected) in [
        ("file:/tmp", "error: link.to: /tmp: is a directory"),
        ("file:", "expected file:PATH"),
        ("serial:/dev/null:57600", "its device is \"/dev/null\", expected a serial line"),
        ("mavlink:serial:/dev/null:57600", "its device is \"/dev/null\", expected a serial line"),
    ] {
        let told = of(to)?;
        assert!(told.contains(expected), "{to}: {told}");
    }
    Ok(())
}

/// A key that is none hides nothing.
#[test]
fn mistyped_keys_are_named_with_all_else() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let told = check(folder.path(), "", "file:/tmp")?;
    assert_eq!(told.matches("error: ").count(), 2, "{told}");
    let config = folder.path().join("edge.toml");
    let text = std::fs::read_to_string(&config)?;
    std::fs::write(&config, format!("{text}[model]\nlook = 1\nprovider = \"cuba\"\nbeam = 0\n"))?;
    let told = said_of(&config)?;
    for expected in ["unknown field `look`", "unknown variant `cuba`", "model.beam is 0", "link.to: /tmp"] {
        assert!(told.contains(expected), "{told}\nexpected {expected}");
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

/// What `--check` says of a link, whether it passes or not.
fn link(folder: &Path, link: &str) -> Result<(bool, String)> {
    let (config, state) = (folder.join("edge.toml"), folder.join("state"));
    let source = "[source]\nkind = \"folder\"\npath = \"/tmp\"\n";
    std::fs::write(&config, format!("state = {state:?}\n{source}[link]\n{link}\n"))?;
    let output = edge().args(["run", "--check", "--config"]).arg(&config).output()?;
    Ok((output.status.success(), said(&output)))
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
fn a_next_key_is_another_key() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let [key, next, gone] = ["key", "next", "gone"].map(|name| folder.path().join(name));
    std::fs::write(&key, "05".repeat(32))?;
    std::fs::write(&next, "06".repeat(32))?;
    let udp = "to = \"udp:127.0.0.1:1\"\nvehicle = 12\n";
    assert_eq!(link(folder.path(), &format!("{udp}key = {key:?}\nnext_key = {next:?}"))?, (true, String::new()));
    for (wrong, expected) in [
        (format!("next_key = {next:?}"), "link.next_key: there is no link.key"),
        (format!("key = {key:?}\nnext_key = {key:?}"), "link.next_key: it is the key of link.key"),
        (format!("key = {key:?}\nnext_key = {gone:?}"), "link.next_key: "),
    ] {
        let (passes, said) = link(folder.path(), &format!("{udp}{wrong}"))?;
        assert!(!passes && said.contains(expected), "{said}");
    }
    Ok(())
}

/// A runtime or a provider that is not there is not the bundle's fault.
#[test]
fn what_does_not_load_is_named_by_its_key() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (config, state, bundle) = (folder.path().join("edge.toml"), folder.path().join("state"), fixtures::bundle());
    for (model, expected) in [
        ("runtime = \"ort\"", "model.runtime: /no/library.so: cannot open"),
        ("provider = \"cuda\"\nruntime = \"tract\"", "model.provider: --provider cuda: tract has no providers"),
    ] {
        let source = "[source]\nkind = \"folder\"\npath = \"/tmp\"\n";
        let text = format!(
            "state = {state:?}\n[model]\nbundle = {bundle:?}\n{model}\n{source}[link]\nto = \"file:/tmp/x\"\nvehicle = 1\n"
        );
        std::fs::write(&config, text)?;
        let mut check = edge();
        let output =
            check.args(["run", "--check", "--config"]).arg(&config).env("ORT_DYLIB_PATH", "/no/library.so").output()?;
        assert!(!output.status.success() && said(&output).contains(expected), "{}", said(&output));
    }
    Ok(())
}

/// What cannot be is not tried, and nothing is sent over what is kept.
#[test]
fn what_would_harm_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (config, secret) = (folder.path().join("edge.toml"), "0123456789abcdef".repeat(4));
    std::fs::write(at("key"), &secret)?;
    let list = format!("kind = \"list\"\npath = {:?}", at("key"));
    let folder_source = "kind = \"folder\"\npath = \"/tmp\"";
    for (model, source, link, expected) in [
        ("threads = 100000", folder_source, "to = \"udp:a:1\"".into(), "model.threads is 100000, expected 1 to 64"),
        ("", "kind = \"scenes\"\npaths = []", "to = \"udp:a:1\"".into(), "source.paths is empty"),
        ("", folder_source, "to = \"file:/dev/full\"".into(), "link.to: /dev/full: is no regular file"),
        ("", folder_source, format!("to = \"file:{}\"", at("edge.toml")), "link.to: it is read or kept here"),
        ("", folder_source, format!("to = \"file:{}\"", at("state/store.redb")), "link.to: it is read or kept here"),
        ("", folder_source, "to = \"file:/tmp/../tmp/a.jpg\"".into(), "link.to: it is read or kept here"),
        ("", &list, format!("to = \"file:{}\"", at("key")), "link.to: it is read or kept here"),
        (
            "",
            folder_source,
            format!("to = \"udp:a:1\"\ncontact = {{ bytes = 300, passes = {:?} }}", at("key")),
            "key: line 1: expected two times",
        ),
    ] {
        let text = format!("state = {:?}\n[model]\n{model}\n[source]\n{source}\n[link]\n{link}\n", at("state"));
        std::fs::write(&config, text)?;
        let told = said_of(&config)?;
        assert!(told.contains(expected) && !told.contains(&secret[..16]), "{told}\nexpected {expected}");
    }
    Ok(())
}
