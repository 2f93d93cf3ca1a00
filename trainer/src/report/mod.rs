//! The report of a run as one HTML page that needs nothing else: its curves, what it says of dev images beside their references, how
//! far its captions can be believed, and which scene classes it takes for which.

mod captions;
mod classes;
mod curves;
mod facts;

use crate::data::datasets::read_datasets;
use crate::error::Result;
use crate::events::{self, Curves};
use crate::log::{self, EVENTS, Epoch, METRICS};
use crate::progress::Progress;
use crate::trained::{CaptionedSplit, Trained};
use classes::Confusion;
use cssa::checkpoint::Description;
use cssa::dataset::{Dataset, Split};
use cssa::metrics::reliability::{self, Bin};
use cssa::{files, page};
use serde::Serialize;
use std::path::{Path, PathBuf};
use tch::Device;

/// The page in a run's folder.
pub const REPORT: &str = "report.html";

const RULES: &str = "nav{margin:.4em 0 1em}nav a{margin-right:1em}.charts{display:flex;flex-wrap:wrap;gap:1em 2em}\
.gallery{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(32em,100%),1fr));gap:0 2em}.chosen td{font-weight:600}.side{display:flex;flex-wrap:wrap;gap:1em 2.5em;align-items:flex-start}.cell{fill:var(--blue)}\
svg .count{font-size:10px;fill:var(--ink)}svg .class{font-size:11px}";

/// What a report is of.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Folder of the run.
    pub run: &'a Path,
    /// Its datasets, whose dev images are captioned; without them the page has what the run itself keeps.
    pub data: &'a [PathBuf],
    /// Folder of cached features.
    pub cache: &'a Path,
    /// Where captions are computed.
    pub device: Device,
}

/// What stands in the page as JSON, too, for programs: `script#data`.
#[derive(Serialize)]
struct Data<'a> {
    curves: &'a Curves,
    epochs: &'a [Epoch],
    dev: &'a [captions::Scored<'a>],
    reliability: &'a [Bin],
    confusions: &'a [Confusion],
}

/// Writes the page of a run.
///
/// # Errors
/// A folder that is no run, a dataset or an image that cannot be read, a place that cannot be written.
pub fn write(request: &Request<'_>, out: &Path, progress: &Progress) -> Result<()> {
    Ok(files::write(out, page(request, progress)?.as_bytes())?)
}

/// The page of a run.
///
/// # Errors
/// As [`write()`].
pub fn page(request: &Request<'_>, progress: &Progress) -> Result<String> {
    let &Request { run, data, cache, device } = request;
    let description = Description::read(run)?;
    let (curves, epochs) = (events::read(&run.join(EVENTS))?, log::epochs(&run.join(METRICS))?);
    let datasets = if data.is_empty() { Vec::new() } else { read_datasets(data, description.dev)? };
    let has_dev = |dataset: &Dataset| dataset.split(Split::Dev).next().is_some();
    let captioned = if datasets.iter().any(has_dev) {
        let trained = Trained::read(run, device)?;
        trained.captioned(&datasets, Split::Dev, trained.search(), cache, progress)?
    } else {
        Vec::new()
    };
    let scored = captioned.iter().map(captions::score).collect::<Result<Vec<_>>>()?;
    let pairs = captions::pairs(&captioned);
    let bins = reliability::bins(&pairs);
    let confusions: Vec<Confusion> = captioned.iter().filter_map(|split| confusion(split, &datasets)).collect();

    let mut body = String::from(
        "<nav><a href=\"#run\">Run</a><a href=\"#curves\">Curves</a><a href=\"#reliability\">Reliability</a>\
         <a href=\"#classes\">Classes</a><a href=\"#captions\">Captions</a></nav>\n",
    );
    facts::write(&mut body, &description, &epochs, &scored);
    curves::write(&mut body, &curves, &epochs);
    let absent = match (data.is_empty(), captioned.is_empty()) {
        (true, _) => Some(
            "The data were not at hand: <code>trainer report --run RUN --data DATASET</code> captions the dev images.",
        ),
        (false, true) => Some("The data have no dev images by this run's rule."),
        (false, false) => None,
    };
    captions::write_reliability(&mut body, &pairs, &bins, absent);
    classes::write(&mut body, &confusions, absent);
    captions::write(&mut body, &captioned, &scored, absent)?;
    let data = Data { curves: &curves, epochs: &epochs, dev: &scored, reliability: &bins, confusions: &confusions };
    // Within a script nothing is escaped: neither its end nor a comment may begin there.
    let json = serde_json::to_string(&data)?.replace('<', "\\u003c");
    body.push_str(&format!("<script type=\"application/json\" id=\"data\">{json}</script>\n"));
    let folder = std::path::absolute(run).unwrap_or_else(|_| run.to_path_buf());
    let name = folder.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned());
    Ok(page::page(&format!("Training report of {name}"), RULES, &body))
}

fn confusion(split: &CaptionedSplit<'_>, datasets: &[Dataset]) -> Option<Confusion> {
    Confusion::of(split, datasets.iter().find(|dataset| dataset.name == split.dataset)?)
}
