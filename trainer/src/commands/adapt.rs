//! `trainer adapt`.

use super::machine::Machine;
use super::training::leave_report;
use anyhow::Result;
use cssa_terminal::print;
use std::path::PathBuf;
use trainer::adapt::{self, Adapted, Request};
use trainer::report;

/// Options of `trainer adapt`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trainer adapt --bundle-run fixtures/run --data my-images/ --out runs/mine
      Learns your images; `exporter --checkpoint runs/mine` takes the result.")]
pub(crate) struct AdaptOptions {
    /// Finished run to start from: a folder with model.toml, model.safetensors, vocabulary.txt and language-model.bin,
    /// for example fixtures/run, the default bundle's. It is not changed.
    #[arg(long, value_name = "RUN")]
    bundle_run: PathBuf,
    /// Your captioned images, a few hundred or more: dataset folders (Karpathy JSON, COCO JSON or a CSV with the header
    /// path,caption,split). Some of those with the split train are set apart to choose the epoch, by RUN's own rule: a
    /// tenth with blocks, a twentieth with hash. To choose them yourself, give them the split dev.
    #[arg(long, num_args = 1.., required = true)]
    data: Vec<PathBuf>,
    /// Folder of the new run; new or empty. It appears when the run is complete. exporter --checkpoint takes it like
    /// any other run.
    #[arg(long)]
    out: PathBuf,
    /// Datasets that RUN was trained on, if you have them. Some of their images are shown beside yours, so that RUN
    /// forgets less.
    #[arg(long, num_args = 1.., value_name = "DATASET")]
    replay: Vec<PathBuf>,
    /// Share of --replay's images among all images shown, 0 to 1.
    #[arg(long, default_value_t = 0.5)]
    replay_share: f64,
    /// Epochs over your images. The one with the best captions of the images set apart is kept, or RUN as it was if
    /// none is better.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..))]
    epochs: u16,
    /// Words that RUN does not know are learned if your captions use them at least this often.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    minimum_count: u16,
    #[command(flatten)]
    machine: Machine,
}

/// Adapts a run to data of one's own.
pub(crate) fn adapt(options: AdaptOptions) -> Result<()> {
    let AdaptOptions { bundle_run: run, data: own, out, replay, replay_share, epochs, minimum_count, machine } =
        options;
    let (epochs, minimum_count) = (usize::from(epochs), usize::from(minimum_count));
    let cache = machine.cache.clone();
    let request = Request { run, own, replay, replay_share, epochs, minimum_count, out, cache };
    machine.clone().together(|ranks, device| {
        let Adapted { before, after, epoch } = adapt::adapt(&request, device, ranks, &ranks.progress())?;
        let (run, out) = (request.run.display(), request.out.display());
        let said = match epoch {
            0 => format!("no epoch captions dev better than {run} does (CIDEr {before:.3}): {out} has its weights"),
            _ => format!("{out}: epoch {epoch} of {epochs}, CIDEr on dev {after:.3}, {before:.3} before"),
        };
        if ranks.is_first() {
            let (run, data, cache) = (&*request.out, &*request.own, &*request.cache);
            leave_report(&report::Request { run, data, cache, device });
            print(&said)?;
        }
        Ok(())
    })
}
