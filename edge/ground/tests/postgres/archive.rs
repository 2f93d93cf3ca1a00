//! An archive in PostgreSQL is the one that a GeoPackage is.

use crate::cluster::{Cluster, PASSWORD};
use anyhow::{Context, Result, ensure};
use cssa::trust::{Confidence, Reason};
use cssa_wire::{
    Answer, Caption, CaptionPacket, Checksum, Command, CommandResult, Down, DownPacket, Housekeeping, Position, Report,
};
use ground::archive::{Archive, Archived, Kept, Origin, Provenance, Undecoded};
use ground::{Message, Place};

fn packet(vehicle: u16, sequences: std::ops::Range<u32>, text: &str) -> CaptionPacket {
    let caption = |sequence: u32| Caption {
        sequence,
        // Every fourth does not know the time.
        time: if sequence % 4 == 3 { 40 + sequence } else { 1_763_928_000 + 60 * sequence },
        position: Position::new(48.25 + 0.001 * f64::from(sequence), -16.5).filter(|_| !sequence.is_multiple_of(3)),
        confidence: Confidence::from_thousandths(903),
        outside: (sequence == 7).then_some(Reason::Foggy),
        priority: 1,
        repeat: false,
        text: format!("{text} {sequence}"),
    };
    CaptionPacket { vehicle, bundle: 0xbeef, decimals: 5, captions: sequences.map(caption).collect() }
}

/// All that an archive says of what [`fill`] told it, but for when that was.
fn everything(archive: &Archive) -> Result<String> {
    let untimed = |mut caption: Archived| {
        ensure!(caption.received.len() == 24 && caption.received.ends_with("Z"), "{caption:?}");
        // By when they came, in one order.
        caption.received.clear();
        Ok(caption)
    };
    let captions = |words: Option<&str>| -> Result<Vec<Archived>> {
        let mut all = archive.captions(words)?.into_iter().map(untimed).collect::<Result<Vec<_>>>()?;
        all.sort_by_key(|caption| (caption.vehicle, caption.sender.clone(), caption.sequence));
        Ok(all)
    };
    let mut said = format!("{:#?}\n{:#?}\n", captions(None)?, archive.origins()?);
    for words in
        ["river", "RIVER bridge", "OR", "\"", "river \"", "cafe", "café", "number-7", "river-a", "", "x:*", "7"]
    {
        said += &format!("{words:?}: {:?}\n", captions(Some(words))?.iter().map(|c| c.sequence).collect::<Vec<_>>());
    }
    for (row, caption) in archive.after(3, 4)? {
        said += &format!("{row}: {:?}\n", untimed(caption)?);
    }
    for origin in archive.origins()? {
        said += &format!("{origin} {:?} {:?}\n", archive.gaps(&origin)?, archive.times_received("uav", 4)?);
    }
    let statuses: Vec<_> =
        archive.housekeeping(&Origin::Vehicle(12), 9)?.into_iter().map(|status| status.housekeeping).collect();
    let waiting: Vec<Undecoded> = archive.undecoded(7, 9)?.into_iter().map(|(_, waiting)| waiting).collect();
    said += &format!("{:#?}\n{statuses:#?}\n{waiting:#?}\n", archive.reports(9)?);
    let messages = archive.messages(9)?.into_iter();
    said += &format!("{:#?}\n", messages.map(|m| (m.sender, m.vehicle, m.kind, m.content)).collect::<Vec<_>>());
    for vehicle in archive.vehicles(cssa::clock::now())? {
        let status = vehicle.status.map(|status| (status.curve, status.growth));
        said += &format!("{} {:?} {} {status:?}\n", vehicle.vehicle, vehicle.sender, vehicle.silence < 60);
    }
    for command in archive.commands(9)? {
        said += &format!(
            "{} {} {} {:?} {:?}\n",
            command.id, command.command, command.state, command.station, command.reason
        );
    }
    said += &format!("{:?} {:?}\n", archive.missing_bundles()?, archive.only_vehicle()?);
    Ok(said)
}

/// Tells an archive what vehicles and programs do; gives what it answered.
fn fill(archive: &mut Archive) -> Result<String> {
    let mut kept: Vec<Kept> = Vec::new();
    for (sender, packet) in [
        ("uav", packet(12, 0..9, "a bridge over a river")),
        ("relay", packet(12, 4..12, "a bridge over a river")),
        ("uav", packet(13, 4..6, "an \"airport\" OR <b>runway</b> by a CAFÉ number-7")),
        ("uav", packet(0, 2..4, "a playground\0 of junk")),
        ("relay", packet(0, 2..4, "a playground\0 of junk")),
        ("relay", packet(0, 2..4, "a playground\0 of junk")),
        ("uav", packet(12, 20..21, &"a long river ".repeat(300))),
    ] {
        kept.push(archive.keep(sender, &packet)?);
    }
    let mut stored = Vec::new();
    for (n, body) in [
        Down::Report(Report::of_run(2, Reason::Smeared, 1_763_928_000, 40)),
        Down::Report(Report::of_run(3, Reason::Smeared, 1_763_928_000, 77)),
        Down::Report(Report::of_run(4, Reason::Dark, 30, 1)),
        Down::Housekeeping(Housekeeping { waiting: 9, period: 60, frames: 4, ..Housekeeping::default() }),
        Down::Housekeeping(Housekeeping { waiting: 3, period: 60, frames: 9, ..Housekeeping::default() }),
        Down::Answer(Answer { station: 1, counter: 5, result: CommandResult::Done, value: b"a\0b" }),
    ]
    .into_iter()
    .enumerate()
    {
        for (sender, vehicle) in [("uav", 12), ("relay", 12), ("uav", 0), ("relay", 0)] {
            let message = Message::of(&DownPacket { vehicle, bundle: 7, body }).context("a message")?;
            let whose = if vehicle > 0 { Provenance::Vehicle } else { Provenance::Anybody };
            stored.push(archive.keep_message(sender, &message, &[n as u8, (vehicle > 0).into()], whose)?);
        }
    }
    for length in [1, 1, 50_000] {
        // The longest packet fits into no index in order.
        let packet = (0..length).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let (sender, checksum) = ("uav".to_owned(), Checksum::Crc16);
        let waiting = Undecoded { sender, bundle: 7, checksum, is_authentic: true, packet };
        stored.push(archive.keep_undecoded(&waiting)?);
    }
    let long = Down::Housekeeping(Housekeeping::default());
    let long = Message::of(&DownPacket { vehicle: 14, bundle: 7, body: long }).context("a message")?;
    stored.push(archive.keep_message("uav", &long, &vec![7; 9000], Provenance::Anybody)?);
    archive.give_command(12, &Command::Pause)?;
    archive.give_command(13, &Command::SetThreshold { thousandths: 600 })?;
    Ok(format!("{kept:?} {stored:?}"))
}

#[test]
fn an_archive_of_a_server_says_what_a_geopackage_says() -> Result<()> {
    let Some(cluster) = Cluster::start()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (file, server) = (Place::from(folder.path().join("captions.gpkg").as_path()), cluster.create("fleet")?);
    let mut said = Vec::new();
    for place in [&file, &server] {
        let answers = fill(&mut Archive::open_at(place)?)?;
        let (written, read) = (everything(&Archive::open_at(place)?)?, everything(&Archive::read_at(place)?)?);
        assert_eq!(written, read, "{place}");
        said.push((answers, written));
    }
    assert_eq!(said[0].0, said[1].0);
    // What PostgreSQL's text has no room for.
    assert_eq!(said[0].1.replace("\\0", "\u{fffd}"), said[1].1);
    let mut client = cluster.client("fleet")?;
    let places = "SELECT ST_AsText(geom), sequence FROM captions WHERE vehicle = 12 AND geom IS NOT NULL ORDER BY sequence LIMIT 2";
    let places: Vec<(String, i64)> = client.query(places, &[])?.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(places, [("POINT(-16.5 48.251)".to_owned(), 1), ("POINT(-16.5 48.252)".to_owned(), 2)]);
    let layer = "SELECT type, srid FROM geometry_columns WHERE f_table_name = 'captions'";
    let layer = client.query_one(layer, &[])?;
    assert_eq!((layer.get::<_, String>(0), layer.get::<_, i32>(1)), ("POINT".to_owned(), 4326));
    let mut indices = Vec::new();
    for row in client.query("SELECT indexdef FROM pg_indexes WHERE tablename = 'captions'", &[])? {
        indices.push(row.get::<_, String>(0));
    }
    assert!(
        ["gist (geom)", "gin (words)"].iter().all(|kind| indices.iter().any(|index| index.contains(kind))),
        "{indices:?}"
    );
    Ok(())
}

#[test]
fn what_is_no_archive_is_said_and_not_touched() -> Result<()> {
    let Some(cluster) = Cluster::start()? else { return Ok(()) };
    let place = cluster.create("other")?;
    let mut client = cluster.client("other")?;
    for open in [Archive::open_at, Archive::read_at] {
        client.batch_execute("DROP TABLE IF EXISTS captions; CREATE TABLE captions (mine INTEGER)")?;
        let error = open(&place).err().context("an error")?.to_string();
        assert!(error.contains("/other: is no archive of captions"), "{error}");
    }
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(client.query_one(tables, &[])?.get::<_, i64>(0), 1);
    client.batch_execute("DROP TABLE captions")?;
    drop(Archive::open_at(&place)?);
    // Its socket is another way to it.
    let socket = Place::from(std::ffi::OsString::from(cluster.socket_url("other")));
    assert!(Archive::read_at(&socket)?.captions(None)?.is_empty());
    let mut reading = Archive::read_at(&place)?;
    let error = reading.give_command(12, &Command::Pause).err().context("an error")?.to_string();
    assert!(error.contains("read-only"), "{error}");
    // Another user reads and writes, and makes no tables.
    client.batch_execute(
        "CREATE USER receiver PASSWORD 'other-secret'; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO receiver",
    )?;
    let url = cluster.url("other").replace(&format!("cssa:{PASSWORD}"), "receiver:other-secret");
    let receiver = Place::from(std::ffi::OsString::from(url.as_str()));
    assert_eq!(Archive::open_at(&receiver)?.keep("uav", &packet(12, 0..2, "a river"))?.new, 2);
    assert!(Archive::takes_commands(&receiver));
    client.batch_execute("REVOKE INSERT ON commands FROM receiver")?;
    assert!(!Archive::takes_commands(&receiver));
    let wrong = Place::from(std::ffi::OsString::from(url.replace("other-secret", "wrong-secret")));
    let error = Archive::open_at(&wrong).err().context("an error")?;
    assert!(error.to_string().contains("password authentication failed"), "{error}");
    assert!(!format!("{error} {error:?}").contains("wrong-secret"), "{error:?}");
    // A later program's.
    client.batch_execute("UPDATE cssa_archive SET version = 99")?;
    for open in [Archive::open_at, Archive::read_at] {
        let error = open(&place).err().context("an error")?.to_string();
        assert!(error.contains("of a later version"), "{error}");
    }
    Ok(())
}

/// What anybody can fill keeps its bounds.
#[test]
fn the_tables_of_a_server_are_bounded() -> Result<()> {
    let Some(cluster) = Cluster::start()? else { return Ok(()) };
    let mut archive = Archive::open_at(&cluster.create("bounded")?)?;
    let mut client = cluster.client("bounded")?;
    client.batch_execute(
        "INSERT INTO undecoded (sender, bundle, packet, received, authentic)
         SELECT CASE WHEN n <= 10 THEN 'uav' ELSE 'junk' || n % 50 END, '0007', convert_to(n::text, 'UTF8'), now(), (n <= 10)::int
         FROM generate_series(1, 100000) n;
         INSERT INTO messages (sender, vehicle, bundle, kind, content, packet, received)
         SELECT 'junk', 0, '0007', 'housekeeping', '{}', convert_to(n::text, 'UTF8'), now() FROM generate_series(1, 10000) n",
    )?;
    let (sender, checksum, packet) = ("uav".to_owned(), Checksum::Crc32, b"the last".to_vec());
    let waiting = Undecoded { sender, bundle: 7, checksum, is_authentic: true, packet };
    assert_eq!(archive.keep_undecoded(&waiting)?.displaced, 1000, "a hundredth goes out together");
    let body = Down::Housekeeping(Housekeeping::default());
    let message = Message::of(&DownPacket { vehicle: 0, bundle: 7, body }).context("a message")?;
    assert_eq!(archive.keep_message("junk", &message, b"status", Provenance::Anybody)?.displaced, 100);
    let counted = "SELECT (SELECT count(*) FROM undecoded), (SELECT count(*) FROM undecoded WHERE sender = 'uav'), (SELECT count(*) FROM messages)";
    let row = client.query_one(counted, &[])?;
    assert_eq!([0, 1, 2].map(|column| row.get::<_, i64>(column)), [99_001, 11, 9901]);
    Ok(())
}

/// Receivers that a service manager starts together on a new database: one makes the archive, all have it.
#[test]
fn programs_begin_one_archive_at_once() -> Result<()> {
    let Some(cluster) = Cluster::start()? else { return Ok(()) };
    for round in 0..6 {
        let place = cluster.create(&format!("fleet{round}"))?;
        let begin = |vehicle: u16| Archive::open_at(&place)?.keep("uav", &packet(vehicle, 1..4, "a river"));
        let kept = std::thread::scope(|scope| {
            let begun: Vec<_> = (1..=4).map(|vehicle| scope.spawn(move || begin(vehicle))).collect();
            begun
                .into_iter()
                .map(|one| one.join().map_err(|_| anyhow::anyhow!("it panicked"))?.map_err(anyhow::Error::from))
                .collect::<Result<Vec<_>>>()
        })?;
        assert_eq!(kept, [Kept { new: 3, again: 0 }; 4]);
        assert_eq!(Archive::read_at(&place)?.origins()?, [1, 2, 3, 4].map(Origin::Vehicle));
    }
    Ok(())
}

/// An archive of a program of before has no column for statuses that are late; a receiver of now gives it one.
#[test]
fn an_earlier_archive_gets_its_columns() -> Result<()> {
    let Some(cluster) = Cluster::start()? else { return Ok(()) };
    let place = cluster.create("fleet")?;
    drop(Archive::open_at(&place)?);
    let mut client = cluster.client("fleet")?;
    client.batch_execute("ALTER TABLE messages DROP COLUMN late; ALTER TABLE reports DROP COLUMN late; UPDATE cssa_archive SET tables = 'earlier'")?;
    let status = Down::Housekeeping(Housekeeping { sequence: 9, ..Housekeeping::default() });
    let message = Message::of(&DownPacket { vehicle: 12, bundle: 7, body: status }).context("a message")?;
    let stored = Archive::open_at(&place)?.keep_message("uav", &message, &[1], Provenance::Vehicle)?;
    assert!(stored.is_new && !stored.is_late);
    let again = Archive::open_at(&place)?.keep_message("uav", &message, &[1], Provenance::Vehicle)?;
    assert!(!again.is_new && again.came_lately, "perhaps another receiver's");
    Ok(())
}
