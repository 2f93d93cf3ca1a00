//! What confidence and familiarity are worth on images that nothing was fitted on.

use super::observation;
use crate::error::{At, Error, Result};
use crate::evaluator::Sample;
use cssa::bundle::Bundle;
use cssa::dataset::{Captioned, Split};
use cssa::files;
use cssa::metrics::objects::{Faithfulness, ObjectCounts};
use cssa::metrics::{Item, score};
use cssa::objects::ObjectGroups;
use cssa::trust::Reason;
use cssa_captioner::{Captioner, Looks, Settings};
use cssa_image::images;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// Bins of the reliability diagram.
const BINS: usize = 10;
/// Share of the images within the domain that the outside folders' thresholds may lose.
const LOSS: f64 = 0.05;
/// From here on an operator believes a caption.
const BELIEVED: f64 = 0.5;

/// What was said of an image: a line of `edge caption --json`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Stated {
    /// Its file.
    pub image: PathBuf,
    /// The words.
    pub caption: String,
    /// Probability that it invents nothing.
    pub confidence: f64,
    /// 0 to 1.
    pub familiarity: f64,
    /// Why the image is outside; empty where it is not.
    pub reasons: Vec<Reason>,
}

/// A captioned image with what is said of it.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What was said.
    pub stated: Stated,
    /// The captions that people wrote.
    pub references: Vec<String>,
    /// The objects that the caption names and no reference does.
    pub invented: Vec<String>,
}

/// A bin of the reliability diagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bin {
    /// Captions with a confidence in it.
    pub captions: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// The share of them that invents nothing.
    pub right: f64,
}

/// A folder of images that are outside, and how many of them are seen to be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutsideFolder {
    /// Its name.
    pub name: String,
    /// Images.
    pub images: usize,
    /// Share that is flagged.
    pub flagged: f64,
    /// Share that is less familiar than all but 5 % of the images within the domain.
    pub caught: f64,
    /// Flagged images by their plainest reason.
    pub reasons: BTreeMap<Reason, usize>,
}

/// What a bundle's trust is worth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Images.
    pub images: usize,
    /// CIDEr-D of the captions.
    pub cider: f64,
    /// Different captions.
    pub distinct: usize,
    /// Share of captions that name something that no reference does.
    pub wrong: f64,
    /// Share of objects that three references name and the caption does not.
    pub missed: f64,
    /// Expected calibration error over ten equal bins.
    pub ece: f64,
    /// Probability that a right caption has a higher confidence than a wrong one.
    pub auroc: f64,
    /// Share of wrong captions among the surest, mean over all shares.
    pub aurc: f64,
    /// Share of wrong captions among all, among the surest 80 % and 50 %.
    pub risk: [f64; 3],
    /// Share of the images that are flagged as outside.
    pub flagged: f64,
    /// Share of the images whose caption an operator believes: not outside, confidence of a half or more.
    pub believed: f64,
    /// Share of the images whose caption is believed and wrong.
    pub believed_and_wrong: f64,
    /// The reliability diagram.
    pub bins: Vec<Bin>,
    /// Folders of images that are outside.
    pub outside: Vec<OutsideFolder>,
}

/// Captions images with a bundle.
pub fn said(bundle: &Bundle, paths: &[PathBuf], looks: Looks, threads: usize) -> Result<Vec<Stated>> {
    if bundle.trust.is_none() {
        return Err(Error::NotCalibrated(bundle.folder.clone()));
    }
    let mut captioner = Captioner::open(bundle, &Settings { looks, threads, ..Settings::default() })?;
    let state = |path: &PathBuf| {
        let caption = captioner.caption(&cssa_image::read(path)?).at(|| path.display().to_string())?;
        let not_calibrated = || Error::NotCalibrated(bundle.folder.clone());
        Ok(Stated {
            image: path.clone(),
            caption: caption.text,
            confidence: f64::from(caption.confidence.ok_or_else(not_calibrated)?.value()),
            familiarity: f64::from(caption.familiarity.ok_or_else(not_calibrated)?),
            reasons: caption.reasons,
        })
    };
    paths.iter().map(state).collect()
}

/// Reads what `edge caption --json` printed.
pub fn read_lines(path: &Path) -> Result<Vec<Stated>> {
    let text = files::read_text(path, 1 << 30)?;
    let line = |(n, line): (usize, &str)| {
        let problem = |error: serde_json::Error| {
            format!("{error}, expected what `edge caption --json` prints of a calibrated bundle")
        };
        serde_json::from_str(line).map_err(|error| Error::Line {
            path: path.into(),
            line: n + 1,
            problem: problem(error),
        })
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(line).collect()
}

/// Expected calibration error of a bundle's confidence on some images, with one look.
pub fn calibration_error(bundle: &Bundle, samples: &[Sample]) -> Result<f64> {
    let groups = bundle.trust.as_ref().map(|trust| trust.groups.clone()).unwrap_or_default();
    let paths: Vec<PathBuf> = samples.iter().map(|sample| sample.path.clone()).collect();
    let stated = said(bundle, &paths, Looks::One, 2)?;
    let pairs = stated
        .iter()
        .zip(samples)
        .map(|(stated, sample)| (stated.confidence, !groups.invented(&stated.caption, &sample.references).is_empty()));
    Ok(ece(&bins(&pairs.collect::<Vec<_>>())))
}

/// The images of some parts of datasets, by their path.
pub fn captioned(bundle: &Bundle, data: &[PathBuf], split: Split) -> Result<Vec<Captioned>> {
    Ok(observation::images(bundle, data, &[split], usize::MAX)?.0)
}

/// The images of a folder.
pub fn folder(path: &Path) -> Result<Vec<PathBuf>> {
    Ok(images(&[path.to_path_buf()])?)
}

/// Joins captions with references and measures; `outside` are the folders that are none of the domain.
pub fn measure(
    stated: Vec<Stated>,
    references: &[Captioned],
    groups: &ObjectGroups,
    outside: &[(String, Vec<Stated>)],
) -> Result<(Report, Vec<Measured>)> {
    let by_path: BTreeMap<&Path, &Captioned> = references.iter().map(|image| (image.path.as_path(), image)).collect();
    let join = |stated: Stated| {
        let image = by_path.get(stated.image.as_path())?;
        let invented = groups.invented(&stated.caption, &image.captions);
        let invented = invented.into_iter().map(|group| groups.name(group).to_owned()).collect();
        Some(Measured { stated, references: image.captions.clone(), invented })
    };
    let measured: Vec<Measured> = stated.into_iter().filter_map(join).collect();
    if measured.is_empty() {
        return Err(Error::NoStated);
    }
    let items: Vec<Item> = measured
        .iter()
        .map(|one| Item { hypothesis: one.stated.caption.clone(), references: one.references.clone() })
        .collect();
    let counts: Vec<ObjectCounts> = items.iter().map(|item| ObjectCounts::of(item, groups)).collect();
    let faithfulness = Faithfulness::of(&counts);
    let pairs: Vec<(f64, bool)> =
        measured.iter().map(|one| (one.stated.confidence, !one.invented.is_empty())).collect();
    let share =
        |is: &dyn Fn(&Measured) -> bool| measured.iter().filter(|one| is(one)).count() as f64 / measured.len() as f64;
    let believed = |one: &Measured| one.stated.reasons.is_empty() && one.stated.confidence >= BELIEVED;
    let bins = bins(&pairs);
    let mut familiarities: Vec<f64> = measured.iter().map(|one| one.stated.familiarity).collect();
    familiarities.sort_by(f64::total_cmp);
    let threshold = familiarities[((familiarities.len() as f64 * LOSS) as usize).min(familiarities.len() - 1)];
    let report = Report {
        images: measured.len(),
        cider: score(&items)?.cider,
        distinct: items.iter().map(|item| item.hypothesis.as_str()).collect::<BTreeSet<_>>().len(),
        wrong: faithfulness.wrong,
        missed: faithfulness.missed,
        ece: ece(&bins),
        auroc: auroc(&pairs),
        aurc: aurc(&pairs),
        risk: [1.0, 0.8, 0.5].map(|coverage| risk(&pairs, coverage)),
        flagged: share(&|one| !one.stated.reasons.is_empty()),
        believed: share(&believed),
        believed_and_wrong: share(&|one| believed(one) && !one.invented.is_empty()),
        bins,
        outside: outside.iter().map(|(name, stated)| outside_folder(name, stated, threshold)).collect(),
    };
    Ok((report, measured))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { images, cider, distinct, ece, auroc, aurc, .. } = self;
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let (wrong, missed, risk) = (percent(self.wrong), percent(self.missed), self.risk.map(percent));
        writeln!(
            f,
            "{images} images: CIDEr {cider:.3}, {distinct} distinct captions, {wrong} wrong, {missed} of the objects missed"
        )?;
        writeln!(
            f,
            "confidence: ECE {ece:.3}, AUROC {auroc:.3}, AURC {aurc:.3}; wrong {} of all, {} of the surest 80 %, {} of the surest half",
            risk[0], risk[1], risk[2]
        )?;
        writeln!(
            f,
            "believed (not outside, confidence 0.5 or more): {}; believed and wrong: {}; flagged as outside: {}",
            percent(self.believed),
            percent(self.believed_and_wrong),
            percent(self.flagged)
        )?;
        writeln!(f, "{:>12} {:>12} {:>8}", "confidence", "captions", "right")?;
        for bin in self.bins.iter().filter(|bin| bin.captions > 0) {
            writeln!(f, "{:12.3} {:12} {:8.3}", bin.confidence, bin.captions, bin.right)?;
        }
        for folder in &self.outside {
            let reasons: Vec<String> =
                folder.reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
            let (flagged, caught) = (percent(folder.flagged), percent(folder.caught));
            writeln!(
                f,
                "{}: {} images, {flagged} flagged ({}), {caught} less familiar than all but 5 % of the domain",
                folder.name,
                folder.images,
                reasons.join(", ")
            )?;
        }
        Ok(())
    }
}

fn outside_folder(name: &str, stated: &[Stated], threshold: f64) -> OutsideFolder {
    let count = stated.len().max(1) as f64;
    let mut reasons = BTreeMap::new();
    for reason in stated.iter().filter_map(|one| one.reasons.first()) {
        *reasons.entry(*reason).or_default() += 1;
    }
    let caught = stated.iter().filter(|one| one.familiarity < threshold).count();
    let flagged = stated.iter().filter(|one| !one.reasons.is_empty()).count();
    OutsideFolder {
        name: name.into(),
        images: stated.len(),
        flagged: flagged as f64 / count,
        caught: caught as f64 / count,
        reasons,
    }
}

/// Confidence and wrongness in ten equal bins.
fn bins(pairs: &[(f64, bool)]) -> Vec<Bin> {
    let mut bins = vec![Bin::default(); BINS];
    for &(confidence, is_wrong) in pairs {
        let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
        bin.captions += 1;
        bin.confidence += confidence;
        bin.right += f64::from(u8::from(!is_wrong));
    }
    for bin in &mut bins {
        let count = bin.captions.max(1) as f64;
        (bin.confidence, bin.right) = (bin.confidence / count, bin.right / count);
    }
    bins
}

/// Expected calibration error (Naeini et al. 2015).
fn ece(bins: &[Bin]) -> f64 {
    let total = bins.iter().map(|bin| bin.captions).sum::<usize>().max(1) as f64;
    bins.iter().map(|bin| bin.captions as f64 / total * (bin.confidence - bin.right).abs()).sum()
}

/// Share of pairs of a right and a wrong caption in which the right one has the higher confidence; ties count half. A half where there
/// is no such pair.
fn auroc(pairs: &[(f64, bool)]) -> f64 {
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut wrong_below, mut sum) = (0.0, 0.0);
    for ties in sorted.chunk_by(|a, b| a.0 == b.0) {
        let wrong = ties.iter().filter(|(_, is_wrong)| *is_wrong).count() as f64;
        sum += (ties.len() as f64 - wrong) * (wrong_below + wrong / 2.0);
        wrong_below += wrong;
    }
    let right = pairs.len() as f64 - wrong_below;
    if right * wrong_below > 0.0 { sum / (right * wrong_below) } else { 0.5 }
}

fn surest_first(pairs: &[(f64, bool)]) -> Vec<(f64, bool)> {
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    sorted
}

/// Share of wrong captions among the surest share `coverage`.
fn risk(pairs: &[(f64, bool)], coverage: f64) -> f64 {
    let kept = ((pairs.len() as f64 * coverage).round() as usize).clamp(1, pairs.len());
    surest_first(pairs)[..kept].iter().filter(|(_, is_wrong)| *is_wrong).count() as f64 / kept as f64
}

/// Area under the risk–coverage curve (Geifman and El-Yaniv 2017).
fn aurc(pairs: &[(f64, bool)]) -> f64 {
    let mut wrong = 0.0;
    let risks = surest_first(pairs).into_iter().enumerate().map(|(n, (_, is_wrong))| {
        wrong += f64::from(u8::from(is_wrong));
        wrong / (n + 1) as f64
    });
    risks.sum::<f64>() / pairs.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_are_those_of_the_papers() {
        let pairs = [(0.95, false), (0.85, false), (0.75, true), (0.65, false), (0.15, true)];
        let bins = bins(&pairs);
        assert_eq!((bins[9].captions, bins[9].right, bins[1].right), (1, 1.0, 0.0));
        assert!((ece(&bins) - (0.05 + 0.15 + 0.75 + 0.35 + 0.15) / 5.0).abs() < 1e-12);
        // Of six pairs one is the wrong way round.
        assert!((auroc(&pairs) - 5.0 / 6.0).abs() < 1e-12);
        assert_eq!(auroc(&[(0.5, true), (0.5, false)]), 0.5);
        assert_eq!((risk(&pairs, 1.0), risk(&pairs, 0.4)), (0.4, 0.0));
        assert!((aurc(&pairs) - (0.0 + 0.0 + 1.0 / 3.0 + 0.25 + 0.4) / 5.0).abs() < 1e-12);
    }

    #[test]
    fn a_folder_outside_is_caught_by_familiarity_and_flagged_by_reasons() {
        let stated = |familiarity, reasons: &[Reason]| Stated {
            image: "a.png".into(),
            caption: "a road".into(),
            confidence: 0.5,
            familiarity,
            reasons: reasons.to_vec(),
        };
        let found = outside_folder(
            "fog",
            &[stated(0.0, &[Reason::Foggy, Reason::Unfamiliar]), stated(0.01, &[]), stated(0.9, &[Reason::Dark])],
            0.05,
        );
        assert!((found.flagged - 2.0 / 3.0).abs() < 1e-12 && (found.caught - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(found.reasons, [(Reason::Foggy, 1), (Reason::Dark, 1)].into());
    }
}
