//! A downlink in simulated time: the queue, the frames, the receiver and its answers are those of a flight; only the clock and the
//! link are not.

use super::channel::{Channel, ChannelSettings};
use super::error::{Error, Result};
use cssa::bundle::Language;
use cssa::clock;
use cssa::trust::Confidence;
use cssa_link::{Deframer, Direction, Framer};
use cssa_wire::{Key, Position};
use edge::downlink::{Downlink, LinkConfig, Next, Room};
use edge::packets;
use edge::store::{AGAIN, Caption, ChangeKind, Outcome, Store};
use ground::archive::Archive;
use ground::receive::{Authentication, Receiver, Reception};
use ground::uplink::{Station, Uplink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Nothing happens faster than this, in seconds.
const STEP: f64 = 1e-3;
/// Bytes of a datagram with a part of a picture.
const PART: usize = 1024;

/// What is to be sent, and how.
#[derive(Clone, Debug)]
pub struct PlanSettings {
    /// The link.
    pub channel: ChannelSettings,
    /// How captions are sent.
    pub link: LinkConfig,
    /// Whether the ground acknowledges them.
    pub acknowledged: bool,
    /// Seconds between two captions; 0: all wait at the beginning.
    pub interval: f64,
    /// Seconds after which it ends, whatever still waits.
    pub longest: f64,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Plan {
    /// Captions that were queued.
    pub captions: usize,
    /// Captions on the ground, to the letter.
    pub delivered: usize,
    /// Captions on the ground that nobody sent.
    pub wrong: usize,
    /// Captions that were sent more than once.
    pub sent_again: u64,
    /// Packets.
    pub packets: u64,
    /// Bytes down, with frames.
    pub bytes_down: u64,
    /// Bytes up.
    pub bytes_up: u64,
    /// Seconds until the last one arrived.
    pub seconds: f64,
    /// Passes that have begun by then.
    pub passes: u64,
    /// Captions a pass.
    pub captions_a_pass: f64,
    /// Bytes down for each caption that arrived.
    pub bytes_a_caption: f64,
    /// The same link with pictures.
    pub pictures: Option<Pictures>,
}

/// JPEG thumbnails over the same link in the same time, each in parts that are sent until they arrive, with answers that cost
/// nothing and are never lost: better than anything that flies.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Pictures {
    /// Longer side in pixels.
    pub side: u32,
    /// Mean bytes of one.
    pub bytes: f64,
    /// Those that arrived whole.
    pub delivered: usize,
    /// Pictures a pass.
    pub a_pass: f64,
    /// Captions that arrived for each.
    pub captions_for_each: f64,
}

/// Something on its way.
struct InFlight {
    at: f64,
    bytes: Vec<u8>,
    direction: Direction,
}

/// Sends sentences over a link, with the bundle at `bundle`; `pictures` are thumbnails of `side` pixels to compare with.
pub fn plan(
    sentences: &[String],
    bundle: &Path,
    pictures: Option<(&[PathBuf], u32)>,
    settings: &PlanSettings,
) -> Result<Plan> {
    settings.channel.validate()?;
    settings.link.validate()?;
    for (name, found) in [("interval", settings.interval), ("longest", settings.longest)] {
        // The range does not contain NaN: it is refused.
        if !(0.0..=1e9).contains(&found) {
            return Err(Error::Setting { name, found, expected: "0 to 1e9" });
        }
    }
    if sentences.is_empty() {
        return Err(Error::NoCaptions);
    }
    let folder = tempfile::tempdir()?;
    let (language, begun) = (Language::read(bundle)?, clock::now());
    for (n, sentence) in sentences.iter().enumerate() {
        let sized = packets::size_alone(&caption(n, sentence, begun), &language, &settings.link);
        sized.map_err(|source| Error::Caption { number: n + 1, source })?;
    }
    let store = Arc::new(Store::open(folder.path(), u64::MAX)?);
    let key = settings.acknowledged.then(|| Key::new([0; 32]));
    let checksum = settings.link.checksum;
    let uplink = key.clone().map(|key| Uplink::new(Station { number: 1, keys: key.into(), checksum }));
    let authentication = key.clone().map_or(Authentication::Off, |key| Authentication::Required(key.into()));
    let reception = Reception { checksum, authentication, vehicle: 0 };
    let archive = Archive::open(&folder.path().join("captions.gpkg"))?;
    let mut receiver = Receiver::new(vec![bundle.into()], archive, reception, uplink)?;
    let mut downlink = Downlink::with_key(Arc::clone(&store), &settings.link, key, 0.0, begun)?;
    let format = settings.link.format();
    let (mut frame_down, mut read_down) =
        (Framer::new(format, Direction::Down), Deframer::new(format, Direction::Down));
    let (mut frame_up, mut read_up) = (Framer::new(format, Direction::Up), Deframer::new(format, Direction::Up));
    let (mut down, mut up) = (Channel::new(settings.channel, 0), Channel::new(settings.channel, 1));
    let room = Room { largest: format.largest(), cost: &|length| format.cost(length) };
    let (mut plan, mut now, mut queued) = (Plan { captions: sentences.len(), ..Plan::default() }, 0.0, 0);
    let mut in_flight: Vec<InFlight> = Vec::new();
    while now < settings.longest {
        let due = if settings.interval > 0.0 { (now / settings.interval) as usize + 1 } else { sentences.len() };
        while queued < due.min(sentences.len()) {
            store.settle(
                store.change(ChangeKind::Captioned),
                None,
                &Outcome::Queued(caption(queued, &sentences[queued], begun)),
            )?;
            queued += 1;
        }
        let arrived: Vec<InFlight> = in_flight.extract_if(.., |in_flight| in_flight.at <= now).collect();
        for there in arrived {
            let reader = if there.direction == Direction::Down { &mut read_down } else { &mut read_up };
            for bytes in reader.datagram(&there.bytes).into_iter().flatten() {
                if there.direction == Direction::Up {
                    downlink.receive(&bytes, now, begun + now as u32)?;
                    continue;
                }
                let Ok(taken) = receiver.take("vehicle", &bytes)? else { continue };
                plan.seconds = now;
                for answer in receiver.answers("vehicle", &taken)? {
                    let answer = frame_up.datagram(&answer);
                    plan.bytes_up += answer.len() as u64;
                    let carried = up.carry(&answer, now);
                    in_flight.extend(carried.map(|(at, bytes)| InFlight { at, bytes, direction: Direction::Up }));
                }
            }
        }
        let next = in_flight.iter().map(|in_flight| in_flight.at).fold(f64::INFINITY, f64::min);
        let pause = match downlink.next(now, begun + now as u32, &language, room)? {
            Next::Send(packet) => {
                let frame = frame_down.datagram(&packet.bytes);
                plan.packets += 1;
                plan.bytes_down += frame.len() as u64;
                let carried = down.carry(&frame, now);
                in_flight.extend(carried.map(|(at, bytes)| InFlight { at, bytes, direction: Direction::Down }));
                downlink.sent(&packet, frame.len(), now)?;
                now += settings.channel.seconds(frame.len()).max(STEP);
                continue;
            }
            Next::Wait(seconds) => seconds,
            Next::Empty if queued == sentences.len() && in_flight.is_empty() => break,
            Next::Empty => settings.interval.max(STEP),
        };
        now = (now + pause.max(STEP)).min(next.max(now + STEP));
    }
    count(&mut plan, &receiver, sentences, settings)?;
    plan.sent_again = store.counters()?.get(AGAIN).copied().unwrap_or(0);
    if let Some((paths, side)) = pictures {
        plan.pictures = Some(send_pictures(paths, side, &plan, settings.channel)?);
    }
    Ok(plan)
}

/// A caption of a flight line, one every second.
fn caption(n: usize, text: &str, begun: u32) -> Caption {
    let position = Position::new(48.2 + 0.00135 * (n % 500) as f64, 16.37 + 0.002 * (n / 500 % 50) as f64);
    // A confidence, as those that fly will have.
    let confidence = Confidence::from_thousandths(800);
    Caption {
        time: begun + n as u32,
        confidence,
        outside: None,
        priority: 0,
        position,
        text: text.into(),
        footprint: None,
    }
}

fn count(plan: &mut Plan, receiver: &Receiver, sentences: &[String], settings: &PlanSettings) -> Result<()> {
    for found in receiver.archive().captions(None)? {
        let is_right = sentences.get(found.sequence as usize).is_some_and(|sentence| *sentence == found.caption);
        plan.delivered += usize::from(is_right);
        plan.wrong += usize::from(!is_right);
    }
    let every = settings.channel.every_seconds;
    plan.passes = if every > 0.0 { (plan.seconds / every) as u64 + 1 } else { 1 };
    plan.captions_a_pass = plan.delivered as f64 / plan.passes as f64;
    plan.bytes_a_caption = plan.bytes_down as f64 / plan.delivered.max(1) as f64;
    Ok(())
}

/// Pictures for as long as the captions took.
fn send_pictures(paths: &[PathBuf], side: u32, plan: &Plan, settings: ChannelSettings) -> Result<Pictures> {
    let sizes = paths.iter().map(|path| thumbnail(path, side)).collect::<Result<Vec<usize>>>()?;
    if sizes.is_empty() {
        return Err(Error::NoImages);
    }
    let (mut channel, mut now, mut pictures) =
        (Channel::new(settings, 0), 0.0, Pictures { side, ..Pictures::default() });
    pictures.bytes = sizes.iter().sum::<usize>() as f64 / sizes.len() as f64;
    'all: for &size in sizes.iter().cycle() {
        let parts = (0..size).step_by(PART).map(|start| PART.min(size - start));
        for part in parts {
            loop {
                if now > plan.seconds {
                    break 'all;
                }
                let carried = channel.carry(&vec![0; part], now);
                now += settings.seconds(part).max(STEP);
                if carried.is_some_and(|(_, bytes)| bytes.iter().all(|&byte| byte == 0)) {
                    break;
                }
            }
        }
        pictures.delivered += 1;
    }
    pictures.a_pass = pictures.delivered as f64 / plan.passes as f64;
    pictures.captions_for_each = plan.delivered as f64 / pictures.delivered.max(1) as f64;
    Ok(pictures)
}

/// Bytes of an image's thumbnail as a JPEG of quality 50.
fn thumbnail(path: &Path, side: u32) -> Result<usize> {
    const QUALITY: u8 = 50;
    let image = image::DynamicImage::ImageRgb8(cssa_image::read(path)?).thumbnail(side, side);
    let mut bytes = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    image.write_with_encoder(encoder).map_err(|source| Error::Thumbnail { image: path.into(), source })?;
    Ok(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, Result};
    use cssa_link::Framing;

    fn settings(framing: Framing) -> PlanSettings {
        let channel = ChannelSettings {
            bits_per_second: 9600.0,
            latency_ms: 300.0,
            loss: 0.2,
            bit_errors: 1e-4,
            every_seconds: 60.0,
            pass_seconds: 20.0,
            seed: 3,
        };
        let link = LinkConfig { framing, resend_seconds: 2.0, ..LinkConfig::new("udp:127.0.0.1:1") };
        PlanSettings { channel, link, acknowledged: true, interval: 0.0, longest: 1e5 }
    }

    #[test]
    fn every_caption_arrives_in_every_framing() -> Result<()> {
        let sentences: Vec<String> = (0..300).map(|n| format!("a bridge over river {n} .")).collect();
        for framing in [Framing::Plain, Framing::Ccsds, Framing::CcsdsRs] {
            let found = plan(&sentences, &fixtures::bundle(), None, &settings(framing))?;
            assert_eq!((found.delivered, found.wrong), (300, 0), "{framing:?}: {found:?}");
            assert!(found.sent_again > 20 && found.bytes_up > 0 && found.bytes_a_caption < 60.0, "{found:?}");
        }
        let never = PlanSettings { longest: 5.0, ..settings(Framing::Plain) };
        let lossy = PlanSettings { channel: ChannelSettings { loss: 1.0, ..never.channel }, ..never.clone() };
        assert_eq!(plan(&sentences, &fixtures::bundle(), None, &lossy)?.delivered, 0);
        let absent = PlanSettings { channel: ChannelSettings { pass_seconds: 0.0, ..never.channel }, ..never };
        let refused = plan(&sentences, &fixtures::bundle(), None, &absent).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|error| error.contains("pass_seconds is 0")), "a link that is never there");
        let long = ["a river".to_owned(), "x".repeat(300)];
        let refused = plan(&long, &fixtures::bundle(), None, &settings(Framing::Plain)).err();
        assert!(matches!(refused, Some(Error::Caption { number: 2, .. })), "{refused:?}");
        Ok(())
    }

    #[test]
    fn pictures_take_far_more() -> Result<()> {
        let sentences: Vec<String> = (0..500).map(|n| format!("a bridge over river {n} .")).collect();
        let images = cssa_image::images(&[fixtures::scenes()])?;
        let found = plan(&sentences, &fixtures::bundle(), Some((&images, 96)), &settings(Framing::Plain))?;
        let pictures = found.pictures.context("pictures")?;
        assert!(pictures.bytes > 500.0 && pictures.captions_for_each > 10.0, "{found:?}");
        Ok(())
    }
}
