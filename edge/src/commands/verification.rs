//! A bundle's self-test in a process of its own, so that it may also crash or hang, by the user who will fly it.

use crate::health::golden::Golden;
use crate::slots::give_all;
use crate::started_as;
use anyhow::{Context, Result, bail, ensure};
use cssa::bundle::{self, BundleWriter};
use cssa::files;
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A new bundle has so long to caption one image.
const LIMIT: Duration = Duration::from_secs(300);

/// Lets bundles prove themselves for a state folder.
pub(super) struct Verification<'a> {
    /// The configuration that they will fly by; left out, on the CPU.
    pub(super) config: Option<&'a Path>,
    /// The state folder of the vehicle.
    pub(super) state: &'a Path,
}

/// Whose a state folder is.
#[derive(Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
}

impl Verification<'_> {
    /// What `bundle` makes of the golden image.
    pub(super) fn verify(&self, bundle: &Path) -> Result<Golden> {
        let program = started_as::words().context("this program cannot be found")?;
        let owner = self.other_owner();
        let staged = owner.filter(|_| !bundle.starts_with(self.state)).map(|_| self.stage(bundle)).transpose()?;
        let bundle = staged.as_ref().map_or(bundle, |(_, bundle)| bundle);
        let mut command = owner.map_or_else(started_as::command, |owner| Ok(owner.command(&program)))?;
        command.args(["self-test", "--json", "--bundle"]).arg(bundle);
        if let Some(config) = self.config {
            command.arg("--config").arg(config);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.with_context(|| format!("{} cannot be started", command.get_program().display()))?;
        let (status, output, errors) = finish(child)?;
        let whose = owner.map(|Owner { uid, .. }| format!("as user {uid}, the state folder's: ")).unwrap_or_default();
        ensure!(status.success(), "{whose}{status}: {}", errors.trim());
        serde_json::from_str(&output).context("the self-test's output is not a golden image's caption")
    }

    /// Where root installs for another user.
    fn other_owner(&self) -> Option<Owner> {
        let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        let state = fs::metadata(self.state).ok().filter(|state| is_root && state.uid() != 0)?;
        Some(Owner { uid: state.uid(), gid: state.gid() })
    }

    /// A copy that the state folder's owner can read.
    fn stage(&self, bundle: &Path) -> Result<(TempDir, PathBuf)> {
        // Should this be killed, the next start removes what is left.
        let folder = files::part_folder(&self.state.join("slots"))?;
        let copy = folder.path().join("bundle");
        BundleWriter::create(&copy)?.write(&bundle::contents(bundle)?)?;
        give_all(folder.path(), self.state)?;
        Ok((folder, copy))
    }
}

impl Owner {
    /// `program`, run by this user in all of its groups: those of GPU and camera, too.
    fn command(self, program: &[OsString]) -> Command {
        let Self { uid, gid } = self;
        let known = Command::new("getent").arg("passwd").arg(uid.to_string()).output();
        let is_known = known.is_ok_and(|known| known.status.success());
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={uid}"), format!("--regid={gid}")]);
        command.arg(if is_known { "--init-groups" } else { "--clear-groups" }).args(program);
        command
    }
}

/// Waits for a process while what it says is read: a full pipe would stop it.
fn finish(mut child: Child) -> Result<(ExitStatus, String, String)> {
    let output = read(child.stdout.take().context("no output")?);
    let errors = read(child.stderr.take().context("no output")?);
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if began.elapsed() > LIMIT {
            child.kill().ok();
            child.wait().ok();
            bail!("no caption within {} seconds", LIMIT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let said = |reading: JoinHandle<Vec<u8>>| reading.join().map(|said| String::from_utf8_lossy(&said).into_owned());
    Ok((status, said(output).unwrap_or_default(), said(errors).unwrap_or_default()))
}

/// Reads until nobody writes any more.
fn read(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut said = Vec::new();
        // What came until then is said.
        pipe.read_to_end(&mut said).ok();
        said
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_say_more_than_a_pipe_holds() -> Result<()> {
        let script = "head -c 300000 /dev/zero | tr '\\0' e >&2; head -c 200000 /dev/zero | tr '\\0' o";
        let child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (status, output, errors) = finish(child)?;
        assert!(status.success());
        assert_eq!((output.len(), errors.len()), (200_000, 300_000));
        Ok(())
    }
}
