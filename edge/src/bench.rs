//! `edge bench`: how long a caption takes, what loading takes, how much memory.

use crate::error::{Error, Result};
use crate::packets;
use cssa::clock;
use cssa::model::Search;
use cssa::process;
use cssa_captioner::{Caption, Captioner, Looks, Settings};
use serde::Serialize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What a machine calls itself: a board by its device tree, another by its processor.
#[must_use]
pub fn machine() -> Option<String> {
    let text = |path: &str| std::fs::read_to_string(path).ok();
    let board = text("/proc/device-tree/model");
    let processor = || model_of_processor(&text("/proc/cpuinfo")?);
    let name = board.map(|model| model.trim_end_matches('\0').trim().to_owned()).or_else(processor)?;
    (!name.is_empty()).then_some(name)
}

fn model_of_processor(cpuinfo: &str) -> Option<String> {
    let value = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.trim_start().strip_prefix(':'))?;
    Some(value.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What `edge bench` measured; times in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The runtime and execution provider at work.
    pub runtime: String,
    /// Share of the encoder's multiplications that the execution provider took; absent on the CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Threads of the encoder; tract has one.
    pub threads: usize,
    /// What the decoder multiplies with.
    pub kernel: &'static str,
    /// How captions are searched.
    pub search: Search,
    /// Images captioned together.
    pub batch: usize,
    /// Turned and mirrored views of each that were captioned.
    pub looks: Looks,
    /// Captions measured.
    pub captions: usize,
    /// From the program's first look at the bundle to a loaded model.
    pub load_ms: f64,
    /// From the program's first look at the bundle to the first caption.
    pub first_caption_ms: f64,
    /// Scaling and normalizing.
    pub preprocessing: Quantiles,
    /// Encoder.
    pub encoder: Quantiles,
    /// Beam search.
    pub decoder: Quantiles,
    /// Image check, familiarity, confidence.
    pub judgement: Quantiles,
    /// Decoding the file to caption, everything.
    pub caption: Quantiles,
    /// Median of a whole caption over the median of its encoder.
    pub caption_over_encoder: f64,
    /// Largest resident memory of the process, in MiB.
    pub peak_rss_mib: f64,
    /// Mean bytes of a packet, everything in it.
    pub packet_bytes: f64,
    /// The captions of the images, of each once and of as many as were measured.
    pub texts: Vec<String>,
}

/// Middle and near-worst of several times, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Quantiles {
    /// Half of the times are shorter.
    pub p50_ms: f64,
    /// 95 % are shorter.
    pub p95_ms: f64,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Captions.
    pub count: usize,
    /// Images that are captioned together.
    pub batch: usize,
}

/// Captions `count` images or a few more, taken from `images` in turn, `batch` at a time, after three or more that are not
/// counted. Times are those of one image, an equal share of what a batch takes.
pub fn run(
    mut captioner: Captioner,
    loading: Duration,
    images: &[PathBuf],
    Load { count, batch }: Load,
    settings: &Settings,
) -> Result<Report> {
    const WARM_UP: usize = 3;
    let mut captions: Vec<Caption> = Vec::with_capacity(count);
    let mut whole = Vec::with_capacity(count);
    let (mut bytes, mut first, mut n) = (0, Duration::ZERO, 0);
    while captions.len() < count {
        let started = Instant::now();
        let read = |k: usize| cssa_image::read(&images[(n + k) % images.len()]);
        let pixels = (0..batch).map(read).collect::<Result<Vec<_>, _>>()?;
        let sights = captioner.sights(&pixels.iter().collect::<Vec<_>>())?;
        let found = sights.iter().map(|sight| captioner.look_again(sight)).collect::<Result<Vec<_>, _>>()?;
        let mut packets = 0;
        for caption in &found {
            packets +=
                packets::pack(caption, &captioner.language(), n as u32, (clock::utc().unwrap_or(0), None))?.len();
        }
        if n == 0 {
            first = loading + started.elapsed();
        }
        n += batch;
        if n >= WARM_UP + batch {
            whole.push(started.elapsed() / batch as u32);
            bytes += packets;
            captions.extend(found);
        }
    }
    // The first image that counts is the one behind those that do not.
    let counted = n - captions.len();
    let text_of = |image: usize| {
        let place = (image + images.len() - counted % images.len()) % images.len();
        captions.get(place).map(|caption| caption.text.clone())
    };
    let texts = (0..images.len()).filter_map(text_of).collect();
    let quantiles_of = |part: fn(&Caption) -> Duration| quantiles(captions.iter().map(part).collect());
    let (encoder, caption) = (quantiles_of(|caption| caption.encoder), quantiles(whole));
    Ok(Report {
        runtime: captioner.active(),
        share: captioner.share(),
        threads: if captioner.active() == "tract" { 1 } else { settings.threads },
        kernel: captioner.kernel(),
        search: captioner.search(),
        batch,
        looks: settings.looks,
        captions: captions.len(),
        load_ms: loading.as_secs_f64() * 1e3,
        first_caption_ms: first.as_secs_f64() * 1e3,
        preprocessing: quantiles_of(|caption| caption.preprocessing),
        encoder,
        decoder: quantiles_of(|caption| caption.decoder),
        judgement: quantiles_of(|caption| caption.judgement),
        caption,
        caption_over_encoder: caption.p50_ms / encoder.p50_ms,
        peak_rss_mib: process::memory().ok_or(Error::MemoryUnknown)?.peak_mib,
        packet_bytes: bytes as f64 / captions.len().max(1) as f64,
        texts,
    })
}

fn quantiles(mut times: Vec<Duration>) -> Quantiles {
    times.sort();
    let at = |share: f64| {
        let place = ((times.len() as f64 - 1.0) * share).round().max(0.0) as usize;
        times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    Quantiles { p50_ms: at(0.5), p95_ms: at(0.95) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_named_as_the_system_names_it() {
        let cpuinfo = "processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD  EPYC 9B14\nflags\t\t: fpu\n";
        assert_eq!(model_of_processor(cpuinfo).as_deref(), Some("AMD EPYC 9B14"));
        assert_eq!(model_of_processor("processor\t: 0\nCPU part\t: 0xd0b\n"), None);
    }
}
