//! Footprints behind their captions.

use super::*;
use crate::footprint::Footprint as Seen;
use cssa_wire::Position;

/// A caption of a frame that shows 100 m around a place.
fn seen(text: &str, north: f64) -> Result<Caption> {
    let place = |latitude: f64, longitude: f64| Position::new(latitude, longitude).ok_or(anyhow::anyhow!("no place"));
    let (centre, half) = (place(north, 16.37)?, 0.0009);
    let corners = [
        place(north + half, 16.37 - half)?,
        place(north + half, 16.37 + half)?,
        place(north - half, 16.37 + half)?,
        place(north - half, 16.37 - half)?,
    ];
    let footprint = Some(Seen { centre, accuracy: 11.2, corners });
    Ok(Caption { time: UTC, position: Some(centre), footprint, text: text.into(), ..Caption::default() })
}

fn queue_seen(store: &Store, count: usize) -> Result<()> {
    for n in 0..count {
        let outcome = Outcome::Queued(seen("a river and a bridge", 48.2 + 0.01 * n as f64)?);
        store.settle(store.change(ChangeKind::Captioned), None, &outcome)?;
    }
    Ok(())
}

/// Whatever is sent now: numbers of captions (true) and of footprints.
fn sent(downlink: &mut Downlink, now: f64, largest: usize) -> Result<Vec<(bool, Vec<u32>)>> {
    let (language, mut all) = (language(), Vec::new());
    while let Next::Send(packet) = downlink.next(now, UTC + now as u32, &language, room(largest))? {
        let found = DownPacket::decode(&packet.bytes, Verification::Off, downlink.config.checksum)?;
        let is_captions = matches!(found.body, Down::Captions(_));
        let numbers = if is_captions {
            let captions = CaptionPacket::of(&found, &language.model)?.captions;
            captions.iter().map(|caption| caption.sequence).collect()
        } else {
            let footprints = wire::FootprintPacket::of(&found)?.footprints;
            footprints.iter().map(|footprint| footprint.number).collect()
        };
        all.push((is_captions, numbers));
        downlink.sent(&packet, packet.bytes.len() + 6, now)?;
    }
    Ok(all)
}

fn with_footprints() -> LinkConfig {
    LinkConfig { footprints: true, ..config() }
}

#[test]
fn footprints_follow_their_captions_and_are_forgotten_with_them() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 100)?);
    queue_seen(&store, 3)?;
    assert_eq!(store.footprints(0..9)?.len(), 3);
    let mut downlink = Downlink::with_key(Arc::clone(&store), &with_footprints(), None, 0.0, UTC)?;
    let expected = [(true, vec![0, 1]), (false, vec![0, 1]), (true, vec![2]), (false, vec![2])];
    assert_eq!(sent(&mut downlink, 0.0, 217)?, expected);
    assert!(store.footprints(0..9)?.is_empty());
    // One that a packet has no room for beside others goes alone; one that none holds holds nothing up.
    queue_seen(&store, 2)?;
    assert_eq!(sent(&mut downlink, 1.0, 30)?, [(true, vec![3]), (false, vec![3]), (true, vec![4]), (false, vec![4])]);
    Ok(())
}

#[test]
fn footprints_are_sent_where_they_are_asked_for() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 1)?);
    queue_seen(&store, 2)?;
    assert_eq!(store.footprints(0..9)?.len(), 1, "one went with its caption, which others took the place of");
    let mut downlink = Downlink::with_key(Arc::clone(&store), &config(), None, 0.0, UTC)?;
    assert_eq!(sent(&mut downlink, 0.0, 217)?.len(), 1);
    Ok(())
}

#[test]
fn footprints_come_again_with_their_captions_until_these_are_acknowledged() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 100)?);
    queue_seen(&store, 1)?;
    let mut downlink = Downlink::with_key(Arc::clone(&store), &with_footprints(), Some(key()), 0.0, UTC)?;
    for now in [0.0, 20.0] {
        assert_eq!(sent(&mut downlink, now, 217)?, [(true, vec![0]), (false, vec![0])]);
    }
    assert!(acknowledge(&mut downlink, 1, &[0], 21.0)?);
    assert!(sent(&mut downlink, 60.0, 217)?.is_empty() && store.footprints(0..9)?.is_empty());
    Ok(())
}
