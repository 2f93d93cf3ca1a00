//! How far a caption can be believed, from the bundle's statistics: [`cssa::trust`] with a model's words and memory.

use crate::neighbours::Panels;
use cssa::bundle::{Bundle, Trust};
use cssa::search::Hypothesis;
use cssa::trust::{Confidence, Evidence, Familiarity, ImageStatistics, Neighbours, ObjectWords, Reason};
use cssa_kernel::{Dispatch, Kernel, Work};
use image::RgbImage;
use std::sync::Arc;

/// What a picture's pixels show, compiled for the CPU at hand.
struct Statistics<'a> {
    square: &'a RgbImage,
    found: &'a mut ImageStatistics,
}

impl Work for Statistics<'_> {
    #[inline(always)]
    fn with<K: Kernel>(self, _: K) {
        *self.found = ImageStatistics::of(self.square.as_raw(), self.square.width() as usize);
    }
}

/// What the pixels of a square picture show.
pub(crate) fn statistics(square: &RgbImage) -> ImageStatistics {
    let mut found = ImageStatistics::default();
    Dispatch::of_this_cpu().run(Statistics { square, found: &mut found });
    found
}

/// The statistics of a bundle, made ready.
pub(crate) struct Judgement {
    trust: Arc<Trust>,
    words: ObjectWords,
    panels: Panels,
    width: usize,
}

/// What is said of a picture.
pub(crate) struct Judged<'a> {
    /// The caption to say; `None` where no look found any.
    pub(crate) chosen: Option<&'a Hypothesis>,
    /// The probability that it invents nothing; `None` where there is no calibration for this number of looks.
    pub(crate) confidence: Option<Confidence>,
    /// The share of dev images that are less familiar.
    pub(crate) familiarity: f32,
    /// Why the picture is outside.
    pub(crate) reasons: Vec<Reason>,
}

impl Judgement {
    /// `None` where the bundle has no statistics.
    pub(crate) fn of(bundle: &Bundle) -> Option<Self> {
        let trust = Arc::clone(bundle.trust.as_ref()?);
        let words = ObjectWords::new(&bundle.vocabulary, &trust.groups);
        let width = bundle.manifest.model.width;
        let panels = Panels::of(&trust.neighbours, width);
        Some(Self { trust, words, panels, width })
    }

    /// Judges a picture by the memory and the pixels of its first look and by what all looks found.
    pub(crate) fn judge<'a>(
        &self,
        memory: &[f32],
        statistics: ImageStatistics,
        looks: &'a [Vec<Hypothesis>],
    ) -> Judged<'a> {
        let trust = &self.trust;
        let whitened = trust.familiarity.whitened(&Familiarity::mean_memory(memory, self.width));
        let distance = Familiarity::distance(&whitened);
        let mut reasons = trust.manifest.image.reasons(&statistics);
        if trust.familiarity.is_outside(distance) {
            reasons.push(Reason::Unfamiliar);
        }
        let familiarity = trust.familiarity.share(distance);
        let Some(calibration) = trust.calibration(looks.len()) else {
            return Judged { chosen: None, confidence: None, familiarity, reasons };
        };
        let products = self.panels.products(Dispatch::of_this_cpu(), &Neighbours::vector(&whitened));
        let neighbourhood = trust.neighbours.with_products(&products);
        let evidence = Evidence::new(looks, &self.words, &neighbourhood, distance);
        let chosen = evidence.choose(calibration);
        let confidence = chosen.map(|chosen| evidence.confidence(chosen, calibration));
        Judged { chosen, confidence, familiarity, reasons }
    }
}
