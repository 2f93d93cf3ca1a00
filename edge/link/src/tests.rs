//! Ports and framings: what comes through, what is lost, what is refused.

use super::*;
use anyhow::{Context, Result, bail};
use cssa_wire::{Checksum, Key, SelectiveAck, Up, UpPacket};
use std::net::SocketAddr;
use std::time::Duration;

const FORMATS: [Framing; 4] = [Framing::Plain, Framing::Ccsds, Framing::CcsdsRs, Framing::CcsdsTm];

fn format(framing: Framing) -> Format {
    Format { framing, ..Format::default() }
}

/// A command: it needs no language model, and frames treat it as they treat captions.
fn command(number: u32) -> Result<Vec<u8>> {
    let body = Up::acknowledge(SelectiveAck::of([(number, 1), (number + 9, 2)]));
    let packet = UpPacket { vehicle: 0, station: 1, counter: number, body };
    Ok(packet.encode(&Key::new([1; 32]), Checksum::Crc32)?)
}

fn good(found: &[Found]) -> Vec<Vec<u8>> {
    found.iter().filter_map(|found| found.clone().ok()).collect()
}

#[test]
fn a_file_goes_on_after_half_a_packet() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("packets.bin");
    std::fs::write(&path, [5, 1, 2])?;
    let address = Address::File(path.clone());
    for _ in 0..2 {
        let mut port = address.port(End::Vehicle, format(Framing::Plain));
        port.send(&[1, 0, 2])?;
        port.send(&[3, 3])?;
    }
    let mut ground = address.port(End::Ground, format(Framing::Plain));
    let (mut found, mut ended) = (Vec::new(), false);
    while !ended {
        let heard = ground.receive(Duration::ZERO)?;
        found.extend(heard.found);
        ended = heard.ended;
    }
    assert_eq!(good(&found), [vec![1, 0, 2], vec![3, 3], vec![1, 0, 2], vec![3, 3]]);
    assert_eq!(found.len(), 5);
    assert!(ground.send(&[1]).is_err_and(|error| error.to_string().contains("takes no answer")));
    Ok(())
}

/// What was written to it is with whoever took it; what comes next is under the name again.
#[test]
fn a_file_that_was_moved_or_removed_begins_anew() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (path, moved) = (folder.path().join("packets.bin"), folder.path().join("packets.bin.1"));
    let mut port = Address::File(path.clone()).port(End::Vehicle, format(Framing::Plain));
    port.send(&[1])?;
    std::fs::rename(&path, &moved)?;
    port.send(&[2])?;
    // Another file under the name is as good as none.
    std::fs::rename(&path, folder.path().join("packets.bin.2"))?;
    std::fs::write(&path, [])?;
    port.send(&[3])?;
    let packets = |path: &std::path::Path| -> Result<Vec<Vec<u8>>> {
        Ok(good(&Deframer::new(format(Framing::Plain), Direction::Down).push(&std::fs::read(path)?)))
    };
    assert_eq!((packets(&moved)?, packets(&path)?), (vec![vec![1]], vec![vec![3]]));
    std::fs::remove_file(&path)?;
    port.send(&[4])?;
    assert_eq!(packets(&path)?, [vec![4]]);
    Ok(())
}

/// Opening a pipe that nobody reads would hold up the thread for ever.
#[test]
fn a_file_that_is_none_is_refused_at_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status()?.success());
    let mut port = Address::File(path).port(End::Vehicle, format(Framing::Plain));
    let error = port.send(&[1]).err().context("an error")?;
    assert!(format!("{error:#}").contains("pipe: it is no regular file"), "{error:#}");
    Ok(())
}

/// A receiver of transfer frames gets one a second where nothing else is sent, and finds nothing in it.
#[test]
fn a_serial_line_with_transfer_frames_is_never_silent() -> Result<()> {
    let [vehicle, ground] = wire(usize::MAX)?;
    let mut vehicle = Address::Serial(vehicle, 57_600).port(End::Vehicle, format(Framing::CcsdsTm));
    let mut ground = Address::Serial(ground, 57_600).port(End::Ground, format(Framing::CcsdsTm));
    ground.receive(Duration::from_millis(1))?;
    vehicle.receive(Duration::from_millis(1))?;
    vehicle.announce()?;
    std::thread::sleep(Duration::from_millis(1100));
    (0..3).try_for_each(|_| vehicle.announce())?;
    vehicle.send(&[3, 0, 0, 0, 0])?;
    let heard = ground.receive(Duration::from_millis(500))?;
    assert!(good(&heard.found).is_empty() && heard.found.len() <= 1, "{heard:?}");
    Ok(())
}

#[test]
fn every_frame_is_found_in_noise_however_it_is_cut() -> Result<()> {
    for framing in FORMATS {
        let mut framer = Framer::new(format(framing), Direction::Up);
        let (mut stream, mut sent) = (b"noise".to_vec(), Vec::new());
        stream.push(0);
        for number in 0..20 {
            sent.push(command(number)?);
            stream.extend(framer.stream(&sent[sent.len() - 1]));
            if number % 5 == 0 {
                // One byte after the first frame: a codeblock must not be taken that has slipped by it.
                stream.extend((0..number as u8 * 3).map(|byte| byte.wrapping_mul(37) | 1));
                stream.push(0);
            }
        }
        for step in [1, 7, 100, stream.len()] {
            let mut deframer = Deframer::new(format(framing), Direction::Up);
            let mut found = Vec::new();
            for piece in stream.chunks(step) {
                found.extend(deframer.push(piece));
            }
            found.extend(deframer.end());
            assert_eq!(good(&found), sent, "{framing:?} in pieces of {step}");
            assert_eq!(deframer.missing(), 0);
        }
    }
    Ok(())
}

#[test]
fn missing_space_packets_are_counted_and_other_apids_are_not_ours() -> Result<()> {
    let mut framer = Framer::new(format(Framing::Ccsds), Direction::Up);
    let frames: Vec<Vec<u8>> = (0..6).map(|n| Ok(framer.datagram(&command(n)?))).collect::<Result<_>>()?;
    let mut deframer = Deframer::new(format(Framing::Ccsds), Direction::Up);
    for kept in [0, 1, 4, 5] {
        assert_eq!(good(&deframer.datagram(&frames[kept])).len(), 1);
    }
    assert_eq!(deframer.missing(), 2);
    let other = Format { apid: 67, ..format(Framing::Ccsds) };
    assert!(good(&Deframer::new(other, Direction::Up).datagram(&frames[0])).is_empty());
    assert!(good(&Deframer::new(format(Framing::Ccsds), Direction::Down).datagram(&frames[0])).is_empty());
    Ok(())
}

#[test]
fn captions_go_down_and_commands_up_by_udp() -> Result<()> {
    let free = fixtures::free_address()?;
    let address: Address = format!("udp:{free}").parse()?;
    let wait = Duration::from_secs(5);
    let mut ground = address.port(End::Ground, format(Framing::Plain));
    assert!(ground.send(&[1]).is_err_and(|error| format!("{error:#}").contains("nobody was heard")));
    assert_eq!(ground.receive(Duration::from_millis(1))?, Received::default());
    let mut vehicle = address.port(End::Vehicle, format(Framing::Plain));
    vehicle.send(&[1, 0, 2])?;
    let heard = ground.receive(wait)?;
    assert_eq!((heard.from.as_str(), good(&heard.found)), ("127.0.0.1", vec![vec![1, 0, 2]]));
    ground.send(&[7])?;
    assert_eq!(good(&vehicle.receive(wait)?.found), [vec![7]]);
    Ok(())
}

#[test]
fn packets_and_texts_go_through_mavlink() -> Result<()> {
    use ::mavlink::MavConnection;
    use ::mavlink::dialects::common::MavMessage;
    let free = fixtures::free_address()?;
    let mut ground = format!("mavlink:udpin:{free}").parse::<Address>()?.port(End::Ground, format(Framing::Plain));
    assert_eq!(ground.receive(Duration::from_millis(1))?, Received::default());
    let to: Address = format!("mavlink:udpout:{free}").parse()?;
    let mut vehicle = to.port(End::Vehicle, format(Framing::Plain));
    let packet: Vec<u8> = (0..vehicle.largest() as u8).collect();
    vehicle.send(&packet)?;
    assert!(vehicle.send(&[0; 129]).is_err());
    let heard = ground.receive(Duration::from_secs(5))?;
    assert_eq!((heard.from.as_str(), good(&heard.found)), ("mavlink system 1", vec![packet]));
    ground.send(&[7, 0, 0])?;
    assert_eq!(good(&vehicle.receive(Duration::from_secs(5))?.found), [vec![7, 0, 0]]);
    // What an unmodified ground station reads.
    let other = fixtures::free_address()?;
    let station = ::mavlink::connect::<MavMessage>(&format!("udpin:{other}"))?;
    let to: Address = format!("mavlink:udpout:{other}").parse()?;
    let caption = "many planes are parked next to a long building in an airport near some trees .";
    to.port(End::Vehicle, format(Framing::Plain)).show(caption, 2)?;
    let mut text = String::new();
    for n in 0..2 {
        let (header, message) = station.recv()?;
        let MavMessage::STATUSTEXT(said) = message else { bail!("{message:?}") };
        assert_eq!((header.system_id, header.component_id), (1, 191));
        assert_eq!((said.chunk_seq, said.id), (n, 1));
        text.push_str(said.text.to_str()?);
    }
    assert_eq!(text, caption);
    Ok(())
}

/// A vehicle that sends nothing is there, under its own numbers.
#[test]
fn a_vehicle_has_a_heartbeat_each_second() -> Result<()> {
    use ::mavlink::MavConnection;
    use ::mavlink::dialects::common::{MavAutopilot, MavMessage, MavType};
    let station = fixtures::free_address()?;
    let sender = MavlinkId { system: 7, component: 192 };
    let to: Address = format!("mavlink:udpout:{station}").parse()?;
    let station = ::mavlink::connect::<MavMessage>(&format!("udpin:{station}"))?;
    let mut vehicle = to.port_of(sender, End::Vehicle, format(Framing::Plain));
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_millis(2500) {
        vehicle.announce()?;
        std::thread::sleep(Duration::from_millis(50));
    }
    vehicle.show("the end", 0)?;
    let mut beats = 0;
    loop {
        let (header, message) = station.recv()?;
        assert_eq!((header.system_id, header.component_id), (7, 192));
        match message {
            MavMessage::HEARTBEAT(beat) => {
                assert_eq!(beat.mavtype, MavType::MAV_TYPE_ONBOARD_CONTROLLER);
                assert_eq!(beat.autopilot, MavAutopilot::MAV_AUTOPILOT_INVALID);
                beats += 1;
            }
            MavMessage::STATUSTEXT(_) => break,
            other => bail!("{other:?}"),
        }
    }
    assert_eq!(beats, 3, "in 2.5 seconds");
    // Where nobody is there yet, none is missed.
    let free = fixtures::free_address()?;
    let waits: Address = format!("mavlink:udpin:{free}").parse()?;
    waits.port(End::Vehicle, format(Framing::Plain)).announce()?;
    Ok(())
}

/// A write that was cut off takes no more with it than itself.
#[test]
fn a_torn_write_leaves_the_next_packet_whole() -> Result<()> {
    let [vehicle, ground] = wire(usize::MAX)?;
    let mut ground = Address::Serial(ground, 57_600).port(End::Ground, format(Framing::Plain));
    ground.receive(Duration::from_millis(1))?;
    let (first, second) = (command(1)?, command(2)?);
    let whole = Framer::new(format(Framing::Plain), Direction::Down).stream(&first);
    let mut line = serialport::new(&vehicle, 57_600).open()?;
    std::io::Write::write_all(&mut line, &whole[..whole.len() / 2])?;
    drop(line);
    let mut vehicle = Address::Serial(vehicle, 57_600).port(End::Vehicle, format(Framing::Plain));
    vehicle.send(&second)?;
    assert_eq!(vehicle.cost(second.len()), second.len() + 3);
    let (mut found, until) = (Vec::new(), std::time::Instant::now() + Duration::from_secs(5));
    while std::time::Instant::now() < until && good(&found).is_empty() {
        found.extend(ground.receive(Duration::from_millis(50))?.found);
    }
    assert_eq!(good(&found), [second]);
    assert_eq!(found.len(), 2, "{found:?}");
    Ok(())
}

#[test]
fn wrong_addresses_are_named() {
    let wrong = ["ftp:x", "udp:host", "serial:/dev/x", "serial:/dev/x:y", "file", "mavlink:x", "mavlink:file:x"];
    let ports = [
        "udp:h:99999",
        "udp:h:0",
        "udp::1",
        "udp:a b:1",
        "udp:[]:7301",
        "udp:[zz]:7301",
        "udp:a]b[:7301",
        "udp:1:2:3:7301",
        "udp:[fe80::1%]:7301",
        "mavlink:udpout:[fe80::1%lo]:14550",
        "mavlink:udpout:[::1:14550",
        "mavlink:udpin:[[127.0.0.1]]:7423",
        "mavlink:udpout:h:99999",
        "mavlink:udpin:host:1",
        "serial::9600",
    ];
    for wrong in wrong.into_iter().chain(ports) {
        let error = wrong.parse::<Address>().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(wrong), "{wrong}: {error}");
    }
    let zones = ["udp:[fe80::1%2]:7301", "udp:[fe80::1%lo]:7301", "mavlink:udpout:[fe80::1%2]:14550"];
    for right in ["udp:[::1]:7301", "udp:::1:7301", "mavlink:udpin:[::]:14550", "mavlink:udpout:fe80::1%lo:1"]
        .into_iter()
        .chain(zones)
    {
        assert!(right.parse::<Address>().is_ok(), "{right}");
    }
}

/// An interface by its name, as people know it.
#[test]
fn an_address_of_ones_own_network_is_of_an_interface() -> Result<()> {
    let SocketAddr::V6(found) = resolve("[fe80::1%lo]:7301")?[0] else { bail!("no IPv6") };
    assert!(found.scope_id() > 0 && found.port() == 7301, "{found}");
    assert_eq!(resolve("127.0.0.1:7301")?, ["127.0.0.1:7301".parse()?]);
    assert!(resolve("nowhere").is_err() && resolve("[fe80::1%no-such]:1").is_err());
    Ok(())
}

/// Two pseudo-terminals with a wire between them, which makes every `wrong`th byte another one; gives their names.
fn wire(wrong: usize) -> Result<[String; 2]> {
    use serialport::{SerialPort, TTYPort};
    let mut ends = Vec::new();
    let mut names = Vec::new();
    for _ in 0..2 {
        // The other end is closed again, for the port to open.
        let (master, slave) = TTYPort::pair()?;
        names.push(slave.name().context("a terminal without a name")?);
        ends.push(master);
    }
    std::thread::spawn(move || {
        let (mut bytes, mut count) = ([0; 64], 0);
        loop {
            for (from, to) in [(0, 1), (1, 0)] {
                ends[from].set_timeout(Duration::from_millis(2)).ok();
                let Ok(length) = std::io::Read::read(&mut ends[from], &mut bytes) else { continue };
                for byte in &mut bytes[..length] {
                    count += 1;
                    *byte ^= if count % wrong == 0 { 0x20 } else { 0 };
                }
                std::io::Write::write_all(&mut ends[to], &bytes[..length]).ok();
            }
        }
    });
    names.try_into().map_err(|_| anyhow::anyhow!("two ends"))
}

#[test]
fn packets_go_both_ways_over_a_serial_line() -> Result<()> {
    for framing in FORMATS {
        let [vehicle, ground] = wire(97)?;
        let mut vehicle = Address::Serial(vehicle, 57_600).port(End::Vehicle, format(framing));
        let mut ground = Address::Serial(ground, 57_600).port(End::Ground, format(framing));
        // Opened, so that nothing is sent before both listen.
        ground.receive(Duration::from_millis(1))?;
        vehicle.receive(Duration::from_millis(1))?;
        let commands: Vec<Vec<u8>> = (0..30).map(command).collect::<Result<_>>()?;
        for command in &commands {
            ground.send(command)?;
        }
        let (mut found, until) = (Vec::new(), std::time::Instant::now() + Duration::from_secs(3));
        while std::time::Instant::now() < until && found.len() < commands.len() {
            found.extend(good(&vehicle.receive(Duration::from_millis(50))?.found));
        }
        let arrived = found.iter().filter(|packet| commands.contains(packet)).count();
        let all = if framing == Framing::CcsdsRs { 30 } else { 15 };
        assert!(arrived >= all, "{framing:?}: {arrived} of 30 arrived");
    }
    Ok(())
}

proptest::proptest! {
    #[test]
    fn any_bytes_give_an_answer_and_are_not_kept(pieces in proptest::collection::vec(proptest::collection::vec(proptest::prelude::any::<u8>(), 0..1500), 0..12)) {
        for framing in FORMATS {
            for direction in [Direction::Up, Direction::Down] {
                let mut deframer = Deframer::new(format(framing), direction);
                for piece in &pieces {
                    deframer.push(piece);
                    proptest::prop_assert!(deframer.kept() <= 4096 + 1500);
                    deframer.datagram(piece);
                }
                deframer.end();
                proptest::prop_assert_eq!(deframer.kept(), 0);
            }
        }
    }
}
