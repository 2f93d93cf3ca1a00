//! `trainer ablate`: tables 4, 5 and 7 and figure 9 of the paper, and what else raises quality, by one command. Every cell is a run of its own in a folder of
//! its own, over several seeds; started again, it goes on with what is not finished. All cells see the same number of images
//! (`tables.rs`), start from the same tensors and draw the same batches where they share a stage; they are compared seed by
//! seed and image by image, and only an interval without 0 is called a help (`compare.rs`).

mod bootstrap;
mod compare;
mod outcome;
mod report;
mod tables;
mod teachers;

use crate::config::Config;
use crate::error::{Error, Result, ensure};
use crate::progress::Progress;
use crate::run::Places;
use compare::Outcomes;
use cssa::files;
use tables::Cell;
pub use tables::Table;
use tch::Device;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which table.
    pub table: Table,
    /// Its cells by name; all where none is named.
    pub cells: Vec<String>,
    /// Seeds a cell, from the recipe's on.
    pub seeds: u64,
}

/// A row of the table with what its runs gave.
struct Row {
    cell: Cell,
    outcomes: Outcomes,
}

/// All rows of the table with what earlier calls finished: what is asked for last does not make the table forget the rest.
fn finished(
    table: Table,
    recipe: &Config,
    places: &Places,
    (device, progress): (Device, &Progress),
) -> Result<Vec<Row>> {
    let first = recipe.seed;
    let row = |cell: Cell| {
        let mut outcomes = Outcomes::new();
        for seed in recipe.seed.. {
            let recipe = Config { seed, ..recipe.clone() };
            let run = of_run(&recipe, &cell, places);
            if !outcome::is_finished(&run) {
                break;
            }
            let config = teachers::placed(cell.config(&recipe), (&recipe, first), places)?;
            outcomes.insert(seed, outcome::outcome(&config, &run, device, progress)?);
        }
        Ok(Row { cell, outcomes })
    };
    table.chosen(&[])?.into_iter().map(row).collect()
}

/// Where the run of a cell is.
fn of_run(recipe: &Config, cell: &Cell, places: &Places) -> Places {
    let name = format!("{}-seed{}", tables::run_name(recipe, cell), recipe.seed);
    Places { out: places.out.join("runs").join(name), ..places.clone() }
}

/// Trains and scores the cells of a table seed by seed, so that an early stop leaves pairs, and writes `table-N.md` and
/// `table-N.csv` into `places.out`. Gives the former.
pub fn ablate(
    request: &Request,
    config: &Config,
    places: &Places,
    device: Device,
    progress: &Progress,
) -> Result<String> {
    let Request { table, cells, seeds } = request;
    ensure!(*seeds >= 1, Error::setting("--seeds", seeds, "1 or more"));
    ensure!(*seeds <= 1000, Error::setting("--seeds", seeds, "at most 1000"));
    tables::check_units(config)?;
    table.check(config)?;
    let asked: Vec<&str> = table.chosen(cells)?.iter().map(|cell| cell.name).collect();
    let mut recipe = config.clone();
    // All seeds see the same cached views: they are made once.
    recipe.data.view_seed.get_or_insert(config.seed);
    let path = |extension: &str| places.out.join(format!("table-{}.{extension}", table.number()));
    ["md", "csv"]
        .iter()
        .filter(|_| places.out.is_dir())
        .try_for_each(|extension| files::check_writable(&path(extension)))?;
    // What is finished comes first: a folder of other runs is refused before anything is trained.
    let mut rows = finished(*table, &recipe, places, (device, progress))?;
    for seed in config.seed..config.seed.saturating_add(*seeds) {
        recipe.seed = seed;
        for row in rows.iter_mut().filter(|row| asked.contains(&row.cell.name)) {
            if row.outcomes.contains_key(&seed) {
                continue;
            }
            let asked = row.cell.config(&recipe);
            teachers::train(&asked, (&recipe, config.seed), places, (device, progress))?;
            let run = of_run(&recipe, &row.cell, places);
            progress.say(&format!("{}, seed {seed}: {}", row.cell.name, run.out.display()));
            let asked = teachers::placed(asked, (&recipe, config.seed), places)?;
            let outcome = outcome::outcome(&asked, &run, device, progress)?;
            row.outcomes.insert(seed, outcome);
        }
    }
    rows.retain(|row| !row.outcomes.is_empty());
    let markdown = report::markdown(*table, &rows);
    files::write(&path("md"), markdown.as_bytes())?;
    files::write(&path("csv"), report::csv(*table, &rows).as_bytes())?;
    Ok(markdown)
}
