//! Pictures: after all captions, part by part, and again what is missing.

use super::*;
use crate::pictures::{Picture, Subject};
use crate::store::PICTURE_PARTS;
use std::collections::BTreeMap;

/// The ground's side of a picture.
#[derive(Default)]
struct Album {
    parts: BTreeMap<u16, Vec<u8>>,
    count: u16,
    crc: Option<u32>,
}

impl Album {
    fn take(&mut self, packet: &Outgoing) -> Result<()> {
        let read = DownPacket::decode(&packet.bytes, Verification::Required(&key()), config().checksum)?;
        let Down::PicturePart(part) = read.body else { anyhow::bail!("{read:?}") };
        assert_eq!(part.ask, 300);
        self.count = part.parts;
        self.crc = self.crc.or(part.crc);
        self.parts.insert(part.part, part.bytes.to_vec());
        Ok(())
    }

    fn missing(&self) -> MissingParts {
        MissingParts::of(300, (0..self.count).filter(|part| !self.parts.contains_key(part)))
    }

    fn picture(&self) -> Vec<u8> {
        self.parts.values().flatten().copied().collect()
    }
}

/// A downlink that the ground has asked for the picture of caption 9, which is made.
fn asked(store: &Arc<Store>, config: &LinkConfig, picture: &[u8]) -> Result<Downlink> {
    let mut downlink = Downlink::with_key(Arc::clone(store), config, Some(key()), 0.0, UTC)?.with_parts_of(100);
    let ask = Up::Ask(Ask { ask: 300, caption: 9, pixels: 160, crop: None });
    assert!(downlink.receive(&up(1, ask, &key())?, 1.0, UTC)?.is_some());
    let Some(open) = store.next_ask()? else { anyhow::bail!("no request waits") };
    store.made(
        &open,
        &Ok(Picture { subject: Subject { number: 9, time: 1, digest: 2 }, bytes: picture.to_vec(), frame: [0; 2] }),
    )?;
    downlink.answered(open.number)?;
    Ok(downlink)
}

fn next(downlink: &mut Downlink, now: f64) -> Result<Option<Outgoing>> {
    let packet = downlink.picture((now, UTC + now as u32), &language(), room(217))?;
    packet.iter().try_for_each(|packet| downlink.sent(packet, packet.bytes.len() + 6, now))?;
    Ok(packet)
}

#[test]
fn a_picture_comes_in_parts_and_what_was_lost_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 100)?);
    let picture: Vec<u8> = (0..1234_u32).map(|n| (n * 7 % 251) as u8).collect();
    let (mut downlink, mut album) = (asked(&store, &config(), &picture)?, Album::default());
    let mut sent = 0;
    while let Some(packet) = next(&mut downlink, 2.0)? {
        if sent % 3 != 1 {
            album.take(&packet)?;
        }
        sent += 1;
    }
    assert_eq!((sent, album.count, album.parts.len()), (13, 13, 9));
    // That all went out may have been lost, too: the last part again, ever more seldom.
    let again = [2.5, 11.0, 12.5, 21.0, 32.6].map(|now| {
        downlink.heard = Some(now);
        next(&mut downlink, now).map(|packet| packet.is_some())
    });
    assert_eq!(again.into_iter().collect::<Result<Vec<bool>>>()?, [false, false, true, false, true], "10 and 20 s");
    let missing = up(2, Up::Missing(album.missing()), &key())?;
    downlink.receive(&missing, 33.0, UTC)?;
    while let Some(packet) = next(&mut downlink, 33.0)? {
        album.take(&packet)?;
        sent += 1;
    }
    assert_eq!((sent, album.picture() == picture, album.crc), (17, true, Some(crc32fast::hash(&picture))));
    downlink.receive(&missing, 34.0, UTC)?;
    assert_eq!(next(&mut downlink, 34.0)?, None, "a replay costs nothing");
    // After a start the ground says what it lacks.
    let mut downlink = Downlink::with_key(Arc::clone(&store), &config(), Some(key()), 0.0, UTC)?.with_parts_of(100);
    downlink.receive(&up(3, Up::Missing(MissingParts::of(300, [12])), &key())?, 1.0, UTC)?;
    let (last, after) = (next(&mut downlink, 1.0)?, next(&mut downlink, 1.0)?);
    assert!(last.is_some() && after.is_none());
    downlink.receive(&up(4, Up::Missing(MissingParts::of(300, [])), &key())?, 1.0, UTC)?;
    downlink.receive(&up(5, Up::Missing(MissingParts::all(300)), &key())?, 1.0, UTC)?;
    assert_eq!((next(&mut downlink, 1.0)?, store.picture((1, 300))?), (None, None), "it has arrived");
    assert_eq!(store.counters()?[PICTURE_PARTS], 20);
    Ok(())
}

/// Also where the picture would have gone first; and no part goes where nobody listens.
#[test]
fn captions_never_wait_for_a_picture() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Store::open(folder.path(), 100)?);
    let mut downlink = asked(&store, &config(), &[1; 1000])?;
    assert!(next(&mut downlink, 2.0)?.is_some());
    queue(&store, &[0])?;
    assert!(
        matches!(downlink.next(2.0, UTC, &language(), room(217))?, Next::Send(packet) if packet.captions.len() == 1)
    );
    // While nobody listens a status goes out every so often, from whoever was killed, too.
    let status = |downlink: &mut Downlink, now: f64| -> Result<bool> {
        assert_eq!(next(downlink, now)?, None, "the ground is silent");
        let state = |sequence, _| Housekeeping { sequence, ..Housekeeping::default() };
        let due = downlink.housekeeping((now, UTC), &language(), room(217), &state)?;
        due.iter().try_for_each(|packet| downlink.sent(packet, packet.bytes.len() + 6, now))?;
        Ok(due.is_some())
    };
    let config = LinkConfig { housekeeping_seconds: 0, ..config() };
    let mut downlink = Downlink::with_key(Arc::clone(&store), &config, Some(key()), 0.0, UTC)?;
    let sent: Vec<bool> =
        [50.0, 55.0, 60.0, 61.0].into_iter().map(|now| status(&mut downlink, now)).collect::<Result<_>>()?;
    assert_eq!(sent, [true, false, true, false]);
    downlink.receive(&up(2, Up::Missing(MissingParts::of(300, [])), &key())?, 61.0, UTC)?;
    assert!(!status(&mut downlink, 200.0)?, "it has arrived");
    Ok(())
}

/// Of a contact's bytes those are left for captions that the configuration says.
#[test]
fn a_contact_keeps_bytes_for_captions() -> Result<()> {
    for (reserve, expected) in [(None, 3), (Some(0), 7), (Some(1000), 0)] {
        let folder = tempfile::tempdir()?;
        let store = Arc::new(Store::open(folder.path(), 100)?);
        let contact = ContactConfig { bytes: 1000, gap_seconds: 100.0, reserve, passes: None };
        let mut downlink = asked(&store, &LinkConfig { contact: Some(contact), ..config() }, &[1; 2000])?;
        let mut parts = 0;
        while next(&mut downlink, 2.0)?.is_some() {
            parts += 1;
        }
        assert_eq!(parts, expected, "{reserve:?}");
        queue(&store, &[0])?;
        let captions = downlink.next(2.0, UTC, &language(), room(217))?;
        assert!(matches!(captions, Next::Send(_)), "{reserve:?}: {captions:?}");
    }
    Ok(())
}
