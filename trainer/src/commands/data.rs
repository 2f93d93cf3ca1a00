//! `trainer check-data` and `trainer language-model`: what is in datasets.

use anyhow::Result;
use cssa::dataset::{DevRule, Listing};
use cssa_terminal::print;
use std::path::PathBuf;
use std::process::ExitCode;
use trainer::progress::Progress;
use trainer::{check, run};

/// Options of `trainer check-data`.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckDataOptions {
    /// Dataset folders.
    #[arg(long, num_args = 1.., required = true)]
    data: Vec<PathBuf>,
    /// One JSON object a dataset.
    #[arg(long)]
    json: bool,
}

/// Options of `trainer language-model`.
#[derive(Debug, clap::Args)]
pub(crate) struct LanguageModelOptions {
    /// Folder of the run.
    #[arg(long)]
    run: PathBuf,
    /// Dataset folders.
    #[arg(long, num_args = 1.., required = true)]
    data: Vec<PathBuf>,
}

/// Reports what is wrong with datasets; fails where something is.
pub(crate) fn check_data(options: CheckDataOptions) -> Result<ExitCode> {
    let CheckDataOptions { data, json } = options;
    let mut clean = true;
    for folder in &data {
        let bar = Progress
            .stage(format!("checking {}", folder.display()), Listing::read(folder, DevRule::default())?.entries.len());
        let found = check::check(folder, |images| bar.advance(images))?;
        drop(bar);
        clean &= found.is_clean();
        print(&if json { serde_json::to_string(&found)? } else { found.text() })?;
    }
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Counts the train captions' n-grams for a run.
pub(crate) fn language_model(options: LanguageModelOptions) -> Result<()> {
    let LanguageModelOptions { run, data } = options;
    for (path, bytes) in run::count_captions(&run, &data)? {
        print(&format!("{}: {bytes} bytes", path.display()))?;
    }
    Ok(())
}
