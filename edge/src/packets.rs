//! Captions as packets.

use crate::downlink::LinkConfig;
use crate::footprint::Footprint;
use crate::outside_run::Run;
use crate::store;
use cssa::bundle::Language;
use cssa::trust::Reason;
use cssa_captioner::Caption;
use cssa_wire::{
    self as wire, CaptionPacket, Checksum, DEFAULT_DECIMALS, Down, DownPacket, FootprintPacket, KEY, Key, Position,
    Report, WireError,
};

/// A caption for the queue: made of an image of `time` at `position`, with the reason that it is flagged with and its priority.
#[must_use]
pub fn queued(
    made: &Caption,
    outside: Option<Reason>,
    time: u32,
    position: Option<Position>,
    priority: u8,
) -> store::Caption {
    let confidence = made.confidence;
    store::Caption { time, confidence, outside, priority, position, footprint: None, text: made.text.clone() }
}

/// The packet of a caption, without a key: of an image of a time, as [`queued`] has it, and of a position.
///
/// # Errors
/// A caption that is too long for any packet.
pub fn pack(
    made: &Caption,
    language: &Language,
    sequence: u32,
    (time, position): (u32, Option<Position>),
) -> Result<Vec<u8>, WireError> {
    let captions = vec![queued(made, made.outside(), time, position, 0).numbered(sequence)];
    CaptionPacket { vehicle: 0, bundle: language.id, decimals: DEFAULT_DECIMALS, captions }.encode(
        &language.model,
        None,
        Checksum::Crc32,
    )
}

/// Bytes of the packet of a caption that goes alone over a link.
///
/// # Errors
/// A caption that is too long for any packet.
pub fn size_alone(caption: &store::Caption, language: &Language, link: &LinkConfig) -> Result<usize, WireError> {
    // Every key's code has the same length.
    let key = link.key.is_some().then(|| Key::new([0; KEY]));
    let captions = vec![caption.numbered(u32::MAX)];
    let packet = CaptionPacket { vehicle: link.vehicle, bundle: language.id, decimals: link.decimals, captions };
    let alone = packet.encode(&language.model, key.as_ref(), link.checksum)?.len();
    Ok(alone + footprint_size(caption, language, link, key.as_ref())?)
}

/// Bytes of the packet of its footprint, where it is sent.
fn footprint_size(
    caption: &store::Caption,
    language: &Language,
    link: &LinkConfig,
    key: Option<&Key>,
) -> Result<usize, WireError> {
    let sent = caption.position.zip(caption.footprint).filter(|_| link.footprints);
    let Some((centre, Footprint { accuracy, corners, .. })) = sent else { return Ok(0) };
    let footprint = wire::Footprint::new(u32::MAX, accuracy, centre.rounded(link.decimals), corners);
    let Some(footprint) = footprint else { return Ok(0) };
    let packet = FootprintPacket { vehicle: link.vehicle, bundle: language.id, footprints: vec![footprint] };
    Ok(packet.encode(key, link.checksum)?.len())
}

/// Bytes of the packet of a report.
///
/// # Errors
/// A reason that packets do not have: none.
pub fn report_size(run: &Run, language: &Language, link: &LinkConfig) -> Result<usize, WireError> {
    let key = link.key.is_some().then(|| Key::new([0; KEY]));
    let body = Down::Report(Report::of_run(u16::MAX, run.reason(), run.since, run.frames));
    let packet = DownPacket { vehicle: link.vehicle, bundle: language.id, body };
    Ok(packet.encode(key.as_ref(), link.checksum)?.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cssa::language_model::LanguageModel;

    #[test]
    fn a_key_makes_a_lone_caption_four_bytes_longer() -> Result<(), WireError> {
        let language = Language { id: 0xbeef, model: LanguageModel::build(["a river"].map(String::from)) };
        let caption = store::Caption { text: "a river".into(), ..store::Caption::default() };
        let plain = LinkConfig::new("udp:127.0.0.1:1");
        let keyed = LinkConfig { key: Some("key".into()), ..plain.clone() };
        let size = |link| size_alone(&caption, &language, link);
        assert_eq!(size(&keyed)?, size(&plain)? + 4);
        Ok(())
    }
}
