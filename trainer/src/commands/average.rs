//! `trainer average`.

use super::machine::Machine;
use anyhow::Result;
use cssa_terminal::print;
use std::path::PathBuf;
use trainer::average::{self, Averaged, Request};
use trainer::progress::Progress;

/// Options of `trainer average`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trainer average --runs runs/mine runs/ucm --data my-images/ --out runs/mean
      Writes the run of their mean weights; prints CIDEr on dev of each and of the mean.")]
pub(crate) struct AverageOptions {
    /// Finished runs that went on from one start, two or more. The first gives words and search; the others have the same
    /// words, or all but the last of them.
    #[arg(long, num_args = 2.., required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Take the weights that the last stage left, where a run has its state, instead of those chosen on dev.
    #[arg(long)]
    last: bool,
    /// Datasets whose dev all are scored on.
    #[arg(long, num_args = 1.., required = true, value_name = "DATASET")]
    data: Vec<PathBuf>,
    /// Folder of the new run; new or empty. It appears when the run is complete.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    machine: Machine,
}

/// Averages the weights of runs.
pub(crate) fn average(options: AverageOptions) -> Result<()> {
    let AverageOptions { runs, last, data, out, machine } = options;
    let device = machine.start()?;
    let request = Request { runs, last, data, out, cache: machine.cache };
    let Averaged { runs, mean } = average::average(&request, device, &Progress::Shown)?;
    for (run, cider) in request.runs.iter().zip(runs) {
        let chosen = if request.last { " with the weights chosen on it" } else { "" };
        print(&format!("{}: CIDEr on dev {cider:.3}{chosen}", run.display()))?;
    }
    print(&format!("{}: CIDEr on dev {mean:.3}", request.out.display()))?;
    Ok(())
}
