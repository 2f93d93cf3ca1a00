//! `edge run --check`: everything that can be known of a configuration on its machine without flying. Nothing is
//! written, sent or moved: the model loads and captions the golden image, files and devices are opened or looked for,
//! hosts are not looked up.

use super::at_work;
use super::config::{Config, PeripheralsConfig, PowerConfig, SourceConfig};
use super::downlink::read_passes;
use super::error::{Error, Result};
use super::model::{Loaded, Loader};
use super::peripherals::hwmon::{self, Hwmon};
use super::slots::Slots;
use super::sources;
use super::store::{NewKey, STORE};
use super::watch_list::WatchList;
use cssa::files;
use cssa_captioner::Subject;
use cssa_link::Address;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Everything that is wrong, each with its key; `fallback` is the bundle where neither the configuration nor a slot has
/// one.
#[must_use]
pub fn check(config: &Config, fallback: Option<PathBuf>) -> Vec<Error> {
    let mut found = config.problems();
    found.extend(writable_folder(&config.state).map_err(Error::key("state")).err());
    found.extend(kept_files(&config.state));
    found.extend(model(&with_possible_sizes(config), fallback));
    found.extend(source(config));
    found.extend(link(config));
    found.extend(config.position.check().map_err(Error::key("position")).err());
    found.extend(peripherals(&config.peripherals));
    found
}

/// The configuration, with the least of what the model's sizes can be where one cannot be: so many threads would take the computer.
fn with_possible_sizes(config: &Config) -> Config {
    let mut possible = config.clone();
    if config.problems().iter().any(|problem| problem.to_string().starts_with("model.")) {
        (possible.model.threads, possible.model.batch, possible.model.beam) = (1, 1, None);
    }
    possible
}

/// What an earlier run has left that this user cannot go on with: root's, for example.
fn kept_files(state: &Path) -> Vec<Error> {
    let open = |path: PathBuf| File::options().read(true).write(true).open(&path).map(drop).map_err(Error::path(path));
    let there = [STORE, at_work::NAME].map(|name| state.join(name)).into_iter().filter(|path| path.exists());
    there.filter_map(|path| open(path).map_err(Error::key("state")).err()).collect()
}

/// What flies, and the configuration does not say: a key that came over the link.
/// One that the ground never spoke under gives way to `link.next_key`.
#[must_use]
pub fn new_key(config: &Config) -> Option<String> {
    let (path, key) = (config.link.key.as_ref()?, config.link.key().ok()??);
    let new = NewKey::of_store(&config.state).filter(|new| new.stands_above(&key))?;
    let next = config.link.next_key().ok().flatten().filter(|next| *next != new.key);
    let (path, state) = (path.display(), config.state.display());
    let which = match (next, new.is_heard, &new.before) {
        (_, true, _) => format!("a new key came over the link and is used above {path}"),
        (None, false, _) => {
            format!("a new key came over the link and is to be used once the ground speaks under it above {path}")
        }
        (Some(_), false, Some(_)) => {
            format!(
                "the last key but one that came over the link is used above {path}; the last one, never used, gives way to link.next_key"
            )
        }
        (Some(_), false, None) => return None,
    };
    Some(format!(
        "link.key: {which}: write it there, the file that ground command new-key was given; until then only {state} has it"
    ))
}

/// What the policy asks for and a bundle does not have: confidence, watch-words.
#[must_use]
pub fn check_policy(config: &Config, place: &Path, loaded: &Loaded) -> Vec<Error> {
    let mut found = WatchList::new(&config.policy.watch, &loaded.lexicon).1;
    if !loaded.captioner.is_calibrated() {
        found.extend(config.policy.unjudged(place));
    }
    found
}

/// The bundles that would be tried, up to the one that would fly.
fn model(config: &Config, fallback: Option<PathBuf>) -> Vec<Error> {
    let mut found = Vec::new();
    let engines = config.model.engines.as_deref().map(writable_folder).unwrap_or(Ok(()));
    found.extend(engines.map_err(Error::key("model.engines")).err());
    let loader = match Loader::new(config).map_err(Error::key("model.trust")) {
        Ok(loader) => loader,
        Err(problem) => {
            found.push(problem);
            // What else is wrong with the bundle is known without the key.
            Loader::untrusting(config)
        }
    };
    let loader = loader.with_self_test();
    let mut places = Vec::new();
    if let Some(named) = &config.model.bundle {
        places.push(("model.bundle", named.clone(), None));
    } else {
        let mut slots = Slots::open(&config.state);
        found.extend(slots.unknown().map(Error::key("state")));
        for slot in slots.order() {
            places.push(("state", slots.path(slot), slots.good(slot).map(|good| good.golden.clone())));
        }
        places.extend(fallback.map(|place| ("model.bundle", place, None)));
    }
    if places.is_empty() {
        found.push(Error::NoBundle);
    }
    for (key, place, golden) in places {
        match loader.load(&place, golden.as_ref()) {
            Ok(loaded) => {
                found.extend(check_policy(config, &place, &loaded));
                break;
            }
            Err(problem) => {
                let subject = if let Error::Captioner(error) = &problem { error.subject() } else { Subject::Bundle };
                let key = match subject {
                    Subject::Runtime => "model.runtime",
                    Subject::Provider => "model.provider",
                    Subject::Bundle => key,
                };
                found.push(Error::key(key)(problem));
                // No other bundle would load either.
                if subject != Subject::Bundle {
                    break;
                }
            }
        }
    }
    found
}

fn source(config: &Config) -> Vec<Error> {
    match &config.source {
        SourceConfig::Folder { path, .. } => {
            let read = fs::read_dir(path).map(drop).map_err(Error::path(path));
            read.map_err(Error::key("source.path")).err().into_iter().collect()
        }
        SourceConfig::List { .. } => {
            let opened = sources::open(&config.source, config.tiler).map(drop);
            opened.map_err(Error::key("source.path")).err().into_iter().collect()
        }
        SourceConfig::Pipe { command, .. } => {
            let program = command.first().map_or(Ok(()), |program| executable(program));
            program.map_err(Error::key("source.command")).err().into_iter().collect()
        }
        SourceConfig::Scenes { paths, .. } => {
            let opened = paths.iter().map(|path| readable_file(path).map_err(Error::key("source.paths")));
            opened.filter_map(Result::err).collect()
        }
        SourceConfig::Own { .. } => Vec::new(),
    }
}

fn link(Config { link: config, state, .. }: &Config) -> Vec<Error> {
    let mut found = Vec::new();
    // One that has no form is among the values that cannot be.
    if let Ok(address) = config.address() {
        found.extend(port(&address, state).map_err(Error::key("link.to")).err());
    }
    let keys = [("link.key", config.key()), ("link.next_key", config.next_key())];
    let unread: Vec<Error> = keys.into_iter().filter_map(|(key, read)| read.map_err(Error::key(key)).err()).collect();
    if unread.is_empty() {
        found.extend(config.keys().err());
    }
    found.extend(unread);
    if let Some(passes) = config.contact.as_ref().and_then(|contact| contact.passes.as_deref()) {
        found.extend(read_passes(passes).map_err(Error::key("link.contact.passes")).err());
    }
    found
}

fn port(address: &Address, state: &Path) -> Result<()> {
    match address {
        Address::File(path) => {
            let opened = match fs::metadata(path) {
                Ok(there) if there.is_dir() => Err(ErrorKind::IsADirectory.into()),
                Ok(there) if there.is_file() => File::options().append(true).open(path).map(drop),
                Ok(_) => Err(io::Error::other("is no regular file")),
                // The state folder is made before it is sent there.
                Err(_) if path.parent() == Some(state) => return writable_folder(state),
                Err(_) => return Ok(files::check_writable(path)?),
            };
            opened.map_err(Error::path(path))
        }
        // Hosts are not looked up.
        Address::Udp(_) => Ok(()),
        Address::Serial(device, _) => serial_line(Path::new(device)),
        Address::Mavlink(address) => match address.strip_prefix("serial:").and_then(|rest| rest.rsplit_once(':')) {
            Some((device, _)) => serial_line(Path::new(device)),
            None => Ok(()),
        },
    }
}

fn peripherals(config: &PeripheralsConfig) -> Vec<Error> {
    let PeripheralsConfig { trigger, watchdog, power, temperature } = config;
    let devices = [
        ("peripherals.trigger.chip", trigger.as_ref().map(|pin| &pin.chip)),
        ("peripherals.watchdog.chip", watchdog.as_ref().map(|pin| &pin.chip)),
        ("peripherals.temperature.zone", temperature.as_ref().map(|temperature| &temperature.zone)),
    ];
    let looked = devices.into_iter().filter_map(|(key, path)| Some((key, device_is_there(path?))));
    let missing = looked.filter_map(|(key, looked)| looked.map_err(Error::key(key)).err());
    missing.chain(power.as_ref().and_then(power_monitor)).collect()
}

fn power_monitor(config: &PowerConfig) -> Option<Error> {
    match &config.bus {
        _ if Hwmon::find(config).is_some() => None,
        Some(bus) if config.label.is_none() => device_is_there(bus).map_err(Error::key("peripherals.power.bus")).err(),
        _ => Some(hwmon::missing(config)),
    }
}

/// A folder that can be written, or be made where it is to be.
fn writable_folder(path: &Path) -> Result<()> {
    let existing = path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    if !existing.is_dir() {
        return Err(Error::path(existing)(io::Error::from(ErrorKind::NotADirectory)));
    }
    Ok(files::check_writable(&existing.join("status.json"))?)
}

fn readable_file(path: &Path) -> Result<()> {
    let is_folder = path.is_dir();
    let opened = if is_folder { Err(ErrorKind::IsADirectory.into()) } else { File::open(path).map(drop) };
    opened.map_err(Error::path(path))
}

/// Devices are not opened: some do something when they are.
fn device_is_there(path: &Path) -> Result<()> {
    fs::metadata(path).map(drop).map_err(Error::path(path))
}

/// A serial line, as far as that is known without opening it: the system sorts its devices.
fn serial_line(path: &Path) -> Result<()> {
    let metadata = fs::metadata(path).map_err(Error::path(path))?;
    let (major, minor) = (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
    let kind = fs::canonicalize(format!("/sys/dev/char/{major}:{minor}/subsystem")).ok();
    let is_line = metadata.file_type().is_char_device() && kind.is_none_or(|kind| kind.ends_with("tty"));
    let found = format_args!("{path:?}");
    if is_line { Ok(()) } else { Err(Error::setting("its device", found, "a serial line, such as /dev/ttyUSB0")) }
}

/// A program as `execvp` finds it.
fn executable(program: &str) -> Result<()> {
    let is_program =
        |path: &Path| fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    let search = std::env::var_os("PATH").unwrap_or_default();
    let is_found = match program.contains('/') {
        true => is_program(Path::new(program)),
        false => std::env::split_paths(&search).any(|folder| is_program(&folder.join(program))),
    };
    if is_found {
        return Ok(());
    }
    Err(Error::setting("its program", format_args!("{program:?}"), "an executable file, by its path or in PATH"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use anyhow::Result;
    use cssa_wire::{KEY, Key};

    /// The key in use is named, not the one that gives way to `link.next_key`.
    #[test]
    fn the_key_that_is_named_is_the_one_in_use() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let keys = [1, 2, 3, 5].map(|byte| (byte, Key::new([byte; KEY])));
        let path = |byte: u8| folder.path().join(format!("key{byte}"));
        for (byte, _) in &keys {
            fs::write(path(*byte), format!("{byte:02x}").repeat(KEY))?;
            fs::set_permissions(path(*byte), PermissionsExt::from_mode(0o600))?;
        }
        let [first, second, third, _] = keys.map(|(_, key)| key);
        for (before, is_heard, next, expected) in [
            (None, false, None, Some("is to be used once the ground speaks under it above")),
            (None, true, None, Some("a new key came over the link and is used above")),
            (None, true, Some(5), Some("a new key came over the link and is used above")),
            (None, false, Some(5), None),
            (Some(&second), false, Some(5), Some("the last key but one that came over the link is used above")),
        ] {
            let state = tempfile::tempdir()?;
            let new = NewKey { key: third.clone(), before: before.cloned(), configured: first.name(), is_heard };
            Store::open(state.path(), 10)?.take_new_key((9, 1, 5), &cssa_wire::Command::Pause, Ok(&new))?;
            let (next, key) = (next.map(|byte| format!("next_key = {:?}\n", path(byte))), path(1));
            let config: Config = toml::from_str(&format!(
                "state = {:?}\n[source]\nkind = \"folder\"\npath = \"frames\"\n[link]\nto = \"udp:127.0.0.1:1\"\nkey = {key:?}\n{}",
                state.path(),
                next.unwrap_or_default()
            ))?;
            let said = new_key(&config);
            assert_eq!(said.is_some(), expected.is_some(), "{said:?}");
            assert!(said.unwrap_or_default().contains(expected.unwrap_or_default()), "{expected:?}");
        }
        Ok(())
    }
}
