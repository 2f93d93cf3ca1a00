//! What all programs do at a terminal: results a line on standard output; errors and logs on standard error, for people or,
//! with `--log json`, for machines; an exit code; and an end when they are told to.

use anyhow::{Context, Result};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use cssa::errors::chain;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::convert::Infallible;
use std::ffi::{CString, OsStr, OsString};
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// ONNX Runtime of 2026 keeps a device's number and a database of its use in the home folder, to send it to its maker, unless the environment says no before it is
/// loaded. Where it does not, the program begins anew with that said: same process, same arguments. Where a program cannot be begun anew, as under qemu's user
/// mode, it goes on as it is, silently, as a log is not open yet: `execve` itself, as the C library's `execvp` would give a program that the kernel does not know to a shell.
pub fn without_telemetry() {
    const OFF: &str = "ORT_DISABLE_TELEMETRY";
    if std::env::var_os(OFF).is_some() {
        return;
    }
    let anew = || -> Result<Infallible> {
        let text = |bytes: OsString| CString::new(bytes.into_vec());
        let program = text(std::env::current_exe()?.into_os_string())?;
        let arguments: Vec<CString> = std::env::args_os().map(text).collect::<Result<_, _>>()?;
        let said = std::env::vars_os().chain([(OFF.into(), "1".into())]);
        let pair = |(name, value): (OsString, OsString)| text([name, value].join(OsStr::new("=")));
        let environment: Vec<CString> = said.map(pair).collect::<Result<_, _>>()?;
        Ok(nix::unistd::execve(&program, &arguments, &environment)?)
    };
    let Err(_) = anew();
}

/// How a program logs: flattened into its options.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct LogOptions {
    /// Format of the log on standard error.
    #[arg(long = "log", value_enum, global = true, default_value = "lines", value_name = "FORM")]
    form: Form,
}

/// Format of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// One line per message, for people.
    Lines,
    /// One JSON object per message, with time, level, module and fields.
    Json,
}

/// Runs a program: `work` with the log at work; an error is its last line, `error: …` with the whole chain.
pub fn run(log: LogOptions, work: impl FnOnce() -> Result<()>) -> ExitCode {
    if succeeds(log, work) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// As [`run`], for a program that ends in its own way; whether it did what it should.
pub fn succeeds(log: LogOptions, work: impl FnOnce() -> Result<()>) -> bool {
    let logs = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(LevelFilter::INFO)
        .with_span_events(FmtSpan::NONE);
    match log.form {
        Form::Lines => logs
            .with_writer(|| Messages(std::io::stderr()))
            .without_time()
            .with_level(false)
            .with_target(false)
            .with_ansi(false)
            .init(),
        Form::Json => logs.json().flatten_event(true).init(),
    }
    let Err(error) = work() else { return true };
    let error = chain(&*error);
    match log.form {
        Form::Lines => {
            let _gone = writeln!(std::io::stderr(), "error: {}", escaped(&error));
        }
        Form::Json => tracing::error!("{error}"),
    }
    false
}

/// Where messages go, each in one call and one line.
struct Messages<W>(W);

impl<W: Write> Write for Messages<W> {
    fn write(&mut self, message: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(message);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        self.0.write_all(format!("{}\n", escaped(line)).as_bytes())?;
        Ok(message.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// A file's name may hold what begins another line, or moves a terminal's cursor: nobody writes a message of this program with it.
#[must_use]
pub fn escaped(text: &str) -> String {
    let escape = |letter: char| if letter.is_control() { letter.escape_default().to_string() } else { letter.into() };
    text.chars().map(escape).collect()
}

/// A line of results. A reader that went away (`| head`) keeps nothing else from being done.
///
/// # Errors
/// Whatever else keeps standard output from taking it.
pub fn print(line: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output"),
    }
}

/// A parser of the names of some values, which `--help` lists.
pub fn one_of<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse())
}

/// A flag that SIGTERM and SIGINT set.
///
/// # Errors
/// Where the system takes no handler.
pub fn stop_flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}
