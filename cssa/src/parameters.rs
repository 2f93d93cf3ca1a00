//! Names and shapes of every tensor of a model: the one description that trainer, checkpoint and exporter share.

use crate::model::{Decay, Model};
use alloc::{format, string::String, vec, vec::Vec};

/// A tensor of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name in `model.safetensors`.
    pub name: String,
    /// Its shape; linear weights are `[outputs, inputs]`, convolutions `[outputs, inputs / groups, k, k]`.
    pub shape: Vec<usize>,
    /// How it starts.
    pub start: Init,
}

/// The value a tensor has before training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Taken from the backbone's weights file.
    Backbone,
    /// Uniform in ±√(6 / (inputs + outputs)) (Glorot).
    Glorot,
    /// Normal with this deviation.
    Normal(f32),
    /// The same value everywhere.
    Constant(f32),
}

/// Where the bias of DGP's second map starts: above what its random weights take away, so that G = ReLU(…) is open for
/// every head and its gradient flows. The softmax does not see what Ω adds to all keys alike, so the size is free.
pub const OPEN_DGP: f32 = 2.0;
/// Prefix of the backbone's tensors in a checkpoint; the rest of the name is the weights file's own.
pub const BACKBONE: &str = "backbone.";
/// Prefix of the DG-former's tensors.
pub const ENCODER: &str = "encoder.";
/// Prefix of the tensors that only the MCCL stage uses.
pub const MCCL: &str = "mccl.";
/// Prefix of the RSIC decoder's tensors.
pub const DECODER: &str = "decoder.";

/// All tensors of `model`, backbone first.
#[must_use]
pub fn all(model: &Model) -> Vec<Parameter> {
    let mut list = backbone(model);
    list.extend(trained(model));
    list
}

/// The backbone's tensors, with [`BACKBONE`] before the names of the weights file.
#[must_use]
pub fn backbone(model: &Model) -> Vec<Parameter> {
    let mut list = Vec::new();
    let mut add = |name: String, shape| list.push(Parameter { name, shape, start: Init::Backbone });
    for layer in model.backbone.convolutions(model.image_size) {
        let shape = vec![layer.outputs, layer.inputs / layer.groups, layer.kernel, layer.kernel];
        add(format!("{BACKBONE}{}.weight", layer.name), shape);
        for part in ["weight", "bias", "running_mean", "running_var"] {
            add(format!("{BACKBONE}{}.{part}", layer.norm), vec![layer.outputs]);
        }
    }
    list
}

/// The tensors outside the backbone.
#[must_use]
pub fn trained(model: &Model) -> Vec<Parameter> {
    let mut list = List(Vec::new());
    encoder(&mut list, model);
    text_decoder(&mut list, model, MCCL);
    list.weight("mccl.image_projection", model.width, model.contrast_width);
    list.weight("mccl.text_projection", model.width, model.contrast_width);
    list.add("mccl.log_temperature", vec![1], Init::Constant(0.0));
    text_decoder(&mut list, model, DECODER);
    list.linear("decoder.output", model.width, model.vocabulary);
    list.0
}

/// The tensors of the RSIC decoder that the MCCL decoder has too, as `(mccl name, rsic name)`: the second stage starts
/// from the first (paper 3.3).
#[must_use]
pub fn shared_by_decoders(model: &Model) -> Vec<(String, String)> {
    let names: Vec<String> = trained(model).into_iter().map(|parameter| parameter.name).collect();
    let twin = |name: &String| {
        let twin = format!("{DECODER}{}", name.strip_prefix(MCCL)?);
        names.contains(&twin).then(|| (name.clone(), twin))
    };
    names.iter().filter_map(twin).collect()
}

struct List(Vec<Parameter>);

impl List {
    fn add(&mut self, name: &str, shape: Vec<usize>, start: Init) {
        self.0.push(Parameter { name: name.into(), shape, start });
    }

    fn weight(&mut self, name: &str, inputs: usize, outputs: usize) {
        self.add(&format!("{name}.weight"), vec![outputs, inputs], Init::Glorot);
    }

    fn linear(&mut self, name: &str, inputs: usize, outputs: usize) {
        self.weight(name, inputs, outputs);
        self.add(&format!("{name}.bias"), vec![outputs], Init::Constant(0.0));
    }

    fn norm(&mut self, name: &str, width: usize) {
        self.add(&format!("{name}.weight"), vec![width], Init::Constant(1.0));
        self.add(&format!("{name}.bias"), vec![width], Init::Constant(0.0));
    }

    fn attention(&mut self, name: &str, width: usize) {
        for part in ["query", "key", "value", "output"] {
            self.linear(&format!("{name}.{part}"), width, width);
        }
    }

    fn feed_forward(&mut self, name: &str, width: usize, hidden: usize) {
        self.linear(&format!("{name}.up"), width, hidden);
        self.linear(&format!("{name}.down"), hidden, width);
    }
}

fn encoder(list: &mut List, model: &Model) {
    list.linear("encoder.input", model.backbone.channels(), model.width);
    if model.dgp.decay != Decay::None {
        list.linear("encoder.dgp.high", 2, model.dgp.hidden);
        list.weight("encoder.dgp.low", model.dgp.hidden, model.heads);
        list.add("encoder.dgp.low.bias", vec![model.heads], Init::Constant(OPEN_DGP));
    }
    if model.dgp.decay == Decay::Exponential {
        list.add("encoder.dgp.s", vec![1], Init::Constant(model.dgp.initial_s));
    }
    for layer in 0..model.encoder_layers {
        let here = format!("encoder.layers.{layer}");
        list.attention(&format!("{here}.attention"), model.width);
        list.norm(&format!("{here}.attention_norm"), model.width);
        list.feed_forward(&format!("{here}.feed_forward"), model.width, model.feed_forward);
        list.norm(&format!("{here}.feed_forward_norm"), model.width);
    }
}

fn text_decoder(list: &mut List, model: &Model, prefix: &str) {
    let deviation = libm::sqrtf(1.0 / model.width as f32);
    let embedding = format!("{prefix}embedding.weight");
    list.add(&embedding, vec![model.vocabulary, model.width], Init::Normal(deviation));
    for layer in 0..model.decoder_layers {
        let here = format!("{prefix}layers.{layer}");
        list.attention(&format!("{here}.self_attention"), model.width);
        list.norm(&format!("{here}.self_norm"), model.width);
        if prefix == DECODER {
            list.attention(&format!("{here}.cross_attention"), model.width);
            list.norm(&format!("{here}.cross_norm"), model.width);
        }
        list.feed_forward(&format!("{here}.feed_forward"), model.width, model.feed_forward);
        list.norm(&format!("{here}.feed_forward_norm"), model.width);
    }
}
