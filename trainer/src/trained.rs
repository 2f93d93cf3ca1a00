//! What a finished run is good for: captions of a split with their scores, and golden vectors.

use crate::data::captions::with_ends;
use crate::data::datasets::read_datasets;
use crate::data::features::Source;
use crate::error::{Error, Result, ensure};
use crate::evaluate::{self, Captioner};
use crate::held_out::{HeldOut, HeldOutImages};
use crate::net::augment::AugmentationKind;
use crate::net::{BackboneNet, DgFormer, Mode, Parts, RsicDecoder, Store, to_array};
use crate::progress::Progress;
use cssa::checkpoint::{Checkpoint, DESCRIPTION, Description, Golden};
use cssa::dataset::{Captioned, Dataset, Split};
use cssa::model::{Model, Search};
use cssa::search::{DocumentFrequencies, Hypothesis, Strategy};
use cssa::vocabulary::Vocabulary;
use cssa::{files, parameters, preprocess};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tch::{Device, Tensor};

/// A run's model in libtorch.
#[derive(Debug)]
pub struct Trained {
    description: Description,
    store: Store,
    backbone: BackboneNet,
    vocabulary: Vocabulary,
    document_frequencies: Option<Arc<DocumentFrequencies>>,
}

/// What `trainer evaluate` found for one dataset.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// The dataset's name.
    pub dataset: String,
    /// Images in the split.
    pub images: usize,
    /// BLEU-1..4, ROUGE-L, CIDEr.
    pub scores: BTreeMap<String, f64>,
    /// Caption by file name.
    pub hypotheses: BTreeMap<String, String>,
    /// CIDEr-D by file name, with the split's document frequencies.
    #[serde(skip)]
    pub cider_by_image: BTreeMap<String, f64>,
}

/// The images of a dataset's split, each with what the model says of it.
#[derive(Debug)]
pub(crate) struct CaptionedSplit<'a> {
    /// The dataset's name.
    pub(crate) dataset: String,
    pub(crate) images: Vec<&'a Captioned>,
    /// A caption an image, and what the search found.
    pub(crate) captions: Vec<(String, Hypothesis)>,
}

impl Trained {
    /// Reads a run.
    pub fn read(run: &Path, device: Device) -> Result<Self> {
        let Checkpoint { description, tensors, vocabulary, document_frequencies, .. } = Checkpoint::read(run)?;
        let store = Store::new(&description.model, 0, device);
        store.restore(&tensors)?;
        let raw = tensors.into_iter().filter(|(name, _)| name.starts_with(parameters::BACKBONE)).collect();
        let backbone = BackboneNet::new(&description.model, raw, device)?;
        Ok(Self { description, store, backbone, vocabulary, document_frequencies })
    }

    /// How the run's captions are searched, where nobody chooses otherwise.
    pub fn search(&self) -> Search {
        self.description.search
    }

    /// Captions and scores of a split of each dataset.
    pub fn evaluate(
        &self,
        folders: &[PathBuf],
        split: Split,
        search: Search,
        cache: &Path,
        progress: &Progress,
    ) -> Result<Vec<Evaluation>> {
        let datasets = read_datasets(folders, self.description.dev)?;
        let mut all = Vec::new();
        for CaptionedSplit { dataset, images, captions } in self.captioned(&datasets, split, search, cache, progress)? {
            let captions: Vec<String> = captions.into_iter().map(|(caption, _)| caption).collect();
            let scores = crate::score::named(&evaluate::score(&images, &captions)?);
            let filenames = || images.iter().map(|image| image.filename.clone());
            let cider_by_image = filenames().zip(evaluate::cider_by_image(&images, &captions)?).collect();
            let hypotheses = filenames().zip(captions).collect();
            all.push(Evaluation { dataset, images: images.len(), scores, hypotheses, cider_by_image });
        }
        Ok(all)
    }

    /// The images of a split with their captions, dataset by dataset.
    pub(crate) fn captioned<'a>(
        &self,
        datasets: &'a [Dataset],
        split: Split,
        search: Search,
        cache: &Path,
        progress: &Progress,
    ) -> Result<Vec<CaptionedSplit<'a>>> {
        let captioner = self.captioner(search)?;
        let mut all = Vec::new();
        for HeldOutImages { name, images, features, .. } in
            HeldOut::collect(&self.source(cache), datasets, split, progress)?.0
        {
            let captions = captioner.scored(&features, 0..images.len(), &name, progress)?;
            all.push(CaptionedSplit { dataset: name, images, captions });
        }
        Ok(all)
    }

    /// What gives the features of images as they are.
    fn source<'a>(&'a self, cache: &'a Path) -> Source<'a> {
        Source {
            model: &self.description.model,
            backbone: &self.backbone,
            device: self.store.device(),
            folder: cache,
            seed: 0,
            augmentation: AugmentationKind::Image,
        }
    }

    /// The length classes that its captions can be asked for; none alone where it has no classes.
    pub fn lengths(&self) -> Vec<Option<u8>> {
        lengths(&self.vocabulary)
    }

    /// Makes a way to search the run's own.
    pub fn choose(&mut self, run: &Path, search: Search) -> Result<()> {
        self.description.search = search;
        let path = run.join(DESCRIPTION);
        Ok(files::write(&path, toml::to_string_pretty(&self.description)?.as_bytes())?)
    }

    /// Whether consensus decoding can be asked for.
    pub fn has_document_frequencies(&self) -> bool {
        self.document_frequencies.is_some()
    }

    /// The model's hyper-parameters.
    pub fn model(&self) -> &Model {
        &self.description.model
    }

    /// Its words.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Its weights.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Grid features of an image, `[1, N, C]`.
    pub fn features(&self, image: &image::RgbImage) -> Result<Tensor> {
        let (model, size) = (self.model(), self.model().image_size as i64);
        let pixels = preprocess::input(image, model);
        let input = Tensor::from_slice(&pixels).view([1, 3, size, size]).to_device(self.store.device());
        Ok(self.backbone.trained(&self.backbone.frozen(&input)))
    }

    /// The caption of an image.
    pub fn caption(&self, image: &image::RgbImage) -> Result<String> {
        Ok(self.captioner(self.search())?.caption(&self.features(image)?)?.0)
    }

    /// What captions grid features with a search.
    pub fn captioner(&self, search: Search) -> Result<Captioner<'_>> {
        let strategy = Strategy::new(self.model(), search, &self.vocabulary, self.document_frequencies.as_ref())?;
        let parts = Parts { model: self.model(), store: &self.store, backbone: &self.backbone };
        Captioner::new(parts, &self.vocabulary, strategy)
    }

    /// Inputs and outputs of images with captions, stage by stage.
    pub fn golden(&self, images: &[(PathBuf, String)]) -> Result<Golden> {
        golden(&self.store, self.model(), &self.vocabulary, &self.backbone, images)
    }
}

/// The length classes of a vocabulary, from 1; none alone where it has no classes.
pub(crate) fn lengths(vocabulary: &Vocabulary) -> Vec<Option<u8>> {
    match vocabulary.lengths() {
        0 => vec![None],
        classes => (1..=classes as u8).map(Some).collect(),
    }
}

fn golden(
    store: &Store,
    model: &Model,
    vocabulary: &Vocabulary,
    backbone: &BackboneNet,
    images: &[(PathBuf, String)],
) -> Result<Golden> {
    let mut pixels = Vec::new();
    let mut tokens: Vec<Vec<i64>> = Vec::new();
    for (path, caption) in images {
        pixels.extend(preprocess::input(&cssa_image::read(path)?, model));
        let words = vocabulary.encode(caption);
        let start = vocabulary.start(words.len());
        tokens.push(with_ends(start, words, model.max_tokens).iter().map(|token| i64::from(token.0)).collect());
    }
    let steps = tokens.iter().map(|tokens| tokens.len() - 1).min().unwrap_or_default();
    ensure!(steps > 0, Error::NoGolden);
    let tokens: Vec<i64> = tokens.iter().flat_map(|tokens| &tokens[..steps]).copied().collect();
    let (n, size, device) = (images.len() as i64, model.image_size as i64, store.device());
    tch::no_grad(|| {
        let image = Tensor::from_slice(&pixels).view([n, 3, size, size]).to_device(device);
        let features = backbone.trained(&backbone.frozen(&image));
        let memory = DgFormer::new(store, model)?.forward(&features, Mode::Evaluate);
        let decoder = RsicDecoder::new(store, model)?;
        let tokens = Tensor::from_slice(&tokens).view([n, steps as i64]).to_device(device);
        let logits = decoder.forward(&tokens, &decoder.memory_keys(&memory), Mode::Evaluate);
        Ok(Golden {
            image: to_array(&image)?,
            features: to_array(&features)?,
            memory: to_array(&memory)?,
            tokens: to_array(&tokens)?,
            logits: to_array(&logits)?,
        })
    })
}
