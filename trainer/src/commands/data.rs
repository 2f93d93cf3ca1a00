//! `trainer check-data` and `trainer language-model`: what is in datasets.

use anyhow::{Result, ensure};
use cssa::dataset::{DevRule, Listing};
use cssa::files::{self, FileError};
use cssa::metrics::objects::ObjectGroups;
use cssa_terminal::print;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use trainer::progress::Progress;
use trainer::{check, run};

/// Options of `trainer check-data`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trainer check-data --data my-images/
      Names what is missing, damaged or in two splits; exit code 1 then.")]
pub(crate) struct CheckDataOptions {
    /// Dataset folders.
    #[arg(long, num_args = 1.., required = true)]
    data: Vec<PathBuf>,
    /// Table of object groups. Default: the built-in one (cssa/src/object_groups.txt). One group per line, with the
    /// words that name the object, for example "shed sheds". What follows # is a comment.
    #[arg(long, value_name = "FILE")]
    objects: Option<PathBuf>,
    /// Print one JSON object per dataset.
    #[arg(long)]
    json: bool,
}

/// Options of `trainer language-model`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trainer language-model --run runs/mine --data my-images/
      Writes language-model.bin and document-frequencies.bin into the run.")]
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
    let CheckDataOptions { data, objects, json } = options;
    let groups = objects.as_deref().map_or_else(|| Ok(ObjectGroups::default()), read_groups)?;
    let mut clean = true;
    for folder in &data {
        let bar = Progress::Shown
            .stage(format!("checking {}", folder.display()), Listing::read(folder, DevRule::default())?.entries.len());
        let found = check::check(folder, &groups, |images| bar.advance(images))?;
        drop(bar);
        clean &= found.is_clean();
        print(&if json { serde_json::to_string(&found)? } else { found.text() })?;
    }
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads a table of object groups.
fn read_groups(path: &Path) -> Result<ObjectGroups> {
    let groups = ObjectGroups::parse(&files::read_text(path, 1 << 20)?);
    let expected = "has no object group, expected a line a kind of object with the words that name it";
    ensure!(groups.count() > 0, FileError::content(path, expected));
    Ok(groups)
}

/// Counts the train captions' n-grams for a run.
pub(crate) fn language_model(options: LanguageModelOptions) -> Result<()> {
    let LanguageModelOptions { run, data } = options;
    for (path, bytes) in run::count_captions(&run, &data)? {
        print(&format!("{}: {bytes} bytes", path.display()))?;
    }
    Ok(())
}
