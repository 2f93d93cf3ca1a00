//! What the operating system says of this process.

/// Memory of this process in MiB, from `/proc/self/status`; `None` where there is no such file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// Resident now (VmRSS).
    pub resident_mib: f64,
    /// Resident at most so far (VmHWM).
    pub peak_mib: f64,
}

/// The memory of this process; nothing where the system does not tell.
#[must_use]
pub fn memory() -> Option<Memory> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
    };
    Some(Memory { resident_mib: mib("VmRSS")?, peak_mib: mib("VmHWM")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_takes_memory_and_its_peak_is_no_less() {
        let Some(memory) = memory() else { return };
        assert!(memory.resident_mib > 0.5 && memory.peak_mib >= memory.resident_mib, "{memory:?}");
    }
}
