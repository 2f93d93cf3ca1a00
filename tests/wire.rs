//! The golden vectors in `fixtures/wire`, which another program wrote in another language: what each packet holds and its bytes.

use anyhow::{Context, Result, bail};
use cssa::bundle::hexadecimal;
use cssa::language_model::LanguageModel;
use cssa::trust::{Confidence, Reason};
use cssa_wire::version2::PacketV2;
use cssa_wire::{
    Answer, Ask, Caption, CaptionPacket, Checksum, Command, CommandResult, Down, DownPacket, FootprintPacket,
    Housekeeping, Key, MissingParts, PicturePart, Position, Report, SelectiveAck, Up, UpPacket, Verification, digest,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What is around every body.
#[derive(Deserialize)]
struct Vector {
    vehicle: u16,
    #[serde(default)]
    bundle: u16,
    #[serde(default)]
    station: u8,
    #[serde(default)]
    counter: u32,
    key: Option<String>,
    checksum: Checksum,
    body: Value,
    bytes: String,
}

impl Vector {
    fn key(&self) -> Result<Option<Key>> {
        self.key.as_deref().map(|key| Key::from_hexadecimal(key).context("a key")).transpose()
    }

    /// The name of the body, and what it holds.
    fn body(&self) -> Result<(&str, &Value)> {
        let body = self.body.as_object().and_then(|body| body.iter().next()).context("a body")?;
        Ok((body.0, body.1))
    }
}

fn vectors<T: DeserializeOwned>(name: &str) -> Result<Vec<T>> {
    let text = std::fs::read_to_string(fixtures::wire().join(name))?;
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}

fn model() -> Result<LanguageModel> {
    let file = std::fs::read(fixtures::wire().join("language-model.bin"))?;
    let model = LanguageModel::from_bytes(&file)?;
    assert_eq!(model.to_bytes(), file);
    Ok(model)
}

fn number<T: TryFrom<u64>>(value: &Value, name: &str) -> Result<T> {
    let number = value[name].as_u64().with_context(|| name.to_owned())?;
    T::try_from(number).ok().with_context(|| format!("{name} {number}"))
}

fn bytes_of(text: &Value) -> Result<Vec<u8>> {
    unhexadecimal(text.as_str().context("hexadecimal")?)
}

fn unhexadecimal(text: &str) -> Result<Vec<u8>> {
    let digits = text.as_bytes().chunks_exact(2);
    digits.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}

fn caption(given: &Value) -> Result<Caption> {
    let place = given["latitude"].as_f64().zip(given["longitude"].as_f64());
    let confidence = given["confidence"].as_u64().map(|thousandths| thousandths as u16);
    Ok(Caption {
        sequence: number(given, "sequence")?,
        time: number(given, "time")?,
        position: place.and_then(|(latitude, longitude)| Position::new(latitude, longitude)),
        confidence: confidence.and_then(Confidence::from_thousandths),
        outside: given["outside"].as_str().map(str::parse::<Reason>).transpose()?,
        priority: number(given, "priority")?,
        repeat: given["repeat"].as_bool().context("repeat")?,
        text: given["text"].as_str().context("text")?.into(),
    })
}

fn captions(given: &Value) -> Result<Vec<Caption>> {
    given["captions"].as_array().context("captions")?.iter().map(caption).collect()
}

#[test]
fn packets_down_still_mean_the_same() -> Result<()> {
    let model = model()?;
    let mut checked = std::collections::BTreeMap::new();
    for vector in vectors::<Vector>("packets.txt")? {
        let (kind, given) = vector.body()?;
        let (key, bytes) = (vector.key()?, unhexadecimal(&vector.bytes)?);
        let content = |name: &str| if given[name].is_null() { Ok(Vec::new()) } else { bytes_of(&given[name]) };
        let (blob, value) = (content("bytes")?, content("value")?);
        let (message, footprints);
        let body = match kind {
            "captions" => {
                let packet = CaptionPacket {
                    vehicle: vector.vehicle,
                    bundle: vector.bundle,
                    decimals: number(given, "decimals")?,
                    captions: captions(given)?,
                };
                assert_eq!(
                    hexadecimal(&packet.encode(&model, key.as_ref(), vector.checksum)?),
                    vector.bytes,
                    "{given}"
                );
                let decoded = CaptionPacket::decode(&bytes, packet.bundle, &model, Verification::Off, vector.checksum)?;
                let captions = packet.captions.into_iter().map(|caption| caption.rounded(packet.decimals)).collect();
                assert_eq!(decoded, CaptionPacket { captions, ..packet });
                // The message is what stands between the header and the rest.
                message = match DownPacket::decode(&bytes, Verification::Off, vector.checksum)?.body {
                    Down::Captions(message) => message.to_vec(),
                    other => bail!("{other:?}"),
                };
                Down::Captions(&message)
            }
            "housekeeping" => Down::Housekeeping(Housekeeping::deserialize(given)?),
            "picture_part" => Down::PicturePart(PicturePart {
                ask: number(given, "ask")?,
                part: number(given, "part")?,
                parts: number(given, "parts")?,
                crc: given["crc"].as_u64().map(|crc| crc as u32),
                bytes: &blob,
            }),
            "answer" => {
                let result = match given["result"].as_str() {
                    Some("done") => CommandResult::Done,
                    Some("refused") => CommandResult::Refused(number(given, "reason")?),
                    _ => CommandResult::NotKept,
                };
                let (station, counter) = (number(given, "station")?, number(given, "counter")?);
                Down::Answer(Answer { station, counter, result, value: &value })
            }
            "report" => {
                let reason: Reason = given["reason"].as_str().context("reason")?.parse()?;
                let (sequence, since) = (number(given, "sequence")?, number(given, "since")?);
                Down::Report(Report::of_run(sequence, reason, since, number(given, "frames")?))
            }
            "footprints" => {
                footprints = FootprintPacket {
                    vehicle: vector.vehicle,
                    bundle: vector.bundle,
                    footprints: Vec::deserialize(given)?,
                };
                let packet = DownPacket::decode(&bytes, Verification::Off, vector.checksum)?;
                assert_eq!(FootprintPacket::of(&packet)?, footprints);
                assert_eq!(hexadecimal(&footprints.encode(key.as_ref(), vector.checksum)?), vector.bytes, "{given}");
                packet.body
            }
            other => bail!("{other} is no body"),
        };
        let packet = DownPacket { vehicle: vector.vehicle, bundle: vector.bundle, body };
        assert_eq!(hexadecimal(&packet.encode(key.as_ref(), vector.checksum)?), vector.bytes, "{given}");
        let verification = key.as_ref().map_or(Verification::Off, Verification::Required);
        assert_eq!(DownPacket::decode(&bytes, verification, vector.checksum)?, packet, "{given}");
        *checked.entry((kind.to_owned(), key.is_some(), vector.checksum == Checksum::Crc32)).or_insert(0) += 1;
    }
    assert_eq!(checked.len(), 6 * 2 * 2, "every body, with a key and without, with both checksums: {checked:?}");
    Ok(())
}

#[test]
fn packets_up_still_mean_the_same() -> Result<()> {
    let mut kinds = std::collections::BTreeSet::new();
    for vector in vectors::<Vector>("uplink.txt")? {
        let (kind, given) = vector.body()?;
        let body = match kind {
            "acknowledge" => {
                let captions: Vec<(u32, u32, String)> = serde_json::from_value(given.clone())?;
                let digests = captions.iter().map(|(number, time, text)| (*number, digest(*number, *time, text)));
                Up::acknowledge(SelectiveAck::of(digests))
            }
            "ask" => Up::Ask(Ask::deserialize(given)?),
            "missing" => Up::Missing(MissingParts::deserialize(given)?),
            _ => Up::Command(Command::deserialize(given)?),
        };
        let name = given.as_object().and_then(|given| given.keys().next().cloned());
        kinds.insert((kind.to_owned(), name.filter(|_| kind == "command").or(given.as_str().map(str::to_owned))));
        let (vehicle, key) = (vector.vehicle, vector.key()?.context("a key")?);
        let packet = UpPacket { vehicle, station: vector.station, counter: vector.counter, body };
        assert_eq!(hexadecimal(&packet.encode(&key, vector.checksum)?), vector.bytes, "{given}");
        assert_eq!(UpPacket::decode(&unhexadecimal(&vector.bytes)?, vehicle, &key, vector.checksum)?, packet);
    }
    assert_eq!(kinds.len(), 3 + 13, "acknowledgements, requests, missing parts and every command: {kinds:?}");
    Ok(())
}

/// What version 2 sent is read; its scores are no confidences.
#[test]
fn packets_of_version_2_are_still_read() -> Result<()> {
    let (model, mut checked) = (model()?, 0);
    for vector in vectors::<Value>("packets-version-2.txt")? {
        let bytes = bytes_of(&vector["bytes"])?;
        let bundle = number(&vector, "bundle")?;
        let packet = PacketV2::decode(&bytes, bundle, &model, Checksum::Crc32)?;
        assert_eq!((packet.decimals, &packet.captions), (number(&vector, "digits")?, &captions(&vector)?), "{vector}");
        let scores = vector["captions"].as_array().context("captions")?.iter().map(|caption| number(caption, "score"));
        assert_eq!(packet.scores, scores.collect::<Result<Vec<u8>>>()?);
        assert!(packet.captions.iter().all(|caption| caption.confidence.is_none()));
        assert!(CaptionPacket::decode(&bytes, bundle, &model, Verification::Off, Checksum::Crc32).is_err());
        let mut damaged = bytes.clone();
        damaged[4] ^= 1;
        assert!(PacketV2::decode(&damaged, bundle, &model, Checksum::Crc32).is_err());
        checked += 1;
    }
    assert_eq!(checked, 4);
    Ok(())
}

#[test]
fn frames_still_mean_the_same() -> Result<()> {
    use cssa_link::{Deframer, Direction, Format, Framer, Framing};
    let all = vectors::<Value>("frames.txt")?;
    for vector in &all {
        let bytes = |name: &str| bytes_of(&vector[name]).with_context(|| format!("{name} in {vector}"));
        let apid = number(vector, "apid")?;
        let spacecraft = number(vector, "spacecraft")?;
        for (name, framing) in [
            ("cobs", Framing::Plain),
            ("ccsds", Framing::Ccsds),
            ("ccsds_rs", Framing::CcsdsRs),
            ("ccsds_tm", Framing::CcsdsTm),
        ] {
            if framing == Framing::CcsdsRs && vector[name].is_null() {
                // A codeblock does not hold it.
                continue;
            }
            let format = Format { framing, apid, spacecraft, ..Format::default() };
            let framed = Framer::new(format, Direction::Down).stream(&bytes("packet")?);
            assert_eq!(framed, bytes(name)?, "{name} in {vector}");
            assert_eq!(Deframer::new(format, Direction::Down).push(&framed), [Ok(bytes("packet")?)], "{name}");
        }
    }
    assert!(all.len() >= 8, "{}", all.len());
    Ok(())
}
