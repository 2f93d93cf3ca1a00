//! Where and when frames were taken.

use super::*;
use anyhow::Context;
use cross_crate_tests::{ended, signal};
use std::io::Write;
use std::time::SystemTime;

#[test]
fn scenes_are_sent_with_the_places_of_their_tiles() -> Result<()> {
    use tiff::encoder::{TiffEncoder, colortype};
    use tiff::tags::Tag;
    let folder = tempfile::tempdir()?;
    let scene = folder.path().join("scene.tif");
    let tile = image::open(fixtures::scenes().join("images/scene_00001.jpg"))?.to_rgb8();
    let (width, height) = (tile.width() * 3, tile.height() * 2);
    let pixels: Vec<u8> = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .flat_map(|(x, y)| tile.get_pixel(x % tile.width(), y % tile.height()).0)
        .collect();
    let mut encoder = TiffEncoder::new(std::fs::File::create(&scene)?)?;
    let mut writer = encoder.new_image::<colortype::RGB8>(width, height)?;
    writer.encoder().write_tag(Tag::ModelPixelScaleTag, &[1e-4, 1e-4, 0.0][..])?;
    writer.encoder().write_tag(Tag::ModelTiepointTag, &[0.0, 0.0, 0.0, 16.0, 48.0, 0.0][..])?;
    writer.encoder().write_tag(Tag::GeoKeyDirectoryTag, &[1u16, 1, 0, 1, 1024, 0, 1, 2][..])?;
    writer.write_data(&pixels)?;
    let source = format!("kind = \"scenes\"\npaths = [{scene:?}]");
    let out = folder.path().join("packets.bin");
    let tiler = format!("[tiler]\nside = {}\noverlap = 0.0", tile.height());
    let config = configure(folder.path(), &source, &format!("file:{}", out.display()), &tiler)?;
    let status = finish(&config)?;
    assert_eq!(counter(&status, "frames"), 6, "{status}");
    let (packets, _) = received(&out)?;
    let places: BTreeSet<(i64, i64)> = packets
        .values()
        .filter_map(|packet| packet.position)
        .map(|position| {
            let (latitude, longitude) = position.degrees();
            ((latitude * 1e5).round() as i64, (longitude * 1e5).round() as i64)
        })
        .collect();
    let half = f64::from(tile.height()) / 2.0 * 1e-4;
    let first = (((48.0 - half) * 1e5).round() as i64, ((16.0 + half) * 1e5).round() as i64);
    assert!(places.len() == 6 && places.contains(&first), "{places:?} {first:?}");
    let again = finish(&config)?;
    assert_eq!(counter(&again, "frames"), 6, "what is settled is not captioned again");
    Ok(())
}

/// An NMEA sentence with its checksum.
fn sentence(body: &str) -> String {
    format!("${body}*{:02X}\r\n", body.bytes().fold(0, |sum, byte| sum ^ byte))
}

/// Untagged files have the time at which they were written and the place where the vehicle was then, however long the caption takes: a frame
/// of before the first fix has no place, and two of one moment have one place.
#[test]
fn files_have_the_places_of_when_they_were_written() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (images, device) = (folder.path().join("images"), folder.path().join("gps"));
    std::fs::create_dir(&images)?;
    ensure!(std::process::Command::new("mkfifo").arg(&device).status()?.success());
    let source = format!("kind = \"folder\"\npath = {images:?}");
    let out = folder.path().join("packets.bin");
    let more = format!(
        "[position]\nkind = \"nmea\"\ndevice = {device:?}\n[model]\nthreads = 1\nlooks = 1\n[health]\nheartbeat_seconds = 1"
    );
    let config = configure(folder.path(), &source, &format!("file:{}", out.display()), &more)?;
    let mut running = start(&config)?;
    // Opening waits for the program to read. The vehicle flies north, a thousandth of a degree a second: 111 m.
    let mut gps = std::fs::OpenOptions::new().write(true).open(&device)?;
    let began = Instant::now();
    let wall = SystemTime::now();
    let start = wall.duration_since(std::time::UNIX_EPOCH)?.as_secs_f64();
    let sender = std::thread::spawn(move || -> std::io::Result<()> {
        for second in 0..9u32 {
            std::thread::sleep(Duration::from_secs(second.into()).saturating_sub(began.elapsed()));
            let now = start as u64 + u64::from(second);
            let (clock, north) = (now / 3600 % 24 * 10000 + now / 60 % 60 * 100 + now % 60, second * 6000);
            let body = format!("GPGGA,{clock:06}.00,1000.{north:05},N,02000.00000,E,1,08,1.0,100.0,M,0.0,M,,");
            gps.write_all(sentence(&body).as_bytes())?;
        }
        Ok(())
    });
    let scenes = cssa_image::images(&[fixtures::scenes()])?;
    std::thread::sleep(Duration::from_secs(6).saturating_sub(began.elapsed()));
    // Written at the end, as a slow computer would see them: their times say when.
    let moments = [-30.0, 2.5, 2.5, 4.0];
    for (n, moment) in moments.into_iter().enumerate() {
        let path = images.join(format!("{n}.jpg"));
        std::fs::copy(&scenes[n], &path)?;
        let taken =
            if moment < 0.0 { wall - Duration::from_secs_f64(-moment) } else { wall + Duration::from_secs_f64(moment) };
        std::fs::File::options().write(true).open(&path)?.set_modified(taken)?;
    }
    wait_for(folder.path(), 60, |status| counter(status, "frames") == moments.len() as u64)?;
    sender.join().map_err(|_| anyhow::anyhow!("the receiver's thread"))??;
    signal(&running, "-TERM")?;
    ended(&mut running)?;
    let (captions, _) = received(&out)?;
    ensure!(captions.len() == moments.len(), "{captions:?}");
    for (caption, moment) in captions.values().zip(moments) {
        let taken = f64::from(caption.time) - start;
        assert!((moment - 2.5..=moment + 1.0).contains(&taken), "taken at {taken}, expected {moment}");
        let north = caption.position.map(|position| position.degrees().0);
        if moment < 0.0 {
            assert_eq!(north, None, "nobody knows where the vehicle was");
            continue;
        }
        let north = north.context("no place")?;
        assert!((north - 10.0 - moment / 1000.0).abs() < 8e-4, "{north} at {moment} s");
    }
    let mut places = captions.values().map(|caption| caption.position).skip(1);
    assert_eq!(places.next(), places.next(), "one moment, one place");
    Ok(())
}
