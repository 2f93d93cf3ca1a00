//! The teachers of table 10: runs of its first cell with seeds that no student has, made once and shared by all students.

use super::tables::{Cell, Table};
use super::{of_run, outcome};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::run::Places;
use tch::Device;

/// Teachers' seeds lie so far behind the first student's: there are at most so many students.
const BEHIND: u64 = 1000;

/// The cell and the recipes of the teachers of a student, whose seeds are counted from the `first` student's.
fn recipes(student: &Config, (recipe, first): (&Config, u64)) -> Result<(Cell, Vec<Config>)> {
    let seeds = (0..student.rsic.teachers.len() as u64).map(|n| first.saturating_add(BEHIND + n));
    let recipes = seeds.map(|seed| Config { seed, ..recipe.clone() }).collect();
    let cell = Table::Ten.cells().into_iter().next().ok_or(Error::Broken("a table without cells"))?;
    Ok((cell, recipes))
}

/// The student's configuration with its teachers' folders.
pub(super) fn placed(student: Config, from: (&Config, u64), places: &Places) -> Result<Config> {
    let (cell, recipes) = recipes(&student, from)?;
    let mut placed = student;
    placed.rsic.teachers = recipes.iter().map(|recipe| of_run(recipe, &cell, places).out).collect();
    Ok(placed)
}

/// Trains those of the student's teachers that are not finished.
pub(super) fn train(
    student: &Config,
    from: (&Config, u64),
    places: &Places,
    (device, progress): (Device, &Progress),
) -> Result<()> {
    let (cell, recipes) = recipes(student, from)?;
    for recipe in recipes {
        let run = of_run(&recipe, &cell, places);
        progress.say(&format!("teacher, seed {}: {}", recipe.seed, run.out.display()));
        outcome::outcome(&cell.config(&recipe), &run, device, progress)?;
    }
    Ok(())
}
