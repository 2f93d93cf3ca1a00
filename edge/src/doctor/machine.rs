//! Processor, memory, clock and disk.

use super::Finding;
use cssa::clock::EARLIEST;
use cssa_captioner::kernel_of_this_cpu;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A machine whose files lie under a root.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
}

/// A caption needs about 80 MiB with the default bundle; less free memory than this is little.
const LITTLE_MEMORY: u64 = 256 << 20;
/// Whole frames are kept only where this is free.
const LITTLE_DISK: u64 = 64 << 20;

impl Machine {
    /// This machine.
    #[must_use]
    pub fn this() -> Self {
        Self::under(Path::new("/"))
    }

    /// One whose `dev`, `proc` and `sys` lie elsewhere.
    #[must_use]
    pub fn under(root: &Path) -> Self {
        Self { root: root.into() }
    }

    /// A file of the machine: `dev/video0`.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Names in a folder that begin so, in order.
    pub(super) fn named(&self, folder: &str, beginning: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| name.starts_with(beginning)).collect();
        names.sort();
        names
    }

    pub(super) fn processor(&self) -> Finding {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let text = fs::read_to_string(self.path("proc/cpuinfo")).unwrap_or_default();
        let field = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let model = fs::read_to_string(self.path("proc/device-tree/model")).ok();
        let model = model.map(|model| model.trim_end_matches('\0').to_owned()).or_else(|| field("model name"));
        let (kernel, arch) = (kernel_of_this_cpu(), std::env::consts::ARCH);
        let found =
            format!("{arch}, {cores} cores, decoder {kernel}, {}", model.unwrap_or_else(|| "of no name".into()));
        if kernel == "portable" {
            return Finding::absent("processor", found, "captions take longer: it has neither AVX2 nor NEON");
        }
        Finding::good("processor", found)
    }

    pub(super) fn memory(&self) -> Finding {
        let text = fs::read_to_string(self.path("proc/meminfo")).unwrap_or_default();
        let kib = |name: &str| -> Option<u64> {
            text.lines().find(|line| line.starts_with(name))?.split_whitespace().nth(1)?.parse().ok()
        };
        match (kib("MemAvailable:"), kib("MemTotal:")) {
            (Some(free), Some(all)) => {
                let found = format!("{} of {} MiB are free", free >> 10, all >> 10);
                if free << 10 < LITTLE_MEMORY {
                    return Finding::bad(
                        "memory",
                        found,
                        "end other programs: a caption needs about 80 MiB, pixels source.memory",
                    );
                }
                Finding::good("memory", found)
            }
            _ => Finding::absent("memory", "the system does not say how much there is", "look at /proc/meminfo"),
        }
    }

    pub(super) fn clock(&self) -> Finding {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let time = chrono::DateTime::from_timestamp(i64::try_from(now).unwrap_or_default(), 0).unwrap_or_default();
        let found = format!("{}", time.format("%Y-%m-%dT%H:%M:%SZ"));
        if now < u64::from(EARLIEST) {
            let advice = "set it (chrony, a receiver): until then captions have seconds since the start and no date";
            return Finding::bad("clock", format!("{found}: it was not set"), advice);
        }
        Finding::good("clock", found)
    }

    /// The state folder, and the disk that it lies on.
    pub(super) fn disk(&self, state: &Path) -> Finding {
        let there = state.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
        let Ok(found) = rustix::fs::statvfs(there) else {
            return Finding::bad(
                "state",
                format!("{}: nothing is known of its disk", state.display()),
                "look at its file system",
            );
        };
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        let said = format!("{}: {} MiB are free", state.display(), free >> 20);
        if free < LITTLE_DISK {
            return Finding::bad("state", said, "make room: captions wait on this disk, and pictures are kept on it");
        }
        Finding::good("state", said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{State, devices};

    /// A Jetson's files, made up.
    #[test]
    fn a_machine_is_read_where_it_lies() -> std::io::Result<()> {
        let root = tempfile::tempdir()?;
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap_or(root.path()))?;
            fs::write(path, text)
        };
        write("proc/device-tree/model", "NVIDIA Jetson Orin Nano\0")?;
        write("proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 100000 kB\n")?;
        write("dev/video0", "")?;
        write("dev/ttyTHS1", "")?;
        write("sys/class/hwmon/hwmon0/name", "ina3221\n")?;
        let machine = Machine::under(root.path());
        assert!(machine.processor().found.contains("NVIDIA Jetson Orin Nano"), "{:?}", machine.processor());
        let memory = machine.memory();
        assert_eq!((memory.state, memory.found.as_str()), (State::Bad, "97 of 7812 MiB are free"));
        let found = devices::findings(&machine);
        let said =
            |thing: &str| found.iter().find(|finding| finding.thing == thing).map(|finding| finding.found.as_str());
        assert_eq!(said("cameras"), Some("/dev/video0"));
        assert_eq!(said("serial ports"), Some("/dev/ttyTHS1"));
        assert_eq!((said("GPIO"), said("power")), (Some("none"), Some("INA3221 at /sys/class/hwmon/hwmon0")));
        assert!(found.iter().all(|finding| (finding.state == State::Good) != finding.advice.is_some()), "{found:?}");
        Ok(())
    }
}
