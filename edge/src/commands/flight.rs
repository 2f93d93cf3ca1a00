//! The commands of a program that flies: `run`, `install`, `health`, `self-test`.

use super::model::ModelOptions;
use super::verification::Verification;
use crate::check::{check, check_policy, new_key};
use crate::config::Config;
use crate::health::from_outside::Health;
use crate::health::golden::Golden;
use crate::model::Loader;
use crate::run;
use crate::slots::{Slots, give_all};
use crate::{Control, at_work};
use anyhow::{Context, Result, bail, ensure};
use cssa::bundle::{Trusted, named_or_default};
use cssa::errors::chain;
use cssa_terminal::print;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Options of `edge run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  edge run --check --config edge.toml
      Names what would keep this configuration from flying.
  edge run --config edge.toml
      Flies until the source ends, SIGTERM or SIGINT; SIGUSR1 asks for a self-test.

Camera:
  With a section [camera] in the configuration captions are placed where the camera looked:
  horizontal_field_of_view   degrees; by default from the images' FocalLengthIn35mmFilm
  mount                      of a fixed camera; by default the gimbal's, from XMP or MAVLink
  ground_elevation           metres above the sea; by default heights are those above the start
  With footprints = true in [link] the frames' corners on the ground are sent, too.")]
pub(crate) struct RunOptions {
    /// Configuration (TOML): edge.toml.
    #[arg(long)]
    config: PathBuf,
    /// Only check the configuration and what can be known of this machine without flying. Names every problem by its
    /// key.
    #[arg(long)]
    check: bool,
}

/// Options of `edge install`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  edge install mine.cssa --state edge.toml
      Tests the bundle as it will fly and makes it the active slot's.")]
pub(crate) struct InstallOptions {
    /// New bundle: a folder or a `.cssa` file.
    new: PathBuf,
    /// Configuration of `edge run`: the bundle is tested with that file's settings. Or its state folder: the bundle is
    /// tested on the CPU.
    #[arg(long)]
    state: PathBuf,
    /// minisign public key: accept only a bundle that is signed with it. Default: the configuration's.
    #[arg(long)]
    trust: Option<PathBuf>,
}

/// Options of `edge health`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  edge health --config edge.toml
      Prints what the run says of itself; exit code 0 while it is well.")]
pub(crate) struct HealthOptions {
    /// The configuration of `edge run`.
    #[arg(long)]
    config: PathBuf,
}

/// Options of `edge self-test`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  edge self-test
      Captions the golden image with the default bundle.
  edge self-test --bundle mine.cssa --config edge.toml
      Captions it with another bundle, loaded as this configuration would.")]
pub(crate) struct SelfTestOptions {
    #[command(flatten)]
    model: ModelOptions,
    /// Load the bundle as `edge run` would with this configuration.
    #[arg(
        long,
        requires = "bundle",
        conflicts_with_all = ["trust", "runtime", "provider", "threads", "beam", "looks"]
    )]
    config: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs until the source ends or a signal comes: SIGTERM and SIGINT end it within two seconds, a second one at once; SIGUSR1 asks for a
/// self-test.
pub(crate) fn run(options: &RunOptions, control: &Control) -> Result<()> {
    if options.check {
        return check_all(&options.config);
    }
    let config = Config::read(&options.config)?;
    warn(&config, &options.config);
    end_in_time(control, &config.state)?;
    signal_hook::flag::register(SIGUSR1, control.self_test.clone())?;
    let status = run::run(&config, named_or_default(None).ok(), None, control)?;
    print(&serde_json::to_string(&status)?)
}

/// A program that is told to end, and hangs, is ended after this: all that is to be kept is on the disk.
const LIMIT: Duration = Duration::from_millis(1900);
/// Between two looks at signals.
const LOOK: Duration = Duration::from_millis(25);

/// Starts the thread that hears of signals: the first one tells the program to end, and ends it where it does not; the second one ends it at
/// once, whatever it waits for.
fn end_in_time(control: &Control, state: &Path) -> Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let (stop, state) = (Arc::clone(&control.stop), state.to_path_buf());
    std::thread::spawn(move || {
        let mut told = None;
        loop {
            for signal in signals.pending() {
                if told.is_some() {
                    at_work::blame_nobody(&state);
                    signal_hook::low_level::exit(128 + signal);
                }
                stop.store(true, Ordering::Relaxed);
                told = Some(Instant::now());
            }
            if told.is_some_and(|told: Instant| told.elapsed() > LIMIT) {
                tracing::warn!("it did not end in time after the signal: the work in hand is left to the next start");
                at_work::blame_nobody(&state);
                signal_hook::low_level::exit(0);
            }
            std::thread::sleep(LOOK);
        }
    });
    Ok(())
}

/// Says what can be, and is most likely not meant.
fn warn(config: &Config, path: &Path) {
    if let Some(problem) = config.link.warning() {
        tracing::warn!("{}: {problem}", path.display());
    }
}

/// Names everything that is wrong with a configuration, a line each.
fn check_all(path: &Path) -> Result<()> {
    let (config, mut problems) = Config::read_leniently(path);
    if let Some(config) = &config {
        warn(config, path);
        if let Some(said) = new_key(config) {
            tracing::warn!("{}: {said}", path.display());
        }
        problems.extend(check(config, named_or_default(None).ok()));
    }
    problems.iter().for_each(|problem| tracing::error!("error: {}", chain(problem)));
    let count = problems.len();
    ensure!(count == 0, "{}: {count} {}", path.display(), if count == 1 { "problem" } else { "problems" });
    Ok(())
}

/// Installs a bundle into the slot that is not needed and makes it the active one once it has captioned the golden image as it will
/// fly. Where root installs for another user, that user's the proof is.
pub(crate) fn install(options: &InstallOptions) -> Result<()> {
    let is_named = options.state.extension().is_some();
    if is_named && !options.state.exists() {
        bail!("--state {}: no such file, expected a configuration or a state folder", options.state.display());
    }
    let config = options.state.is_file().then(|| Config::read(&options.state)).transpose()?;
    let trusted = trusted(options, config.as_ref())?;
    let state = config.as_ref().map_or(&options.state, |config| &config.state);
    let mut slots = Slots::open(state);
    let verification = Verification { config: config.as_ref().map(|_| options.state.as_path()), state };
    let prove = |bundle: &Path| {
        config.as_ref().map_or(Ok(()), give_engines)?;
        Ok(verification.verify(bundle)?)
    };
    let (slot, id) = slots.install(&options.new, trusted.as_ref(), prove)?;
    tracing::info!("{}: bundle {id:04x} is active from the next start on", slots.path(slot).display());
    Ok(())
}

/// Engines that root has built in the state folder are the service's, too: it must be able to replace them.
fn give_engines(config: &Config) -> Result<(), crate::Error> {
    match config.model.engines.as_ref().filter(|engines| engines.starts_with(&config.state) && engines.is_dir()) {
        Some(engines) => give_all(engines, &config.state),
        None => Ok(()),
    }
}

/// Whose bundles are taken: the key that was named, which must be the configuration's where that has one.
fn trusted(options: &InstallOptions, config: Option<&Config>) -> Result<Option<Trusted>> {
    let named = options.trust.as_deref().map(Trusted::read).transpose()?;
    let Some(model) = config.map(|config| &config.model) else { return Ok(named) };
    let file = options.state.display();
    if let Some(bundle) = &model.bundle {
        bail!("{file}: model.bundle is {}, expected none: with it no slot ever flies", bundle.display());
    }
    let Some(path) = &model.trust else { return Ok(named) };
    let configured = Trusted::read(path).with_context(|| format!("{file}: model.trust"))?;
    let is_same = named.as_ref().is_none_or(|named| *named == configured);
    ensure!(is_same, "--trust is another key than model.trust of {file}, {}, expected the same", path.display());
    Ok(Some(configured))
}

/// Prints what the status of a run says, where it is well.
pub(crate) fn health(options: &HealthOptions) -> Result<()> {
    print(&serde_json::to_string(&Health::read(&Config::read(&options.config)?)?)?)
}

/// Captions the golden image.
pub(crate) fn self_test(options: &SelfTestOptions) -> Result<()> {
    let golden = match (&options.config, &options.model.bundle) {
        (Some(config), Some(bundle)) => fly_once(&Config::read(config)?, bundle)?,
        _ => {
            let (mut captioner, _) = options.model.open()?;
            tracing::info!("{}", captioner.at_work());
            Golden::of(&mut captioner)?
        }
    };
    if options.json { print(&serde_json::to_string(&golden)?) } else { print(&golden.caption) }
}

/// What a bundle makes of the golden image as a configuration has it fly, where it has what the policy asks for.
fn fly_once(config: &Config, bundle: &Path) -> Result<Golden> {
    let loaded = Loader::new(config)?.with_self_test().load(bundle, None)?;
    tracing::info!("{}", loaded.captioner.at_work());
    if let Some(problem) = check_policy(config, bundle, &loaded).into_iter().next() {
        return Err(problem.into());
    }
    loaded.golden.context("the golden image was not captioned")
}
