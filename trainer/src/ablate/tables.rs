//! The tables: which configurations they compare, and with what.
//!
//! **Equal budgets.** What a cell is given is passes over the train images (or pairs, as the recipe counts): the sum of both
//! stages' epochs is the same in every cell. A cell without MCCL captions for MCCL's epochs as well, and its schedule spans
//! all of them. Steps follow from the batches: where MCCL's are larger, a cell without it has more steps, not more images.

use crate::config::{Config, Schedule};
use crate::error::{Error, Result, ensure};
use cssa::dataset::DevRule;
use cssa::model::Decay;

/// A table of the paper that can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// DGP × MCCL.
    Four,
    /// Forms of decay and s0, without MCCL.
    Five,
    /// Image and text branch of MCCL (figure 7 and its table).
    Seven,
    /// What MCCL is sensitive to (figure 9): learning rate, temperature, λ and batch, one changed at a time. The paper gives
    /// no values; these lie around the recipe's.
    Nine,
    /// What raises quality besides (no table of the paper's): a scene head, a length token, three teachers, and averaged weights.
    Ten,
}

/// How many runs teach the student of [`Table::Ten`].
const TEACHERS: usize = 3;

impl std::str::FromStr for Table {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|table| table.number().to_string() == name);
        found.ok_or_else(|| {
            format!("{name:?} is no table that can be made, expected 4, 5, 7, 9 (figure 9) or 10 (what raises quality)")
        })
    }
}

/// A row of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) name: &'static str,
    change: fn(&mut Config),
    /// CIDEr of the paper on UCM, Sydney and RSICD, where it gives them.
    pub(super) paper: Option<[f64; 3]>,
}

impl Cell {
    /// The configuration of this cell.
    pub(super) fn config(&self, recipe: &Config) -> Config {
        let mut config = recipe.clone();
        (self.change)(&mut config);
        config
    }
}

const fn cell(name: &'static str, change: fn(&mut Config), paper: Option<[f64; 3]>) -> Cell {
    Cell { name, change, paper }
}

fn without_mccl(config: &mut Config) {
    config.rsic.epochs += std::mem::take(&mut config.mccl.epochs);
}

fn decay(config: &mut Config, decay: Decay, s0: f32) {
    without_mccl(config);
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

fn rate(config: &mut Config, times: f64) {
    let (Schedule::Noam { factor: height, .. } | Schedule::Cosine { peak: height, .. }) = &mut config.mccl.schedule;
    *height *= times;
}

fn temperature(config: &mut Config, temperature: f64) {
    (config.mccl.temperature, config.mccl.learn_temperature) = (temperature, false);
}

/// Places of teachers that are to be filled: see [`super::teachers`].
fn taught(config: &mut Config) {
    config.rsic.teachers = (1..=TEACHERS).map(|n| format!("teacher {n}").into()).collect();
}

impl Table {
    pub(super) const ALL: [Self; 5] = [Self::Four, Self::Five, Self::Seven, Self::Nine, Self::Ten];

    pub(super) fn number(self) -> u8 {
        match self {
            Self::Four => 4,
            Self::Five => 5,
            Self::Seven => 7,
            Self::Nine => 9,
            Self::Ten => 10,
        }
    }

    pub(super) fn cells(self) -> Vec<Cell> {
        match self {
            Self::Four => vec![
                cell("neither", |c| decay(c, Decay::None, 1.0), Some([3.5912, 2.6533, 2.7963])),
                cell("dgp", without_mccl, Some([3.6639, 2.8862, 2.8367])),
                cell("mccl", |c| c.network.decay = Decay::None, Some([3.6781, 2.8773, 2.8390])),
                cell("dgp+mccl", |_| {}, Some([3.8248, 3.0501, 2.9056])),
            ],
            Self::Five => vec![
                cell("exp-s1", |c| decay(c, Decay::Exponential, 1.0), Some([3.6639, 2.8862, 2.8367])),
                cell("exp-s0", |c| decay(c, Decay::Exponential, 0.0), Some([3.5924, 2.7801, 2.8144])),
                cell("exp-s0.5", |c| decay(c, Decay::Exponential, 0.5), Some([3.6398, 2.7912, 2.8542])),
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
            Self::Nine => vec![
                cell("recipe", |_| {}, None),
                cell("rate-third", |c| rate(c, 1.0 / 3.0), None),
                cell("rate-triple", |c| rate(c, 3.0), None),
                cell("temperature-0.02", |c| temperature(c, 0.02), None),
                cell("temperature-0.07", |c| temperature(c, 0.07), None),
                cell("temperature-0.2", |c| temperature(c, 0.2), None),
                cell("lambda-0.25", |c| c.mccl.lambda = 0.25, None),
                cell("lambda-0.75", |c| c.mccl.lambda = 0.75, None),
                cell("batch-half", |c| c.mccl.batch = (c.mccl.batch / 2).max(2), None),
                cell("batch-double", |c| c.mccl.batch *= 2, None),
            ],
            Self::Ten => vec![
                cell("base", |_| {}, None),
                cell("scene", |c| c.rsic.scene_weight = 0.2, None),
                cell("length", |c| c.data.lengths = 3, None),
                cell("teachers", taught, None),
                cell("no-average", |c| c.rsic.average = 0.0, None),
            ],
        }
    }

    /// A recipe without what the table studies would compare a thing with itself.
    pub(super) fn check(self, recipe: &Config) -> Result<()> {
        let (fields, problem) = ("rsic.teachers", "is what table 10 studies, expected a recipe without teachers");
        ensure!(recipe.rsic.teachers.is_empty(), Error::Contradiction { fields, problem });
        let (fields, problem) = ("data.dev", "is none, expected blocks or hash: table 10 compares on dev");
        ensure!(self != Self::Ten || recipe.data.dev != DevRule::None, Error::Contradiction { fields, problem });
        let cells = self.cells();
        let configs: Vec<Config> = cells.iter().map(|cell| cell.config(recipe)).collect();
        for (n, config) in configs.iter().enumerate() {
            if let Some(other) = configs[..n].iter().position(|other| other == config) {
                return Err(Error::SameCells { one: cells[other].name, other: cells[n].name });
            }
        }
        Ok(())
    }

    /// The cells named, in the table's order; all where none is named.
    pub(super) fn chosen(self, names: &[String]) -> Result<Vec<Cell>> {
        let cells = self.cells();
        let known: Vec<&str> = cells.iter().map(|cell| cell.name).collect();
        for name in names {
            let (found, expected) = (format!("{name:?}"), format!("some of {}", known.join(", ")));
            ensure!(known.contains(&name.trim()), Error::Unknown { field: "--cells", found, expected });
        }
        Ok(cells
            .into_iter()
            .filter(|cell| names.is_empty() || names.iter().any(|name| name.trim() == cell.name))
            .collect())
    }

    /// Whether dev is shown beside test: what is kept is chosen on dev.
    pub(super) fn shows_dev(self) -> bool {
        self == Self::Ten
    }

    /// Which cell is compared with which: every one with the first; in table 4 both together also with each alone. In table 10 the
    /// recipe averages its weights, and is compared with the cell that does not.
    pub(super) fn comparisons(self) -> Vec<(&'static str, &'static str)> {
        let cells = self.cells();
        let mut pairs: Vec<_> = cells[1..].iter().map(|cell| (cell.name, cells[0].name)).collect();
        if self == Self::Four {
            pairs.extend([("dgp+mccl", "mccl"), ("dgp+mccl", "dgp")]);
        }
        if self == Self::Ten {
            pairs.retain(|&(cell, _)| cell != "no-average");
            pairs.push(("base", "no-average"));
        }
        pairs
    }
}

/// Passes can be compared only where both stages count them alike.
pub(super) fn check_units(recipe: &Config) -> Result<()> {
    let same = recipe.mccl.unit == recipe.rsic.unit;
    let (fields, problem) = ("mccl.unit and rsic.unit", "differ, expected the same: equal budgets are counted in it");
    ensure!(same, Error::Contradiction { fields, problem });
    let (fields, problem) = ("mccl.epochs or rsic.epochs", "is 0, expected both stages");
    ensure!(recipe.mccl.epochs > 0 && recipe.rsic.epochs > 0, Error::Contradiction { fields, problem });
    Ok(())
}

/// The name of the first cell of all tables that has this configuration: tables that share a configuration share its runs.
pub(super) fn run_name(recipe: &Config, cell: &Cell) -> &'static str {
    let config = cell.config(recipe);
    let mut all = Table::ALL.into_iter().flat_map(Table::cells);
    all.find(|other| other.config(recipe) == config).map_or(cell.name, |other| other.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A recipe that has all that the tables study.
    fn recipe() -> Config {
        let mut recipe = Config::default();
        recipe.rsic.average = 0.99;
        recipe
    }

    #[test]
    fn cells_differ_only_in_what_they_study_and_have_one_budget() {
        let recipe = recipe();
        for table in Table::ALL {
            let mut configs: Vec<Config> = table.cells().iter().map(|cell| cell.config(&recipe)).collect();
            for (n, config) in configs.iter().enumerate() {
                assert!(configs[..n].iter().all(|other| other != config), "{table:?} {n}");
                assert_eq!(config.mccl.epochs + config.rsic.epochs, 40, "{table:?} {n}");
            }
            for config in &mut configs {
                config.rsic.epochs += std::mem::take(&mut config.mccl.epochs);
                match table {
                    Table::Four | Table::Five => {
                        (config.network.decay, config.network.initial_s) = (Decay::Exponential, 1.0);
                    }
                    Table::Seven => (config.mccl.gamma_image, config.mccl.gamma_sentence) = (0.4, 0.1),
                    Table::Nine => config.mccl = Config { mccl: Default::default(), ..recipe.clone() }.mccl,
                    Table::Ten => {
                        (config.rsic.scene_weight, config.rsic.average, config.data.lengths) = (0.0, 0.99, 0);
                        config.rsic.teachers.clear();
                    }
                }
                config.mccl.epochs = 0;
            }
            assert!(configs.iter().all(|config| *config == configs[0]), "{table:?}");
        }
    }

    #[test]
    fn a_recipe_without_what_is_studied_is_refused() {
        let refused = |table: Table, change: fn(&mut Config)| {
            let mut recipe = recipe();
            change(&mut recipe);
            table.check(&recipe).map_err(|error| error.to_string())
        };
        assert!(Table::ALL.iter().all(|table| refused(*table, |_| {}).is_ok()));
        let dgp = refused(Table::Four, |recipe| recipe.network.decay = Decay::None);
        assert!(dgp.is_err_and(|error| error.contains("neither and dgp are the same")));
        let average = refused(Table::Ten, |recipe| recipe.rsic.average = 0.0);
        assert!(average.is_err_and(|error| error.contains("base and no-average are the same")));
        let dev = refused(Table::Ten, |recipe| recipe.data.dev = DevRule::None);
        assert!(dev.is_err_and(|error| error.contains("data.dev is none")));
        let text = refused(Table::Seven, |recipe| recipe.mccl.gamma_sentence = 0.0);
        assert!(text.is_err_and(|error| error.contains("no-branch and text")));
    }

    #[test]
    fn tables_share_the_runs_of_equal_configurations() {
        let recipe = recipe();
        let name = |table: Table, name: &str| {
            let cells = table.cells();
            cells.iter().find(|cell| cell.name == name).map(|cell| run_name(&recipe, cell))
        };
        assert_eq!(name(Table::Five, "exp-s1"), Some("dgp"));
        assert_eq!(name(Table::Seven, "image+text"), Some("dgp+mccl"));
        assert_eq!(name(Table::Nine, "recipe"), Some("dgp+mccl"));
        assert_eq!(name(Table::Five, "cos"), Some("cos"));
        assert_eq!(name(Table::Ten, "base"), Some("dgp+mccl"));
        assert_eq!(name(Table::Ten, "teachers"), Some("teachers"));
    }

    #[test]
    fn every_comparison_is_between_cells_and_unknown_cells_are_named() {
        for table in Table::ALL {
            let names: Vec<&str> = table.cells().iter().map(|cell| cell.name).collect();
            assert!(table.comparisons().iter().all(|(cell, base)| names.contains(cell) && names.contains(base)));
            assert_eq!(table.number().to_string().parse(), Ok(table));
        }
        let wrong = Table::Four.chosen(&["dpg".into()]).map_err(|error| error.to_string());
        assert!(wrong.is_err_and(|error| error.contains("\"dpg\"") && error.contains("dgp+mccl")));
    }
}
