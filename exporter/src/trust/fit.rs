//! Fits what confidence, familiarity and the choice among looks compute with, on the quantized graphs: neighbours and Gaussian on train
//! images, limits and regressions on images that the model has not trained on.

use super::gaussian::gaussian;
use super::observation::{self, Observation, Parts};
use super::regression::logistic;
use super::table;
use crate::error::{Error, Result};
use cssa::bundle::{Bundle, Contents, Entry, FORMAT, OBJECT_GROUPS, TRUST, Trust, TrustManifest};
use cssa::dataset::{Captioned, Split};
use cssa::objects::ObjectGroups;
use cssa::trust::calibration::{CAPTION_INPUTS, Calibration, OBJECT_INPUTS, UNITS};
use cssa::trust::{Evidence, Familiarity, ImageLimits, ImageStatistics, Neighbourhood, Neighbours, ObjectWords};
use cssa_captioner::{Captioner, Looks, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// Train images that are kept as neighbours, of each dataset.
const MOST_NEIGHBOURS: usize = 4096;
/// Images of each dataset that each statistic of the pixels leaves outside, in thousandths.
const OUTSIDE_BY_PIXELS: usize = 4;
/// Share of the images of each dataset that familiarity leaves outside at most.
const OUTSIDE_BY_FAMILIARITY: f64 = 0.03;
/// Images that confidence and limits are fitted on at least: the limit of familiarity leaves 3 % outside, six of 200; with fewer it would
/// be that of single pictures, and a share is known to 0.035 at best.
pub(crate) const MIN_HELD_OUT: usize = 200;
/// Right and wrong captions at least among them: a regression with seven weights needs about three of the rarer kind for each.
pub(crate) const MIN_OF_A_KIND: usize = 20;
/// Train images at least, as a multiple of d: of fewer vectors than twice their width the sample covariance is too near to singular to be
/// inverted (Marchenko and Pastur 1967: at 2 d its smallest eigenvalue is a twelfth of the true one).
const TRAIN_IMAGES_A_DIMENSION: usize = 2;
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

/// What statistics are fitted on, read and counted: no picture is opened yet.
#[derive(Debug)]
pub struct Prepared {
    groups: ObjectGroups,
    groups_text: String,
    train: Vec<Captioned>,
    held_out: Parts,
}

/// Reads datasets and table, and refuses what nothing can be fitted on: in a second, where fitting takes minutes. Of the bundle only
/// words, width and the rule for *dev* count, not its graphs' precision.
pub fn prepare(bundle: &Bundle, request: &Request) -> Result<Prepared> {
    if request.splits.contains(&Split::Train) {
        return Err(Error::FittedOnTrain);
    }
    let (groups, groups_text) = match &request.objects {
        Some(table) => table::read(&bundle.vocabulary, table)?,
        None => table::built_in(&bundle.vocabulary)?,
    };
    let width = bundle.manifest.model.width;
    let train = Parts::read(bundle, &request.data, &[Split::Train], MOST_NEIGHBOURS)?.images;
    let held_out = Parts::read(bundle, &request.data, &request.splits, usize::MAX)?;
    observation::each_once(train.iter().chain(&held_out.images))?;
    enough(
        "train images",
        train.len(),
        TRAIN_IMAGES_A_DIMENSION * width,
        "twice the model's width, to tell how they spread",
    )?;
    enough("held-out images", held_out.images.len(), MIN_HELD_OUT, "the limits are shares of them")?;
    Ok(Prepared { groups, groups_text, train, held_out })
}

/// Fits a bundle's statistics.
pub fn fit(bundle: &Bundle, prepared: Prepared) -> Result<Trust> {
    let Prepared { groups, groups_text, train, held_out } = prepared;
    let width = bundle.manifest.model.width;
    // What it may have of them is replaced, and nothing is to be judged by it.
    let mut captioner = Captioner::open(&Bundle { trust: None, ..bundle.clone() }, &Settings::default())?;
    tracing::info!("looking at {} train images", train.len());
    let means = train.iter().map(|image| observation::mean_memory(&mut captioner, &image.path, width));
    let means: Vec<Vec<f32>> = means.collect::<Result<_>>()?;
    let (mean, whitening) = gaussian(&means)?;
    let whiten = Familiarity::new(mean.clone(), whitening.clone(), vec![0.0], 0.0)?;
    let neighbours = neighbours(&whiten, &means, &train, &groups)?;
    tracing::info!("looking at {} images of {} eight times", held_out.images.len(), held_out.names.join(", "));
    let observed = held_out.images.iter().map(|image| observation::observe(&mut captioner, image, &groups, width));
    let observed: Vec<Observation> = observed.collect::<Result<_>>()?;

    let whitened: Vec<Vec<f32>> = observed.iter().map(|one| whiten.whitened(&one.mean_memory)).collect();
    let mut distances: Vec<f32> = whitened.iter().map(|whitened| Familiarity::distance(whitened)).collect();
    let surrounded: Vec<(Neighbourhood, f32)> = whitened
        .iter()
        .zip(&distances)
        .map(|(whitened, &distance)| (neighbours.around(&Neighbours::vector(whitened)), distance))
        .collect();
    let statistics: Vec<ImageStatistics> = observed.iter().map(|one| one.statistics).collect();
    let (distance, image) =
        limits(&held_out.datasets, &statistics, &distances).ok_or(Error::NotFitted("the image check"))?;
    distances.sort_by(f32::total_cmp);
    let familiarity = Familiarity::new(mean, whitening, distances, distance)?;
    let is_outside = |(one, (_, distance)): (&Observation, &(Neighbourhood, f32))| {
        familiarity.is_outside(*distance) || !image.reasons(&one.statistics).is_empty()
    };
    let outside = observed.iter().zip(&surrounded).filter(|&pair| is_outside(pair)).count();

    let words = ObjectWords::new(&bundle.vocabulary, &groups);
    let mut calibration = BTreeMap::new();
    for looks in Looks::ALL {
        let fitted = Fitted { observed: &observed, surrounded: &surrounded, words: &words, looks };
        calibration.insert(looks.to_string(), fitted.calibration()?);
    }
    let manifest = TrustManifest {
        fitted_on: held_out.names,
        images: observed.len(),
        outside: outside as f64 / observed.len() as f64,
        distance,
        image,
        calibration,
    };
    Ok(Trust { manifest, familiarity, neighbours, groups, groups_text })
}

/// The distance and what pixels show, beyond which few images of any dataset are: a small dataset counts as much as a large one.
fn limits(dataset_of: &[usize], statistics: &[ImageStatistics], distances: &[f32]) -> Option<(f32, ImageLimits)> {
    let mut datasets: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, &dataset) in dataset_of.iter().enumerate() {
        datasets.entry(dataset).or_default().push(number);
    }
    let of_one = |images: &Vec<usize>| {
        let mut own: Vec<f32> = images.iter().map(|&number| distances[number]).collect();
        own.sort_by(f32::total_cmp);
        let place = (own.len() as f64 * (1.0 - OUTSIDE_BY_FAMILIARITY)) as usize;
        let statistics: Vec<ImageStatistics> = images.iter().map(|&number| statistics[number]).collect();
        Some((own.get(place).or(own.last()).copied()?, ImageLimits::of(&statistics, OUTSIDE_BY_PIXELS)?))
    };
    let loosest = |a: (f32, ImageLimits), b: (f32, ImageLimits)| (a.0.max(b.0), a.1.loosest(b.1));
    datasets.values().filter_map(of_one).reduce(loosest)
}

fn enough(kind: &'static str, found: usize, expected: usize, reason: &'static str) -> Result<()> {
    if found < expected { Err(Error::FewFitted { found, kind, expected, reason }) } else { Ok(()) }
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
                let Some(chosen) = evidence.choose(&judge) else { continue };
                let named = evidence.objects(chosen);
                if named.is_empty() {
                    // It invents nothing because it says nothing: no example of a caption that is right.
                    continue;
                }
                let logits = evidence.logits(chosen, &judge);
                let inputs = Calibration::caption_inputs(&logits, evidence.surroundings());
                let invents = named.iter().any(|(group, _)| !self.observed[image].told.contains(group));
                rows.push((inputs.map(units), !invents));
            }
        }
        let right = rows.iter().filter(|(_, is_right)| *is_right).count();
        for (kind, found) in [("right captions", right), ("wrong captions", rows.len() - right)] {
            enough(kind, found, MIN_OF_A_KIND, "confidence tells the two apart")?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;
    use cssa::dataset::DevRule;
    use cssa::search::Hypothesis;

    /// A small dataset counts as much as a large one, wherever its images lie.
    #[test]
    fn limits_are_of_datasets() {
        let distances: Vec<f32> = (0..400).map(|n| n as f32 / if n < 200 { 100.0 } else { 50.0 }).collect();
        let datasets: Vec<usize> = (0..400).map(|n| n / 200).collect();
        let statistics = vec![ImageStatistics { white: 90, ..ImageStatistics::default() }; 400];
        let limit = |datasets: &[usize]| limits(datasets, &statistics, &distances).map(|(distance, _)| distance);
        // 97 % of 200 images, of 400.
        assert_eq!(limit(&datasets), Some(distances[394]));
        assert_eq!(limit(&[0; 400]), Some(distances[388]));
        assert_eq!(limit(&[]), None);
    }

    fn bundle() -> Result<Bundle> {
        Ok(Bundle::read(&fixtures::bundle())?)
    }

    fn refused(bundle: &Bundle, request: &Request) -> String {
        prepare(bundle, request).err().map(|error| error.to_string()).unwrap_or_else(|| format!("taken: {request:?}"))
    }

    #[test]
    fn what_nothing_can_be_fitted_on_is_refused_before_any_work() -> Result<()> {
        let mut bundle = bundle()?;
        bundle.manifest.dev = DevRule::None;
        let folder = tempfile::tempdir()?;
        let place = |name: &str| folder.path().join(name);
        // Images are read after they have been counted: these are none.
        let dataset = |name: &str, train: usize, val: usize| -> Result<PathBuf> {
            std::fs::create_dir(place(name))?;
            let mut text = "path,caption,split\n".to_owned();
            for n in 0..train + val {
                std::fs::write(place(name).join(format!("{n}.jpg")), "")?;
                text += &format!("{n}.jpg,a road,{}\n", if n < train { "train" } else { "val" });
            }
            std::fs::write(place(name).join("own.csv"), text)?;
            Ok(place(name))
        };
        let (few_train, few_held) = (dataset("few-train", 511, 200)?, dataset("few-held", 512, 199)?);
        std::fs::create_dir(place("linked"))?;
        std::os::unix::fs::symlink(few_held.join("0.jpg"), place("linked/a.jpg"))?;
        std::fs::write(place("linked/own.csv"), "path,caption,split\na.jpg,a road,val\n")?;
        for (name, text) in
            [("empty.txt", ""), ("comments.txt", "# river rivers\n"), ("foreign.txt", "straat straten\n")]
        {
            std::fs::write(place(name), text)?;
        }
        let request = |data: &[&PathBuf], splits: &[Split], objects: Option<&str>| Request {
            data: data.iter().map(|&folder| folder.clone()).collect(),
            splits: splits.to_vec(),
            objects: objects.map(place),
        };
        let val = [Split::Val];
        let cases = [
            (request(&[&few_train], &val, None), "511 train images, expected 512 or more: twice the model's width"),
            (request(&[&few_held], &val, None), "199 held-out images, expected 200 or more"),
            (request(&[&few_held, &few_held], &val, None), "few-held train is there twice"),
            (request(&[&few_held], &[Split::Val, Split::Val], None), "few-held val is there twice"),
            (request(&[&few_held, &place("linked")], &val, None), "few-held/0.jpg is there twice"),
            (request(&[&few_held], &val, Some("empty.txt")), "empty.txt: none of its 0 groups has a word"),
            (request(&[&few_held], &val, Some("comments.txt")), "comments.txt: none of its 0 groups has a word"),
            (request(&[&few_held], &val, Some("foreign.txt")), "foreign.txt: none of its 1 groups has a word"),
            (request(&[&few_held], &[Split::Train], None), "cannot be fitted on train"),
        ];
        for (request, expected) in cases {
            let found = refused(&bundle, &request);
            assert!(found.contains(expected), "{found} / {expected}");
        }
        Ok(())
    }

    /// Captions that are all right, or all but a few, cannot tell what a wrong one looks like.
    #[test]
    fn confidence_takes_right_and_wrong_captions() -> Result<()> {
        let vocabulary = bundle()?.vocabulary;
        let groups = ObjectGroups::default();
        let words = ObjectWords::new(&vocabulary, &groups);
        let river = Hypothesis {
            tokens: vec![vocabulary.id("river")],
            token_log_probabilities: vec![-0.5],
            log_probability: -0.5,
        };
        let surrounded = vec![(Neighbourhood::default(), 1.0); MIN_HELD_OUT];
        let observation = |n: usize, wrong: usize| Observation {
            mean_memory: Vec::new(),
            statistics: ImageStatistics::default(),
            looks: vec![vec![river.clone()]],
            told: if n < wrong { BTreeSet::new() } else { groups.group("river").into_iter().collect() },
        };
        let fitted = |wrong: usize| {
            let observed: Vec<Observation> = (0..MIN_HELD_OUT).map(|n| observation(n, wrong)).collect();
            let looks = Looks::One;
            Fitted { observed: &observed, surrounded: &surrounded, words: &words, looks }.calibration()
        };
        // Captions without objects are no examples.
        let with_silent = |silent: usize| {
            let mut observed: Vec<Observation> = (0..MIN_HELD_OUT).map(|n| observation(n, MIN_OF_A_KIND)).collect();
            let thing = Hypothesis { tokens: vec![vocabulary.id("piece")], ..river.clone() };
            observed.extend((0..silent).map(|n| Observation { looks: vec![vec![thing.clone()]], ..observation(n, 0) }));
            let surrounded = vec![(Neighbourhood::default(), 1.0); observed.len()];
            Fitted { observed: &observed, surrounded: &surrounded, words: &words, looks: Looks::One }.calibration()
        };
        assert_eq!(with_silent(0)?, with_silent(2 * FOLDS)?);
        assert!(fitted(MIN_OF_A_KIND).is_ok() && fitted(MIN_HELD_OUT - MIN_OF_A_KIND).is_ok());
        for (wrong, kind) in [(MIN_OF_A_KIND - 1, "wrong"), (MIN_HELD_OUT - MIN_OF_A_KIND + 1, "right")] {
            let refused = fitted(wrong).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(refused.starts_with(&format!("19 {kind} captions, expected 20 or more")), "{refused}");
        }
        Ok(())
    }
}
