//! How far a caption can be believed, from the bundle's statistics: [`cssa::trust`] with a model's words and memory.

use cssa::bundle::{Bundle, Trust};
use cssa::search::{DocumentFrequencies, Hypothesis};
use cssa::trust::{Confidence, Evidence, Familiarity, ImageStatistics, Neighbours, ObjectWords, Reason};
use std::sync::Arc;

/// The statistics of a bundle, made ready.
pub(crate) struct Judgement {
    trust: Arc<Trust>,
    words: ObjectWords,
    frequencies: Option<Arc<DocumentFrequencies>>,
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
        let frequencies = bundle.document_frequencies.clone();
        Some(Self { trust, words, frequencies, width: bundle.manifest.model.width })
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
        let neighbourhood = trust.neighbours.around(&Neighbours::vector(&whitened), None);
        let evidence = Evidence::new(looks, &self.words, &neighbourhood, distance);
        let chosen = evidence.choose(calibration, self.frequencies.as_deref());
        let confidence = chosen.map(|chosen| evidence.confidence(chosen, calibration));
        Judged { chosen, confidence, familiarity, reasons }
    }
}
