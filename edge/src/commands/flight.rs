//! The commands of a program that flies: `run`, `install`, `self-test`.

use super::model::ModelOptions;
use anyhow::{Context, Result, bail, ensure};
use cssa::bundle::{Trusted, named_or_default};
use cssa_terminal::print;
use edge::Control;
use edge::config::Config;
use edge::health::golden::Golden;
use edge::run;
use edge::slots::Slots;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Options of `edge run`.
#[derive(Debug, clap::Args)]
pub(crate) struct RunOptions {
    /// The configuration, TOML.
    #[arg(long)]
    config: PathBuf,
    /// Only check the configuration.
    #[arg(long)]
    check: bool,
}

/// Options of `edge install`.
#[derive(Debug, clap::Args)]
pub(crate) struct InstallOptions {
    /// The new bundle, a folder or a `.cssa` file.
    new: PathBuf,
    /// The state folder of `edge run`, or its configuration.
    #[arg(long)]
    state: PathBuf,
    /// minisign public key: take only a bundle that is signed with it.
    #[arg(long)]
    trust: Option<PathBuf>,
}

/// Options of `edge self-test`.
#[derive(Debug, clap::Args)]
pub(crate) struct SelfTestOptions {
    #[command(flatten)]
    model: ModelOptions,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs until the source ends or a signal comes: SIGTERM and SIGINT end it, SIGUSR1 asks for a self-test.
pub(crate) fn run(options: &RunOptions) -> Result<()> {
    let config = Config::read(&options.config)?;
    if let Some(problem) = config.link.warning() {
        tracing::warn!("{}: {problem}", options.config.display());
    }
    if options.check {
        config.link.key()?;
        config.position.check()?;
        return Ok(());
    }
    let control = Control::default();
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, control.stop.clone())?;
    }
    signal_hook::flag::register(SIGUSR1, control.self_test.clone())?;
    let status = run::run(&config, named_or_default(None).ok(), None, &control)?;
    print(&serde_json::to_string(&status)?)
}

/// The state folder that was named, or that of the configuration that was named.
fn state_folder(named: &Path) -> Result<PathBuf> {
    if named.is_file() { Ok(Config::read(named)?.state) } else { Ok(named.into()) }
}

/// Installs a bundle into the slot that is not in use and makes it the active one once it has captioned the golden image, in
/// a process of its own, so that it may also crash or hang.
pub(crate) fn install(options: &InstallOptions) -> Result<()> {
    let trusted = options.trust.as_deref().map(Trusted::read).transpose()?;
    let mut slots = Slots::open(&state_folder(&options.state)?)?;
    if let Some(problem) = slots.problem() {
        tracing::warn!("{problem}");
    }
    let (slot, id) = slots.install(&options.new, trusted.as_ref(), |bundle| Ok(verify(bundle)?))?;
    tracing::info!("{}: bundle {id:04x} is active from the next start on", slots.path(slot).display());
    Ok(())
}

/// A new bundle has so long to caption one image.
const VERIFICATION: Duration = Duration::from_secs(300);

fn verify(bundle: &Path) -> Result<Golden> {
    let program = std::env::current_exe().context("this program cannot be found")?;
    let mut started = Command::new(program);
    started.args(["self-test", "--json", "--bundle"]).arg(bundle).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = started.spawn().context("the self-test cannot be started")?;
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if began.elapsed() > VERIFICATION {
            child.kill().ok();
            child.wait().ok();
            bail!("no caption within {} seconds", VERIFICATION.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let (mut output, mut errors) = (String::new(), String::new());
    child.stdout.take().context("no output")?.read_to_string(&mut output)?;
    child.stderr.take().context("no output")?.read_to_string(&mut errors)?;
    ensure!(status.success(), "{status}: {}", errors.trim());
    serde_json::from_str(&output).context("the self-test said something else than a golden image's caption")
}

/// Captions the golden image.
pub(crate) fn self_test(options: &SelfTestOptions) -> Result<()> {
    let (mut captioner, _) = options.model.open()?;
    tracing::info!("{}", captioner.at_work());
    let golden = Golden::of(&mut captioner)?;
    if options.json { print(&serde_json::to_string(&golden)?) } else { print(&golden.caption) }
}
