//! The link between a vehicle and its grounds, which loses, repeats and invents.

use anyhow::Result;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const NAP: Duration = Duration::from_millis(1);
/// Between two pieces of junk.
const JUNK: Duration = Duration::from_millis(50);

/// What the link does.
#[derive(Clone, Copy)]
pub(super) struct Weather {
    /// Share of packets that are lost, and of those that come twice.
    pub(super) loss: f64,
    pub(super) junk: bool,
    pub(super) seed: u64,
}

/// A link at work; what the vehicle sent is kept.
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    pub(super) fn start(grounds: &[SocketAddr], weather: Weather) -> Result<Self> {
        let vehicle = UdpSocket::bind("127.0.0.1:0")?;
        vehicle.set_nonblocking(true)?;
        let address = vehicle.local_addr()?;
        let mut sockets = Vec::new();
        for ground in grounds {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.connect(ground)?;
            socket.set_nonblocking(true)?;
            sockets.push(socket);
        }
        let (sent, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (kept, told) = (Arc::clone(&sent), Arc::clone(&over));
        let thread = std::thread::spawn(move || carry(&vehicle, &sockets, weather, &kept, &told));
        Ok(Self { address, sent, over, thread: Some(thread) })
    }

    /// All that the vehicle sent, in that order.
    pub(super) fn end(mut self) -> Vec<Vec<u8>> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
        std::mem::take(&mut *self.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn carry(vehicle: &UdpSocket, grounds: &[UdpSocket], weather: Weather, kept: &Mutex<Vec<Vec<u8>>>, over: &AtomicBool) {
    let mut random = fastrand::Rng::with_seed(weather.seed);
    let (mut bytes, mut from, mut junk) = ([0; 4096], None, Instant::now());
    while !over.load(Ordering::Relaxed) {
        let mut idle = true;
        // An error is one of the other end: it is not there, and what it would have got is lost.
        if let Ok((length, sender)) = vehicle.recv_from(&mut bytes) {
            (from, idle) = (Some(sender), false);
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(bytes[..length].to_vec());
            for ground in grounds {
                (0..times(weather.loss, &mut random)).for_each(|_| drop(ground.send(&bytes[..length])));
            }
        }
        for ground in grounds {
            if let (Ok(length), Some(from)) = (ground.recv(&mut bytes), from) {
                idle = false;
                (0..times(weather.loss, &mut random)).for_each(|_| drop(vehicle.send_to(&bytes[..length], from)));
            }
        }
        if weather.junk && junk.elapsed() > JUNK {
            junk = Instant::now();
            let noise: Vec<u8> = (0..random.usize(0..300)).map(|_| random.u8(..)).collect();
            grounds.iter().for_each(|ground| drop(ground.send(&noise)));
            from.map(|from| vehicle.send_to(&noise, from));
            // Something that was right once, with a bit turned over.
            let all = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(old) = random.choice(all.iter()) {
                let mut old = old.clone();
                let at = random.usize(0..old.len());
                old[at] ^= 1 << random.u8(0..8);
                grounds.iter().for_each(|ground| drop(ground.send(&old)));
            }
        }
        if idle {
            std::thread::sleep(NAP);
        }
    }
}

/// How often a packet arrives.
fn times(loss: f64, random: &mut fastrand::Rng) -> usize {
    match random.f64() {
        lost if lost < loss => 0,
        again if again < 1.5 * loss => 2,
        _ => 1,
    }
}
