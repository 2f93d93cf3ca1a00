//! `trainer ablate`: tables 4, 5 and 7 and figure 9 of the paper by one command. Every cell is a run of its own in a folder of
//! its own, over several seeds; started again, it goes on with what is not finished. All cells see the same number of images
//! (`tables.rs`), start from the same tensors and draw the same batches where they share a stage; they are compared seed by
//! seed and image by image, and only an interval without 0 is called a help (`compare.rs`).

mod bootstrap;
mod compare;
mod outcome;
mod report;
mod tables;

use crate::config::Config;
use crate::error::{Error, Result, ensure};
use crate::progress::Progress;
use crate::run::Places;
use compare::Outcomes;
use cssa::files;
use outcome::Outcome;
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

/// All rows of the table of which runs are finished, these and those of earlier calls: what was asked for last does not make the
/// table forget the rest.
fn with_finished(
    mut rows: Vec<Row>,
    table: Table,
    mut recipe: Config,
    first: u64,
    outcome: impl Fn(&Config, &Places) -> Result<Outcome>,
    places: &Places,
) -> Result<Vec<Row>> {
    let mut all = Vec::new();
    for cell in table.chosen(&[])? {
        let asked = rows.iter().position(|row| row.cell.name == cell.name);
        let mut row = asked.map_or_else(|| Row { cell, outcomes: Outcomes::new() }, |at| rows.remove(at));
        for seed in first.. {
            recipe.seed = seed;
            let places = of_run(&recipe, &row.cell, places);
            if !outcome::is_finished(&places) {
                break;
            }
            if !row.outcomes.contains_key(&seed) {
                row.outcomes.insert(seed, outcome(&row.cell.config(&recipe), &places)?);
            }
        }
        if !row.outcomes.is_empty() {
            all.push(row);
        }
    }
    Ok(all)
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
    let row = |cell| Row { cell, outcomes: Outcomes::new() };
    let mut rows: Vec<Row> = table.chosen(cells)?.into_iter().map(row).collect();
    let mut recipe = config.clone();
    // All seeds see the same cached views: they are made once.
    recipe.data.view_seed.get_or_insert(config.seed);
    for seed in config.seed..config.seed.saturating_add(*seeds) {
        recipe.seed = seed;
        for row in &mut rows {
            let places = of_run(&recipe, &row.cell, places);
            progress.say(&format!("{}, seed {seed}: {}", row.cell.name, places.out.display()));
            let outcome = outcome::outcome(&row.cell.config(&recipe), &places, device, progress)?;
            row.outcomes.insert(seed, outcome);
        }
    }
    let rows = with_finished(
        rows,
        *table,
        recipe,
        config.seed,
        |config, places| outcome::outcome(config, places, device, progress),
        places,
    )?;
    let markdown = report::markdown(*table, &rows);
    let path = |extension: &str| places.out.join(format!("table-{}.{extension}", table.number()));
    files::write(&path("md"), markdown.as_bytes())?;
    files::write(&path("csv"), report::csv(*table, &rows).as_bytes())?;
    Ok(markdown)
}
