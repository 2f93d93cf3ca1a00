//! Where and when, beside what an image says of itself: NMEA 0183 and MAVLink. A position is believed for a reason, and a receiver
//! that gives none is a fault with its reason.

mod check;
mod fix;
mod footprint;
mod held;
pub mod mavlink;
pub mod nmea;
mod receiver;
mod tags;
mod track;
mod view;
mod watch;
mod whereabouts;

pub use self::fix::Fix;
pub use self::footprint::Unseen;
pub use self::held::Heights;
pub use self::receiver::Receiver;
pub(crate) use self::tags::TagFaults;
pub use self::view::View;
pub use self::whereabouts::Whereabouts;

use super::config::PositionConfig;
use super::control::Faults;
use super::error::chain;
use super::vitals::Vitals;
use cssa_wire::FaultKind;
use std::sync::Arc;
use std::time::Duration;

/// A receiver that is gone is tried again after this.
const RETRY: Duration = Duration::from_secs(1);
/// Its thread shows a sign of life at least so often: a connection is being made.
const SIGN: Duration = Duration::from_secs(300);

/// Starts the receiver that the configuration asks for, in a thread of its own that tries again for ever. A receiver that is
/// missing, busy, silent, not understood or without a fix is a fault.
pub(crate) fn start(config: &PositionConfig, faults: &Faults, vitals: &Vitals) -> Receiver {
    let receiver = Receiver::default();
    let config = config.clone();
    if config == PositionConfig::Tags {
        return receiver;
    }
    watch::start(config.name(), &receiver.heard, faults.clone());
    let (sink, faults, pulse) = (receiver.clone(), faults.clone(), Arc::new(vitals.watch("the position", SIGN)));
    std::thread::spawn(move || {
        loop {
            pulse.beat();
            let ended = match &config {
                PositionConfig::Tags => return,
                PositionConfig::Nmea { device, baud } => nmea::read(device, *baud, &sink, &pulse),
                PositionConfig::Mavlink { address, system } => mavlink::read(address, *system, &sink, &pulse),
            };
            if let Err(error) = ended {
                sink.heard().is_gone = true;
                faults.record(FaultKind::PositionReceiver, format_args!("position: {}", chain(&error)));
            }
            std::thread::sleep(RETRY);
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_receiver_that_is_not_there_is_a_fault_with_its_reason() {
        let faults = Faults::default();
        let config = PositionConfig::Nmea { device: "/dev/no-such-receiver".into(), baud: 9600 };
        let receiver = start(&config, &faults, &Vitals::start());
        let until = Instant::now() + Duration::from_secs(10);
        let found = loop {
            match faults.all().remove(&FaultKind::PositionReceiver) {
                Some(fault) => break fault.last,
                None if Instant::now() > until => break String::new(),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        assert!(found.contains("/dev/no-such-receiver: No such file"), "{found}");
        assert!(receiver.fix().is_none());
    }
}
