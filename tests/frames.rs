//! Transfer frames beside programs of others: Yamcs, pycadu and reed-solomon-ccsds read what ours write, to the byte, and ours read frames
//! of another maker. `tests/peers/fetch-frames.sh target/frame-peers` gets them.

#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use anyhow::{Context, Result, ensure};
use cross_crate_tests::{program, root, signal};
use cssa::bundle::Language;
use cssa_link::{Deframer, Direction, Format, Framer, Framing};
use cssa_wire::{Caption, CaptionPacket, Checksum, Down, DownPacket, Housekeeping, PicturePart, Position, body_of};
use edge::store::{ChangeKind, Outcome, Store};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The vehicle, and the spacecraft.
const VEHICLE: u16 = 300;
const MARKER: [u8; 4] = [0x1a, 0xcf, 0xfc, 0x1d];
const CODEBLOCK: usize = 255 + MARKER.len();

fn peers() -> Option<PathBuf> {
    let folder = root().join("target/frame-peers");
    let is_here = folder.join(".complete").is_file();
    if !is_here {
        eprintln!("skipped: Yamcs and others are not here: tests/peers/fetch-frames.sh target/frame-peers gets them");
    }
    is_here.then_some(folder)
}

/// A program that must succeed; the lines that it printed.
fn lines(command: &mut Command) -> Result<Vec<String>> {
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

fn python(peers: &Path, arguments: &[&str], files: &[PathBuf]) -> Result<Vec<String>> {
    let script = root().join("tests/peers/frames.py");
    let mut python = Command::new("python3");
    lines(python.env("PYTHONPATH", peers.join("python")).arg(script).args(arguments).args(files))
}

/// The packets of a stream by channel, in their order.
type Packets = BTreeMap<u8, Vec<Vec<u8>>>;

/// What the others read of a stream: the packets without their headers, the number of frames, and the most bytes that one had wrong.
fn read_by_others(peers: &Path, folder: &Path, stream: &[u8]) -> Result<(Packets, usize, usize)> {
    let (file, blocks) = (folder.join("stream"), folder.join("blocks"));
    std::fs::write(&file, stream)?;
    let frames = python(peers, &["read"], &[file, blocks.clone()])?;
    let classes = format!("{}:{}", peers.join("classes").display(), peers.join("lib/*").display());
    let (tmp, spacecraft) = (format!("-Djava.io.tmpdir={}", folder.display()), VEHICLE.to_string());
    let told = lines(Command::new("java").arg(tmp).args(["-cp", &classes, "YamcsFrames", &spacecraft]).arg(blocks))?;
    let (of_yamcs, told): (Vec<_>, Vec<_>) = told.into_iter().partition(|line| line.starts_with("frame "));
    assert_eq!(frames, of_yamcs, "two decoders");
    let wrong = frames.iter().filter_map(|line| line.rsplit_once(' ')?.1.parse().ok()).max().context("a frame")?;
    let mut packets = Packets::new();
    for line in told {
        let [_, channel, packet] = line.split(' ').collect::<Vec<_>>()[..] else { anyhow::bail!("{line}") };
        let (channel, bytes): (u8, Result<Vec<u8>, _>) = (channel.parse()?, bytes_of(packet));
        let (header, data) = (bytes.as_deref().map_err(|_| anyhow::anyhow!("{packet}"))?).split_at(6);
        let of_channel = packets.entry(channel).or_default();
        let count = 0xc000 | of_channel.len() as u16;
        let expected = [66 + u16::from(channel), count, data.len() as u16 - 1].map(u16::to_be_bytes).concat();
        assert_eq!(header, expected, "each channel counts by itself");
        of_channel.push(data.to_vec());
    }
    Ok((packets, frames.len(), wrong))
}

fn bytes_of(hex: &str) -> Result<Vec<u8>> {
    (0..hex.len()).step_by(2).map(|at| Ok(u8::from_str_radix(hex.get(at..at + 2).context("hex")?, 16)?)).collect()
}

/// What ours read of it.
fn read_by_us(stream: &[u8]) -> Result<Packets> {
    let mut packets = Packets::new();
    for found in Deframer::new(format(), Direction::Down).push(stream) {
        let packet = found?;
        let channel = body_of(&packet).filter(|body| *body <= 2).unwrap_or(0) as u8;
        packets.entry(channel).or_default().push(packet);
    }
    Ok(packets)
}

fn format() -> Format {
    Format { framing: Framing::CcsdsTm, spacecraft: VEHICLE, ..Format::default() }
}

/// Both read the same, also where 16 bytes of each codeblock are wrong and noise comes first; gives the packets and the number of frames.
fn compare(peers: &Path, stream: &[u8]) -> Result<(Packets, usize)> {
    let folder = tempfile::tempdir()?;
    let (packets, frames, wrong) = read_by_others(peers, folder.path(), stream)?;
    assert_eq!((&packets, frames, wrong), (&read_by_us(stream)?, stream.len() / CODEBLOCK, 0));
    let mut random = fastrand::Rng::with_seed(7);
    let mut damaged = stream.to_vec();
    for block in damaged.chunks_mut(CODEBLOCK) {
        for at in random.choose_multiple(MARKER.len()..block.len(), 16) {
            block[at] ^= random.u8(1..);
        }
    }
    let mended = read_by_others(peers, folder.path(), &[b"noise before the first marker", &damaged[..]].concat())?;
    assert_eq!((mended, &read_by_us(&damaged)?), ((packets.clone(), frames, 16), &packets));
    Ok((packets, frames))
}

/// Of every length that a packet may have, on every channel, with idle frames between.
#[test]
fn others_read_every_length_of_packet_on_every_channel() -> Result<()> {
    let Some(peers) = peers() else { return Ok(()) };
    let (mut framer, mut stream, mut sent) = (Framer::new(format(), Direction::Down), Vec::new(), Packets::new());
    let filling: Vec<u8> = (0..1024_u32).map(|n| (n * n % 251) as u8).collect();
    for length in (1..=220).chain([300, 430, 431, 1023, 1024]) {
        let picture = PicturePart { ask: 3, part: 0, parts: 2, crc: None, bytes: &filling[..length] };
        let mut bodies = vec![(2, Down::PicturePart(picture))];
        if length % 7 == 0 {
            stream.extend(framer.idle().context("an idle frame")?);
            let frames = length as u16;
            bodies.push((1, Down::Housekeeping(Housekeeping { frames, ..Housekeeping::default() })));
        }
        for (channel, body) in bodies {
            let packet = DownPacket { vehicle: VEHICLE, bundle: 7, body }.encode(None, Checksum::Crc32)?;
            stream.extend(framer.stream(&packet));
            sent.entry(channel).or_default().push(packet);
        }
    }
    assert_eq!(compare(&peers, &stream)?.0, sent);
    Ok(())
}

/// A vehicle's captions and statuses on a serial line, with the idle frames between them.
#[test]
fn others_read_what_a_vehicle_sends_on_a_serial_line() -> Result<()> {
    let Some(peers) = peers() else { return Ok(()) };
    if Command::new("socat").arg("-V").stdout(Stdio::null()).status().is_err() {
        eprintln!("skipped: socat, which makes a serial line, is not here (on Debian: apt-get install socat)");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let store = Store::open(&path("state"), u64::MAX)?;
    for n in 0..300 {
        let position = Position::new(48.2 + f64::from(n % 100) * 1e-3, 16.37 + f64::from(n / 100) * 1e-3);
        let text = format!("a bridge over river number {n}");
        let caption = edge::store::Caption { time: 1_763_928_000 + n, position, text, ..Default::default() };
        store.settle(store.change(ChangeKind::Captioned), None, &Outcome::Queued(caption))?;
    }
    drop(store);
    std::fs::create_dir(path("frames"))?;
    let text = format!(
        "state = {:?}\n[source]\nkind = \"folder\"\npath = {:?}\n[link]\nto = \"serial:{}:115200\"\nframing = \"ccsds-tm\"\n\
         vehicle = {VEHICLE}\nhousekeeping_seconds = 3\ncaptions = 64\n",
        path("state"),
        path("frames"),
        path("line").display()
    );
    std::fs::write(path("edge.toml"), text)?;
    let line = format!("PTY,link={},raw,echo=0", path("line").display());
    let mut socat =
        Command::new("socat").args(["-u", &line]).arg(format!("CREATE:{}", path("sent").display())).spawn()?;
    let began = Instant::now();
    while !path("line").exists() && began.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut edge = program("edge")?;
    let mut edge =
        edge.args(["run", "--config"]).arg(path("edge.toml")).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let of = |packets: &Packets, channel: u8| packets.get(&channel).map_or(0, Vec::len);
    let mut is_all = false;
    while !is_all && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(300));
        let sent = std::fs::read(path("sent")).unwrap_or_default();
        is_all = of(&read_by_us(&sent)?, 1) >= 3;
    }
    signal(&edge, "-TERM")?;
    edge.wait()?;
    std::thread::sleep(Duration::from_millis(300));
    socat.kill()?;
    socat.wait()?;
    let (packets, frames) = compare(&peers, &std::fs::read(path("sent"))?)?;
    let largest = packets.values().flatten().map(Vec::len).max().context("packets")?;
    ensure!(of(&packets, 0) >= 5 && of(&packets, 1) >= 3 && largest > 430, "{} {largest}", packets.len());
    let with_packets: usize = packets.values().flatten().map(|packet| (packet.len() + 6).div_ceil(215)).sum();
    ensure!(frames >= with_packets + 2, "idle frames beside {with_packets} of {frames}");
    Ok(())
}

/// Packets without gaps, across frames, channels in turns, idle packets and idle frames of others between.
#[test]
fn the_ground_reads_frames_of_another_maker() -> Result<()> {
    let Some(peers) = peers() else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let (language, mut packets) = (Language::read(&fixtures::bundle())?, String::new());
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for n in 0..150_u32 {
        let caption = |sequence| Caption {
            sequence,
            time: 1_763_928_000 + sequence,
            text: format!("a bridge over river number {sequence}"),
            ..Caption::default()
        };
        let captions = (20 * n..20 * n + 1 + n % 20).map(caption).collect();
        let of_captions = CaptionPacket { vehicle: VEHICLE, bundle: language.id, decimals: 5, captions };
        let of_captions = of_captions.encode(&language.model, None, Checksum::Crc32)?;
        let body = Down::Housekeeping(Housekeeping { sequence: n as u16, uptime: 60 * n, ..Housekeeping::default() });
        let status = DownPacket { vehicle: VEHICLE, bundle: language.id, body }.encode(None, Checksum::Crc32)?;
        packets += &format!("0 {}\n1 {}\n", hex(of_captions), hex(status));
    }
    std::fs::write(path("packets"), packets)?;
    python(&peers, &["make", &VEHICLE.to_string()], &[path("packets"), path("stream")])?;
    let from = format!("file:{}", path("stream").display());
    let mut ground = program("ground")?;
    ground
        .args(["receive", "--quiet", "--framing", "ccsds-tm", "--from", &from, "--archive"])
        .arg(path("archive.gpkg"));
    let count: serde_json::Value = serde_json::from_str(&lines(&mut ground)?.concat())?;
    let captions: u32 = (0..150).map(|n| 1 + n % 20).sum();
    for (name, expected) in
        [("packets", 300), ("captions", captions), ("messages", 150), ("damaged", 0), ("missing", 0)]
    {
        assert_eq!(count[name], expected, "{name}: {count}");
    }
    Ok(())
}
