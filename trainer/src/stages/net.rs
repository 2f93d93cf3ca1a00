//! The captioning network, which RSIC and SCST train, and the cross-entropy of its captions (paper 3.4.2).

use crate::data::batches::Captions;
use crate::error::Result;
use crate::net::{Encoder, Mode, Parts, RsicDecoder};
use tch::{Kind, Reduction, Tensor};

/// Captioning network: images → log p of captions.
#[derive(Debug)]
pub struct Net<'a> {
    /// Images → memory.
    pub encoder: Encoder<'a>,
    /// Memory and words → the next word.
    pub decoder: RsicDecoder,
}

impl<'a> Net<'a> {
    /// The network of the store.
    pub fn new(parts: Parts<'a>) -> Result<Self> {
        Ok(Self { encoder: Encoder::new(parts)?, decoder: RsicDecoder::new(parts.store, parts.model)? })
    }

    /// The cross-entropy of the captions.
    pub fn cross_entropy(&self, memory: &Tensor, captions: &Captions, smoothing: f64, mode: Mode) -> Tensor {
        cross_entropy(&self.logits(memory, captions, mode), captions, smoothing)
    }

    /// The logits `[m, t, words]` of the word after each word of `[m, t]` captions, in FP32.
    pub fn logits(&self, memory: &Tensor, captions: &Captions, mode: Mode) -> Tensor {
        let keys = if memory.device().is_cuda() {
            // One selection there and back instead of one a layer; the products are cheaper than the launches.
            self.decoder.memory_keys(&memory.index_select(0, &captions.image))
        } else {
            self.decoder.memory_keys(memory).iter().map(|keys| keys.select(&captions.image)).collect()
        };
        self.decoder.forward(&captions.inputs, &keys, mode).to_kind(Kind::Float)
    }
}

/// This rank's part of the mean over the words of −log p, each weighted as the captions say; with label smoothing of the mix with all
/// words' mean. `logits` are `[m, t, words]`.
pub(super) fn cross_entropy(logits: &Tensor, captions: &Captions, smoothing: f64) -> Tensor {
    let flat = logits.view([-1, logits.size()[2]]);
    let targets = captions.targets.view(-1);
    let losses = flat.cross_entropy_loss(&targets, None::<&Tensor>, Reduction::None, -100, smoothing);
    (losses * captions.weights.view(-1)).sum(Kind::Float) / &captions.counted
}
