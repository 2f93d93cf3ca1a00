//! A flight: the drone with its camera, the link, the ground and its map, each as the programs have it, and each in a thread.

use crate::camera::{Camera, FIELD_OF_VIEW};
use crate::course::Course;
use crate::error::{Error, Result};
use crate::outcome::Outcome;
use crate::running::Running;
use crate::terrain::Terrain;
use cssa::bundle::named_or_default;
use cssa_link::{Address, End, Format, read_key, write_new_key};
use cssa_terminal::print;
use cssa_wire::{Caption, Checksum};
use edge::Control;
use edge::camera::CameraConfig;
use edge::config::{After, Config, HealthConfig, SourceConfig};
use edge::downlink::LinkConfig;
use ground::archive::Archive;
use ground::keys::Keys;
use ground::map::Commanding;
use ground::receive::{Authentication, ReceiveError, Receiver, Reception};
use ground::uplink::{Station, Uplink};
use ground::{Place, Taken};
use link_sim::{ChannelSettings, relay_between};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// The drone's number.
const VEHICLE: u16 = 12;
/// One-way delay of the link in milliseconds.
const LATENCY_MS: f64 = 300.0;
/// Retransmission timeout in seconds: a round trip, and what a caption and its answer take on a slow link.
const RESEND_SECONDS: f64 = 1.5;
/// Seconds between two statuses of the drone.
const STATUS_SECONDS: u16 = 15;
/// Share of the link that the drone uses: a modem that is given more loses it.
const USED: f64 = 0.9;
/// Bytes of pixels that the drone holds.
const MEMORY: u64 = 1 << 27;
/// Between two looks at the clock.
const LOOK: Duration = Duration::from_millis(25);
/// A browser that still asks has so long when all is over.
const LAST_ANSWERS: Duration = Duration::from_millis(300);

/// How a flight goes.
pub(crate) struct Flight {
    /// The folder for all that it writes.
    pub(crate) home: PathBuf,
    /// What becomes of captioned frames.
    pub(crate) frames: After,
    /// How long it takes.
    pub(crate) time: Duration,
    /// Share of the packets that the link loses.
    pub(crate) loss: f64,
    /// Bits per second of the link.
    pub(crate) bandwidth: u32,
    /// Port of the map.
    pub(crate) port: u16,
    pub(crate) seed: u64,
}

/// How long before the end the drone lands: what it saw last is on the ground by then.
pub(crate) fn landing(time: Duration) -> Duration {
    (time / 4).clamp(Duration::from_secs(3), Duration::from_secs(10))
}

impl Flight {
    /// Flies over a terrain until the time is over or `stop`.
    pub(crate) fn fly(
        &self,
        terrain: Terrain,
        course: Course,
        stop: &AtomicBool,
        control: &Control,
    ) -> Result<Outcome> {
        let (bundle, key) = (named_or_default(None)?, self.home.join("key"));
        let folder = self.home.join("camera");
        std::fs::create_dir(&folder).map_err(Error::system("a folder for the camera's frames"))?;
        write_new_key(&key)?;
        let archive = Place::from(self.home.join("captions.gpkg").as_path());
        let receiver = self.receiver(&archive, &bundle)?;
        let map = Map::serve(&archive, self.port)?;
        print(&format!("{} shows the flight for {} s", map.address, self.time.as_secs())).map_err(said)?;

        let end = Instant::now() + self.time;
        let over = Arc::new(AtomicBool::new(false));
        let is_over = || Arc::clone(&over);
        let from_drone = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::system("a socket of the link"))?;
        let to_link = from_drone.local_addr().map_err(Error::system("a socket of the link"))?;
        let at_ground = free()?;
        let (channel, told) = (self.channel(), is_over());
        let link =
            Running::start("the link", move || Ok(relay_between(&from_drone, &at_ground.to_string(), channel, &told)?));
        let told = is_over();
        let ground = Running::start("the ground", move || listen(receiver, at_ground, &told));
        let (config, flying) = (self.drone(to_link, &folder, key), control.clone());
        let drone = Running::start("the drone", move || Ok(edge::run::run(&config, Some(bundle), None, &flying)?));
        let (landed, until) = (Arc::clone(&control.stop), end - landing(self.time));
        let camera = Camera { terrain, course, folder: folder.clone(), until };
        // A course that is over ends no flight; a camera that fails does.
        let camera = Running::start("the camera", move || {
            camera.run(&landed).inspect_err(|_| landed.store(true, Ordering::Relaxed))
        });

        let has_failed = || drone.has_ended() || ground.has_ended() || link.has_ended() || map.running.has_ended();
        while Instant::now() < end && !stop.load(Ordering::Relaxed) && !has_failed() {
            std::thread::sleep(LOOK);
        }
        control.stop.store(true, Ordering::Relaxed);
        let (status, taken) = (drone.end(), camera.end());
        over.store(true, Ordering::Relaxed);
        let (relayed, heard, shown) = (link.end(), ground.end(), map.end());
        let (_, taken, relayed) = (status?, taken?, relayed?);
        heard.and(shown)?;
        // Frames that were not captioned any more stay in it.
        let _filled = std::fs::remove_dir(&folder);
        Outcome::read(&archive, taken, relayed)
    }

    fn channel(&self) -> ChannelSettings {
        ChannelSettings {
            bits_per_second: self.bandwidth.into(),
            latency_ms: LATENCY_MS,
            loss: self.loss,
            seed: self.seed,
            ..ChannelSettings::default()
        }
    }

    /// The drone's `edge.toml`.
    fn drone(&self, link: SocketAddr, camera: &Path, key: PathBuf) -> Config {
        let source =
            SourceConfig::Folder { path: camera.into(), watch: true, after: self.frames.clone(), memory: MEMORY };
        let link = LinkConfig {
            vehicle: VEHICLE,
            key: Some(key),
            resend_seconds: RESEND_SECONDS,
            housekeeping_seconds: STATUS_SECONDS,
            footprints: true,
            bytes_per_second: (f64::from(self.bandwidth) / 8.0 * USED) as u32,
            ..LinkConfig::new(&format!("udp:{link}"))
        };
        Config {
            source,
            camera: Some(CameraConfig { horizontal_field_of_view: Some(FIELD_OF_VIEW), ..CameraConfig::default() }),
            health: HealthConfig { heartbeat_seconds: 3600, scrub_minutes: 0.0, ..HealthConfig::default() },
            ..Config::new(self.home.join("state"), link)
        }
    }

    /// The ground's `receive`.
    fn receiver(&self, archive: &Place, bundle: &Path) -> Result<Receiver> {
        let (keys, checksum) = (Keys::from(read_key(&self.home.join("key"))?), Checksum::Crc32);
        let authentication = Authentication::Required(keys.clone());
        let uplink = Uplink::new(Station { number: 1, keys, checksum });
        let reception = Reception { checksum, authentication, vehicle: 0 };
        Ok(Receiver::new(vec![bundle.into()], Archive::open_at(archive)?, reception, Some(uplink))?)
    }
}

/// The ground's `map`.
struct Map {
    /// With its token.
    address: String,
    running: Running<()>,
    ended: tokio::sync::oneshot::Sender<()>,
}

impl Map {
    fn serve(archive: &Place, port: u16) -> Result<Self> {
        let commanding = Commanding::new(archive.clone())?;
        let (token, shown) = (commanding.token().to_owned(), Archive::read_at(archive)?);
        let (ended, stopped) = tokio::sync::oneshot::channel();
        let (ready, address) = channel();
        let stopped = async move { stopped.await.unwrap_or_default() };
        let running = Running::start("the map", move || {
            let listen = (Ipv4Addr::LOCALHOST, port).into();
            ground::map::serve(shown, Some(commanding), listen, stopped, move |address| {
                ready.send(address).ok();
                Ok::<_, ground::Error>(())
            })
            .map_err(|error| match error {
                source @ ground::Error::Listen { .. } => Error::Port { port, source },
                other => other.into(),
            })
        });
        match address.recv() {
            Ok(address) => Ok(Self { address: format!("http://{address}/#{token}"), running, ended }),
            Err(_) => Err(running.end().err().unwrap_or(Error::Thread("the map"))),
        }
    }

    fn end(self) -> Result<()> {
        self.ended.send(()).ok();
        self.running.end_within(LAST_ANSWERS).map(drop)
    }
}

/// Receives, answers, and prints what comes.
fn listen(mut receiver: Receiver, at: SocketAddr, stop: &AtomicBool) -> Result<()> {
    let mut port = Address::Udp(at.to_string()).port(End::Ground, Format::default());
    let mut printed = BTreeSet::new();
    // What comes again, since its acknowledgement was lost, is printed once.
    let mut show = |line: String| match printed.insert(line.clone()) {
        true => print(&line).map_err(said),
        false => Ok(()),
    };
    receiver.receive(port.as_mut(), stop, &mut |_, taken: &Result<Taken, ReceiveError>| -> Result<()> {
        match taken {
            Ok(Taken::Captions(packet)) => packet.captions.iter().map(line).try_for_each(&mut show),
            Ok(Taken::Message(message)) if message.report.is_some() => show(format!("       {message}")),
            Ok(Taken::Message(_)) => Ok(()),
            Err(problem) => {
                tracing::warn!("the ground: {problem}");
                Ok(())
            }
        }
    })
}

/// A caption as it is printed: number, confidence, words.
fn line(caption: &Caption) -> String {
    let confidence = caption.confidence.map_or("   –".into(), |known| format!("{:.2}", known.value()));
    let flagged = caption.outside.map_or(String::new(), |reason| format!(" ({reason})"));
    format!("{:>5}  {confidence}  {}{flagged}", caption.sequence, caption.text)
}

fn said(error: impl std::fmt::Display) -> Error {
    Error::Output(error.to_string())
}

/// An address of this machine that is free.
fn free() -> Result<SocketAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::system("a socket of the ground"))?;
    socket.local_addr().map_err(Error::system("a socket of the ground"))
}
