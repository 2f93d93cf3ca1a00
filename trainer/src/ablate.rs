//! `trainer ablate`: the paper's tables by one command. Every cell is a run of its own in a folder of its own, over several
//! seeds; started again, it goes on with the cells that are not finished.

use crate::config::Config;
use crate::progress::Progress;
use crate::run::{self, Places};
use crate::trained::Trained;
use anyhow::{Context, Result, ensure};
use cssa::dataset::{Dataset, Split};
use cssa::files;
use cssa::model::Decay;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use tch::Device;

/// A table of the paper that can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// DGP × MCCL.
    Four,
    /// Forms of decay and s0, without MCCL.
    Five,
    /// Image and text branch of MCCL (figure 7 and its table).
    Seven,
}

impl std::str::FromStr for Table {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "4" => Ok(Self::Four),
            "5" => Ok(Self::Five),
            "7" => Ok(Self::Seven),
            other => Err(format!("{other:?} is no table that can be made, expected 4, 5 or 7")),
        }
    }
}

/// A row of a table.
struct Cell {
    name: &'static str,
    change: fn(&mut Config),
    /// CIDEr of the paper on UCM, Sydney and RSICD, where it gives them.
    paper: Option<[f64; 3]>,
}

const fn cell(name: &'static str, change: fn(&mut Config), paper: Option<[f64; 3]>) -> Cell {
    Cell { name, change, paper }
}

fn decay(config: &mut Config, decay: Decay, s0: f32) {
    config.mccl.epochs = 0;
    (config.network.decay, config.network.initial_s) = (decay, s0);
}

fn branches(config: &mut Config, image: bool, sentence: bool) {
    if !image {
        config.mccl.gamma_image = 0.0;
    }
    if !sentence {
        config.mccl.gamma_sentence = 0.0;
    }
}

impl Table {
    fn cells(self) -> Vec<Cell> {
        match self {
            Self::Four => vec![
                cell("neither", |c| decay(c, Decay::None, 1.0), Some([3.5912, 2.6533, 2.7963])),
                cell("dgp", |c| c.mccl.epochs = 0, Some([3.6639, 2.8862, 2.8367])),
                cell("mccl", |c| c.network.decay = Decay::None, Some([3.6781, 2.8773, 2.8390])),
                cell("dgp+mccl", |_| {}, Some([3.8248, 3.0501, 2.9056])),
            ],
            Self::Five => vec![
                cell("exp-s0", |c| decay(c, Decay::Exponential, 0.0), Some([3.5924, 2.7801, 2.8144])),
                cell("exp-s0.5", |c| decay(c, Decay::Exponential, 0.5), Some([3.6398, 2.7912, 2.8542])),
                cell("exp-s1", |c| decay(c, Decay::Exponential, 1.0), Some([3.6639, 2.8862, 2.8367])),
                cell("exp-s2", |c| decay(c, Decay::Exponential, 2.0), Some([3.6483, 2.8176, 2.8587])),
                cell("log", |c| decay(c, Decay::Logarithmic, 1.0), Some([3.6476, 2.8735, 2.8325])),
                cell("cos", |c| decay(c, Decay::Cosine, 1.0), Some([3.6539, 2.8746, 2.8426])),
            ],
            Self::Seven => vec![
                cell("no-branch", |c| branches(c, false, false), None),
                cell("image", |c| branches(c, true, false), None),
                cell("text", |c| branches(c, false, true), None),
                cell("image+text", |_| {}, Some([3.8248, 3.0501, 2.9056])),
            ],
        }
    }
}

/// The scores of one run, by dataset.
#[derive(Serialize, Deserialize)]
struct Outcome {
    split: String,
    scores: BTreeMap<String, BTreeMap<String, f64>>,
}

/// Trains and scores all cells with `seeds` seeds each and writes `table-N.md` and `table-N.csv` into `places.out`.
pub fn ablate(
    table: Table,
    config: &Config,
    places: &Places,
    seeds: u64,
    device: Device,
    progress: &Progress,
) -> Result<String> {
    ensure!(seeds >= 1, "--seeds is 0, expected 1 or more");
    let mut rows = Vec::new();
    for cell in table.cells() {
        let mut outcomes = Vec::new();
        for seed in 0..seeds {
            let mut config = config.clone();
            config.seed += seed;
            (cell.change)(&mut config);
            let out = places.out.join(format!("{}-seed{}", cell.name, config.seed));
            progress.say(&format!("{}, seed {}", cell.name, config.seed));
            outcomes.push(outcome(&config, &Places { out, ..places.clone() }, device, progress)?);
        }
        rows.push((cell, outcomes));
    }
    let number = match table {
        Table::Four => 4,
        Table::Five => 5,
        Table::Seven => 7,
    };
    let (markdown, csv) = (markdown(&rows), csv(&rows));
    files::write(&places.out.join(format!("table-{number}.md")), markdown.as_bytes())?;
    files::write(&places.out.join(format!("table-{number}.csv")), csv.as_bytes())?;
    Ok(markdown)
}

/// Trains one run and scores it on test, or reads what an earlier call found.
fn outcome(config: &Config, places: &Places, device: Device, progress: &Progress) -> Result<Outcome> {
    let path = places.out.join("outcome.json");
    run_matches(config, &places.out)?;
    if path.exists() {
        let text = files::read_text(&path, 1 << 20)?;
        return serde_json::from_str(&text).with_context(|| format!("{}: delete it", path.display()));
    }
    run::train(config, places, device, progress)?;
    let trained = Trained::read(&places.out, device)?;
    let mut scores = BTreeMap::new();
    for folder in &places.data {
        // RSICD's val is the scale of the paper's tables, its test another one.
        let split = if Dataset::read(folder, config.data.dev)?.name == "rsicd" { Split::Val } else { Split::Test };
        let found = trained.evaluate(std::slice::from_ref(folder), split, trained.search(), &places.cache, progress)?;
        scores.extend(found.into_iter().map(|found| (found.dataset, found.scores)));
    }
    let outcome = Outcome { split: "test (rsicd: val)".into(), scores };
    files::write(&path, serde_json::to_string_pretty(&outcome)?.as_bytes())?;
    // The state of a finished cell is large and of no more use.
    std::fs::remove_dir_all(places.out.join("state")).ok();
    Ok(outcome)
}

/// A folder may only hold the run that is asked for.
fn run_matches(config: &Config, out: &Path) -> Result<()> {
    let path = out.join("config.toml");
    if path.exists() {
        let same = files::read_text(&path, 1 << 20)? == toml::to_string_pretty(config)?;
        ensure!(same, "{} differs from --config: name another --out", path.display());
    }
    Ok(())
}

/// Mean and sample standard deviation of a score over the seeds; no deviation for a single seed.
fn spread(outcomes: &[Outcome], dataset: &str, score: &str) -> Option<(f64, Option<f64>)> {
    let values: Option<Vec<f64>> = outcomes.iter().map(|o| o.scores.get(dataset)?.get(score).copied()).collect();
    let values = values?;
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Some((mean, (values.len() > 1).then(|| variance.sqrt())))
}

const SCORES: [&str; 6] = ["bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider"];

fn datasets(rows: &[(Cell, Vec<Outcome>)]) -> Vec<String> {
    rows.iter()
        .flat_map(|(_, outcomes)| outcomes)
        .flat_map(|o| o.scores.keys().cloned())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// The paper's CIDEr for a dataset.
fn paper(cell: &Cell, dataset: &str) -> Option<f64> {
    let column = ["ucm", "sydney", "rsicd"].iter().position(|name| dataset.to_lowercase().contains(name))?;
    cell.paper.map(|figures| figures[column])
}

fn markdown(rows: &[(Cell, Vec<Outcome>)]) -> String {
    let mut text = String::new();
    for dataset in datasets(rows) {
        text.push_str(&format!(
            "\n{dataset}\n\n| | {} | CIDEr in the paper | seeds |\n|---|{}---|---|\n",
            SCORES.join(" | "),
            "---|".repeat(SCORES.len())
        ));
        for (cell, outcomes) in rows {
            let score = |score: &&str| match spread(outcomes, &dataset, score) {
                Some((mean, Some(deviation))) => format!("{mean:.4} ± {deviation:.4}"),
                Some((mean, None)) => format!("{mean:.4}"),
                None => "–".into(),
            };
            let scores: Vec<String> = SCORES.iter().map(score).collect();
            let paper = paper(cell, &dataset).map_or("–".into(), |cider| format!("{cider:.4}"));
            text.push_str(&format!("| {} | {} | {paper} | {} |\n", cell.name, scores.join(" | "), outcomes.len()));
        }
    }
    text.trim_start().to_owned()
}

fn csv(rows: &[(Cell, Vec<Outcome>)]) -> String {
    let mut text = String::from("dataset,cell,score,mean,deviation,seeds,paper\n");
    for dataset in datasets(rows) {
        for (cell, outcomes) in rows {
            for score in SCORES {
                let Some((mean, deviation)) = spread(outcomes, &dataset, score) else { continue };
                let deviation = deviation.map_or(String::new(), |deviation| format!("{deviation:.6}"));
                let paper =
                    paper(cell, &dataset).filter(|_| score == "cider").map_or(String::new(), |p| format!("{p:.4}"));
                text.push_str(&format!(
                    "{dataset},{},{score},{mean:.6},{deviation},{},{paper}\n",
                    cell.name,
                    outcomes.len()
                ));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_differ_only_in_what_they_study() {
        for table in [Table::Four, Table::Five, Table::Seven] {
            let configs: Vec<Config> = table
                .cells()
                .iter()
                .map(|cell| {
                    let mut config = Config::default();
                    (cell.change)(&mut config);
                    config
                })
                .collect();
            for (n, config) in configs.iter().enumerate() {
                assert!(configs[..n].iter().all(|other| other != config), "{table:?} {n}");
                assert_eq!(
                    (config.rsic.clone(), config.data.clone()),
                    (Config::default().rsic, Config::default().data)
                );
            }
        }
    }

    #[test]
    fn tables_show_mean_deviation_and_the_papers_figure() {
        let outcome = |cider: f64| Outcome {
            split: "test".into(),
            scores: [("UCM".to_owned(), [("cider".to_owned(), cider)].into())].into(),
        };
        let cells = Table::Four.cells();
        let rows: Vec<(Cell, Vec<Outcome>)> =
            cells.into_iter().take(2).map(|cell| (cell, vec![outcome(3.0), outcome(3.2)])).collect();
        let text = markdown(&rows);
        assert!(text.contains("3.1000 ± 0.1414 | 3.5912 | 2 |"), "{text}");
        assert!(csv(&rows).contains("UCM,dgp,cider,3.100000,0.141421,2,3.6639"));
    }
}
