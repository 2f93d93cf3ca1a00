//! What confidence and familiarity are worth on images that nothing was fitted on.

use super::lines::read_lines;
use super::observation::Parts;
use super::outside::OutsideFolder;
use super::stated::Stated;
use crate::error::{At, Error, Result};
use crate::evaluator::Sample;
use cssa::bundle::Bundle;
use cssa::dataset::Split;
use cssa::metrics::objects::{Faithfulness, ObjectCounts};
use cssa::metrics::reliability::{Bin, Chance, Pair, aurc, auroc, bins, ece, ece_by_chance, risk};
use cssa::metrics::{Item, score};
use cssa::objects::ObjectGroups;
use cssa_captioner::{Captioner, Looks, Settings};
use cssa_image::images;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

/// Share of the images within the domain that the outside folders' thresholds may lose.
const LOSS: f64 = 0.05;
/// From here on an operator believes a caption, in thousandths.
const BELIEVED: u16 = 500;

/// What is said of figures that are of what was fitted on.
pub(super) const TOO_GOOD: &str = "model or confidence were fitted on some of these images: the figures are too good";

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

impl Measured {
    /// Whether an operator would believe the caption.
    #[must_use]
    pub fn is_believed(&self) -> bool {
        self.stated.reasons.is_empty() && self.stated.confidence.thousandths() >= BELIEVED
    }

    /// Whether the caption names what no reference does.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        !self.invented.is_empty()
    }
}

/// What a bundle's trust is worth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The parts of datasets, `name split`.
    pub measured_on: Vec<String>,
    /// Whether confidence and limits were fitted on one of them, or the model trained on it: then the figures are too good.
    pub fitted: bool,
    /// The table of object groups that told what is wrong, where it is not the bundle's, which confidence was fitted to.
    pub objects: Option<PathBuf>,
    /// How many of an image's views were captioned.
    pub looks: Looks,
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
    /// What it is of so many captions whose confidence is right.
    pub ece_by_chance: Chance,
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

/// What is measured, and how.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// Captioned datasets.
    pub data: Vec<PathBuf>,
    /// Their part.
    pub split: Split,
    /// Folders of images that are outside of what the model knows.
    pub outside: Vec<PathBuf>,
    /// What `edge caption --json` printed for the datasets' images, instead of captioning them again.
    pub lines: Option<PathBuf>,
    /// How many of an image's views are captioned; left out, those of the lines, or one.
    pub looks: Option<Looks>,
    /// A table of object groups that tells wrong captions, instead of the bundle's.
    pub objects: Option<PathBuf>,
    /// Threads.
    pub threads: usize,
}

/// Measures a bundle, and says where the figures are too good because they are of what was fitted on.
pub fn measure(bundle: &Bundle, request: &Measurement) -> Result<(Report, Vec<Measured>)> {
    let trust = bundle.trust.as_ref().ok_or_else(|| Error::NotCalibrated(bundle.folder.clone()))?;
    let groups = match &request.objects {
        Some(table) => &super::table::read(&bundle.vocabulary, table)?.0,
        None => &trust.groups,
    };
    let parts = Parts::read(bundle, &request.data, &[request.split], usize::MAX)?;
    let (stated, looks) = match &request.lines {
        Some(lines) => read_lines(lines, bundle, &parts, request.looks)?,
        None => {
            let looks = request.looks.unwrap_or_default();
            let paths: Vec<PathBuf> = parts.images.iter().map(|image| image.path.clone()).collect();
            (said(bundle, &paths, looks, request.threads)?, looks)
        }
    };
    let mut outside = Vec::new();
    for folder in &request.outside {
        let paths = images(std::slice::from_ref(folder))?;
        outside.push((folder.display().to_string(), said(bundle, &paths, looks, request.threads)?));
    }
    let fitted_on = |name: &&String| request.split == Split::Train || trust.manifest.fitted_on.contains(name);
    let fitted: Vec<&str> = parts.names.iter().filter(fitted_on).map(String::as_str).collect();
    if !fitted.is_empty() {
        tracing::warn!("{}: model or confidence were fitted on it, the figures are too good", fitted.join(", "));
    }
    let fitted = !fitted.is_empty();
    let captioned = stated.into_iter().zip(&parts.images);
    let measured = captioned.map(|(stated, image)| {
        let invented = groups.invented(&stated.caption, &image.captions);
        let invented = invented.into_iter().map(|group| groups.name(group).to_owned()).collect();
        Measured { stated, references: image.captions.clone(), invented }
    });
    let measured: Vec<Measured> = measured.collect();
    let figures = report(&measured, groups, &outside)?;
    let objects = request.objects.clone();
    Ok((Report { measured_on: parts.names, fitted, objects, looks, ..figures }, measured))
}

/// Captions images with a bundle.
fn said(bundle: &Bundle, paths: &[PathBuf], looks: Looks, threads: usize) -> Result<Vec<Stated>> {
    let mut captioner = Captioner::open(bundle, &Settings { looks, threads, ..Settings::default() })?;
    let state = |path: &PathBuf| {
        let caption = captioner.caption(&cssa_image::read(path)?).at(|| path.display().to_string())?;
        let not_calibrated = || Error::NotCalibrated(bundle.folder.clone());
        Ok(Stated {
            image: path.clone(),
            caption: caption.text,
            confidence: caption.confidence.ok_or_else(not_calibrated)?,
            familiarity: caption.familiarity.ok_or_else(not_calibrated)?,
            reasons: caption.reasons,
        })
    };
    paths.iter().map(state).collect()
}

/// What a confidence is worth on some images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    /// Expected calibration error over ten equal bins.
    pub ece: f64,
    /// Probability that a right caption has a higher confidence than a wrong one.
    pub auroc: f64,
    /// Captions that invent nothing.
    pub right: usize,
    /// Captions that name what no reference does.
    pub wrong: usize,
}

impl Worth {
    /// Of a bundle's confidence, with one look.
    pub fn of(bundle: &Bundle, samples: &[Sample]) -> Result<Self> {
        let trust = bundle.trust.as_ref().ok_or_else(|| Error::NotCalibrated(bundle.folder.clone()))?;
        let paths: Vec<PathBuf> = samples.iter().map(|sample| sample.path.clone()).collect();
        let stated = said(bundle, &paths, Looks::One, 2)?;
        let is_wrong = |caption: &str, sample: &Sample| !trust.groups.invented(caption, &sample.references).is_empty();
        let pair = |(one, sample): (&Stated, &Sample)| (one.confidence, is_wrong(&one.caption, sample));
        Ok(Self::of_pairs(&stated.iter().zip(samples).map(pair).collect::<Vec<_>>()))
    }

    fn of_pairs(pairs: &[Pair]) -> Self {
        let wrong = pairs.iter().filter(|(_, is_wrong)| *is_wrong).count();
        Self { ece: ece(&bins(pairs)), auroc: auroc(pairs), right: pairs.len() - wrong, wrong }
    }
}

/// The figures of some captions, in one part and with one look; `outside` are the folders that are none of the domain.
pub(super) fn report(
    measured: &[Measured],
    groups: &ObjectGroups,
    outside: &[(String, Vec<Stated>)],
) -> Result<Report> {
    let items: Vec<Item> = measured
        .iter()
        .map(|one| Item { hypothesis: one.stated.caption.clone(), references: one.references.clone() })
        .collect();
    let counts: Vec<ObjectCounts> = items.iter().map(|item| ObjectCounts::of(item, groups)).collect();
    let faithfulness = Faithfulness::of(&counts);
    let pairs: Vec<Pair> = measured.iter().map(|one| (one.stated.confidence, one.is_wrong())).collect();
    let share =
        |is: &dyn Fn(&Measured) -> bool| measured.iter().filter(|one| is(one)).count() as f64 / measured.len() as f64;
    let bins = bins(&pairs);
    let mut familiarities: Vec<f32> = measured.iter().map(|one| one.stated.familiarity).collect();
    familiarities.sort_by(f32::total_cmp);
    let threshold = familiarities[((familiarities.len() as f64 * LOSS) as usize).min(familiarities.len() - 1)];
    Ok(Report {
        measured_on: Vec::new(),
        fitted: false,
        objects: None,
        looks: Looks::One,
        images: measured.len(),
        cider: score(&items)?.cider,
        distinct: items.iter().map(|item| item.hypothesis.as_str()).collect::<BTreeSet<_>>().len(),
        wrong: faithfulness.wrong,
        missed: faithfulness.missed,
        ece: ece(&bins),
        ece_by_chance: ece_by_chance(&pairs),
        auroc: auroc(&pairs),
        aurc: aurc(&pairs),
        risk: [1.0, 0.8, 0.5].map(|coverage| risk(&pairs, coverage)),
        flagged: share(&|one| !one.stated.reasons.is_empty()),
        believed: share(&Measured::is_believed),
        believed_and_wrong: share(&|one| one.is_believed() && one.is_wrong()),
        bins,
        outside: outside.iter().map(|(name, stated)| OutsideFolder::of(name, stated, threshold)).collect(),
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { images, cider, distinct, ece, ece_by_chance: by_chance, auroc, aurc, .. } = self;
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let (wrong, missed, risk) = (percent(self.wrong), percent(self.missed), self.risk.map(percent));
        let (parts, looks) = (self.measured_on.join(", "), self.looks);
        writeln!(f, "{parts}, {looks} looks")?;
        if self.fitted {
            writeln!(f, "{TOO_GOOD}")?;
        }
        if let Some(table) = &self.objects {
            writeln!(f, "wrong by {}, not by the bundle's own table, which confidence was fitted to", table.display())?;
        }
        writeln!(
            f,
            "{images} images: CIDEr {cider:.3}, {distinct} distinct captions, {wrong} wrong, {missed} of the objects missed"
        )?;
        writeln!(
            f,
            "confidence: ECE {ece:.3} (by chance {:.3}, at most {:.3} in 95 of 100), AUROC {auroc:.3}, AURC {aurc:.3}; wrong {} of all, {} of the surest 80 %, {} of the surest half",
            by_chance.mean, by_chance.most, risk[0], risk[1], risk[2]
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

#[cfg(test)]
mod tests {
    use super::*;
    use cssa::trust::Confidence;

    fn pair((thousandths, is_wrong): (u16, bool)) -> Pair {
        (Confidence::from_thousandths(thousandths).unwrap_or(Confidence::MAX), is_wrong)
    }

    /// Where most captions are right, a confidence of 1 throughout is not far off, and tells nothing.
    #[test]
    fn a_constant_confidence_is_worth_nothing() {
        let pairs: Vec<Pair> = (0..200).map(|n| pair((1000, n < 24))).collect();
        let worth = Worth::of_pairs(&pairs);
        assert_eq!((worth.auroc, worth.right, worth.wrong), (0.5, 176, 24));
        assert!((worth.ece - 0.12).abs() < 1e-12);
    }

    /// Lines of four images, measured as the images of a dataset's part; the default bundle was fitted on `uavic dev`.
    #[test]
    fn what_was_fitted_on_is_said() -> anyhow::Result<()> {
        let mut bundle = Bundle::read(&fixtures::bundle())?;
        let folder = tempfile::tempdir()?;
        let place = |name: &str| folder.path().join(name);
        let write = |dataset: &str, split: &str| -> anyhow::Result<()> {
            std::fs::create_dir_all(place(dataset))?;
            let (mut table, mut lines) = ("path,caption,split\n".to_owned(), String::new());
            for n in 0..4 {
                let image = place(dataset).join(format!("{n}.jpg"));
                std::fs::write(&image, "")?;
                table += &format!("{n}.jpg,a river,{split}\n");
                lines += &serde_json::json!({
                    "image": image, "caption": if n == 0 { "a road" } else { "a river" }, "confidence": 0.9, "familiarity": 0.5,
                    "reasons": [], "looks": 4, "packet_hex": format!("0300{:04x}", bundle.id.swap_bytes()),
                })
                .to_string();
                lines.push('\n');
            }
            std::fs::write(place(dataset).join("own.csv"), table)?;
            Ok(std::fs::write(place("lines.jsonl"), lines)?)
        };
        let request = |dataset: &str, split| Measurement {
            data: vec![place(dataset)],
            split,
            outside: Vec::new(),
            lines: Some(place("lines.jsonl")),
            looks: None,
            objects: None,
            threads: 1,
        };
        for (dataset, split, fitted) in [
            ("uavic", Split::Test, false),
            ("uavic", Split::Train, true),
            ("uavic", Split::Dev, true),
            ("other", Split::Dev, false),
        ] {
            write(dataset, split.name())?;
            let (report, measured) = measure(&bundle, &request(dataset, split))?;
            assert_eq!((report.fitted, report.looks), (fitted, Looks::Four), "{dataset} {}", split.name());
            assert_eq!(report.measured_on, [format!("{dataset} {}", split.name())]);
            assert_eq!((report.wrong, report.believed_and_wrong, measured[0].is_wrong()), (0.25, 0.25, true));
            assert!((report.ece - 0.15).abs() < 1e-12, "{report:?}");
            assert_eq!(serde_json::to_value(&report)?["fitted"], fitted);
            assert_eq!(serde_json::to_value(&report)?["looks"], 4);
            assert_eq!(report.to_string().contains(TOO_GOOD), fitted);
        }
        // By a table that knows no road nothing is wrong.
        std::fs::write(place("table.txt"), "river rivers\n")?;
        let by_another = Measurement { objects: Some(place("table.txt")), ..request("other", Split::Dev) };
        let report = measure(&bundle, &by_another)?.0;
        assert_eq!((report.wrong, &report.objects), (0.0, &Some(place("table.txt"))));
        assert!(report.to_string().contains("table.txt, not by the bundle's own table"), "{report}");
        bundle.trust = None;
        let refused = measure(&bundle, &request("other", Split::Dev)).err().map(|error| error.to_string());
        assert!(refused.is_some_and(|error| error.contains("has no statistics")), "lines of another bundle");
        Ok(())
    }
}
