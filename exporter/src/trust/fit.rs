//! Fits what confidence, familiarity and the choice among looks compute with, on the quantized graphs: neighbours and Gaussian on train
//! images, limits and regressions on images that the model has not trained on.

use super::gaussian::gaussian;
use super::observation::{self, Observation};
use super::regression::logistic;
use crate::error::{Error, Result};
use cssa::bundle::{Bundle, Contents, Entry, FORMAT, OBJECT_GROUPS, TRUST, Trust, TrustManifest};
use cssa::dataset::{Captioned, Split};
use cssa::objects::{GROUPS, ObjectGroups};
use cssa::search::DocumentFrequencies;
use cssa::trust::calibration::{CAPTION_INPUTS, Calibration, OBJECT_INPUTS, UNITS};
use cssa::trust::{Evidence, Familiarity, ImageLimits, ImageStatistics, Neighbourhood, Neighbours, ObjectWords};
use cssa_captioner::{Captioner, Looks, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Train images that are kept as neighbours, of each dataset.
const MOST_NEIGHBOURS: usize = 4096;
/// Images of each dataset that each statistic of the pixels leaves outside, in thousandths.
const OUTSIDE_BY_PIXELS: usize = 4;
/// Share of the images of each dataset that familiarity leaves outside at most.
const OUTSIDE_BY_FAMILIARITY: f64 = 0.03;
/// Parts into which images are dealt, so that none is judged by a regression that has seen it.
const FOLDS: usize = 8;

/// What statistics are fitted on.
#[derive(Clone, Debug)]
pub struct Request {
    /// Datasets: their train images are the neighbours.
    pub data: Vec<PathBuf>,
    /// The parts, unseen in training, on which confidence and limits are fitted.
    pub splits: Vec<Split>,
    /// A table of object groups instead of the built-in one.
    pub objects: Option<PathBuf>,
}

/// Fits a bundle's statistics.
pub fn fit(bundle: &Bundle, request: &Request) -> Result<Trust> {
    if request.splits.contains(&Split::Train) {
        return Err(Error::FittedOnTrain);
    }
    let groups_text = match &request.objects {
        Some(path) => cssa::files::read_text(path, 1 << 20)?,
        None => GROUPS.to_owned(),
    };
    let groups = ObjectGroups::parse(&groups_text);
    let width = bundle.manifest.model.width;
    // What it may have of them is replaced, and nothing is to be judged by it.
    let mut captioner = Captioner::open(&Bundle { trust: None, ..bundle.clone() }, &Settings::default())?;
    let (train, _) = observation::images(bundle, &request.data, &[Split::Train], MOST_NEIGHBOURS)?;
    let (held_out, fitted_on) = observation::images(bundle, &request.data, &request.splits, usize::MAX)?;
    tracing::info!("looking at {} train images", train.len());
    let means = train.iter().map(|image| observation::mean_memory(&mut captioner, &image.path, width));
    let means: Vec<Vec<f32>> = means.collect::<Result<_>>()?;
    let (mean, whitening) = gaussian(&means)?;
    let whiten = Familiarity::new(mean.clone(), whitening.clone(), vec![0.0], 0.0)?;
    let neighbours = neighbours(&whiten, &means, &train, &groups)?;
    tracing::info!("looking at {} images of {} eight times", held_out.len(), fitted_on.join(", "));
    let observed = held_out.iter().map(|image| observation::observe(&mut captioner, image, &groups, width));
    let observed: Vec<Observation> = observed.collect::<Result<_>>()?;

    let whitened: Vec<Vec<f32>> = observed.iter().map(|one| whiten.whitened(&one.mean_memory)).collect();
    let mut distances: Vec<f32> = whitened.iter().map(|whitened| Familiarity::distance(whitened)).collect();
    let surrounded: Vec<(Neighbourhood, f32)> = whitened
        .iter()
        .zip(&distances)
        .map(|(whitened, &distance)| (neighbours.around(&Neighbours::vector(whitened)), distance))
        .collect();
    let (distance, image) = limits(&held_out, &observed, &distances).ok_or(Error::NotFitted("the image check"))?;
    distances.sort_by(f32::total_cmp);
    let familiarity = Familiarity::new(mean, whitening, distances, distance)?;
    let is_outside = |(one, (_, distance)): (&Observation, &(Neighbourhood, f32))| {
        familiarity.is_outside(*distance) || !image.reasons(&one.statistics).is_empty()
    };
    let outside = observed.iter().zip(&surrounded).filter(|&pair| is_outside(pair)).count();

    let words = ObjectWords::new(&bundle.vocabulary, &groups);
    let frequencies = bundle.document_frequencies.as_deref();
    let mut calibration = BTreeMap::new();
    for looks in Looks::ALL {
        let fitted = Fitted { observed: &observed, surrounded: &surrounded, words: &words, frequencies, looks };
        calibration.insert(looks.to_string(), fitted.calibration()?);
    }
    let manifest = TrustManifest {
        fitted_on,
        images: observed.len(),
        outside: outside as f64 / observed.len() as f64,
        distance,
        image,
        calibration,
    };
    Ok(Trust { manifest, familiarity, neighbours, groups, groups_text })
}

/// The distance and what pixels show, beyond which few images of any dataset are: a small dataset counts as much as a large one.
fn limits(held_out: &[Captioned], observed: &[Observation], distances: &[f32]) -> Option<(f32, ImageLimits)> {
    let mut datasets: BTreeMap<Option<&Path>, Vec<usize>> = BTreeMap::new();
    for (number, image) in held_out.iter().enumerate() {
        datasets.entry(image.path.parent()).or_default().push(number);
    }
    let of_one = |images: &Vec<usize>| {
        let mut own: Vec<f32> = images.iter().map(|&number| distances[number]).collect();
        own.sort_by(f32::total_cmp);
        let place = (own.len() as f64 * (1.0 - OUTSIDE_BY_FAMILIARITY)) as usize;
        let statistics: Vec<ImageStatistics> = images.iter().map(|&number| observed[number].statistics).collect();
        Some((own.get(place).or(own.last()).copied()?, ImageLimits::of(&statistics, OUTSIDE_BY_PIXELS)?))
    };
    let loosest = |a: (f32, ImageLimits), b: (f32, ImageLimits)| (a.0.max(b.0), a.1.loosest(b.1));
    datasets.values().filter_map(of_one).reduce(loosest)
}

/// Puts statistics into a bundle in memory, their files among the manifest's.
pub fn add_to(bundle: &mut Bundle, trust: Trust) -> Result<()> {
    let files = &mut bundle.manifest.files;
    files.insert(TRUST.into(), Entry::of(&trust.to_bytes()?));
    files.insert(OBJECT_GROUPS.into(), Entry::of(trust.groups_text.as_bytes()));
    bundle.manifest.format = FORMAT;
    bundle.manifest.trust = Some(trust.manifest.clone());
    bundle.trust = Some(Arc::new(trust));
    bundle.id = bundle.manifest.id();
    Ok(())
}

/// The files of a bundle's statistics; none where it has none.
pub fn files(bundle: &Bundle) -> Result<Contents> {
    let Some(trust) = &bundle.trust else { return Ok(Contents::new()) };
    Ok([(TRUST.to_owned(), trust.to_bytes()?), (OBJECT_GROUPS.to_owned(), trust.groups_text.clone().into_bytes())]
        .into())
}

fn neighbours(
    whiten: &Familiarity,
    means: &[Vec<f32>],
    train: &[Captioned],
    groups: &ObjectGroups,
) -> Result<Neighbours> {
    let vectors = means.iter().flat_map(|mean| Neighbours::vector(&whiten.whitened(mean))).collect();
    let bits = |image: &Captioned| {
        let told: Vec<usize> = observation::told(&image.captions, groups).into_iter().collect();
        Neighbours::bits(&told, groups.count())
    };
    let objects = train.iter().flat_map(bits).collect();
    let width = means.first().map_or(0, Vec::len);
    Neighbours::new(width, vectors, groups.count(), objects)
        .ok_or(Error::FewNeighbours { found: train.len(), expected: cssa::trust::neighbours::FAR })
}

/// What regressions are fitted on, for one number of looks.
struct Fitted<'a> {
    observed: &'a [Observation],
    surrounded: &'a [(Neighbourhood, f32)],
    words: &'a ObjectWords,
    frequencies: Option<&'a DocumentFrequencies>,
    looks: Looks,
}

/// An object that a look names, as its regression sees it, and whether it is there.
type ObjectRow = ([f64; OBJECT_INPUTS], bool);

impl Fitted<'_> {
    fn evidence(&self, image: usize) -> Evidence<'_, '_> {
        let (neighbourhood, distance) = &self.surrounded[image];
        let looks = &self.observed[image].looks[..self.looks.count()];
        Evidence::new(looks, self.words, neighbourhood, *distance)
    }

    /// Every object that some look's own caption of an image names, once.
    fn objects(&self, image: usize) -> Vec<ObjectRow> {
        let (evidence, one) = (self.evidence(image), &self.observed[image]);
        let mut seen = BTreeSet::new();
        let best = one.looks[..self.looks.count()].iter().filter_map(|list| list.first());
        let objects = best.flat_map(|hypothesis| evidence.objects(hypothesis));
        let fresh = objects.filter(|(group, _)| seen.insert(*group));
        fresh.map(|(group, evidence)| (evidence.inputs().map(units), one.told.contains(&group))).collect()
    }

    fn calibration(&self) -> Result<Calibration> {
        let objects: Vec<Vec<ObjectRow>> = (0..self.observed.len()).map(|image| self.objects(image)).collect();
        let object = |left_out: Option<usize>| -> Result<[i32; OBJECT_INPUTS + 1]> {
            let kept = objects.iter().enumerate().filter(|(image, _)| left_out != Some(image % FOLDS));
            let rows: Vec<ObjectRow> = kept.flat_map(|(_, rows)| rows.iter().copied()).collect();
            weights(&logistic(&rows)?)
        };
        let mut rows = Vec::with_capacity(self.observed.len());
        for fold in 0..FOLDS {
            let judge = Calibration { object: object(Some(fold))?, caption: [0; CAPTION_INPUTS + 1] };
            for image in (fold..self.observed.len()).step_by(FOLDS) {
                let evidence = self.evidence(image);
                let Some(chosen) = evidence.choose(&judge, self.frequencies) else { continue };
                let named = evidence.objects(chosen);
                let logits: Vec<i32> = named.iter().map(|(_, evidence)| judge.object(evidence)).collect();
                let inputs = Calibration::caption_inputs(&logits, evidence.surroundings());
                let invents = named.iter().any(|(group, _)| !self.observed[image].told.contains(group));
                rows.push((inputs.map(units), !invents));
            }
        }
        Ok(Calibration { object: object(None)?, caption: weights(&logistic(&rows)?)? })
    }
}

fn units(value: i32) -> f64 {
    f64::from(value) / f64::from(UNITS)
}

/// Bias and weights in 65,536ths.
fn weights<const N: usize>(found: &[f64]) -> Result<[i32; N]> {
    let rounded: Vec<i32> = found.iter().map(|weight| (weight * 65_536.0).round() as i32).collect();
    rounded.try_into().map_err(|_| Error::NotFitted("confidence"))
}
