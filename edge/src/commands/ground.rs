//! The commands of the ground: `receive` and `export`.

use super::{bundle_place, print, report};
use anyhow::{Context, Result, ensure};
use cssa::files;
use edge::ground::archive::Archive;
use edge::ground::receive::{From, Receiver, languages};
use edge::ground::{csv, geojson};
use edge::wire;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Options of `edge receive`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReceiveOptions {
    /// udp:ADDRESS:PORT, serial:DEVICE:BAUD or file:PATH.
    #[arg(long)]
    from: From,
    /// The archive: a GeoPackage, made where it is not there.
    #[arg(long)]
    archive: PathBuf,
    /// Bundles of the senders, folders or `.cssa` files; left out, the default bundle.
    #[arg(long, num_args = 1..)]
    bundle: Vec<PathBuf>,
    /// Print nothing but what is wrong.
    #[arg(long)]
    quiet: bool,
}

/// Options of `edge export`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportOptions {
    /// The archive.
    #[arg(long)]
    archive: PathBuf,
    /// geojson or csv.
    #[arg(long, value_enum)]
    format: Format,
    /// Only captions that have all of these words.
    #[arg(long)]
    words: Option<String>,
    /// The file.
    #[arg(long)]
    out: PathBuf,
}

/// What to write.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// RFC 7946.
    Geojson,
    /// RFC 4180, with a header.
    Csv,
}

/// Receives until a file ends or SIGTERM or SIGINT comes; then says what came, which captions are missing, and which bundles.
pub(crate) fn receive(options: &ReceiveOptions) -> Result<()> {
    if let From::File(path) = &options.from {
        ensure!(path.is_file(), "{}: no such file", path.display());
    }
    let places = if options.bundle.is_empty() { vec![bundle_place(None)?] } else { options.bundle.clone() };
    let mut receiver = Receiver::new(languages(&places)?, Archive::open(&options.archive)?)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    receiver.receive(&options.from, &stop, &mut |sender, taken| {
        match taken {
            Ok(packet) if !options.quiet => {
                for caption in &packet.captions {
                    let place = caption.position.map(wire::Position::degrees);
                    let place = place.map_or(String::new(), |(north, east)| format!(" at {north:.5}, {east:.5}"));
                    print(&format!("{sender} {}{place}: {}", caption.sequence, caption.text))?;
                }
            }
            Ok(_) => {}
            Err(error) => report(&format!("{sender}: {error}")),
        }
        Ok(())
    })?;
    for sender in receiver.archive().senders()? {
        for (first, last) in receiver.archive().gaps(&sender)? {
            report(&format!("{sender}: {first} to {last} are missing"));
        }
    }
    for (bundle, packets) in receiver.archive().missing_bundles()? {
        report(&format!("{packets} packets wait for bundle {bundle}: name it with --bundle"));
    }
    print(&serde_json::to_string(&receiver.count)?)
}

/// Writes the archive's captions in another form.
pub(crate) fn export(options: &ExportOptions) -> Result<()> {
    ensure!(options.archive.is_file(), "{}: no such archive", options.archive.display());
    files::check_writable(&options.out)?;
    let captions = Archive::open(&options.archive)?.captions(options.words.as_deref())?;
    let bytes = match options.format {
        Format::Geojson => serde_json::to_vec_pretty(&geojson(&captions)).context("GeoJSON")?,
        Format::Csv => csv(&captions)?,
    };
    files::write(&options.out, &bytes)?;
    report(&format!("{}: {} captions", options.out.display(), captions.len()));
    Ok(())
}
