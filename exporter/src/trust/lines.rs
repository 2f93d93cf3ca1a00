//! Captions that `edge caption --json` printed, as what a bundle says of the images of some parts of datasets.

use super::observation::Parts;
use super::stated::Stated;
use crate::error::{Error, Result};
use cssa::bundle::Bundle;
use cssa::files;
use cssa::trust::{Confidence, Reason};
use cssa_captioner::Looks;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The version of the packets whose envelope is read here: version, vehicle (a varint of a `u16`), bundle (two bytes, the
/// lower one first).
const WIRE_VERSION: u8 = 3;

/// What of a line is needed.
#[derive(Deserialize)]
struct Line {
    image: PathBuf,
    caption: String,
    confidence: Confidence,
    familiarity: f32,
    reasons: Vec<Reason>,
    looks: Looks,
    packet_hex: String,
}

/// Reads lines of the bundle: one of each image of `parts`, in their order, all with the same number of looks, which is given too. Lines
/// of other images are left out, with a warning that counts them; relative paths are from the working directory.
pub(super) fn read_lines(
    path: &Path,
    bundle: &Bundle,
    parts: &Parts,
    looks: Option<Looks>,
) -> Result<(Vec<Stated>, Looks)> {
    let mut looks = looks.map(|looks| (looks, "--looks".to_owned()));
    let mut stated: BTreeMap<PathBuf, (usize, Stated)> = BTreeMap::new();
    let text = files::read_text(path, 1 << 30)?;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = number + 1;
        let wrong = |problem: String| Error::Line { path: path.into(), line: number, problem };
        let line: Line = serde_json::from_str(line).map_err(|error| {
            wrong(format!("{error}, expected what `edge caption --json` prints of a calibrated bundle"))
        })?;
        if !(0.0..=1.0).contains(&line.familiarity) {
            return Err(wrong(format!("a familiarity of {}, expected 0 to 1", line.familiarity)));
        }
        let id = bundle_of(&line.packet_hex)
            .ok_or_else(|| wrong(format!("packet_hex is no packet of version {WIRE_VERSION}")))?;
        if id != bundle.id {
            return Err(wrong(format!("is of bundle {id:04x}, expected {:04x}", bundle.id)));
        }
        let (expected, place) = looks.get_or_insert_with(|| (line.looks, format!("line {number}")));
        if line.looks != *expected {
            return Err(wrong(format!("looks is {}, {expected} in {place}", line.looks)));
        }
        let image = line.image.canonicalize().map_err(|error| wrong(format!("{}: {error}", line.image.display())))?;
        let Line { caption, confidence, familiarity, reasons, .. } = line;
        let one = Stated { image: image.clone(), caption, confidence, familiarity, reasons };
        if let Some((before, _)) = stated.insert(image.clone(), (number, one)) {
            return Err(wrong(format!("{} is in line {before}, too", image.display())));
        }
    }
    let mut found = Vec::with_capacity(parts.images.len());
    let mut missing = parts.images.iter().filter(|image| match stated.remove(&image.path) {
        Some((_, one)) => {
            found.push(one);
            false
        }
        None => true,
    });
    if let Some(first) = missing.next() {
        let (missing, first) = (1 + missing.count(), first.path.clone());
        return Err(Error::Unstated { lines: path.into(), missing, expected: parts.images.len(), first });
    }
    if let Some((image, (number, _))) = stated.first_key_value() {
        let (file, count, names) = (path.display(), stated.len(), parts.names.join(", "));
        tracing::warn!("{file}: {count} lines are of no image of {names}, line {number} of {}", image.display());
    }
    Ok((found, looks.map_or(Looks::One, |(looks, _)| looks)))
}

/// The id of the bundle in the envelope of a packet.
fn bundle_of(packet: &str) -> Option<u16> {
    let byte = |n: usize| u8::from_str_radix(packet.get(2 * n..2 * n + 2)?, 16).ok();
    if byte(0)? != WIRE_VERSION {
        return None;
    }
    // A varint goes on for as long as the highest bit is set; that of a u16 has three bytes at most.
    let last = (1..=3).find(|&n| byte(n).is_some_and(|byte| byte < 0x80))?;
    Some(u16::from_le_bytes([byte(last + 1)?, byte(last + 2)?]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;
    use cssa::dataset::{Captioned, Split};
    use serde_json::{Value, json};

    fn line(image: &Path, bundle: u16) -> Value {
        json!({
            "image": image, "caption": "a road", "score": 0.5, "confidence": 0.9, "familiarity": 0.25, "outside": false,
            "reasons": [], "looks": 4, "packet_hex": format!("0300{:04x}000c5f", bundle.swap_bytes()),
        })
    }

    #[test]
    fn envelopes_name_their_bundle() {
        assert_eq!(bundle_of("03000309000c50005f45c3"), Some(0x0903));
        assert_eq!(bundle_of("03ac02beef00"), Some(0xefbe), "a vehicle of two bytes");
        for none in ["", "03", "0300be", "0200beef00", "03ffffffffbeef", "03zzbeef00", "0é"] {
            assert_eq!(bundle_of(none), None, "{none}");
        }
    }

    /// Everything that would make numbers of lines that are not those of the bundle's captions.
    #[test]
    fn lines_are_of_the_bundle_and_of_every_image_once() -> Result<()> {
        let bundle = Bundle::read(&fixtures::bundle())?;
        let images = fixtures::scenes().canonicalize()?.join("images");
        let image = |n: usize| images.join(format!("scene_{n:05}.jpg"));
        let captioned = |n: usize| Captioned {
            filename: String::new(),
            path: image(n),
            split: Split::Test,
            captions: vec!["a road".into()],
            back_translations: Vec::new(),
            further: Vec::new(),
        };
        let parts =
            Parts { images: (0..3).map(captioned).collect(), datasets: vec![0; 3], names: vec!["scenes test".into()] };
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("lines.jsonl");
        let read = |lines: &[Value], looks| {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            files::write(&path, text.as_bytes())?;
            Ok::<_, anyhow::Error>(read_lines(&path, &bundle, &parts, looks)?)
        };
        let id = bundle.id;
        // In any order, by another way to the same file, with one of another image between them.
        let detour = images.join("../images/scene_00000.jpg");
        let all = [line(&image(2), id), line(&image(5), id), line(&detour, id), line(&image(1), id)];
        let (stated, looks) = read(&all, None)?;
        assert_eq!(stated.iter().map(|one| one.image.clone()).collect::<Vec<_>>(), [image(0), image(1), image(2)]);
        assert_eq!((looks, stated[0].confidence.thousandths(), stated[0].familiarity), (Looks::Four, 900, 0.25));

        let with = |place: usize, key: &str, value: Value| {
            let mut lines = all.to_vec();
            lines[place][key] = value;
            lines
        };
        let cases = [
            (all[..1].to_vec(), None, "has no line of 2 of 3 images, the first is".to_owned()),
            ([&all[..], &all[..1]].concat(), None, "line 5: ".into()),
            (with(3, "looks", json!(1)), None, "line 4: looks is 1, 4 in line 1".into()),
            (all.to_vec(), Some(Looks::One), "line 1: looks is 4, 1 in --looks".into()),
            (with(1, "looks", json!(3)), None, "line 2: ".into()),
            (with(1, "confidence", json!(7)), None, "line 2: a confidence of 7, expected 0 to 1".into()),
            (with(1, "confidence", json!(-0.1)), None, "line 2: a confidence of -0.1, expected 0 to 1".into()),
            (with(1, "confidence", Value::Null), None, "of a calibrated bundle".into()),
            (with(2, "familiarity", json!(1.5)), None, "line 3: a familiarity of 1.5, expected 0 to 1".into()),
            (with(0, "image", json!("nowhere.jpg")), None, "line 1: nowhere.jpg: No such file".into()),
            (with(0, "packet_hex", json!("0300")), None, "line 1: packet_hex is no packet of version 3".into()),
            (
                with(0, "packet_hex", json!("0300cdab000c")),
                None,
                format!("line 1: is of bundle abcd, expected {id:04x}"),
            ),
        ];
        for (lines, looks, expected) in cases {
            let refused = read(&lines, looks).err().map(|error| error.to_string());
            assert!(refused.as_ref().is_some_and(|refused| refused.contains(&expected)), "{refused:?} / {expected}");
        }
        Ok(())
    }
}
