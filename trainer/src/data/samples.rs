//! Train images with their captions as tokens.

use super::captions::distinct_captions;
use super::features::to_tensor;
use super::resident::{gather, upload};
use super::rows::Rows;
use crate::error::{Error, Result, ensure};
use crate::net::augment::{Augmentation, AugmentationKind, Orientation};
use crate::net::{FeatureShape, Images};
use cssa::dataset::{Dataset, Split, scene_class};
use cssa::random::Random;
use cssa::vocabulary::{TokenId, Vocabulary};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use tch::{Device, Kind, Tensor};

/// The train images of all datasets.
#[derive(Debug)]
pub struct Samples {
    /// The images, numbered through all datasets.
    pub images: Vec<Sample>,
    /// How many scene classes their names tell.
    pub scenes: usize,
    /// What is on disk.
    caches: Caches,
    /// The same on the device that trains, where there is room.
    resident: Option<Resident>,
    /// How many entries of a dataset an epoch shows, drawn anew each time; all where it is not named.
    drawn: BTreeMap<usize, usize>,
    /// What augments images.
    augmentation: AugmentationKind,
}

/// What is on disk for the images of a dataset.
#[derive(Debug, Default)]
pub struct Cached {
    /// Output of the frozen layers, FP16: of the image itself first, then of augmented views.
    pub features: Vec<Rows>,
    /// Pixels, to be augmented anew each time.
    pub pixels: Option<Rows>,
}

/// What is on disk for all datasets.
#[derive(Debug)]
pub struct Caches {
    /// Of each dataset.
    pub cached: Vec<Cached>,
    /// Of an image's cached features.
    pub shape: FeatureShape,
    /// Side of the images in pixels.
    pub size: usize,
}

/// All rows on the device. Tensors may not be looked at from two threads at once, hence the locks.
#[derive(Debug)]
struct Resident {
    /// `[rows, N, C]`, FP16, and where each dataset's views begin.
    features: Option<(Mutex<Tensor>, Vec<Vec<i64>>)>,
    /// `[rows, 3, s, s]`, U8, and where each dataset begins.
    pixels: Option<(Mutex<Tensor>, Vec<i64>)>,
}

/// Rows stay on the device up to this many bytes: a quarter of what training cards of today have.
const RESIDENT: usize = 6 << 30;
/// One train image.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Which dataset.
    pub dataset: usize,
    /// The number of its scene class, where its name tells one.
    pub scene: Option<usize>,
    /// Which row of what is cached.
    pub row: usize,
    /// Its distinct captions, start and end included, each with how often the dataset repeats it.
    pub captions: Vec<(Vec<TokenId>, f32)>,
    /// The distinct captions' numbers among all captions: the same words, the same number.
    pub numbers: Vec<usize>,
    /// Its captions as the dataset has them.
    pub references: Vec<String>,
    /// Back-translated captions in words, for the text branch.
    pub back_translations: Vec<String>,
    /// Whether it may be turned.
    pub orientation: Orientation,
    /// How often an epoch shows it.
    pub repeat: usize,
}

/// What is counted in an epoch and in a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Images: one caption each in MCCL, all of them in RSIC and SCST.
    Images,
    /// Pairs of an image and one of its sentences, as the paper counts.
    #[default]
    Pairs,
}

/// One place in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The image's number.
    pub image: usize,
    /// Which of its captions; none stands for what the stage does with an image.
    pub caption: Option<usize>,
}

/// How an image is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// As it is.
    Itself,
    /// Augmented, T_img.
    Augmented,
}

/// Which views of its images a stage sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Views {
    /// Images as they are.
    Original,
    /// Augmented ones, too.
    All,
}

/// An image of a batch with all that was drawn for it.
#[derive(Clone, Debug)]
pub struct Drawn {
    image: usize,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    /// A cached view.
    Known(usize),
    /// Pixels, with what happens to them.
    Fresh(Augmentation),
}

impl Views {
    /// As a recipe says it.
    pub fn augmented(augment: bool) -> Self {
        if augment { Self::All } else { Self::Original }
    }
}

impl Samples {
    /// Collects train images. `caches.cached[d]` belongs to dataset `d`.
    pub fn new(
        datasets: &[Dataset],
        caches: Caches,
        vocabulary: &Vocabulary,
        max_tokens: usize,
        repeat: &BTreeMap<String, usize>,
    ) -> Self {
        let mut images = Vec::new();
        let mut known: HashMap<Vec<TokenId>, usize> = HashMap::new();
        let mut scenes: BTreeMap<String, usize> = BTreeMap::new();
        for (d, dataset) in datasets.iter().enumerate() {
            let repeat = repeat.get(&dataset.name).copied().unwrap_or(1);
            for (row, image) in dataset.split(Split::Train).enumerate() {
                let captions = distinct_captions(image, &dataset.name, vocabulary, max_tokens);
                if captions.is_empty() {
                    continue;
                }
                let mut number = |tokens: &Vec<TokenId>| {
                    let next = known.len();
                    *known.entry(tokens.clone()).or_insert(next)
                };
                images.push(Sample {
                    dataset: d,
                    scene: scene_class(&dataset.name, &image.filename).map(|class| {
                        let next = scenes.len();
                        *scenes.entry(format!("{} {class}", dataset.name)).or_insert(next)
                    }),
                    row,
                    numbers: captions.iter().map(|(tokens, _)| number(tokens)).collect(),
                    captions,
                    references: image.captions.clone(),
                    back_translations: image.back_translations.clone(),
                    orientation: Orientation::of(image),
                    repeat,
                });
            }
        }
        Self {
            images,
            scenes: scenes.len(),
            caches,
            resident: None,
            drawn: BTreeMap::new(),
            augmentation: AugmentationKind::default(),
        }
    }

    /// The same, augmented so.
    #[must_use]
    pub fn augmented(self, augmentation: AugmentationKind) -> Self {
        Self { augmentation, ..self }
    }

    /// The same with epochs that show only so many images or pairs of some datasets, by their place among all.
    #[must_use]
    pub fn with_drawn(self, drawn: BTreeMap<usize, usize>) -> Self {
        Self { drawn, ..self }
    }

    /// What one epoch shows, each image or pair as often as its dataset is repeated, or drawn from its dataset.
    pub fn epoch(&self, unit: Unit, random: &mut Random) -> Vec<Entry> {
        let entries = self.entries(unit);
        let is_drawn = |entry: &Entry| self.drawn.contains_key(&self.images[entry.image].dataset);
        let (drawn, mut shown): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(is_drawn);
        for (dataset, &count) in &self.drawn {
            let own = drawn.iter().filter(|entry| self.images[entry.image].dataset == *dataset);
            let mut own: Vec<Entry> = own.copied().collect();
            random.shuffle(&mut own);
            shown.extend(own.into_iter().take(count));
        }
        shown
    }

    /// All images or pairs, each as often as its dataset is repeated.
    fn entries(&self, unit: Unit) -> Vec<Entry> {
        let shown = |(image, sample): (usize, &Sample)| {
            let entries: Vec<Entry> = match unit {
                Unit::Images => vec![Entry { image, caption: None }],
                Unit::Pairs => {
                    let counted = sample.captions.iter().enumerate();
                    let pairs = counted.flat_map(|(n, (_, count))| std::iter::repeat_n(n, *count as usize));
                    pairs.map(|n| Entry { image, caption: Some(n) }).collect()
                }
            };
            entries.repeat(sample.repeat)
        };
        self.images.iter().enumerate().flat_map(shown).collect()
    }

    /// The same images as another backbone sees them.
    #[must_use]
    pub fn seen_through(&self, caches: Caches) -> Self {
        Self {
            images: self.images.clone(),
            scenes: self.scenes,
            caches,
            resident: None,
            drawn: self.drawn.clone(),
            augmentation: self.augmentation,
        }
    }

    /// Whether these caches are the ones that it reads.
    pub fn has(&self, caches: &Caches) -> bool {
        let same = |own: &Cached, other: &Cached| {
            let rows = |cached: &Cached| cached.features.len() + usize::from(cached.pixels.is_some());
            let mut pairs = own.features.iter().chain(&own.pixels).zip(other.features.iter().chain(&other.pixels));
            rows(own) == rows(other) && pairs.all(|(own, other)| own.is(other))
        };
        self.caches.cached.len() == caches.cached.len()
            && self.caches.cached.iter().zip(&caches.cached).all(|(own, other)| same(own, other))
    }

    /// The same with the rows on `device`, if that is a GPU and they fit: nothing is copied there for each batch then.
    pub fn onto(mut self, device: Device) -> Result<Self> {
        let rows = || self.caches.cached.iter().flat_map(|cached| cached.features.iter().chain(&cached.pixels));
        if !device.is_cuda() || rows().map(Rows::bytes).sum::<usize>() > RESIDENT {
            return Ok(self);
        }
        let (n, c, size) = (self.caches.shape.cells as i64, self.caches.shape.channels as i64, self.caches.size as i64);
        let begins = |counts: &mut dyn Iterator<Item = usize>| {
            let mut end = 0;
            counts
                .map(|count| {
                    end += count as i64;
                    end - count as i64
                })
                .collect::<Vec<_>>()
        };
        let views: Vec<&Rows> = self.caches.cached.iter().flat_map(|cached| &cached.features).collect();
        let mut starts = begins(&mut views.iter().map(|rows| rows.count())).into_iter();
        let starts =
            self.caches.cached.iter().map(|cached| starts.by_ref().take(cached.features.len()).collect()).collect();
        let features = upload(&views, (Kind::Half, &[n, c]), device)?.map(|tensor| (Mutex::new(tensor), starts));
        let pixels: Vec<&Rows> = self.caches.cached.iter().filter_map(|cached| cached.pixels.as_ref()).collect();
        let starts = begins(&mut pixels.iter().map(|rows| rows.count()));
        let pixels =
            upload(&pixels, (Kind::Uint8, &[3, size, size]), device)?.map(|tensor| (Mutex::new(tensor), starts));
        self.resident = Some(Resident { features, pixels });
        Ok(self)
    }

    /// Whether an image shown so goes through the frozen layers anew; in a batch it stands behind those whose features are known.
    pub fn is_fresh(&self, image: usize, shown: Shown) -> bool {
        self.view(image, shown, &mut Random::new(0)).is_none()
    }

    /// Which cached view an image is shown in; none where it is augmented anew.
    fn view(&self, image: usize, shown: Shown, random: &mut Random) -> Option<usize> {
        let cached = &self.caches.cached[self.images[image].dataset];
        match (shown, cached.features.len()) {
            (_, 0) => None,
            (Shown::Itself, _) => Some(0),
            (Shown::Augmented, 1) if cached.pixels.is_some() => None,
            (Shown::Augmented, 1) => Some(0),
            (Shown::Augmented, views) => Some(1 + random.below(views - 1)),
        }
    }

    /// Draws for images how each is shown that is to be shown so: from cached features any of the augmented views, from pixels anew.
    pub fn draw(&self, images: &[(usize, Shown)], random: &mut Random) -> Vec<Drawn> {
        let draw = |&(image, shown): &(usize, Shown)| {
            let source = match self.view(image, shown, random) {
                Some(view) => Source::Known(view),
                None => {
                    let mut augmentation = Augmentation::default();
                    match shown {
                        Shown::Itself => augmentation.keep(),
                        Shown::Augmented => {
                            augmentation.draw(self.augmentation, self.images[image].orientation, random)
                        }
                    }
                    Source::Fresh(augmentation)
                }
            };
            Drawn { image, source }
        };
        images.iter().map(draw).collect()
    }

    /// The images of a batch as drawn. Those that are [fresh](Samples::is_fresh) come last.
    pub fn read(&self, images: &[Drawn], device: Device) -> Result<Images> {
        let (mut known, mut fresh, mut augmentation) = (Vec::new(), Vec::new(), Augmentation::default());
        for Drawn { image, source } in images {
            let sample = &self.images[*image];
            match source {
                Source::Known(view) => {
                    ensure!(fresh.is_empty(), Error::Broken("a batch shows known features after pixels"));
                    known.push((sample, *view));
                }
                Source::Fresh(drawn) => {
                    fresh.push(sample);
                    augmentation.extend(drawn);
                }
            }
        }
        let features = if known.is_empty() { None } else { Some(self.features(&known, device)?) };
        let pixels = if fresh.is_empty() { None } else { Some((self.pixels(&fresh, device)?, augmentation)) };
        Ok(Images { features, pixels })
    }

    /// `[b, N, C]` in FP32.
    fn features(&self, rows: &[(&Sample, usize)], device: Device) -> Result<Tensor> {
        if let Some((all, starts)) = self.resident.as_ref().and_then(|resident| resident.features.as_ref()) {
            let places = rows.iter().map(|(sample, view)| starts[sample.dataset][*view] + sample.row as i64);
            return Ok(gather(all, places).to_kind(Kind::Float));
        }
        let mut bytes = Vec::new();
        for (sample, view) in rows {
            self.caches.cached[sample.dataset].features[*view].read(sample.row, &mut bytes)?;
        }
        Ok(to_tensor(&bytes, self.caches.shape, device))
    }

    /// `[b, 3, s, s]`, U8.
    fn pixels(&self, rows: &[&Sample], device: Device) -> Result<Tensor> {
        if let Some((all, starts)) = self.resident.as_ref().and_then(|resident| resident.pixels.as_ref()) {
            return Ok(gather(all, rows.iter().map(|sample| starts[sample.dataset] + sample.row as i64)));
        }
        let mut bytes = Vec::new();
        for sample in rows {
            let cached = self.caches.cached[sample.dataset].pixels.as_ref();
            cached.ok_or(Error::Broken("a dataset without cached pixels"))?.read(sample.row, &mut bytes)?;
        }
        let size = self.caches.size as i64;
        Ok(Tensor::from_slice(&bytes).view([-1, 3, size, size]).to_device(device))
    }

    /// What is cached of a dataset's images in a view.
    pub fn view_rows(&self, dataset: usize, view: usize) -> Option<&Rows> {
        self.caches.cached.get(dataset)?.features.get(view)
    }

    /// How a stage that augments shows an image this time: all cached views are equally likely, a fresh one as likely as the
    /// image itself.
    pub fn shown(&self, image: usize, random: &mut Random) -> Shown {
        let views = self.caches.cached[self.images[image].dataset].features.len().max(2);
        if random.below(views) == 0 { Shown::Itself } else { Shown::Augmented }
    }
}
