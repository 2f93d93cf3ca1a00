//! `edge.toml`: what `edge run` does. What a file leaves out has the default that stands here.

use super::camera::CameraConfig;
use super::downlink::LinkConfig;
use super::error::Result;
use super::pictures::PicturesConfig;
use cssa_captioner::{Choice, Looks, Provider};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The whole file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The file that it was read from.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// Folder for the queue, the bundle slots and the status: all that must outlive the program.
    pub state: PathBuf,
    /// What captions.
    #[serde(default)]
    pub model: ModelConfig,
    /// Where frames come from.
    pub source: SourceConfig,
    /// How large images are cut.
    #[serde(default)]
    pub tiler: TilerConfig,
    /// Where position and time come from, for frames whose own tags have none.
    #[serde(default)]
    pub position: PositionConfig,
    /// What is known of the camera on the ground; where it is left out, captions are placed where the camera is.
    #[serde(default)]
    pub camera: Option<CameraConfig>,
    /// What is worth sending.
    #[serde(default)]
    pub policy: PolicyConfig,
    /// Captions that wait for the link at most; then the least important ones go.
    #[serde(default = "queue_limit")]
    pub queue: u64,
    /// Where packets go.
    pub link: LinkConfig,
    /// What is kept of captioned frames, for a ground that asks to see one.
    #[serde(default)]
    pub pictures: PicturesConfig,
    /// The machine's own devices.
    #[serde(default)]
    pub peripherals: PeripheralsConfig,
    /// How the program watches itself.
    #[serde(default)]
    pub health: HealthConfig,
}

pub(crate) fn queue_limit() -> u64 {
    100_000
}

/// What captions.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// A bundle; left out, the good slot of the state folder, else the default bundle.
    pub bundle: Option<PathBuf>,
    /// minisign public key: take only bundles that are signed with it.
    pub trust: Option<PathBuf>,
    /// Inference runtime.
    pub runtime: Choice,
    /// Where ONNX Runtime computes the encoder.
    pub provider: Provider,
    /// Folder in which TensorRT keeps its engines: building one takes minutes.
    pub engines: Option<PathBuf>,
    /// Threads of the model; the decoder has two of them at most.
    pub threads: usize,
    /// Frames at most that are captioned together, 1 to 16: tiles of a scene, or what waits behind a slow caption. They share the
    /// decoder's steps, as long as a batch takes less than a second; each takes the memory of its cross-attention's keys and values (0.8 MB with d 512 and 4 layers).
    pub batch: usize,
    /// The best caption of a beam of this width; searched as the bundle says where it is not given.
    pub beam: Option<u8>,
    /// Turned and mirrored views of a frame that are captioned before its caption is sent: 1, 2, 4 or 8. Only what the
    /// policy would send is looked at again.
    pub looks: Looks,
}

/// Where frames come from.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "lowercase")]
pub enum SourceConfig {
    /// Images that appear in a folder, by name; each is captioned once.
    Folder {
        /// The folder.
        path: PathBuf,
        /// Go on looking for new images; else end when all have been seen.
        #[serde(default = "yes")]
        watch: bool,
        /// What becomes of a file that was captioned.
        #[serde(default)]
        after: After,
        /// Bytes of pixels that wait for the captioner, and that the source holds of the image it cuts, at most each.
        #[serde(default = "memory")]
        memory: u64,
    },
    /// Images named in a text file, one a line.
    List {
        /// The file.
        path: PathBuf,
        /// Bytes of pixels that wait for the captioner, and that the source holds of the image it cuts, at most each.
        #[serde(default = "memory")]
        memory: u64,
    },
    /// Frames that a command writes to its standard output: JPEG after JPEG (MJPEG, also in parts of HTTP), binary PBM, PGM, PPM or PAM.
    Pipe {
        /// The command and its arguments; started again when it ends.
        command: Vec<String>,
        /// A frame that comes while the last one is being captioned is dropped: the camera does not wait.
        #[serde(default = "yes")]
        live: bool,
        /// Start the command again when it ends; else end with it.
        #[serde(default = "yes")]
        restart: bool,
        /// Bytes of pixels that wait for the captioner, and that the source holds of the image it cuts, at most each.
        #[serde(default = "memory")]
        memory: u64,
    },
    /// GeoTIFF scenes, read piece by piece and cut into tiles; other images are taken, too.
    Scenes {
        /// The files.
        paths: Vec<PathBuf>,
        /// Bytes of pixels that wait for the captioner, and that the source holds of the image it cuts, at most each.
        #[serde(default = "memory")]
        memory: u64,
    },
    /// What the program gives [`run_with`](crate::run::run_with); no file can say so.
    #[serde(skip)]
    Own {
        /// Bytes of pixels that wait for the captioner at most.
        memory: u64,
    },
}

/// What becomes of a file when the outcomes of all its frames are on the disk. One that could not be read stays where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum After {
    /// It stays.
    #[default]
    Keep,
    /// It is deleted.
    Delete,
    /// It is moved into this folder, under its path below the watched one; where that name is taken, under a name with a number.
    Move(PathBuf),
}

fn yes() -> bool {
    true
}

pub(crate) fn memory() -> u64 {
    1 << 28
}

impl SourceConfig {
    /// Bytes of pixels that wait for the captioner, and that a source of files holds of the image it cuts, at most each: 256 MB. A frame that
    /// has more waits alone.
    #[must_use]
    pub fn memory(&self) -> u64 {
        match self {
            Self::Folder { memory, .. }
            | Self::List { memory, .. }
            | Self::Pipe { memory, .. }
            | Self::Scenes { memory, .. }
            | Self::Own { memory } => *memory,
        }
    }
}

/// How large images are cut.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TilerConfig {
    /// Side of a tile in the image's pixels; 0 captions images whole, and scenes of more than 512 × 512 pixels in tiles of 512.
    pub side: u32,
    /// Share of a tile that the next one repeats.
    pub overlap: f64,
}

/// Where position and time come from.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "lowercase")]
pub enum PositionConfig {
    /// Only from the images' own tags.
    #[default]
    Tags,
    /// NMEA 0183 sentences from a serial device.
    Nmea {
        /// The device, `/dev/ttyUSB0` for example; a named pipe or file will do.
        device: PathBuf,
        /// Its rate; ignored where the device is no serial line.
        #[serde(default = "nmea_baud")]
        baud: u32,
    },
    /// MAVLink's GLOBAL_POSITION_INT and SYSTEM_TIME, version 1 or 2.
    Mavlink {
        /// As the mavlink crate has it: `udpin:0.0.0.0:14550`, `serial:/dev/ttyTHS1:57600`. Not the link's own.
        address: String,
        /// The vehicle's own number (SYSID_THISMAV, MAV_SYS_ID), 1 to 254: others are not believed.
        #[serde(default = "own_system")]
        system: u8,
    },
}

fn nmea_baud() -> u32 {
    9600
}

fn own_system() -> u8 {
    1
}

/// What is worth sending.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Captions with a lower confidence are dropped, 0 to 1; `exporter trust` shows what it keeps. A watch-word's caption is not.
    pub least_confidence: f32,
    /// What becomes of captions of images that are outside of what the model knows.
    pub outside: Outside,
    /// Refused: `least_confidence` has taken its place.
    #[serde(rename = "least_score")]
    pub replaced: Replaced,
    /// Frames closer than this are of one place; a caption that says what the place's last one said is dropped. 0: none is. Where a frame
    /// has no place its caption is new.
    pub novelty_metres: f64,
    /// After this long a place may say the same again.
    pub novelty_minutes: f64,
    /// Words or phrases and the priority (1 to 3) of captions that have them, or words of the same meaning by the bundle's groups of
    /// objects, in singular or plural. One that no caption of the bundle can have is an error at the start.
    pub watch: BTreeMap<String, u8>,
    /// Bytes an hour that may be queued, kept over starts; 0: no limit.
    pub bytes_per_hour: u32,
    /// Share of the bytes that is kept for captions with a watch-word.
    pub reserve: f64,
}

/// What becomes of captions of images that are outside of what the model knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outside {
    /// They are dropped.
    Drop,
    /// They are sent with the reason, and their words raise no priority.
    #[default]
    Flag,
    /// They are sent like any other.
    Send,
}

/// A key that is no more: whoever gives it is told so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replaced;

impl<'de> Deserialize<'de> for Replaced {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        let problem = "least_score is no more: a score says nothing of the truth. Give least_confidence, 0 to 1";
        Err(serde::de::Error::custom(problem))
    }
}

/// The machine's own devices; what is left out is not there.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PeripheralsConfig {
    /// An input that is high while frames are to be captioned.
    pub trigger: Option<Pin>,
    /// An output that changes with every sign of life, for an external watchdog.
    pub watchdog: Option<Pin>,
    /// INA3221 power monitor, as Jetsons have it.
    pub power: Option<PowerConfig>,
    /// Temperature limit.
    pub temperature: Option<TemperatureConfig>,
}

/// A line of a GPIO chip.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// `/dev/gpiochip0` for example.
    pub chip: PathBuf,
    /// The line's number.
    pub line: u32,
}

/// INA3221: through the kernel's driver, where that has it, else over I²C.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerConfig {
    /// The driver's channel, `VDD_IN` for example: all that a Jetson's module takes. Left out, `channel` of the chip at `address`, on `bus` where
    /// that is given.
    pub label: Option<String>,
    /// Where the kernel's drivers show what they measure.
    #[serde(default = "hwmon")]
    pub hwmon: PathBuf,
    /// `/dev/i2c-1` for example, where no driver has the chip.
    pub bus: Option<PathBuf>,
    /// Its address: 0x40 on Jetsons.
    #[serde(default = "power_address")]
    pub address: u8,
    /// Channel, 1 to 3.
    #[serde(default = "power_channel")]
    pub channel: u8,
    /// Shunt in milliohms, for I²C: a driver knows it.
    #[serde(default = "power_shunt")]
    pub shunt_milliohm: f64,
}

fn hwmon() -> PathBuf {
    "/sys/class/hwmon".into()
}

fn power_address() -> u8 {
    0x40
}

fn power_channel() -> u8 {
    1
}

fn power_shunt() -> f64 {
    5.0
}

/// Temperature limit.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemperatureConfig {
    /// A file with millidegrees Celsius, `/sys/class/thermal/thermal_zone0/temp` for example.
    pub zone: PathBuf,
    /// From here on the program rests between frames, the longer the hotter.
    pub warm: f64,
    /// From here on no frame is captioned, in °C.
    pub limit: f64,
}

/// How the program watches itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthConfig {
    /// Seconds between heartbeats: counters in `status.json` of the state folder and on standard error.
    pub heartbeat_seconds: u64,
    /// Minutes between looks at the model's files; 0: none.
    pub scrub_minutes: f64,
    /// Caption the golden image before the first frame.
    pub self_test: bool,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            bundle: None,
            trust: None,
            runtime: Choice::Auto,
            provider: Provider::Cpu,
            engines: None,
            threads: 2,
            batch: 4,
            beam: None,
            looks: Looks::Four,
        }
    }
}

impl Default for TilerConfig {
    fn default() -> Self {
        Self { side: 0, overlap: 0.25 }
    }
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            least_confidence: 0.0,
            outside: Outside::Flag,
            replaced: Replaced,
            novelty_metres: 0.0,
            novelty_minutes: 30.0,
            watch: BTreeMap::new(),
            bytes_per_hour: 0,
            reserve: 0.25,
        }
    }
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self { heartbeat_seconds: 60, scrub_minutes: 10.0, self_test: true }
    }
}
