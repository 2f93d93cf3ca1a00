use super::*;
use anyhow::{Context, Result};
use cssa_wire::{BEHIND, Caption, CaptionPacket, FAILED, LATER};

const TIME: u32 = 1_763_928_000;

fn archive(folder: &std::path::Path) -> Result<Archive> {
    let mut archive = Archive::open(&folder.join("captions.gpkg"))?;
    let captions = [(9, "a river"), (10, "a road")];
    let caption =
        |(sequence, text): (u32, &str)| Caption { sequence, time: TIME, text: text.into(), ..Caption::default() };
    let captions = captions.into_iter().map(caption).collect();
    archive.keep("uav", &CaptionPacket { vehicle: 12, bundle: 1, decimals: 5, captions })?;
    Ok(archive)
}

/// A vehicle's answer to the packet with a counter: the picture of a caption comes.
fn promise(counter: u32, sequence: u32, words: &str, time: u32) -> Outcome {
    let crc = crc32fast::hash(&(0..95).collect::<Vec<u8>>());
    let value = [digest(sequence, 0, words), time, crc, 900 << 16 | 1200].map(u32::to_le_bytes).concat();
    Outcome { station: 1, counter, result: CommandResult::Done, value }
}

/// Asks for the picture of caption 9; gives its row, and the number of its request, which has gone out with this counter.
fn ask(archive: &mut Archive, counter: u32) -> Result<(i64, u16)> {
    let caption = archive.caption_row(12, 9)?.context("the caption")?;
    let id = archive.ask_picture(caption, 160, None)?;
    let ask = archive.ask_number(1)?.context("a number")?;
    assert!(archive.take_ask(id, &SentAsk { station: 1, ask, counter, packet: vec![7] })?);
    Ok((id, ask))
}

fn parts(ask: u16, picture: &[u8]) -> Vec<Part> {
    let count = picture.len().div_ceil(10) as u16;
    let crc = |part| (part + 1 == count).then(|| crc32fast::hash(picture));
    let part = |(part, bytes): (u16, &[u8])| Part { ask, part, parts: count, crc: crc(part), bytes: bytes.to_vec() };
    (0..).zip(picture.chunks(10)).map(part).collect()
}

impl Archive {
    fn keep_part(&mut self, vehicle: u16, part: &Part) -> crate::error::Result<Brought> {
        Ok(self.keep_parts(&[(vehicle, part)])?[0])
    }
}

fn state(archive: &Archive, id: i64) -> Result<(String, Option<String>)> {
    let all = archive.pictures(99)?;
    let found = all.into_iter().find(|picture| picture.id == id).context("the picture")?;
    Ok((found.state, found.reason))
}

#[test]
fn a_picture_is_made_of_its_parts_in_any_order_and_over_starts() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut archive = archive(folder.path())?;
    let (id, number) = ask(&mut archive, 77)?;
    assert_eq!(number >> 8, 1, "the station's");
    let picture: Vec<u8> = (0..95).collect();
    let all = parts(number, &picture);
    assert_eq!(archive.missing_parts(id, number)?, MissingParts::all(number));
    archive.keep_promise(12, &promise(77, 9, "a river", TIME))?;
    for part in all.iter().rev().step_by(2) {
        assert_eq!(archive.keep_part(12, part)?, Brought::More(id));
        assert_eq!(archive.keep_part(12, part)?, Brought::Again(id), "twice");
    }
    drop(archive);
    let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
    let missing: Vec<u16> = archive.missing_parts(id, number)?.parts(10).collect();
    assert_eq!(missing, [0, 2, 4, 6, 8]);
    assert_eq!(archive.keep_part(13, &all[0])?, Brought::Unasked, "another vehicle's");
    assert_eq!(archive.keep_part(12, &Part { ask: number + 1, ..all[0].clone() })?, Brought::Unasked);
    let mut brought = Brought::Unasked;
    for part in missing {
        assert_eq!(archive.picture(id)?, None);
        brought = archive.keep_part(12, &all[usize::from(part)])?;
    }
    assert_eq!((brought, archive.picture(id)?), (Brought::Whole(id, number), Some(picture)));
    assert_eq!(archive.keep_part(12, &all[4])?, Brought::Here(id, number), "it has not heard that it is here");
    assert_eq!((state(&archive, id)?.0.as_str(), archive.pictures(1)?[0].frame), ("here", Some([1200, 900])));
    Ok(())
}

/// Nothing is shown under a caption that is not its picture's, or that is not as it was sent.
#[test]
fn what_is_not_the_captions_picture_is_not_shown() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut archive = archive(folder.path())?;
    let picture: Vec<u8> = (0..95).collect();
    for (counter, promised) in [
        (1, promise(1, 9, "a lake", TIME)),
        (2, promise(2, 9, "a river", TIME + 60)),
        (3, promise(3, 10, "a river", TIME)),
        (4, Outcome { value: vec![1, 2], ..promise(4, 9, "a river", TIME) }),
        // Another flight's, that did not know the time.
        (5, promise(5, 9, "a river", 40)),
    ] {
        let (id, number) = ask(&mut archive, counter)?;
        parts(number, &picture).iter().try_for_each(|part| archive.keep_part(12, part).map(drop))?;
        assert_eq!(archive.picture(id)?, None, "nobody has said whose it is");
        archive.keep_promise(12, &promised)?;
        let (state, why) = state(&archive, id)?;
        assert!(state == "not kept" && why.is_some_and(|why| why.contains("another caption")), "{promised:?}: {state}");
        assert_eq!(
            (archive.picture(id)?, archive.keep_part(12, &parts(number, &picture)[0])?),
            (None, Brought::Unasked)
        );
    }
    // Parts of what had this number before.
    let (id, number) = ask(&mut archive, 7)?;
    parts(number, &[8; 95]).iter().try_for_each(|part| archive.keep_part(12, part).map(drop))?;
    archive.keep_promise(12, &promise(7, 9, "a river", TIME))?;
    assert_eq!((archive.picture(id)?, state(&archive, id)?.0.as_str()), (None, "coming"));
    parts(number, &picture).iter().try_for_each(|part| archive.keep_part(12, part).map(drop))?;
    assert_eq!(archive.picture(id)?, Some(picture.clone()));
    // Of two flights without a clock the same moment after the start says who is meant.
    let undated = Caption { sequence: 20, time: 11, text: "a river".into(), ..Caption::default() };
    archive.keep("uav", &CaptionPacket { vehicle: 12, bundle: 1, decimals: 5, captions: vec![undated] })?;
    for (counter, seconds, expected) in [(8, 2, None), (9, 11, Some(&picture))] {
        let id = archive.ask_picture(archive.caption_row(12, 20)?.context("the caption")?, 160, None)?;
        let ask = archive.ask_number(1)?.context("a number")?;
        archive.take_ask(id, &SentAsk { station: 1, ask, counter, packet: vec![7] })?;
        parts(ask, &picture).iter().try_for_each(|part| archive.keep_part(12, part).map(drop))?;
        archive.keep_promise(12, &promise(counter, 20, "a river", seconds))?;
        assert_eq!(archive.picture(id)?.as_ref(), expected, "{seconds} s after the start");
    }
    // Damage that no packet's checksum has found.
    let (id, number) = ask(&mut archive, 6)?;
    archive.keep_promise(12, &promise(6, 9, "a river", TIME))?;
    let mut all = parts(number, &picture);
    all[3].bytes[5] ^= 1;
    let brought: Vec<Brought> = all.iter().map(|part| Ok(archive.keep_part(12, part)?)).collect::<Result<_>>()?;
    assert_eq!((brought.last(), archive.picture(id)?), (Some(&Brought::Damaged(id)), None));
    assert_eq!(archive.missing_parts(id, number)?, MissingParts::all(number), "all of it again");
    all[3].bytes[5] ^= 1;
    // Cut otherwise meanwhile.
    archive.keep_part(12, &Part { parts: 5, crc: None, ..all[0].clone() })?;
    all.iter().try_for_each(|part| archive.keep_part(12, part).map(drop))?;
    assert_eq!(archive.picture(id)?, Some(picture));
    Ok(())
}

#[test]
fn requests_are_bounded_and_no_number_is_used_twice_at_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut archive = archive(folder.path())?;
    let mut numbers = std::collections::BTreeSet::new();
    for counter in 0..256 {
        numbers.insert(ask(&mut archive, counter)?.1);
    }
    assert_eq!((numbers.len(), archive.ask_number(1)?), (256, None));
    assert!(archive.ask_number(2)?.is_some_and(|number| number >> 8 == 2), "another station's");
    let open = archive.open_pictures(12, "", 8)?;
    assert_eq!(open.len(), 8);
    archive.end_picture(open[0].id, "unanswered", "sent 24 times")?;
    assert_eq!(archive.ask_number(1)?, open[0].sent.as_ref().map(|sent| sent.ask), "the one that is free");
    archive.ask_anew(open[1].id)?;
    let anew = archive.open_pictures(12, "", 999)?.pop().context("the last")?;
    assert_eq!((anew.id, anew.sent.is_none()), (open[1].id, true));
    let caption = archive.caption_row(12, 10)?.context("the caption")?;
    for (pixels, crop) in [(15, None), (8193, None), (160, Some([0, 0, 0, 5]))] {
        assert!(archive.ask_picture(caption, pixels, crop).is_err_and(|error| matches!(error, Error::Packet(_))));
    }
    assert!(archive.ask_picture(99, 160, None).is_err_and(|error| matches!(error, Error::NoCaption { row: 99, .. })));
    (0..745).try_for_each(|_| archive.ask_picture(caption, 160, Some([1, 2, 3, 4])).map(drop))?;
    assert_eq!(archive.pictures(1)?[0].crop, Some([1, 2, 3, 4]));
    let full = archive.ask_picture(caption, 160, None).err().context("full")?.to_string();
    assert!(full.contains("1000 pictures are asked for"), "{full}");
    Ok(())
}

/// A vehicle that has no room for another one now is asked again.
#[test]
fn a_picture_that_is_put_off_is_asked_for_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut archive = archive(folder.path())?;
    for (counter, result, expected) in [
        (77, CommandResult::Refused(LATER), "waiting"),
        (78, CommandResult::Refused(BEHIND), "waiting"),
        (79, CommandResult::Refused(FAILED), "refused"),
    ] {
        let (id, _) = ask(&mut archive, counter)?;
        let put_off = Outcome { result, ..promise(counter, 9, "a river", TIME) };
        assert_eq!((archive.keep_promise(12, &put_off)?, archive.keep_promise(12, &put_off)?), (Some(id), None));
        assert_eq!(state(&archive, id)?.0, expected);
        archive.end_picture(id, "refused", "")?;
    }
    Ok(())
}
