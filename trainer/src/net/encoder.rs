//! From images to memory: the backbone's layers, as far as they are not cached, then the DG-former.

use super::{BackboneNet, DgFormer, Mode, Parts};
use crate::error::Result;
use crate::net::augment::{self, Augmentation};
use tch::{Kind, Tensor};

/// The images of a batch, as the cache has them: first those whose features are known, then those that are pixels.
#[derive(Debug, Default)]
pub struct Images {
    /// Output of the backbone's frozen layers, `[b, N, C]`.
    pub features: Option<Tensor>,
    /// Pixels `[b, 3, s, s]` of type U8, and how they are to be changed.
    pub pixels: Option<(Tensor, Augmentation)>,
}

impl Images {
    /// Images whose frozen layers' output is known, `[b, N, C]`.
    pub fn of_features(features: Tensor) -> Self {
        Self { features: Some(features), pixels: None }
    }
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
    pub fn new(Parts { model, store, backbone }: Parts<'a>) -> Result<Self> {
        let normalization = model.backbone.normalization();
        Ok(Self { backbone, former: DgFormer::new(store, model)?, normalization })
    }

    /// The memory that the decoders attend to.
    pub fn forward(&self, images: &Images, mode: Mode) -> Result<Tensor> {
        Ok(self.former.forward(&self.features(images)?, mode))
    }

    /// Grid features `[b, N, C]`.
    fn features(&self, images: &Images) -> Result<Tensor> {
        let frozen = images.pixels.as_ref().map(|(pixels, augmentation)| {
            tch::no_grad(|| -> Result<Tensor> {
                let changed = augmentation.apply(&pixels.to_kind(Kind::Float))?;
                Ok(self.backbone.frozen(&augment::normalize(&changed, self.normalization)))
            })
        });
        let frozen = frozen.transpose()?;
        let known = images.features.as_ref().map(Tensor::shallow_clone);
        let parts: Vec<Tensor> = known.into_iter().chain(frozen).collect();
        Ok(match parts.as_slice() {
            [one] => self.backbone.trained(one),
            several => self.backbone.trained(&Tensor::cat(several, 0)),
        })
    }
}
