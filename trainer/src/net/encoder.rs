//! From images to memory: the backbone's layers, as far as they are not cached, then the DG-former.

use super::{BackboneNet, DgFormer, Mode, Store};
use crate::data::augment::{self, Augmentation};
use anyhow::Result;
use cssa::model::Model;
use tch::{Kind, Tensor};

/// The images of a batch, as the cache has them.
#[derive(Debug)]
pub enum Images {
    /// Output of the backbone's frozen layers, `[b, N, C]`.
    Features(Tensor),
    /// Pixels `[b, 3, s, s]` of type U8, and how they are to be changed.
    Pixels(Tensor, Augmentation),
}

/// Images → memory `[b, N, d]`.
#[derive(Debug)]
pub struct Encoder<'a> {
    backbone: &'a BackboneNet,
    former: DgFormer,
    normalization: cssa::backbone::Normalization,
}

impl<'a> Encoder<'a> {
    /// The encoder of the store behind a backbone.
    pub fn new(store: &Store, model: &Model, backbone: &'a BackboneNet) -> Result<Self> {
        let normalization = model.backbone.normalization();
        Ok(Self { backbone, former: DgFormer::new(store, model)?, normalization })
    }

    /// The memory that the decoders attend to.
    pub fn forward(&self, images: &Images, mode: Mode) -> Tensor {
        self.former.forward(&self.features(images), mode)
    }

    /// Grid features `[b, N, C]`.
    fn features(&self, images: &Images) -> Tensor {
        match images {
            Images::Features(features) => self.backbone.trained(features),
            Images::Pixels(pixels, augmentation) => {
                let frozen = tch::no_grad(|| {
                    let changed = augmentation.apply(&pixels.to_kind(Kind::Float));
                    self.backbone.frozen(&augment::normalize(&changed, self.normalization))
                });
                self.backbone.trained(&frozen)
            }
        }
    }
}
