//! What `ground`'s commands do with their options.

pub(crate) mod ask;
pub(crate) mod command;
mod delta;
pub(crate) mod export;
mod new_key;
pub(crate) mod packet_files;
mod vehicle_key;

use anyhow::{Result, ensure};
use cssa::bundle::named_or_default;
use cssa_link::{self as link, Address, End, Framing, write_new_key};
use cssa_terminal::{one_of, print, stop_flag};
use cssa_wire::{self as wire, CaptionPacket, Checksum};
use ground::archive::Archive;
use ground::map::Commanding;
use ground::problem_log::ProblemLog;
use ground::receive::{Authentication, Listening, Receiver, Reception};
use ground::uplink::{Station, Uplink};
use ground::{Place, Taken};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;
use vehicle_key::{VehicleKey, read_keys};

/// Options of `ground receive`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ground receive --from udp:0.0.0.0:7301 --archive captions.gpkg --key uav.key
      Receives from the network, acknowledges, and sends the commands that wait.
  ground receive --from file:pass.bin --archive captions.gpkg
      Reads a recorded pass and ends.")]
pub(crate) struct ReceiveOptions {
    /// Port: udp:ADDRESS:PORT, serial:DEVICE:BAUD, file:PATH or mavlink:KIND:ADDRESS. May be repeated. A port that
    /// fails stops no other. A vehicle is answered at the port where it was heard last.
    #[arg(long, required = true)]
    from: Vec<Address>,
    /// Framing of packets: link.framing of the vehicle's edge.toml.
    #[arg(long, default_value = "plain", value_parser = one_of::<Framing>(Framing::NAMES))]
    framing: Framing,
    /// Application process identifier of the vehicle's space packets.
    #[arg(long, default_value_t = 66, value_parser = clap::value_parser!(u16).range(0..2047))]
    apid: u16,
    /// Bits of the packets' checksum, 32 or 16: link.checksum of the vehicle's edge.toml.
    #[arg(long, default_value = "32", value_parser = checksum)]
    checksum: Checksum,
    /// Key shared with the vehicle. With it captions are acknowledged, commands are sent, and only packets with a right
    /// code of authentication are accepted. 12=PATH is the key of vehicle 12 only, and the only one accepted from it;
    /// PATH is the key of all vehicles without one of their own. May be repeated: while a key is being changed, give
    /// the new one first, then the old one.
    #[arg(long, value_name = "[VEHICLE=]PATH")]
    key: Vec<VehicleKey>,
    /// With --key: also accept packets without a code of authentication, from vehicles without the key and from earlier
    /// programs.
    #[arg(long, requires = "key")]
    accept_unauthenticated: bool,
    /// Number of this station. Stations that share vehicles need different numbers.
    #[arg(long, default_value_t = 1, requires = "key", value_parser = clap::value_parser!(u8).range(1..))]
    station: u8,
    /// Number, 1 to 65535, for a vehicle whose packets name none (link.vehicle = 0), so that the same pass from two files or
    /// addresses is kept once.
    #[arg(long, conflicts_with = "key", value_parser = clap::value_parser!(u16).range(1..))]
    vehicle: Option<u16>,
    /// Archive: a GeoPackage file, created if missing, or postgres://USER:PASSWORD@HOST/DATABASE, a database with
    /// PostGIS that several receivers can share (without TLS; the password may be in PGPASSWORD).
    #[arg(long)]
    archive: Place,
    /// Bundles of the vehicles: folders, `.cssa` files, or folders of these, which are searched again for a bundle that
    /// is missing. Default: the default bundle.
    #[arg(long, num_args = 1..)]
    bundle: Vec<PathBuf>,
    /// Print only problems.
    #[arg(long)]
    quiet: bool,
}

/// Options of `ground map`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ground map --archive captions.gpkg
      Prints the map's address, with the token that lets it command; SIGTERM ends it.")]
pub(crate) struct MapOptions {
    /// Archive: a GeoPackage file or postgres://USER:PASSWORD@HOST/DATABASE. `ground receive` may be writing it.
    #[arg(long)]
    archive: Place,
    /// ADDRESS:PORT. Anybody who can reach an address other than this machine's own sees every caption.
    #[arg(long, default_value = "127.0.0.1:8073")]
    listen: SocketAddr,
}

/// Options of `ground key`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ground key uav.key
      Makes a key: for link.key of the vehicle's edge.toml, and for ground receive --key.")]
pub(crate) struct KeyOptions {
    /// New file. An existing one is not overwritten.
    out: PathBuf,
}

fn checksum(bits: &str) -> Result<Checksum, String> {
    let bits: u8 = bits.parse().map_err(|_| "expected 16 or 32")?;
    Ok(Checksum::try_from(bits)?)
}

/// Receives until a file ends or SIGTERM or SIGINT comes; then says what came, which captions are missing, and which bundles.
pub(crate) fn receive(options: &ReceiveOptions) -> Result<()> {
    for from in &options.from {
        if let Address::File(path) = from {
            ensure!(path.is_file(), "{}: no such file", path.display());
        }
    }
    let mavlink = options.from.iter().all(|from| matches!(from, Address::Mavlink(_)));
    ensure!(!mavlink || options.framing == Framing::Plain, "--framing: MAVLink has its own frames, expected plain");
    let places = if options.bundle.is_empty() { vec![named_or_default(None)?] } else { options.bundle.clone() };
    let (checksum, number) = (options.checksum, options.station);
    let is_live = options.from.iter().any(|from| !matches!(from, Address::File(_)));
    if options.key.is_empty() && is_live {
        tracing::info!(
            "without --key nothing is acknowledged: a vehicle with link.key keeps its captions and sends them again"
        );
    }
    let keys = read_keys(&options.key)?;
    let authentication = match keys.clone() {
        None => Authentication::Off,
        Some(keys) if options.accept_unauthenticated => Authentication::WherePresent(keys),
        Some(keys) => Authentication::Required(keys),
    };
    let uplink = keys.map(|keys| Uplink::new(Station { number, keys, checksum }));
    let reception = Reception { checksum, authentication, vehicle: options.vehicle.unwrap_or(0) };
    let mut receiver = Receiver::new(places, Archive::open_at(&options.archive)?, reception, uplink)?;
    let format = link::Format { framing: options.framing, apid: options.apid, checksum, ..link::Format::default() };
    let listening = options.from.iter().map(|from| match from {
        Address::File(_) => Listening::Recorded(from.port(End::Ground, format)),
        Address::Udp(_) | Address::Serial(..) | Address::Mavlink(_) => {
            Listening::Answering(from.port(End::Ground, format))
        }
    });
    let (stop, mut problems) = (stop_flag()?, ProblemLog::default());
    let received = receiver.receive_all(listening.collect(), &stop, &mut |sender, taken| -> Result<()> {
        match taken {
            Ok(Taken::Captions(packet)) if !options.quiet => show(sender, packet)?,
            Ok(Taken::Message(message)) if !options.quiet => {
                print(&format!("{sender}{} {}", of_vehicle(message.vehicle), printable(&message.to_string())))?;
            }
            Ok(_) => {}
            Err(lost) => {
                if let Some(held_back) = problems.admit(Instant::now()) {
                    say_held_back(held_back);
                    tracing::warn!("{sender}: {lost}");
                }
            }
        }
        Ok(())
    });
    received.map_err(|error| match error.downcast_ref() {
        Some(ground::Error::Link(_)) => error.context("--from"),
        _ => error,
    })?;
    say_held_back(problems.held_back());
    let mut gaps = Vec::new();
    for origin in receiver.archive().origins()? {
        let of = receiver.archive().gaps(&origin)?;
        gaps.extend(of.into_iter().map(|(first, last)| format!("{origin}: {first} to {last} are missing")));
    }
    warn_of(&gaps, "ranges are missing");
    let missing = receiver.archive().missing_bundles()?.into_iter();
    let missing =
        missing.map(|(bundle, packets)| format!("{packets} packets wait for bundle {bundle}: name it with --bundle"));
    warn_of(&missing.collect::<Vec<_>>(), "bundles are waited for");
    print(&serde_json::to_string(&receiver.count)?)?;
    let recorded = options.from.iter().map(|from| match from {
        Address::File(path) => Some(path.display().to_string()),
        Address::Udp(_) | Address::Serial(..) | Address::Mavlink(_) => None,
    });
    let Some(files) = recorded.collect::<Option<Vec<String>>>() else { return Ok(()) };
    ensure!(
        receiver.count.packets > 0,
        "{}: no packet was taken, expected what link.to = \"file:…\" or edge caption --packets writes, with its --framing, --checksum and --key",
        files.join(", ")
    );
    Ok(())
}

/// Logs the first lines of a kind, and how many there are beside: an archive of years, or of junk, has thousands.
fn warn_of(lines: &[String], kind: &str) {
    const MAX_LINES: usize = 20;
    lines.iter().take(MAX_LINES).for_each(|line| tracing::warn!("{line}"));
    let more = lines.len().saturating_sub(MAX_LINES);
    if more > 0 {
        tracing::warn!("{more} more {kind}");
    }
}

/// Says that problems were counted and not logged.
fn say_held_back(lines: u64) {
    if lines > 0 {
        tracing::warn!("{lines} more problems, which are counted");
    }
}

/// Prints a line a caption.
fn show(sender: &str, packet: &CaptionPacket) -> Result<()> {
    for caption in &packet.captions {
        let place = caption.position.map(wire::Position::degrees);
        let place = place.map_or(String::new(), |(north, east)| format!(" at {north:.5}, {east:.5}"));
        let (vehicle, text) = (of_vehicle(packet.vehicle), printable(&caption.text));
        print(&format!("{sender}{vehicle} {}{place}{}: {text}", caption.sequence, trust(caption)))?;
    }
    Ok(())
}

/// An archive that is there, to be written.
fn opened(place: &Place) -> Result<Archive> {
    if place.file().is_none() {
        // A database that is none is not made one.
        Archive::read_at(place)?;
    }
    Ok(Archive::open_at(place)?)
}

/// A vehicle that has a number.
fn of_vehicle(vehicle: u16) -> String {
    if vehicle > 0 { format!(" vehicle {vehicle}") } else { String::new() }
}

/// How far a caption can be believed, " (0.52, dark)": its confidence, and why its image is none that the model knows.
fn trust(caption: &wire::Caption) -> String {
    let confidence = caption.confidence.map(|confidence| format!("{:.2}", confidence.value()));
    let said: Vec<String> = confidence.into_iter().chain(caption.outside.map(|reason| reason.to_string())).collect();
    if said.is_empty() { String::new() } else { format!(" ({})", said.join(", ")) }
}

/// Text as a terminal may have it: a spelled word holds any character, and a packet may be anybody's.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

/// Serves the map until SIGTERM or SIGINT.
pub(crate) fn map(options: &MapOptions) -> Result<()> {
    let archive = Archive::read_at(&options.archive)?;
    let (asked, stop) = tokio::sync::oneshot::channel::<()>();
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    std::thread::spawn(move || {
        signals.forever().next();
        asked.send(()).ok();
    });
    let stopped = async move { stop.await.unwrap_or_default() };
    // Whoever may not write the archive gives no commands.
    let is_writable = Archive::takes_commands(&options.archive);
    let commanding = is_writable.then(|| Commanding::new(options.archive.clone())).transpose()?;
    let token = commanding.as_ref().map_or(String::new(), |commanding| format!("#{}", commanding.token()));
    ground::map::serve(archive, commanding, options.listen, stopped, |address| {
        print(&format!("http://{address}/{token}"))
    })
}

/// Writes a new key that only its owner can read, or the services, too, in `/etc/cssa`.
pub(crate) fn key(options: &KeyOptions) -> Result<()> {
    write_new_key(&options.out)?;
    tracing::info!(
        "{}: key for the vehicle (link.key) and its ground (ground receive --key); readable by its owner only, in /etc/cssa by the services, too",
        options.out.display()
    );
    Ok(())
}
