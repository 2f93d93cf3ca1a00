//! The model at work: from a bundle that is named, or from the slots, where the other one takes over when one is
//! damaged.

use super::config::{Config, HealthConfig, ModelConfig, PolicyConfig};
use super::error::{Error, Result, chain, ensure};
use super::health::golden::Golden;
use super::health::scrub::Scrubber;
use super::slots::{LoadReport, Slot, Slots, ValidatedBundle};
use super::watch_list::{Lexicon, WatchList};
use cssa::bundle::{Bundle, Trusted, named_or_default};
use cssa_captioner::{Captioner, Settings};
use cssa_wire::FaultKind;
use std::path::{Path, PathBuf};

/// A loaded model, and how to load another when it is damaged.
pub struct Model {
    loader: Loader,
    slots: Slots,
    slot: Option<(Slot, ValidatedBundle)>,
    place: PathBuf,
    golden: Option<Golden>,
    lexicon: Lexicon,
    took_over: bool,
    /// What captions.
    pub captioner: Captioner,
    /// What the files were.
    pub scrubber: Scrubber,
    /// What was wrong with the slots and their record, by the kind of fault, since somebody looked.
    pub problems: Vec<(FaultKind, String)>,
}

/// The bundle that a configuration flies: its own, else that of the slot to be tried first, else the default one.
pub fn flown(config: &Config) -> Result<PathBuf> {
    let slots = Slots::open(&config.state);
    let slot = slots.order().first().map(|&slot| slots.path(slot));
    Ok(named_or_default(config.model.bundle.clone().or(slot).as_deref())?)
}

/// Loads bundles as a configuration says.
pub struct Loader {
    config: ModelConfig,
    trusted: Option<Trusted>,
    self_test: bool,
}

/// A bundle that is loaded.
pub struct Loaded {
    /// What captions.
    pub captioner: Captioner,
    /// What the files were.
    pub scrubber: Scrubber,
    /// What it makes of the golden image, where that was tested.
    pub golden: Option<Golden>,
    /// The words that its captions have.
    pub lexicon: Lexicon,
}

impl Model {
    /// Loads the bundle that the configuration names, else the first slot that passes its test, else `fallback`. What
    /// was tried in vain is recorded in the slots and among the problems.
    pub fn load(config: &Config, fallback: Option<PathBuf>) -> Result<Self> {
        let loader = Loader::new(config)?;
        let mut slots = Slots::open(&config.state);
        slots.clean();
        let mut report = LoadReport::default();
        let (mut found, mut last) = (None, None);
        let (mut problems, order): (Vec<_>, Vec<_>) = match &config.model.bundle {
            Some(_) => (Vec::new(), Vec::new()),
            None => {
                let unknown = slots.unknown().map(|unknown| (FaultKind::SlotsDamaged, chain(&unknown)));
                (unknown.into_iter().collect(), slots.order())
            }
        };
        let had_failed = order.iter().any(|slot| slots.has_failed(*slot));
        for slot in order {
            let (place, Some(good)) = (slots.path(slot), slots.good(slot).cloned()) else { continue };
            match loader.load(&place, Some(&good.golden)) {
                Ok(loaded) => {
                    report.loaded = Some((slot, good.clone(), loaded.golden.clone()));
                    found = Some((place, Some((slot, good)), loaded));
                    break;
                }
                Err(error) => {
                    problems.push((FaultKind::SlotFailures, format!("{}: {}", place.display(), chain(&error))));
                    report.failed.push((slot, good, chain(&error)));
                    last = Some(error);
                }
            }
        }
        let took_over = had_failed || !problems.is_empty();
        if slots.is_news(&report)
            && let Err(error) = slots.lock().and_then(|lock| slots.keep(&lock, &report))
        {
            problems.push((FaultKind::SlotRecordErrors, chain(&error)));
        }
        if let (None, Some(place)) = (&found, config.model.bundle.clone().or(fallback)) {
            match loader.load(&place, None) {
                Ok(loaded) => found = Some((place, None, loaded)),
                Err(error) => last = Some(error),
            }
        }
        let Some((place, slot, loaded)) = found else {
            problems.iter().for_each(|(_, problem)| tracing::warn!("{problem}"));
            return Err(last.unwrap_or(Error::NoBundle));
        };
        let Loaded { captioner, scrubber, golden, lexicon } = loaded;
        Ok(Self { loader, slots, slot, place, golden, lexicon, took_over, captioner, scrubber, problems })
    }

    /// Loads again from the same place, or, where that fails, from the other slot.
    pub fn reload(&mut self) -> Result<()> {
        match self.loader.load(&self.place, self.golden.as_ref()) {
            Ok(loaded) => {
                self.work_with(loaded);
                Ok(())
            }
            Err(error) => {
                tracing::warn!("{}: {}", self.place.display(), chain(&error));
                self.leave(&chain(&error))
            }
        }
    }

    /// Loads from the other slot: the files of this one are damaged.
    pub fn fall_back(&mut self) -> Result<()> {
        self.leave("a file of it changed while it was at work")
    }

    /// Loads another slot's bundle and records then, in one go, why this one was left and which one flies.
    fn leave(&mut self, reason: &str) -> Result<()> {
        let Some((slot, tried)) = self.slot.clone() else { return Err(Error::NoOtherSlot(self.place.clone())) };
        let lock = self.slots.lock()?;
        let mut report = LoadReport { failed: vec![(slot, tried.clone(), reason.into())], loaded: None };
        // An install may have put another bundle into this slot meanwhile: that one is as good as any.
        let others =
            self.slots.order().into_iter().filter(|&other| other != slot || !self.slots.is_still(slot, &tried));
        let mut left = Err(Error::NoGoodBundle(self.place.clone()));
        for other in others.collect::<Vec<_>>() {
            let (place, Some(good)) = (self.slots.path(other), self.slots.good(other).cloned()) else { continue };
            match self.loader.load(&place, Some(&good.golden)) {
                Ok(loaded) => {
                    report.loaded = Some((other, good.clone(), loaded.golden.clone()));
                    (self.place, self.slot, self.took_over) = (place, Some((other, good)), true);
                    self.work_with(loaded);
                    left = Ok(());
                    break;
                }
                Err(error) => {
                    report.failed.push((other, good, chain(&error)));
                    left = Err(error);
                }
            }
        }
        if let Err(error) = self.slots.keep(&lock, &report) {
            self.problems.push((FaultKind::SlotRecordErrors, chain(&error)));
        }
        left
    }

    /// Flies the bundle of a slot from now on, and from the next start on; where it does not load, all is as it was.
    pub fn switch_to(&mut self, slot: Slot) -> Result<()> {
        if self.slot.as_ref().is_some_and(|(at_work, _)| *at_work == slot) {
            return Ok(());
        }
        let place = self.slots.path(slot);
        ensure!(self.slot.is_some(), Error::NoSlotFlies);
        let lock = self.slots.lock()?;
        let good = self.slots.good(slot).cloned().ok_or(Error::NothingInSlot(slot.name()))?;
        let loaded = self.loader.load(&place, Some(&good.golden))?;
        let report = LoadReport { failed: Vec::new(), loaded: Some((slot, good.clone(), loaded.golden.clone())) };
        self.slots.activate(&lock, &report)?;
        (self.place, self.slot) = (place, Some((slot, good)));
        self.work_with(loaded);
        Ok(())
    }

    fn work_with(&mut self, loaded: Loaded) {
        let Loaded { captioner, scrubber, golden, lexicon } = loaded;
        (self.captioner, self.scrubber, self.golden, self.lexicon) = (captioner, scrubber, golden, lexicon);
    }

    /// Captions the golden image and compares with what this program made of it when the bundle was loaded or
    /// installed.
    pub fn self_test(&mut self) -> Result<()> {
        let now = Golden::of(&mut self.captioner)?;
        self.golden.as_ref().map_or(Ok(()), |golden| golden.check(&now))
    }

    /// The watch-words as captions of this bundle have them, and what no caption of it can have.
    #[must_use]
    pub fn watch_list(&self, policy: &PolicyConfig) -> (WatchList, Vec<Error>) {
        WatchList::new(&policy.watch, &self.lexicon)
    }

    /// Whether the bundle lies in a slot.
    #[must_use]
    pub fn is_of_a_slot(&self) -> bool {
        self.slot.is_some()
    }

    /// The slot, as packets have it: 1 is a, 2 is b, 0 is none.
    #[must_use]
    pub fn slot_number(&self) -> u8 {
        match self.slot {
            Some((Slot::A, _)) => 1,
            Some((Slot::B, _)) => 2,
            None => 0,
        }
    }

    /// Whether it flies because a slot did not load.
    #[must_use]
    pub fn took_over(&self) -> bool {
        self.took_over
    }

    /// Where the bundle lies.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.place
    }
}

impl Loader {
    /// What loads bundles as `config` says: signed with its key, in its runtime, on its provider, tested if it says so.
    ///
    /// # Errors
    /// The key cannot be read.
    pub fn new(config: &Config) -> Result<Self> {
        let Config { model, health: HealthConfig { self_test, .. }, .. } = config;
        let trusted = model.trust.as_deref().map(Trusted::read).transpose()?;
        Ok(Self { config: model.clone(), trusted, self_test: *self_test })
    }

    /// The same, of bundles that nobody has signed: to look at, not to fly.
    #[must_use]
    pub fn untrusting(config: &Config) -> Self {
        Self { config: config.model.clone(), trusted: None, self_test: false }
    }

    /// The same, with the golden image's test whatever the configuration says.
    #[must_use]
    pub fn with_self_test(self) -> Self {
        Self { self_test: true, ..self }
    }

    /// Loads a bundle and compares what it makes of the golden image with `known`; what was computed otherwise is no
    /// measure, and what it makes now takes its place.
    ///
    /// # Errors
    /// The bundle is damaged, not signed as it should be, does not load as configured, or fails the test.
    pub fn load(&self, place: &Path, known: Option<&Golden>) -> Result<Loaded> {
        let mut bundle = Bundle::read_trusted(place, self.trusted.as_ref())?;
        if let Some(beam) = self.config.beam {
            bundle.manifest.search = bundle.manifest.search.with_beam(usize::from(beam));
        }
        let settings = Settings {
            choice: self.config.runtime,
            provider: self.config.provider,
            library: None,
            threads: self.config.threads,
            engines: self.config.engines.clone(),
            looks: self.config.looks,
        };
        let mut captioner = Captioner::open(&bundle, &settings)?;
        let (scrubber, lexicon) = (Scrubber::new(&bundle)?, Lexicon::of(&bundle));
        drop(bundle);
        if !self.self_test {
            return Ok(Loaded { captioner, scrubber, golden: None, lexicon });
        }
        let now = Golden::of(&mut captioner)?;
        let golden = match known.filter(|known| known.is_comparable(&now)) {
            Some(known) => {
                known.check(&now)?;
                known.clone()
            }
            None => now,
        };
        captioner.set_activation_limit(golden.activation_limit());
        Ok(Loaded { captioner, scrubber, golden: Some(golden), lexicon })
    }
}
