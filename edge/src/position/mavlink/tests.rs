//! Messages, and autopilots on real sockets.

use super::*;
use anyhow::{Context, Result, ensure};
use mavlink::MavlinkVersion::{self, V1, V2};
use mavlink::dialects::common::{GLOBAL_POSITION_INT_DATA, GPS_RAW_INT_DATA, SYSTEM_TIME_DATA};
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};

mod held;

const NOW: u32 = 1_795_000_000;
/// 2025-11-23T20:00:00Z.
const TIME: u32 = 1_763_928_000;

fn place(lat: i32, lon: i32) -> MavMessage {
    MavMessage::GLOBAL_POSITION_INT(GLOBAL_POSITION_INT_DATA { lat, lon, ..GLOBAL_POSITION_INT_DATA::default() })
}

fn time(seconds: u64) -> MavMessage {
    MavMessage::SYSTEM_TIME(SYSTEM_TIME_DATA { time_unix_usec: seconds * 1_000_000, ..SYSTEM_TIME_DATA::default() })
}

fn gps(fix_type: GpsFixType) -> MavMessage {
    let (lat, lon) = (482_084_900, 163_720_800);
    MavMessage::GPS_RAW_INT(GPS_RAW_INT_DATA { fix_type, lat, lon, ..GPS_RAW_INT_DATA::default() })
}

fn heard(messages: &[(u8, MavMessage)]) -> Option<Fix> {
    let (mut decoder, receiver) = (Decoder::new(1), Receiver::default());
    for (system_id, message) in messages {
        let header = MavHeader { system_id: u32::from(*system_id), component_id: 1, sequence: 0 };
        decoder.hear(&header, message, NOW, &receiver);
    }
    receiver.fix()
}

fn pulse() -> crate::vitals::Pulse {
    crate::vitals::Vitals::start().watch("the position", std::time::Duration::from_secs(60))
}

#[test]
fn only_the_own_vehicle_is_believed() {
    let here = Position::new(48.20849, 16.37208);
    let there = || place(482_084_900, 163_720_800);
    let fix = heard(&[(1, time(u64::from(TIME))), (1, there())]);
    assert!(fix.is_some_and(|fix| Some(fix.position) == here && fix.time == Some(TIME)));
    assert!(heard(&[(255, there())]).is_none() && heard(&[(2, there())]).is_none());
    let other_clock = heard(&[(255, time(5_000)), (1, there())]);
    assert!(other_clock.is_some_and(|fix| fix.time.is_none()));
    let both = heard(&[(1, there()), (2, place(10_000_000, 10_000_000))]);
    assert!(both.is_some_and(|fix| Some(fix.position) == here));
}

#[test]
fn without_a_fix_there_is_no_position() {
    let there = || place(482_084_900, 163_720_800);
    assert!(heard(&[(1, place(0, 0))]).is_none());
    assert!(heard(&[(1, place(i32::MAX, i32::MAX))]).is_none());
    assert!(heard(&[(1, gps(GpsFixType::GPS_FIX_TYPE_NO_FIX)), (1, there())]).is_none());
    assert!(heard(&[(1, gps(GpsFixType::GPS_FIX_TYPE_3D_FIX)), (1, there())]).is_some());
    assert!(heard(&[(1, gps(GpsFixType::GPS_FIX_TYPE_3D_FIX))]).is_some(), "a receiver that speaks for itself");
    assert!(heard(&[(1, gps(GpsFixType::GPS_FIX_TYPE_NO_GPS))]).is_none());
    let weeks_lost = heard(&[(1, time(u64::from(TIME) - 1024 * 7 * 86_400)), (1, there())]);
    assert_eq!(weeks_lost.and_then(|fix| fix.time), Some(TIME));
}

/// Longest that a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A message as it goes over a line.
fn frame(version: MavlinkVersion, system_id: u32, message: &MavMessage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    mavlink::write_versioned_msg(&mut bytes, version, MavHeader { system_id, component_id: 1, sequence: 0 }, message)?;
    ensure!(bytes[0] == if version == V1 { 0xFE } else { 0xFD });
    Ok(bytes)
}

/// An autopilot's line; `edge` listens at its other end in a thread of its own.
enum Line {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Line {
    fn udp(receiver: &Receiver) -> Result<Self> {
        let free = fixtures::free_address()?;
        listen(format!("udpin:{free}"), receiver);
        let autopilot = UdpSocket::bind("127.0.0.1:0")?;
        autopilot.connect(free)?;
        Ok(Self::Udp(autopilot))
    }

    /// A simulator of autopilots waits for whoever connects.
    fn tcp(receiver: &Receiver) -> Result<Self> {
        let autopilot = TcpListener::bind("127.0.0.1:0")?;
        listen(format!("tcpout:{}", autopilot.local_addr()?), receiver);
        Ok(Self::Tcp(autopilot.accept()?.0))
    }

    /// Sends what may be lost while nobody listens yet.
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Udp(socket) => {
                socket.send(bytes).ok();
            }
            Self::Tcp(stream) => stream.write_all(bytes)?,
        }
        std::thread::sleep(Duration::from_millis(10));
        Ok(())
    }
}

fn listen(address: String, receiver: &Receiver) {
    let receiver = receiver.clone();
    std::thread::spawn(move || read(&address, 1, &receiver, &pulse()));
}

/// Sends some frames again and again until what is heard of them is as it must be.
fn until(
    line: &mut Line,
    frames: &[Vec<u8>],
    receiver: &Receiver,
    is_right: impl Fn(Option<Fix>, Option<&str>) -> bool,
) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        frames.iter().try_for_each(|frame| line.send(frame))?;
        let lost = receiver.heard().lost.clone();
        if is_right(receiver.fix(), lost.as_deref()) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "{:?}, {lost:?}", receiver.fix());
    }
}

/// What an autopilot and its neighbours send, in both versions.
fn hears_the_own_vehicle_alone(mut line: Line, receiver: &Receiver) -> Result<()> {
    let here = Position::new(48.20849, 16.37208);
    let there = || place(482_084_900, 163_720_800);
    let elsewhere = place(10_000_000, 10_000_000);
    let mut others = Vec::new();
    for version in [V1, V2] {
        for (system, message) in
            [(2, &elsewhere), (255, &elsewhere), (2, &gps(GpsFixType::GPS_FIX_TYPE_3D_FIX)), (255, &time(5_000))]
        {
            others.push(frame(version, system, message)?);
        }
    }
    until(&mut line, &others, receiver, |fix, lost| {
        fix.is_none() && lost.is_some_and(|lost| lost.starts_with("only MAVLink system"))
    })?;
    for version in [V1, V2] {
        let own = |message: &MavMessage| frame(version, 1, message);
        until(&mut line, &[own(&place(0, 0))?], receiver, |fix, lost| {
            fix.is_none() && lost.is_some_and(|lost| lost.contains("0, 0"))
        })?;
        let lost = [own(&gps(GpsFixType::GPS_FIX_TYPE_NO_FIX))?, own(&there())?];
        until(&mut line, &lost, receiver, |fix, lost| {
            fix.is_none() && lost.is_some_and(|lost| lost.contains("NO_FIX"))
        })?;
        let mut found = vec![own(&time(u64::from(TIME)))?, own(&gps(GpsFixType::GPS_FIX_TYPE_3D_FIX))?, own(&there())?];
        found.extend(others.clone());
        until(&mut line, &found, receiver, |fix, _| {
            let time = fix.and_then(|fix| fix.time);
            fix.map(|fix| fix.position) == here && time.is_some_and(|time| (TIME..TIME + 30).contains(&time))
        })?;
    }
    Ok(())
}

#[test]
fn an_autopilot_is_heard_over_udp() -> Result<()> {
    let receiver = Receiver::default();
    hears_the_own_vehicle_alone(Line::udp(&receiver)?, &receiver)
}

#[test]
fn an_autopilot_is_heard_over_tcp() -> Result<()> {
    let receiver = Receiver::default();
    hears_the_own_vehicle_alone(Line::tcp(&receiver)?, &receiver)
}

/// A radio gives a few bytes at a time, and noise between messages.
#[test]
fn messages_in_pieces_are_whole() -> Result<()> {
    let receiver = Receiver::default();
    let mut line = Line::tcp(&receiver)?;
    for version in [V1, V2] {
        let bytes = [b"noise".as_slice(), &frame(version, 1, &place(482_084_900, 163_720_800))?].concat();
        for piece in bytes.chunks(5) {
            line.send(piece)?;
        }
        let end = Instant::now() + PATIENCE;
        while receiver.fix().is_none() && Instant::now() < end {
            std::thread::sleep(NAP);
        }
        receiver.fix().with_context(|| format!("no fix of {version:?}"))?;
        receiver.lose("the next one".into());
    }
    Ok(())
}

/// Who goes away is missed.
#[test]
fn a_connection_that_ends_is_an_error() -> Result<()> {
    let autopilot = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("tcpout:{}", autopilot.local_addr()?);
    let (ended, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        ended.send(read(&address, 1, &Receiver::default(), &pulse()).map_err(|error| error.to_string()))
    });
    drop(autopilot.accept()?);
    let said = end.recv_timeout(PATIENCE)?.err().context("no error")?;
    assert!(said.contains("tcpout:"), "{said}");
    Ok(())
}
