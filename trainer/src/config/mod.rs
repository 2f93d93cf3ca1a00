//! A training recipe as TOML. What a file leaves out is the paper's where the paper says it: ResNet-101, d = 512, 4 + 4 layers (3.1,
//! 3.3), exponential decay with s0 = 1 (table 5), γi = 0.4 and γs = 0.1 (3.4.1), 10 + 30 epochs of Noam with a warm-up of
//! 20,000 steps, beam 3 (4.3). The paper does not say, and our choice is: heads, widths of the feed-forward networks, of DGP and of the
//! shared space, dropout, images of 224 pixels, batches of 16 and 8 pairs (with which the 40 epochs are longer than that warm-up), τ
//! (0.07 and learned, as in CLIP), λ, that equal sentences are spared, cached views, the longest caption, the rarest word,
//! clipping, and the exponent of the length.

mod recipe;
mod stages;

pub use stages::{Mccl, Rsic, Schedule, Scst};

use crate::net::Precision;
use crate::net::augment::AugmentationKind;
use cssa::backbone::Backbone;
use cssa::dataset::DevRule;
use cssa::model::{Decay, Dgp, Model, Search};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that fixes a run, besides the data and the backbone's weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Seed of all that is random.
    pub seed: u64,
    /// The network.
    pub network: Network,
    /// What the images and captions become.
    pub data: Data,
    /// First stage: contrastive learning.
    pub mccl: Mccl,
    /// Second stage: captioning.
    pub rsic: Rsic,
    /// Third stage, after the paper's: self-critical training.
    pub scst: Scst,
    /// How captions are searched, in evaluation and wherever nobody chooses otherwise.
    pub search: Search,
}

/// The model's hyper-parameters that do not follow from the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Grid features.
    pub backbone: Backbone,
    /// Side of the input, in pixels.
    pub image_size: usize,
    /// d.
    pub width: usize,
    /// h.
    pub heads: usize,
    /// Hidden width of the feed-forward networks.
    pub feed_forward: usize,
    /// Layers of the DG-former.
    pub encoder_layers: usize,
    /// Layers of each text decoder.
    pub decoder_layers: usize,
    /// Width between the two maps of DGP.
    pub dgp_hidden: usize,
    /// d(l).
    pub decay: Decay,
    /// s0.
    pub initial_s: f32,
    /// Width of the space shared by images and sentences.
    pub contrast_width: usize,
    /// Share of activations dropped in training.
    pub dropout: f64,
    /// The backbone is trained from this layer on (`layer4`, `_blocks.9`); where it is empty, all of it is frozen.
    pub train_backbone_from: String,
    /// Learning rate of the backbone's layers, as a factor of the stage's.
    pub backbone_rate: f64,
    /// Arithmetic of the large products.
    pub precision: Precision,
}

/// Captions and images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Data {
    /// Rarer words become `<unknown>`.
    pub minimum_count: usize,
    /// Longest caption in tokens, the start token included; longer ones are cut.
    pub max_tokens: usize,
    /// Views of each train image whose features are cached: the image itself and augmented ones. 0: pixels are cached
    /// instead, and augmented anew each time.
    pub views: usize,
    /// Seed of the cached views; the run's where it is not named. Runs of several seeds share their views where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_seed: Option<u64>,
    /// What augments images: `image`, the paper's T_img, or `camera`, what drones and satellites do to pictures besides.
    #[serde(skip_serializing_if = "AugmentationKind::is_paper")]
    pub augmentation: AugmentationKind,
    /// Which train images are dev, on which checkpoints are chosen: `blocks` or `hash`. A dataset that names its dev keeps it.
    /// `none` trains on all of them to the last epoch: a refit for scores that are reported.
    pub dev: DevRule,
    /// Whether a caption begins with a token that names its dataset, so that datasets trained on together do not speak in each
    /// other's manner. The model chooses it for an image as it chooses words; captions do not show it.
    pub styles: bool,
    /// Length classes, 2 to 8: a caption begins with the token of its class, which tells the decoder how long it is to be. Their
    /// bounds are quantiles of the train captions' lengths. Captions are searched in the class that `search.length` names, or that
    /// is best on dev. 0: none.
    #[serde(skip_serializing_if = "is_zero")]
    pub lengths: usize,
    /// How often an epoch shows a dataset's images, by its name; 1 where not named.
    pub repeat: BTreeMap<String, usize>,
    /// Datasets that a run started from has learned already, by name: some of their images are shown again, so that they are not
    /// forgotten. They take no part in choosing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub replay: BTreeMap<String, Replay>,
    /// Datasets that are learned from and take no part in choosing, by name: rendered scenes, over which nobody flies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub auxiliary: Vec<String>,
    /// Whether a run started from learns the words of these datasets that it lacks and counts their captions on; else its words
    /// stay as they are, and the captions of these datasets alone are counted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub extend: bool,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// How a dataset is shown again. Its images are shown as they are: one view is cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// How many of its train images are used, spread evenly over its description.
    pub images: usize,
    /// How many of these an epoch shows, drawn anew each time.
    pub per_epoch: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 1,
            network: Network::default(),
            data: Data::default(),
            mccl: Mccl::default(),
            rsic: Rsic::default(),
            scst: Scst::default(),
            search: Search::default(),
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self {
            backbone: Backbone::ResNet(cssa::backbone::Depth::D101, cssa::backbone::Stride::Middle),
            image_size: 224,
            width: 512,
            heads: 8,
            feed_forward: 2048,
            encoder_layers: 4,
            decoder_layers: 4,
            dgp_hidden: 64,
            decay: Decay::Exponential,
            initial_s: 1.0,
            contrast_width: 256,
            dropout: 0.1,
            train_backbone_from: String::new(),
            backbone_rate: 0.1,
            precision: Precision::Float,
        }
    }
}

impl Network {
    /// The network of a model that is there; what a model does not say is the default's.
    pub fn of(model: &Model) -> Self {
        Self {
            backbone: model.backbone,
            image_size: model.image_size,
            width: model.width,
            heads: model.heads,
            feed_forward: model.feed_forward,
            encoder_layers: model.encoder_layers,
            decoder_layers: model.decoder_layers,
            dgp_hidden: model.dgp.hidden,
            decay: model.dgp.decay,
            initial_s: model.dgp.initial_s,
            contrast_width: model.contrast_width,
            ..Self::default()
        }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self {
            minimum_count: 5,
            max_tokens: 32,
            views: 3,
            view_seed: None,
            augmentation: AugmentationKind::Image,
            dev: DevRule::Blocks,
            styles: false,
            lengths: 0,
            repeat: BTreeMap::new(),
            replay: BTreeMap::new(),
            auxiliary: Vec::new(),
            extend: false,
        }
    }
}

impl Config {
    /// The same but for the lengths of the stages, which a run may be given more of, and for where its teachers lie.
    #[must_use]
    pub fn without_epochs(&self) -> Self {
        let mut same = self.clone();
        (same.mccl.epochs, same.rsic.epochs, same.scst.epochs) = (0, 0, 0);
        same.without_teachers()
    }

    /// The same but for where its teachers lie: their weights count (`inputs.toml`).
    #[must_use]
    pub fn without_teachers(mut self) -> Self {
        self.rsic.teachers.clear();
        self
    }

    /// The model for a vocabulary of `vocabulary` words.
    pub fn model(&self, vocabulary: usize) -> Model {
        let network = &self.network;
        Model {
            backbone: network.backbone,
            image_size: network.image_size,
            width: network.width,
            heads: network.heads,
            feed_forward: network.feed_forward,
            encoder_layers: network.encoder_layers,
            decoder_layers: network.decoder_layers,
            dgp: Dgp { hidden: network.dgp_hidden, decay: network.decay, initial_s: network.initial_s },
            contrast_width: network.contrast_width,
            vocabulary,
            max_tokens: self.data.max_tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::samples::Unit;
    use anyhow::Result;

    /// Every number stands in the paper at the place named.
    #[test]
    fn an_empty_recipe_is_the_papers() -> Result<()> {
        let Config { network, mccl, rsic, scst, search, .. } = toml::from_str("")?;
        // 3.1, 3.3
        assert_eq!(network.backbone.to_string(), "resnet101");
        assert_eq!((network.width, network.encoder_layers, network.decoder_layers), (512, 4, 4));
        assert!(network.train_backbone_from.is_empty());
        // Table 5
        assert_eq!((network.decay, network.initial_s), (Decay::Exponential, 1.0));
        // 3.4.1
        assert_eq!((mccl.gamma_image, mccl.gamma_sentence), (0.4, 0.1));
        assert!(!rsic.augment);
        // 4.3
        assert_eq!((mccl.epochs, rsic.epochs, scst.epochs), (10, 30, 0));
        let noam = Schedule::Noam { factor: 1.0, warmup: 20_000 };
        assert_eq!((mccl.schedule, rsic.schedule, rsic.continues_schedule), (noam, noam, true));
        assert_eq!((search.beam, search.consensus), (3, None));
        Ok(())
    }

    /// Over the paper's epochs on UCM-Captions' 1,512 train images the schedule passes its peak.
    #[test]
    fn the_papers_warm_up_ends_before_its_training() {
        let Config { mccl, rsic, .. } = Config::default();
        assert_eq!((mccl.unit, rsic.unit), (Unit::Pairs, Unit::Pairs));
        let steps = 1512 * 5 * mccl.epochs / mccl.batch + 1512 * 5 * rsic.epochs / rsic.batch;
        assert!(steps > 20_000, "{steps}");
    }

    #[test]
    fn fields_are_changed_by_their_path() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("recipe.toml");
        std::fs::write(&path, "[rsic]\nepochs = 3\n")?;
        let changes = ["rsic.epochs=20", "network.backbone=efficientnet-lite2", "data.repeat={ UCM = 2 }"];
        let config = Config::read_with(&path, &changes.map(String::from))?;
        assert_eq!((config.rsic.epochs, config.data.repeat["UCM"]), (20, 2));
        assert_eq!(config.network.backbone.to_string(), "efficientnet-lite2");
        let wrong = Config::read_with(&path, &["rsic.epoch=20".into()])
            .map_err(|error| format!("{:#}", anyhow::Error::from(error)));
        assert!(
            wrong.as_ref().is_err_and(|error| error.contains("--set rsic.epoch=20") && error.contains("epoch")),
            "{wrong:?}"
        );
        assert!(Config::read_with(&path, &["epochs".into()]).is_err());
        Ok(())
    }

    #[test]
    fn unknown_and_impossible_fields_are_named() {
        let unknown = toml::from_str::<Config>("[mccl]\nepoch = 3").map_err(|error| error.to_string());
        assert!(unknown.is_err_and(|error| error.contains("epoch")));
        let config = Config { data: Data { views: 65, ..Data::default() }, ..Config::default() };
        assert!(config.validate().is_err_and(|error| error.to_string().contains("data.views is 65")));
    }
}
