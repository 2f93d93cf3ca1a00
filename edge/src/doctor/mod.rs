//! `edge doctor`: what this machine has to fly with, what is missing, and what to do about it. Nothing is written, sent or moved.

mod devices;
mod machine;
mod model;

pub use machine::Machine;

use crate::check;
use crate::config::Config;
use cssa::errors::chain;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is there and works.
    Good,
    /// It is not there; whether it is needed depends on the flight.
    Absent,
    /// Without it nothing flies, or not as the configuration says.
    Bad,
}

/// What was found of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The thing: `runtime`, `bundle`, `serial ports`.
    pub thing: &'static str,
    /// How it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do, where something can be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    fn good(thing: &'static str, found: impl Into<String>) -> Self {
        Self { thing, state: State::Good, found: found.into(), advice: None }
    }

    fn absent(thing: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { thing, state: State::Absent, found: found.into(), advice: Some(advice.into()) }
    }

    fn bad(thing: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { thing, state: State::Bad, found: found.into(), advice: Some(advice.into()) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.state {
            State::Good => "ok  ",
            State::Absent => "–   ",
            State::Bad => "BAD ",
        };
        write!(f, "{sign}{:13} {}", self.thing, self.found)?;
        self.advice.iter().try_for_each(|advice| write!(f, "\n                  → {advice}"))
    }
}

/// Looks at everything: the machine, the model and, where there is one, the configuration.
#[must_use]
pub fn examine(machine: &Machine, bundle: Result<PathBuf, String>, config: Option<&Path>) -> Vec<Finding> {
    let mut found = vec![machine.processor(), machine.memory(), machine.clock()];
    found.extend(model::findings(machine, bundle.as_ref()));
    found.extend(devices::findings(machine));
    match config {
        Some(path) => found.extend(configuration(machine, path, bundle.ok())),
        None => {
            found.push(Finding::absent("configuration", "none was named", "edge doctor --config /etc/cssa/edge.toml"))
        }
    }
    found
}

/// The configuration's problems, each by its key, and its state folder.
fn configuration(machine: &Machine, path: &Path, fallback: Option<PathBuf>) -> Vec<Finding> {
    let config = match Config::read(path) {
        Ok(config) => config,
        Err(error) => {
            let advice = "edge.toml has an example, edge run --check names all problems";
            return vec![Finding::bad("configuration", chain(&error), advice)];
        }
    };
    let mut found = vec![machine.disk(&config.state)];
    let problems = check::check(&config, fallback);
    if problems.is_empty() {
        found.push(Finding::good("configuration", format!("{} can fly", path.display())));
    }
    let named = |problem| Finding { thing: "configuration", state: State::Bad, found: chain(&problem), advice: None };
    found.extend(problems.into_iter().map(named));
    found
}
