//! The thread that captions: takes the newest frame, says what became of it, and again.

use crate::error::{Error, Result};
use crate::frame::{Frame, Outcome};
use crate::parameters::Parameters;
use crate::slot::Slot;
use cssa::bundle::{Bundle, Trusted, named_or_default};
use cssa_captioner::{Captioner, Looks, Provider, Settings};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Outcomes that wait to be told: one is made at a time, and telling takes less.
const OUTCOMES: usize = 16;

/// Loads the bundle that the parameters name.
///
/// # Errors
/// The bundle is damaged, not signed as it should be, or does not load as the parameters say.
pub(crate) fn open(parameters: &Parameters) -> Result<(Captioner, String)> {
    let trusted = parameters.path("trust").as_deref().map(Trusted::read).transpose()?;
    let place = named_or_default(parameters.path("bundle").as_deref())?;
    let mut bundle = Bundle::read_trusted(&place, trusted.as_ref())?;
    let beam = parameters.count("beam");
    if beam > 0 {
        bundle.manifest.search = bundle.manifest.search.with_beam(beam);
    }
    let looks = parameters.looks();
    if looks > Looks::One && bundle.trust.is_none() {
        return Err(Error::Looks { looks: looks.to_string(), bundle: place });
    }
    let settings = Settings {
        choice: named(parameters.text("runtime")),
        provider: named::<Provider>(parameters.text("provider")),
        threads: parameters.count("threads"),
        looks,
        ..Settings::default()
    };
    Ok((Captioner::open(&bundle, &settings)?, place.display().to_string()))
}

/// Names are checked where they are given.
fn named<T: FromStr + Default>(name: &str) -> T {
    name.parse().unwrap_or_default()
}

/// Captions what comes into `slot` in a thread of its own until the slot ends; `told` is called after each outcome.
pub(crate) fn spawn(
    mut captioner: Captioner,
    slot: Arc<Slot>,
    told: impl Fn() + Send + 'static,
) -> std::io::Result<Receiver<Outcome>> {
    let (sender, outcomes) = sync_channel(OUTCOMES);
    std::thread::Builder::new().name("captioner".into()).spawn(move || {
        while let Some(frame) = slot.take() {
            if !tell(&sender, caption(&mut captioner, frame)) {
                return;
            }
            told();
        }
    })?;
    Ok(outcomes)
}

fn tell(sender: &SyncSender<Outcome>, outcome: Outcome) -> bool {
    sender.send(outcome).is_ok()
}

fn caption(captioner: &mut Captioner, frame: Frame) -> Outcome {
    let Frame { number, topic, header, form, received } = frame;
    let result = form.pixels().and_then(|pixels| Ok(captioner.caption(&pixels)?));
    Outcome { number, topic, header, received, result }
}
