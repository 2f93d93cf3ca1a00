//! Whether a run is well, as another process sees it: by the status in its state folder. For containers' health checks.

use super::status::STATUS;
use crate::config::Config;
use crate::error::{Error, Result};
use cssa::clock;
use cssa::files::{self, FileError};
use serde::{Deserialize, Serialize};

/// A status is late when two have been missed, and this much more for a slow disk.
const GRACE: u64 = 10;
/// The largest status that is read, in bytes: what was ordered and each fault's last reason are in it.
const MAX_STATUS: u64 = 1 << 20;

/// What the status says of a run that is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Seconds since 1970, by the system's clock.
    pub time: u64,
    /// Seconds since the start.
    pub uptime: u64,
    /// The bundle at work.
    pub bundle: String,
    /// The runtime at work.
    pub runtime: String,
    /// Threads that show no sign of life.
    #[serde(default, skip_serializing)]
    lifeless: Vec<String>,
    /// Whether it is the last status of a run that has ended.
    #[serde(default, skip_serializing)]
    ended: bool,
}

impl Health {
    /// Reads the status of the run with this configuration.
    ///
    /// # Errors
    /// Where there is none, as before a run has loaded its model, it is not of now or the run's last, or a thread shows no sign of life.
    pub fn read(config: &Config) -> Result<Self> {
        let path = config.state.join(STATUS);
        let refused = |problem: String| Error::from(FileError::content(&path, problem));
        let bytes = files::read(&path, MAX_STATUS)?;
        let health: Self =
            serde_json::from_slice(&bytes).map_err(|error| refused(format!("is no status of edge run: {error}")))?;
        health.judge(clock::now().into(), config.health.heartbeat_seconds).map_err(refused)?;
        Ok(health)
    }

    /// Why it is not well `now`, with a status every so many seconds. A status of the future is from before the clock was set.
    fn judge(&self, now: u64, every: u64) -> std::result::Result<(), String> {
        let (age, most) = (now.abs_diff(self.time), every.saturating_mul(2).saturating_add(GRACE));
        if age > most {
            let when = if now < self.time { "ahead of the clock" } else { "old" };
            return Err(format!("is {age} s {when}, expected {most} s at most: edge run does not run, or hangs"));
        }
        match self.lifeless.first() {
            _ if self.ended => Err("says that edge run has ended".into()),
            Some(lifeless) => Err(format!("says that {lifeless}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_well_while_its_status_is_new_and_its_threads_are_alive() {
        let health = Health {
            time: 1000,
            uptime: 5,
            bundle: "a".into(),
            runtime: "ort".into(),
            lifeless: Vec::new(),
            ended: false,
        };
        assert_eq!(health.judge(1130, 60), Ok(()));
        assert_eq!(health.judge(870, 60), Ok(()));
        let said = |now, every| health.judge(now, every).err().unwrap_or_default();
        assert!(said(1131, 60).contains("131 s old, expected 130 s at most"), "{}", said(1131, 60));
        assert!(said(800, 60).contains("200 s ahead of the clock"), "{}", said(800, 60));
        assert_eq!(health.judge(u64::MAX, u64::MAX), Ok(()));
        let stuck = Health { lifeless: vec!["the link's thread panicked".into()], ..health };
        assert_eq!(stuck.judge(1000, 60), Err("says that the link's thread panicked".into()));
    }

    #[test]
    fn what_is_no_status_is_refused_by_its_name() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let text = format!(
            "state = {:?}\n[source]\nkind = \"folder\"\npath = \"in\"\n[link]\nto = \"file:out.bin\"\n",
            folder.path()
        );
        let config: Config = toml::from_str(&text)?;
        let said = || Health::read(&config).map(|_| ()).map_err(|error| cssa::errors::chain(&error));
        assert!(said().is_err_and(|error| error.contains("status.json")), "{:?}", said());
        std::fs::write(folder.path().join(STATUS), "{}")?;
        assert!(
            said().is_err_and(|error| error.contains("is no status of edge run: missing field `time`")),
            "{:?}",
            said()
        );
        let now = clock::now();
        std::fs::write(
            folder.path().join(STATUS),
            format!("{{\"time\":{now},\"uptime\":1,\"bundle\":\"b\",\"runtime\":\"tract\",\"waiting\":0}}"),
        )?;
        assert_eq!(said(), Ok(()));
        Ok(())
    }
}
