//! What `edge`'s commands do with their options, and the only place where the program prints.

pub(crate) mod ground;
pub(crate) mod onboard;
pub(crate) mod simulation;

use anyhow::{Context, Result, ensure};
use cssa::bundle::{Bundle, Delta, Language, Place, Trusted};
use cssa::{files, preprocess};
use edge::captioner::{self, Captioner};
use edge::runtime::{Choice, Provider, Settings};
use edge::wire::{self, Checksum, HIGHEST_SCORE};
use edge::{bench, packets, sources};
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Options that load a model.
#[derive(Debug, clap::Args)]
pub(crate) struct ModelOptions {
    /// The bundle, a folder or a `.cssa` file; left out, the default bundle.
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// minisign public key: take only a bundle that is signed with it.
    #[arg(long)]
    trust: Option<PathBuf>,
    /// Which program runs the model.
    #[arg(long, value_enum, default_value = "auto")]
    runtime: Choice,
    /// Where ONNX Runtime computes.
    #[arg(long, value_enum, default_value = "cpu")]
    provider: Provider,
    /// Threads: as many in ONNX Runtime's encoder (tract's has one), two at most in the decoder.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    threads: u8,
    /// The best caption of a beam of this width; searched as the bundle says where it is not given.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=16))]
    beam: Option<u8>,
}

/// Options of `edge caption`.
#[derive(Debug, clap::Args)]
pub(crate) struct CaptionOptions {
    /// Images and folders of images.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelOptions,
    /// One JSON object an image.
    #[arg(long)]
    json: bool,
    /// Also write the packets to this file.
    #[arg(long)]
    packets: Option<PathBuf>,
}

/// Options of `edge decode`.
#[derive(Debug, clap::Args)]
pub(crate) struct DecodeOptions {
    /// A file of packets.
    file: PathBuf,
    /// The bundle that made them, a folder or a `.cssa` file; left out, the default bundle.
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// One JSON object a caption.
    #[arg(long)]
    json: bool,
}

/// Options of `edge encode`.
#[derive(Debug, clap::Args)]
pub(crate) struct EncodeOptions {
    /// Sentences, one a line; - for standard input.
    file: PathBuf,
    /// The bundle whose language model packs them, a folder or a `.cssa` file; left out, the default bundle.
    #[arg(long)]
    bundle: Option<PathBuf>,
}

/// Options of `edge bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchOptions {
    /// Images and folders of images; left out, the checkout's rendered scenes.
    paths: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelOptions,
    /// Captions to measure.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Images that are captioned together.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    batch: u8,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// Options of `edge update`.
#[derive(Debug, clap::Args)]
pub(crate) struct UpdateOptions {
    /// What came over the uplink: a delta that `exporter delta` wrote.
    delta: PathBuf,
    /// The bundle that the delta starts from; left out, the default bundle.
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// minisign public key: take only a bundle that is signed with it.
    #[arg(long)]
    trust: Option<PathBuf>,
    /// The new bundle: a new or empty folder, or a file that ends in .cssa.
    #[arg(long)]
    out: PathBuf,
}

/// A captioned image, as `--json` prints it.
#[derive(Serialize)]
struct Line<'a> {
    image: String,
    caption: &'a str,
    score: f32,
    packet_hex: String,
    packet_bytes: usize,
    latency_ms: f64,
    runtime: &'a str,
}

/// A caption that arrived, as `--json` prints it.
#[derive(Serialize)]
struct Decoded<'a> {
    sequence: u32,
    time: u32,
    bundle: String,
    score: f32,
    priority: u8,
    repeat: bool,
    latitude: Option<f64>,
    longitude: Option<f64>,
    caption: &'a str,
}

/// A packed sentence, as `edge encode` prints it.
#[derive(Serialize)]
struct Encoded<'a> {
    text: &'a str,
    payload_bytes: usize,
    packet_bytes: usize,
    packet_hex: String,
}

impl ModelOptions {
    /// The captioner and the settings that it was opened with.
    fn open(&self) -> Result<(Captioner, Settings)> {
        let trusted = self.trust.as_deref().map(Trusted::read).transpose()?;
        let mut bundle = Bundle::read_trusted(&bundle_place(self.bundle.as_deref())?, trusted.as_ref())?;
        if let Some(beam) = self.beam {
            bundle.manifest.search = bundle.manifest.search.with_beam(usize::from(beam));
        }
        let settings = Settings {
            choice: self.runtime,
            provider: self.provider,
            threads: usize::from(self.threads),
            engines: None,
        };
        Ok((Captioner::open(&bundle, &settings)?, settings))
    }
}

/// Captions every image; one that cannot be read is reported, the others are captioned, and the command fails at the end.
pub(crate) fn caption(options: &CaptionOptions) -> Result<()> {
    let images = sources::images(&options.paths)?;
    if let Some(path) = &options.packets {
        files::check_writable(path)?;
    }
    let (mut captioner, _) = options.model.open()?;
    let active = captioner.active();
    if !options.json {
        report(&format!("runtime {}", captioner.at_work()));
    }
    let (mut stream, mut failures, mut sequence) = (Vec::new(), 0, 0);
    for path in &images {
        let started = Instant::now();
        let read = preprocess::read(path).map_err(anyhow::Error::from);
        let caption =
            match read.and_then(|image| captioner.caption(&image).with_context(|| format!("{}", path.display()))) {
                Ok(caption) => caption,
                Err(error) => {
                    report(&format!("error: {error:#}"));
                    failures += 1;
                    continue;
                }
            };
        let latency_ms = started.elapsed().as_secs_f64() * 1e3;
        let packet = packets::pack_one(&caption, &captioner.language(), sequence)?;
        sequence = sequence.wrapping_add(1);
        wire::push_frame(&mut stream, &packet);
        if options.json {
            print(&serde_json::to_string(&Line {
                image: path.display().to_string(),
                caption: &caption.text,
                score: caption.score,
                packet_hex: cssa::bundle::hexadecimal(&packet),
                packet_bytes: packet.len(),
                latency_ms,
                runtime: &active,
            })?)?;
        } else {
            print(&format!("{}: {}", path.display(), caption.text))?;
        }
    }
    if let Some(path) = &options.packets {
        files::write(path, &stream)?;
    }
    ensure!(failures == 0, "{failures} of {} images could not be captioned", images.len());
    Ok(())
}

/// Prints every packet's captions; damaged packets are reported, the others are decoded, and the command fails at the end.
pub(crate) fn decode(options: &DecodeOptions) -> Result<()> {
    let language = Language::read(&bundle_place(options.bundle.as_deref())?)?;
    let stream = packets::read(&options.file)?;
    let (mut total, mut failures) = (0, 0);
    for packet in packets::decode(&stream, &language) {
        total += 1;
        let packet = match packet {
            Ok(packet) => packet,
            Err(rejected) => {
                report(&format!("error: {}: {rejected}", options.file.display()));
                failures += 1;
                continue;
            }
        };
        for caption in packet.captions {
            if !options.json {
                print(&caption.text)?;
                continue;
            }
            let place = caption.position.map(wire::Position::degrees);
            print(&serde_json::to_string(&Decoded {
                sequence: caption.sequence,
                time: caption.time,
                bundle: format!("{:04x}", packet.bundle),
                score: f32::from(caption.score) / f32::from(HIGHEST_SCORE),
                priority: caption.priority,
                repeat: caption.repeat,
                latitude: place.map(|place| place.0),
                longitude: place.map(|place| place.1),
                caption: &caption.text,
            })?)?;
        }
    }
    ensure!(total > 0, "{}: holds no packet, expected what edge caption --packets writes", options.file.display());
    ensure!(failures == 0, "{}: {failures} of {total} packets could not be decoded", options.file.display());
    Ok(())
}

/// Packs sentences and prints a JSON object for each.
pub(crate) fn encode(options: &EncodeOptions) -> Result<()> {
    const LONGEST: u64 = 1 << 30;
    let language = Language::read(&bundle_place(options.bundle.as_deref())?)?;
    let text = if options.file == Path::new("-") {
        std::io::read_to_string(std::io::stdin()).context("standard input")?
    } else {
        files::read_text(&options.file, LONGEST)?
    };
    for (n, line) in text.lines().enumerate() {
        let place = || format!("{}: line {}", options.file.display(), n + 1);
        let payload = wire::payload(line, &language.model).with_context(place)?;
        let packet = packets::pack(vec![packets::caption(line, 1.0, n as u32)], &language, Checksum::Crc32)
            .with_context(place)?;
        print(&serde_json::to_string(&Encoded {
            text: line,
            payload_bytes: payload.len(),
            packet_bytes: packet.len(),
            packet_hex: cssa::bundle::hexadecimal(&packet),
        })?)?;
    }
    Ok(())
}

/// Measures captions and prints a report.
pub(crate) fn bench(options: &BenchOptions) -> Result<()> {
    let paths = match options.paths.as_slice() {
        [] => vec![checkout("scenes").context("no images named and fixtures/scenes is not here")?],
        paths => paths.to_vec(),
    };
    let images = sources::images(&paths)?;
    let started = Instant::now();
    let (captioner, settings) = options.model.open()?;
    let count = (options.count as usize, usize::from(options.batch));
    let report = bench::run(captioner, started.elapsed(), &images, count, &settings)?;
    if options.json {
        return print(&serde_json::to_string(&report)?);
    }
    let row = |name: &str, times: bench::Quantiles| format!("{name:14} {:8.1} {:8.1}", times.p50_ms, times.p95_ms);
    print(&format!(
        "{} · {} threads · decoder {} · {} · batch {} · {} captions\n{:14} {:>8} {:>8}\n{}\n{}\n{}\n{}\nload {:.0} ms · first caption {:.0} ms · a caption \
         {:.2} × its encoder · peak memory {:.0} MiB · {:.1} bytes a packet",
        captioner::at_work(&report.runtime, report.share),
        report.threads,
        report.kernel,
        report.search,
        report.batch,
        report.captions,
        "ms",
        "p50",
        "p95",
        row("preprocessing", report.preprocessing),
        row("encoder", report.encoder),
        row("decoder", report.decoder),
        row("caption", report.caption),
        report.load_ms,
        report.first_caption_ms,
        report.caption_over_encoder,
        report.peak_rss_mib,
        report.packet_bytes
    ))
}

/// Makes the new bundle of an earlier one and a delta; nothing appears under its name unless every file is as its manifest
/// says.
pub(crate) fn update(options: &UpdateOptions) -> Result<()> {
    let trusted = options.trust.as_deref().map(Trusted::read).transpose()?;
    let place = Place::create(&options.out)?;
    let earlier = cssa::bundle::contents(&bundle_place(options.bundle.as_deref())?)?;
    let new = Delta::read(&options.delta)?.apply(&options.delta, &earlier, trusted.as_ref())?;
    place.fill(&new)?;
    let bundle = Bundle::read_trusted(&options.out, trusted.as_ref())?;
    report(&format!("{}: bundle {:04x}", options.out.display(), bundle.id));
    Ok(())
}

/// The bundle that was named, or the default one: `bundle` or `bundle.cssa` beside the program, else the checkout's
/// `fixtures/bundle`.
fn bundle_place(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(place) = named {
        return Ok(place.into());
    }
    let program = std::env::current_exe().ok();
    let folder = program.as_deref().and_then(Path::parent);
    let beside = folder
        .and_then(|folder| ["bundle", "bundle.cssa"].map(|name| folder.join(name)).into_iter().find(|p| p.exists()));
    beside.or_else(|| checkout("bundle")).context("no default bundle beside this program: name one with --bundle")
}

/// A folder of the checkout's fixtures, where the program was built in one that is still there.
fn checkout(fixture: &str) -> Option<PathBuf> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join("fixtures");
    Some(fixtures.join(fixture)).filter(|folder| folder.is_dir())
}

/// A line of results. A reader that went away (`| head`) does not keep the packets from being written.
fn print(line: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// A line for the person at the terminal.
pub(crate) fn report(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
