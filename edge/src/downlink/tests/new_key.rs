//! A new key over the link.

use super::*;

fn numbered(byte: u8) -> Key {
    Key::new([byte; 32])
}

/// A vehicle, and what it has in its store.
struct Vehicle {
    folder: tempfile::TempDir,
    downlink: Option<Downlink>,
    counter: u32,
}

impl Vehicle {
    fn new() -> Result<Self> {
        Ok(Self { folder: tempfile::tempdir()?, downlink: None, counter: 0 })
    }

    /// Starts anew under what `edge.toml` has now.
    fn start(&mut self, keys: Keys) -> Result<()> {
        self.downlink = None;
        let store = Arc::new(Store::open(self.folder.path(), 100)?);
        self.downlink = Some(Downlink::with_keys(store, &config(), Some(keys), 0.0, UTC)?);
        Ok(())
    }

    fn downlink(&mut self) -> Result<&mut Downlink> {
        self.downlink.as_mut().ok_or_else(|| anyhow::anyhow!("it was not started"))
    }

    /// Hears something under a key; whether it takes it.
    fn hears(&mut self, body: Up, by: &Key) -> Result<bool> {
        self.counter += 1;
        let packet = up(self.counter, body, by)?;
        Ok(self.downlink()?.receive(&packet, 0.0, UTC)?.is_some())
    }

    fn knows(&mut self, key: &Key) -> Result<bool> {
        self.hears(Up::acknowledge([]), key)
    }

    /// Commands something under a key; what is said, nothing where it is done.
    fn told(&mut self, command: Command, by: &Key) -> Result<String> {
        anyhow::ensure!(self.hears(Up::Command(command), by)?, "it is not taken");
        let key = self.sealing()?;
        let answer = self.downlink()?.answer(0.0, UTC, &language(), room(217))?;
        let answer = answer.ok_or_else(|| anyhow::anyhow!("there is no answer"))?;
        let packet = DownPacket::decode(&answer.bytes, Verification::Required(&key), config().checksum)?;
        let Down::Answer(answer) = packet.body else { anyhow::bail!("{packet:?}") };
        let said = String::from_utf8(answer.value.to_vec())?;
        let expected = if said.is_empty() { CommandResult::Done } else { CommandResult::Refused(FAILED) };
        assert_eq!((answer.counter, answer.result), (self.counter, expected), "{said}");
        Ok(said)
    }

    fn gets(&mut self, new: &Key, by: &Key) -> Result<String> {
        self.told(by.wrap(new, config().vehicle)?, by)
    }

    fn sealing(&mut self) -> Result<Key> {
        self.downlink()?.sealing().cloned().ok_or_else(|| anyhow::anyhow!("there is no key"))
    }
}

/// As with `link.next_key`, and over starts: packets of either are taken, those down change when the ground has the new key. The next
/// change goes on from there.
#[test]
fn a_key_is_changed_over_the_link() -> Result<()> {
    let ([first, second, third, fourth], mut vehicle) = ([3, 4, 5, 6].map(numbered), Vehicle::new()?);
    let configured = Keys::from(first.clone());
    vehicle.start(configured.clone())?;
    assert!(!vehicle.knows(&second)?);
    assert_eq!(vehicle.gets(&second, &first)?, "");
    assert_eq!(vehicle.sealing()?, first, "the ground may not have the new one");
    vehicle.start(configured.clone())?;
    assert!(vehicle.sealing()? == first && vehicle.knows(&first)?);
    assert_eq!(vehicle.gets(&second, &first)?, "the vehicle has this key already");
    assert!(vehicle.knows(&second)? && vehicle.sealing()? == second);
    vehicle.start(configured.clone())?;
    assert_eq!(vehicle.sealing()?, second, "it stays, whoever is heard");
    assert!(vehicle.knows(&first)? && vehicle.sealing()? == second);
    // Who has the key before makes none; the key in use is followed by another, which nobody uses, and which another takes the place of.
    assert_eq!(vehicle.gets(&third, &first)?, "a new key is taken under the key in use, not the one before it");
    assert_eq!(vehicle.gets(&first, &second)?, "the vehicle has this key already", "nor back to link.key");
    assert_eq!(vehicle.gets(&third, &second)?, "");
    assert_eq!(vehicle.gets(&fourth, &second)?, "");
    for _ in 0..2 {
        let knows = [&first, &third, &second].map(|key| vehicle.knows(key).ok());
        assert_eq!((knows, vehicle.sealing()?), ([Some(false), Some(false), Some(true)], second.clone()));
        vehicle.start(configured.clone())?;
    }
    // Under the new key itself it is in use at once.
    assert_eq!(vehicle.gets(&third, &fourth)?, "");
    assert_eq!(vehicle.sealing()?, fourth);
    Ok(())
}

#[test]
fn what_is_no_new_key_is_refused_by_name() -> Result<()> {
    let ([key, other, new], mut vehicle) = ([3, 4, 5].map(numbered), Vehicle::new()?);
    vehicle.start(key.clone().into())?;
    let number = config().vehicle;
    let Command::NewKeyPart { bytes, .. } = key.wrap(&new, number)? else { anyhow::bail!("no new key") };
    let (part, not_wrapped) = ("expected a new key as one part of 40 bytes", "it is not wrapped under this vehicle's");
    for (command, expected) in [
        (Command::NewKeyPart { part: 0, parts: 2, bytes: bytes.clone() }, part),
        (Command::NewKeyPart { part: 1, parts: 2, bytes: bytes.clone() }, part),
        (Command::NewKeyPart { part: 0, parts: 1, bytes: bytes[..32].to_vec() }, part),
        (Command::NewKeyPart { part: 0, parts: 1, bytes: vec![7; 40] }, not_wrapped),
        (other.wrap(&new, number)?, not_wrapped),
        (key.wrap(&new, number + 1)?, not_wrapped),
        (key.wrap(&key, number)?, "the vehicle has this key already"),
    ] {
        let said = vehicle.told(command, &key)?;
        assert!(said.starts_with(expected), "{said}");
    }
    // While edge.toml has another.
    vehicle.start(Keys::changing(key.clone(), other.clone()))?;
    let by_hand = "edge.toml has a link.next_key: that change is to end first";
    assert_eq!(vehicle.gets(&new, &key)?, by_hand);
    assert!(vehicle.knows(&other)? && vehicle.sealing()? == other);
    assert_eq!(vehicle.gets(&new, &other)?, by_hand);
    assert_eq!(vehicle.sealing()?, other, "which goes on");
    assert!(!vehicle.knows(&new)?);
    Ok(())
}

/// The same packet again changes nothing, neither at once nor when another key has followed.
#[test]
fn a_replay_brings_no_key_back() -> Result<()> {
    let ([first, second, third], mut vehicle) = ([3, 4, 5].map(numbered), Vehicle::new()?);
    vehicle.start(first.clone().into())?;
    let recorded = up(1, Up::Command(first.wrap(&second, config().vehicle)?), &first)?;
    vehicle.counter = 1;
    assert!(vehicle.downlink()?.receive(&recorded, 0.0, UTC)?.is_some());
    assert!(vehicle.downlink()?.answer(0.0, UTC, &language(), room(217))?.is_some());
    assert_eq!(vehicle.gets(&third, &first)?, "");
    for _ in 0..2 {
        assert!(vehicle.downlink()?.receive(&recorded, 0.0, UTC)?.is_none());
        assert!(vehicle.knows(&third)? && !vehicle.knows(&second)?);
        vehicle.start(first.clone().into())?;
    }
    Ok(())
}

/// What is written into edge.toml later stands, whatever came over the link.
#[test]
fn a_key_that_is_written_by_hand_stands() -> Result<()> {
    let [first, second, third, fourth] = [3, 4, 5, 6].map(numbered);
    for is_heard in [false, true] {
        let mut vehicle = Vehicle::new()?;
        vehicle.start(first.clone().into())?;
        assert_eq!(vehicle.gets(&second, &first)?, "");
        assert!(!is_heard || vehicle.knows(&second)?);
        for (keys, sealing, knows) in [
            // Another next key follows the key in use.
            (
                Keys::changing(first.clone(), third.clone()),
                [&first, &second][usize::from(is_heard)],
                [!is_heard, is_heard, true],
            ),
            // The new key itself, and one that was never heard of.
            (Keys::from(second.clone()), &second, [false, true, false]),
            (Keys::from(fourth.clone()), &fourth, [false, false, false]),
        ] {
            vehicle.start(keys)?;
            assert_eq!(vehicle.sealing()?, *sealing);
            let known = [&first, &second, &third].map(|key| vehicle.knows(key).ok());
            assert_eq!(known, knows.map(Some), "heard: {is_heard}");
        }
    }
    // The key before the one that came last: the change goes on.
    let mut vehicle = Vehicle::new()?;
    vehicle.start(first.clone().into())?;
    vehicle.gets(&second, &first)?;
    vehicle.gets(&third, &first)?;
    assert!(vehicle.knows(&third)?);
    assert_eq!(vehicle.gets(&fourth, &third)?, "");
    vehicle.start(third.clone().into())?;
    assert!(vehicle.sealing()? == third && vehicle.knows(&fourth)? && vehicle.sealing()? == fourth);
    Ok(())
}
