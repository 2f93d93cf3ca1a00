//! The model at work: from a bundle that is named, or from the slots, where the other one takes over when one is damaged.

use super::config::{Config, HealthConfig, ModelConfig};
use super::error::{Error, Result, chain};
use super::health::golden::Golden;
use super::health::scrub::Scrubber;
use super::slots::{Slot, Slots};
use cssa::bundle::{Bundle, Trusted};
use cssa_captioner::{Captioner, Settings};
use std::path::{Path, PathBuf};

/// A loaded model, and how to load another when it is damaged.
pub struct Model {
    config: ModelConfig,
    slots: Option<Slots>,
    slot: Option<Slot>,
    place: PathBuf,
    trusted: Option<Trusted>,
    self_test: bool,
    /// What captions.
    pub captioner: Captioner,
    /// What the files were.
    pub scrubber: Scrubber,
    /// What was wrong with the slots' record.
    pub slots_problem: Option<String>,
}

impl Model {
    /// Loads the bundle that the configuration names, else the first slot that passes its test, else `fallback`. What was
    /// tried in vain is logged.
    pub fn load(config: &Config, fallback: Option<PathBuf>) -> Result<Self> {
        let Config { model: config, state, health: HealthConfig { self_test, .. }, .. } = config;
        let self_test = *self_test;
        let trusted = config.trust.as_deref().map(Trusted::read).transpose()?;
        let loader = Loader { config, trusted: trusted.as_ref(), self_test };
        let slots = Slots::open(state)?;
        let slots_problem = slots.problem();
        let mut places: Vec<(PathBuf, Option<Slot>, Option<Golden>)> = Vec::new();
        if let Some(named) = &config.bundle {
            places.push((named.clone(), None, None));
        } else {
            for slot in slots.order() {
                places.push((slots.path(slot), Some(slot), slots.good(slot).map(|good| good.golden.clone())));
            }
            places.extend(fallback.map(|place| (place, None, None)));
        }
        let mut last = None;
        for (place, slot, golden) in places {
            match loader.load(&place, golden.as_ref()) {
                Ok((captioner, scrubber)) => {
                    let slots = slot.is_some().then_some(slots);
                    let (config, trusted) = (config.clone(), trusted.clone());
                    return Ok(Self {
                        config,
                        slots,
                        slot,
                        place,
                        trusted,
                        self_test,
                        captioner,
                        scrubber,
                        slots_problem,
                    });
                }
                Err(error) => {
                    tracing::warn!("{}: {}", place.display(), chain(&error));
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or(Error::NoBundle))
    }

    fn loader(&self) -> Loader<'_> {
        Loader { config: &self.config, trusted: self.trusted.as_ref(), self_test: self.self_test }
    }

    /// Loads again from the same place, or, where that fails, from the other slot.
    pub fn reload(&mut self) -> Result<()> {
        let good = self.slots.as_ref().zip(self.slot).and_then(|(slots, slot)| slots.good(slot));
        let golden = good.map(|good| good.golden.clone());
        match self.loader().load(&self.place, golden.as_ref()) {
            Ok((captioner, scrubber)) => {
                (self.captioner, self.scrubber) = (captioner, scrubber);
                Ok(())
            }
            Err(error) => {
                tracing::warn!("{}: {}", self.place.display(), chain(&error));
                self.fall_back()
            }
        }
    }

    /// Loads from the other slot: the files of this one are damaged.
    pub fn fall_back(&mut self) -> Result<()> {
        let loader = Loader { config: &self.config, trusted: self.trusted.as_ref(), self_test: self.self_test };
        let (Some(slots), Some(slot)) = (&mut self.slots, self.slot) else {
            return Err(Error::NoOtherSlot(self.place.clone()));
        };
        let other = slots.fall_back(slot)?;
        let place = slots.path(other);
        let golden = slots.good(other).map(|good| good.golden.clone());
        let (captioner, scrubber) = loader.load(&place, golden.as_ref())?;
        (self.captioner, self.scrubber, self.slot, self.place) = (captioner, scrubber, Some(other), place);
        Ok(())
    }

    /// Captions the golden image and compares with what this machine made of it when the bundle was installed.
    pub fn self_test(&mut self) -> Result<()> {
        let now = Golden::of(&mut self.captioner)?;
        match self.slot.and_then(|slot| self.slots.as_ref()?.good(slot)) {
            Some(good) => good.golden.check(&now),
            None => Ok(()),
        }
    }

    /// Whether the bundle lies in a slot.
    #[must_use]
    pub fn is_of_a_slot(&self) -> bool {
        self.slot.is_some()
    }

    /// Where the bundle lies.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.place
    }
}

struct Loader<'a> {
    config: &'a ModelConfig,
    trusted: Option<&'a Trusted>,
    self_test: bool,
}

impl Loader<'_> {
    fn load(&self, place: &Path, golden: Option<&Golden>) -> Result<(Captioner, Scrubber)> {
        let mut bundle = Bundle::read_trusted(place, self.trusted)?;
        if let Some(beam) = self.config.beam {
            bundle.manifest.search = bundle.manifest.search.with_beam(usize::from(beam));
        }
        let settings = Settings {
            choice: self.config.runtime,
            provider: self.config.provider,
            threads: self.config.threads,
            engines: self.config.engines.clone(),
            looks: self.config.looks,
        };
        let mut captioner = Captioner::open(&bundle, &settings)?;
        let scrubber = Scrubber::new(&bundle)?;
        drop(bundle);
        if self.self_test {
            let now = Golden::of(&mut captioner)?;
            if let Some(golden) = golden {
                golden.check(&now)?;
            }
            captioner.set_activation_limit(golden.unwrap_or(&now).activation_limit());
        }
        Ok((captioner, scrubber))
    }
}
