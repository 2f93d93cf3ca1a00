//! A candidate measured by this program in a process of its own.

use super::Candidate;
use cssa_captioner::Looks;
use serde::Deserialize;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What `edge bench --json` says of a candidate, as far as choosing needs it.
#[derive(Clone, Debug, Deserialize)]
pub struct Measurement {
    /// The runtime and execution provider at work.
    pub runtime: String,
    /// Share of the encoder's multiplications that the execution provider took.
    pub share: Option<f64>,
    /// Everything that one caption takes.
    pub caption: Times,
    /// Largest resident memory of the process, in MiB.
    pub peak_rss_mib: f64,
    /// The captions of the images.
    pub texts: Vec<String>,
}

/// The middle of several times.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Times {
    /// Half of the times are shorter, in milliseconds.
    pub p50_ms: f64,
}

/// What measures candidates.
pub trait Machine {
    /// What a candidate takes here, or why it does not caption.
    fn measure(&self, candidate: &Candidate) -> Result<Measurement, String>;
}

/// This program, started anew for each candidate.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its file.
    pub file: PathBuf,
    /// Images to caption.
    pub images: Vec<PathBuf>,
    /// Captions to measure, twice: the smaller of both medians counts.
    pub count: usize,
    /// Views of an image that are captioned, as in flight.
    pub looks: Looks,
    /// The beam, where it is not the bundle's.
    pub beam: Option<u8>,
    /// minisign public key.
    pub trust: Option<PathBuf>,
    /// Where TensorRT keeps its engines.
    pub engines: Option<PathBuf>,
}

/// TensorRT builds an engine for minutes; what takes longer than this is ended.
const LONGEST: Duration = Duration::from_secs(1200);
/// The most of a process's output that is read, in bytes.
const MAX_OUTPUT: u64 = 1 << 22;

impl Machine for Program {
    fn measure(&self, candidate: &Candidate) -> Result<Measurement, String> {
        let (first, second) = (self.once(candidate)?, self.once(candidate)?);
        Ok(if second.caption.p50_ms < first.caption.p50_ms { second } else { first })
    }
}

impl Program {
    fn once(&self, candidate: &Candidate) -> Result<Measurement, String> {
        let mut command = Command::new(&self.file);
        command.arg("bench").arg("--json").arg("--ends-with-parent").arg("--bundle").arg(&candidate.bundle);
        for (option, value) in [
            ("--runtime", candidate.runtime.to_string()),
            ("--provider", candidate.provider.to_string()),
            ("--threads", candidate.threads.to_string()),
            ("--batch", candidate.batch.to_string()),
            ("--count", self.count.to_string()),
            ("--looks", self.looks.to_string()),
        ] {
            command.arg(option).arg(value);
        }
        if let Some(beam) = self.beam {
            command.arg("--beam").arg(beam.to_string());
        }
        for (option, path) in [("--trust", &self.trust), ("--engines", &self.engines)] {
            path.iter().for_each(|path| {
                command.arg(option).arg(path);
            });
        }
        command.args(&self.images).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", self.file.display()))?;
        let (output, errors) = (reading(child.stdout.take()), reading(child.stderr.take()));
        let started = Instant::now();
        let status = loop {
            match child.try_wait().map_err(|error| error.to_string())? {
                Some(status) => break status,
                None if started.elapsed() > LONGEST => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(format!("took more than {} s", LONGEST.as_secs()));
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let text = |reader: std::thread::JoinHandle<Vec<u8>>| {
            String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned()
        };
        let (output, errors) = (text(output), text(errors));
        if !status.success() {
            let line = errors.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing was said");
            let line = line.trim().trim_start_matches("error: ");
            return Err(if status.code().is_some() { line.into() } else { format!("{status}: {line}") });
        }
        serde_json::from_str(&output).map_err(|error| format!("edge bench --json: {error}"))
    }
}

/// Reads all that a process says, so that it never waits for its reader.
fn reading(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.by_ref().take(MAX_OUTPUT).read_to_end(&mut bytes);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        bytes
    })
}
