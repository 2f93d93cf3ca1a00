use super::*;
use crate::downlink::LinkConfig;
use crate::outcome::Dropped;
use crate::store::{Caption, ChangeKind, Outcome, Store};
use crate::vitals::Vitals;
use anyhow::{Context, Result};
use cssa::language_model::LanguageModel;
use cssa_wire::{Down, DownPacket, Key, MissingParts, UpPacket, Verification};
use std::net::UdpSocket;
use std::sync::mpsc::channel;

/// Bytes a second.
const RATE: u32 = 1500;
const ANSWERS: u32 = 30;

/// A vehicle's end of a link that takes so many bytes a second, with captions that wait.
fn sender(folder: &std::path::Path, ground: &UdpSocket, key: &Key, captions: u32) -> Result<Sender> {
    let config = LinkConfig { captions: 1, vehicle: 12, ..LinkConfig::new(&format!("udp:{}", ground.local_addr()?)) };
    let store = Arc::new(Store::open(folder, 1000)?);
    for number in 0..captions {
        let caption = Caption { time: 1_763_928_000 + number, text: "a river".into(), ..Caption::default() };
        store.settle(store.change(ChangeKind::Captioned), None, &Outcome::Queued(caption))?;
    }
    store.settle(store.change(ChangeKind::Captioned), None, &Outcome::Dropped(Dropped::LowConfidence))?;
    let model = LanguageModel::build(["a river", "a road"].map(String::from));
    let (_, answered) = channel();
    Ok(Sender {
        port: config.port(None)?,
        downlink: Downlink::with_key(store, &config, Some(key.clone()), 0.0, 1_763_928_000)?,
        language: Arc::new(Mutex::new(Arc::new(Language { id: 7, model }))),
        finished: Arc::default(),
        control: Control::default(),
        answered,
        rate: Arc::new(AtomicU32::new(RATE)),
        faults: Faults::default(),
        started: Instant::now(),
        pulse: Vitals::start().watch("the link", Duration::from_secs(60)),
        state: Box::new(|sequence, period| Housekeeping { sequence, period, ..Housekeeping::default() }),
        turn: Turn::of(Instant::now()),
    })
}

/// However many answers are due: the link takes no more bytes than it is said to, and captions go out between them.
#[test]
fn answers_keep_the_rate_and_take_turns_with_captions() -> Result<()> {
    let (folder, key) = (tempfile::tempdir()?, Key::new([3; 32]));
    let ground = UdpSocket::bind("127.0.0.1:0")?;
    ground.set_read_timeout(Some(Duration::from_millis(50)))?;
    let sender = sender(folder.path(), &ground, &key, 400)?;
    let (checksum, control) = (sender.downlink.config.checksum, sender.control.clone());
    let cost = sender.port.cost(0);
    let running = std::thread::spawn(move || sender.run());
    let (mut buffer, mut bytes, mut began, mut kinds) = ([0; 2048], 0, None, Vec::new());
    while began.is_none_or(|began: Instant| began.elapsed() < Duration::from_secs(3)) {
        let Ok((length, from)) = ground.recv_from(&mut buffer) else { continue };
        if began.is_none() {
            for counter in 1..=ANSWERS {
                let body = Up::Missing(MissingParts::all(counter as u16));
                let up = UpPacket { vehicle: 12, station: 1, counter, body };
                ground.send_to(&up.encode(&key, checksum)?, from)?;
            }
        }
        began.get_or_insert_with(Instant::now);
        bytes += length + cost;
        let packet = DownPacket::decode(&buffer[..length], Verification::Required(&key), checksum)?;
        kinds.push(matches!(packet.body, Down::Answer(_)));
    }
    control.stop.store(true, Ordering::Relaxed);
    running.join().map_err(|_| anyhow::anyhow!("the sender panicked"))?;
    let most = 3.1 * f64::from(RATE) + 100.0;
    assert!(bytes as f64 <= most, "{bytes} bytes in 3 s of {RATE} a second");
    let first = kinds.iter().position(|is_answer| *is_answer).context("no answer")?;
    let captions = kinds.iter().filter(|is_answer| !**is_answer).count();
    assert!(kinds[first..].windows(2).all(|pair| pair != [true, true]), "captions wait for answers: {kinds:?}");
    assert!(kinds.len() - captions >= 10 && captions >= 10, "{kinds:?}");
    Ok(())
}
