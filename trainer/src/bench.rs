//! `trainer bench`: images a second in both stages, beside a plain PyTorch implementation of the same network
//! (`tests/peers/train_step.py`), in one run on made-up features and captions.

use crate::config::Config;
use crate::data::batches::{Batcher, Twins};
use crate::data::rows::{Rows, Writer};
use crate::data::samples::{Cached, Caches, Entry, Samples, Views};
use crate::data::text::Synonyms;
use crate::error::{Error, Result, ensure};
use crate::evaluate::Captioner;
use crate::net::{BackboneNet, FeatureShape, Mode, Parts, Store};
use crate::ranks::Ranks;
use crate::stages::epochs::AHEAD;
use crate::stages::optimizer::Optimizer;
use crate::stages::rewards::Rewards;
use crate::stages::schedule::Settings;
use crate::stages::{mccl, net, scst};
use cssa::dataset::{Captioned, Dataset, Split};
use cssa::model::Search;
use cssa::parameters;
use cssa::random::Random;
use cssa::search::Strategy;
use cssa::vocabulary::Vocabulary;
use half::f16;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use tch::{Device, Kind, Tensor};

/// Steps before the clock starts.
const WARM: usize = 3;
/// Words of the made-up language and of a caption.
const WORDS: usize = 900;
const CAPTION: usize = 11;
const CAPTIONS: usize = 5;
/// Sums of which the median counts.
const SUMS: usize = 7;

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// CPU or CUDA.
    pub device: String,
    /// Threads of libtorch on the CPU.
    pub threads: i32,
    /// Processes that train together; images a second are those of all.
    pub ranks: usize,
    /// Steps timed in each round; rounds alternate between the two programs.
    pub steps: usize,
    /// `mccl`, `rsic`, `scst` and `evaluate` (beam search).
    pub stages: BTreeMap<&'static str, Throughput>,
    /// What the sum of a stage's gradients costs in each step, where several processes train, or NCCL sums those of one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sum: BTreeMap<&'static str, Sum>,
    /// Largest resident memory of this process, in MiB.
    pub peak_rss_mib: f64,
}

/// Images a second, the best round of each.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Throughput {
    /// This trainer.
    pub images_per_second: f64,
    /// Plain PyTorch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_images_per_second: Option<f64>,
    /// This trainer over plain PyTorch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
}

/// A sum over all ranks.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Sum {
    /// Bytes that each rank has.
    pub bytes: usize,
    /// Seconds, the median of several sums; that of the device or to and from it, too.
    pub seconds: f64,
}

/// What the peer prints.
#[derive(Deserialize)]
struct Peer {
    mccl: f64,
    rsic: f64,
    scst: f64,
    evaluate: f64,
}

/// How long is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Steps of a stage in a round.
    pub steps: usize,
    /// Rounds, in each of which both programs run.
    pub rounds: usize,
}

/// The same network in another program.
#[derive(Clone, Copy, Debug)]
pub struct PeerProgram<'a> {
    /// A Python interpreter with torch.
    pub python: &'a Path,
    /// `train_step.py`.
    pub script: &'a Path,
}

/// Measures all stages, beside `peer` where there is one.
pub fn run(
    config: &Config,
    effort: Effort,
    peer: Option<PeerProgram<'_>>,
    device: Device,
    ranks: &Ranks,
) -> Result<Report> {
    let Effort { steps, rounds } = effort;
    let (fields, problem) = ("--peer", "is measured beside one process, not several");
    ensure!(peer.is_none() || ranks.size() == 1, Error::Contradiction { fields, problem });
    let mut stages: BTreeMap<&'static str, Throughput> = BTreeMap::new();
    let mut sum = BTreeMap::new();
    for _ in 0..rounds {
        for (name, rate, values) in own(config, steps, device, ranks)? {
            let stage = stages.entry(name).or_default();
            stage.images_per_second = stage.images_per_second.max(rate);
            if let Some(values) = values.filter(|_| ranks.size() > 1 || ranks.sums_on_gpus()) {
                sum.insert(name, timed_sum(values, device, ranks)?);
            }
        }
        if let Some(peer) = peer {
            let Peer { mccl, rsic, scst, evaluate } = ask(config, steps, peer, device)?;
            for (name, rate) in [("mccl", mccl), ("rsic", rsic), ("scst", scst), ("evaluate", evaluate)] {
                let stage = stages.entry(name).or_default();
                stage.peer_images_per_second = Some(stage.peer_images_per_second.unwrap_or(0.0).max(rate));
            }
        }
    }
    for stage in stages.values_mut() {
        stage.ratio = stage.peer_images_per_second.map(|peer| stage.images_per_second / peer);
    }
    let (device, threads) = (format!("{device:?}"), tch::get_num_threads());
    Ok(Report {
        device,
        threads,
        ranks: ranks.size(),
        steps,
        stages,
        sum,
        peak_rss_mib: cssa::process::memory().map_or(f64::NAN, |memory| memory.peak_mib),
    })
}

/// Images a second of this trainer, batches from cached rows, loss, gradients, optimizer, and how many values each stage trains.
fn own(config: &Config, steps: usize, device: Device, ranks: &Ranks) -> Result<[(&'static str, f64, Option<i64>); 4]> {
    let mut random = Random::new(7);
    let words: Vec<String> = (0..WORDS).map(|n| format!("w{n}")).collect();
    let vocabulary = Vocabulary::build(words.iter().map(String::as_str), 1);
    let model = config.model(vocabulary.size());
    let count = config.mccl.batch.max(config.rsic.batch).max(config.scst.batch) * 4 * ranks.size();
    let dataset = made_up(count, &words, &mut random);
    let folder = tempfile::tempdir().map_err(Error::Cache)?;
    let shape = FeatureShape { cells: model.cells(), channels: model.backbone.channels() };
    let mut views = Vec::new();
    for view in 0..2 {
        let path = folder.path().join(format!("view{view}.f16"));
        let (mut writer, _) = Writer::start(&path, shape.bytes())?;
        for _ in 0..count {
            let row: Vec<u8> =
                (0..shape.bytes() / 2).flat_map(|_| f16::from_f32(random.unit()).to_le_bytes()).collect();
            writer.push(&row)?;
        }
        writer.finish()?;
        views.push(Rows::open(path, count, shape.bytes())?);
    }
    let cached = vec![Cached { features: views, pixels: None }];
    let caches = Caches { cached, shape, size: model.image_size };
    let samples = Samples::new(&[dataset], caches, &vocabulary, model.max_tokens, &BTreeMap::new()).onto(device)?;
    let synonyms = Synonyms::default();
    let batcher = Batcher {
        samples: &samples,
        vocabulary: &vocabulary,
        synonyms: &synonyms,
        max_tokens: model.max_tokens,
        share: ranks.share(),
        device,
        others: &[],
    };
    let store = Store::new(&model, 1, device).with_precision(config.network.precision);
    let backbone = BackboneNet::without_layers(shape);
    let settings = |clip| Settings::new(config, config.rsic.schedule, clip, steps);
    let twins = Twins {
        images: config.mccl.gamma_image > 0.0,
        sentences: config.mccl.gamma_sentence > 0.0,
        equal_sentences: true,
    };
    let parts = Parts { model: &model, store: &store, backbone: &backbone };
    let net = mccl::Net::new(parts)?;
    let optimizer = Optimizer::new(&store, settings(config.mccl.clip), |name| !name.starts_with(parameters::DECODER));
    let mccl = timed(
        Load { steps, batch: config.mccl.batch * ranks.size(), images: count },
        optimizer,
        ranks,
        |images| batcher.matching(images, twins, &mut Random::new(images[0].image as u64)),
        |batch| net.loss(config, batch, ranks),
    )?;
    let net = net::Net::new(parts)?;
    let rsic_settings =
        Settings { weight_decay: config.rsic.weight_decay, average: config.rsic.average, ..settings(config.rsic.clip) };
    let optimizer = Optimizer::new(&store, rsic_settings, |name| !name.starts_with(parameters::MCCL));
    let mode = Mode::Train(config.network.dropout);
    let rsic = timed(
        Load { steps, batch: config.rsic.batch * ranks.size(), images: count },
        optimizer,
        ranks,
        |images| batcher.captioning(images, Views::All, &mut Random::new(images[0].image as u64)),
        |batch| {
            let memory = net.encoder.forward(&batch.images, mode)?;
            Ok(net.cross_entropy(&memory, &batch.captions, config.rsic.label_smoothing, mode))
        },
    )?;
    let rewards = Rewards::new(&samples, &vocabulary, &config.scst);
    let strategy = Strategy::new(&model, Search::default(), &vocabulary, None)?;
    let optimizer = Optimizer::new(&store, settings(config.scst.clip), |name| !name.starts_with(parameters::MCCL));
    let scst = timed(
        Load { steps, batch: config.scst.batch * ranks.size(), images: count },
        optimizer,
        ranks,
        |images| batcher.captioning(images, Views::All, &mut Random::new(images[0].image as u64)),
        |batch| scst::loss(&net, &rewards, batch, (&config.scst, strategy.settings()), ranks),
    )?;
    let captioner = Captioner::new(parts, &vocabulary, strategy)?;
    let started = Instant::now();
    let rows = samples.view_rows(0, 0).ok_or(Error::Broken("no features"))?;
    captioner.captions(rows, ranks.share().range(count), "made up", &ranks.progress())?;
    ranks.decide(|| true);
    let evaluate = count as f64 / started.elapsed().as_secs_f64();
    let trained = |name, (rate, values)| (name, rate, Some(values));
    Ok([trained("mccl", mccl), trained("rsic", rsic), trained("scst", scst), ("evaluate", evaluate, None)])
}

/// What a stage works on.
#[derive(Clone, Copy)]
struct Load {
    steps: usize,
    /// Images a batch of all ranks.
    batch: usize,
    images: usize,
}

/// Images a second, and how many values are trained; batches are made ahead in another thread, as training does.
fn timed<B: Send>(
    Load { steps, batch, images: count }: Load,
    mut optimizer: Optimizer,
    ranks: &Ranks,
    make: impl Fn(&[Entry]) -> Result<B> + Sync,
    mut loss: impl FnMut(&B) -> Result<Tensor>,
) -> Result<(f64, i64)> {
    let order: Vec<Entry> = (0..count).map(|image| Entry { image, caption: None }).collect();
    let mut started = Instant::now();
    let mut last = Tensor::from(0.0);
    std::thread::scope(|scope| -> Result<()> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(AHEAD);
        let (order, make) = (&order, &make);
        scope.spawn(move || {
            for images in order.chunks_exact(batch).cycle().take(steps + WARM) {
                if sender.send(make(images)).is_err() {
                    return;
                }
            }
        });
        for (n, batch) in receiver.into_iter().enumerate() {
            if n == WARM {
                last.double_value(&[]);
                started = Instant::now();
            }
            last = loss(&batch?)?;
            optimizer.backward(&last);
            optimizer.apply(ranks)?;
            last = last.detach();
        }
        Ok(())
    })?;
    let finite = last.sum(Kind::Double).double_value(&[]).is_finite();
    ensure!(finite, Error::Diverged("the loss is no number".into()));
    optimizer.check()?;
    Ok(((steps * batch) as f64 / started.elapsed().as_secs_f64(), optimizer.values()))
}

/// Sums as many values as a stage trains over all ranks.
fn timed_sum(values: i64, device: Device, ranks: &Ranks) -> Result<Sum> {
    let gradient = Tensor::ones([values], (Kind::Float, device));
    let mut seconds = Vec::with_capacity(SUMS);
    for _ in 0..SUMS {
        let own = gradient.copy();
        ranks.decide(|| true);
        let started = Instant::now();
        let sum = ranks.sum(own)?;
        let found = sum.get(values - 1).double_value(&[]);
        seconds.push(started.elapsed().as_secs_f64());
        ensure!(found == ranks.size() as f64, Error::Broken("a sum of ones is not their number"));
    }
    seconds.sort_by(f64::total_cmp);
    Ok(Sum { bytes: 4 * values as usize, seconds: seconds[SUMS / 2] })
}

fn made_up(count: usize, words: &[String], random: &mut Random) -> Dataset {
    let mut caption = || (0..CAPTION).map(|_| words[random.below(words.len())].as_str()).collect::<Vec<_>>().join(" ");
    let image = |n: usize, captions: Vec<String>| Captioned {
        filename: format!("{n}"),
        path: Default::default(),
        split: Split::Train,
        captions,
        back_translations: Vec::new(),
        further: Vec::new(),
    };
    let images = (0..count).map(|n| image(n, (0..CAPTIONS).map(|_| caption()).collect())).collect();
    Dataset { name: "made up".into(), images, missing: 0, uncaptioned: 0 }
}

fn ask(config: &Config, steps: usize, PeerProgram { python, script }: PeerProgram<'_>, device: Device) -> Result<Peer> {
    let model = config.model(WORDS + 3);
    let settings = serde_json::json!({
        "device": if device == Device::Cpu { "cpu" } else { "cuda" }, "threads": tch::get_num_threads(),
        "steps": steps, "warm": WARM, "cells": model.cells(), "channels": model.backbone.channels(), "width": model.width,
        "heads": model.heads, "feed_forward": model.feed_forward, "encoder_layers": model.encoder_layers,
        "decoder_layers": model.decoder_layers, "dgp_hidden": model.dgp.hidden, "contrast_width": model.contrast_width,
        "vocabulary": model.vocabulary, "max_tokens": model.max_tokens, "dropout": config.network.dropout,
        "scst_batch": config.scst.batch, "samples": config.scst.samples, "beam": config.search.beam,
        "mccl_batch": config.mccl.batch, "rsic_batch": config.rsic.batch, "captions": CAPTIONS, "caption_words": CAPTION,
        "gamma_image": config.mccl.gamma_image, "gamma_sentence": config.mccl.gamma_sentence, "lambda": config.mccl.lambda,
        "average": config.rsic.average, "weight_decay": config.rsic.weight_decay,
        "clip": config.rsic.clip, "bfloat16": config.network.precision == crate::net::Precision::Bfloat16,
    });
    let output = Command::new(python).arg(script).arg(settings.to_string()).output();
    let output = output.map_err(Error::system(python, "does not start"))?;
    let problem = String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned();
    let refused = |problem: String| Error::Peer { script: script.into(), problem };
    ensure!(output.status.success(), refused(format!("failed: {problem}")));
    serde_json::from_slice(&output.stdout).map_err(|error| refused(format!("printed something else: {error}")))
}
