//! How a recipe is read, changed on the command line, and checked.

use super::Config;
use anyhow::{Context, Result, anyhow, ensure};
use cssa::files;
use std::path::Path;

impl Config {
    /// Reads a recipe; the error names the file and the field.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_with(path, &[])
    }

    /// Reads a recipe and changes fields of it: `rsic.epochs=20`. Values are TOML; what is none is taken as a string.
    pub fn read_with(path: &Path, changes: &[String]) -> Result<Self> {
        let mut recipe: toml::Table = files::read_toml(path)?;
        for change in changes {
            set(&mut recipe, change).with_context(|| format!("--set {change}"))?;
        }
        let changed = || if changes.is_empty() { String::new() } else { format!(" with --set {}", changes.join(" ")) };
        let config: Self =
            recipe.try_into().map_err(one_line).with_context(|| format!("{}{}", path.display(), changed()))?;
        config.validate().with_context(|| format!("{}{}", path.display(), changed()))?;
        Ok(config)
    }

    pub(super) fn validate(&self) -> Result<()> {
        self.model(4).validate()?;
        self.search.validate()?;
        let (mccl, rsic, scst) = (&self.mccl, &self.rsic, &self.scst);
        ensure!(self.data.views <= 64, "data.views is {}, expected 0 to 64", self.data.views);
        for (name, &repeat) in &self.data.repeat {
            ensure!((1..=100).contains(&repeat), "data.repeat.{name} is {repeat}, expected 1 to 100");
        }
        ensure!(
            (0.0..0.9).contains(&self.network.dropout),
            "network.dropout is {}, expected 0 to below 0.9",
            self.network.dropout
        );
        ensure!((0.0..=1.0).contains(&mccl.lambda), "mccl.lambda is {}, expected 0 to 1", mccl.lambda);
        for (name, value) in [
            ("mccl.clip", mccl.clip),
            ("mccl.schedule", mccl.schedule.height()),
            ("rsic.clip", rsic.clip),
            ("rsic.schedule", rsic.schedule.height()),
            ("scst.clip", scst.clip),
            ("scst.schedule", scst.schedule.height()),
            ("network.backbone_rate", self.network.backbone_rate),
        ] {
            ensure!(value.is_finite() && value > 0.0, "{name} is {value}, expected more than 0");
        }
        for (name, value) in [
            ("rsic.weight_decay", rsic.weight_decay),
            ("rsic.average", rsic.average),
            ("rsic.label_smoothing", rsic.label_smoothing),
            ("scst.average", scst.average),
            ("scst.cross_entropy", scst.cross_entropy),
        ] {
            ensure!((0.0..1.0).contains(&value), "{name} is {value}, expected 0 to below 1");
        }
        for (name, value) in [
            ("mccl.accumulate", mccl.accumulate),
            ("rsic.accumulate", rsic.accumulate),
            ("scst.accumulate", scst.accumulate),
            ("scst.batch", scst.batch),
        ] {
            ensure!(value >= 1, "{name} is 0, expected 1 or more");
        }
        ensure!((2..=64).contains(&scst.samples), "scst.samples is {}, expected 2 to 64", scst.samples);
        ensure!(
            scst.invention_price.is_finite() && scst.invention_price >= 0.0,
            "scst.invention_price is {}, expected 0 or more",
            scst.invention_price
        );
        ensure!(scst.bleu.is_finite() && scst.bleu >= 0.0, "scst.bleu is {}, expected 0 or more", scst.bleu);
        ensure!(
            mccl.temperature.is_finite() && mccl.temperature > 0.0,
            "mccl.temperature is {}, expected more than 0",
            mccl.temperature
        );
        for (name, value) in [
            ("mccl.gamma_image", mccl.gamma_image),
            ("mccl.gamma_sentence", mccl.gamma_sentence),
            ("rsic.scene_weight", rsic.scene_weight),
        ] {
            ensure!(value.is_finite() && value >= 0.0, "{name} is {value}, expected 0 or more");
        }
        ensure!(mccl.batch >= 2, "mccl.batch is {}, expected 2 or more: contrast needs negatives", mccl.batch);
        ensure!(rsic.batch >= 1, "rsic.batch is 0, expected 1 or more");
        ensure!(rsic.epochs + scst.epochs >= 1, "rsic.epochs and scst.epochs are 0: nothing learns to caption");
        Ok(())
    }
}

/// An error of TOML's as one line.
fn one_line(error: toml::de::Error) -> anyhow::Error {
    let text = error.to_string();
    anyhow!("{}", text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", "))
}

/// Sets a field, by its path, in a recipe.
fn set(recipe: &mut toml::Table, change: &str) -> Result<()> {
    let (path, value) = change.split_once('=').context("expected key=value, for example rsic.epochs=20")?;
    let parsed = toml::from_str::<toml::Table>(&format!("value = {value}")).ok();
    let parsed = parsed.and_then(|mut table| table.remove("value"));
    let value = parsed.unwrap_or_else(|| toml::Value::String(value.to_owned()));
    let mut parts: Vec<&str> = path.trim().split('.').collect();
    let last = parts.pop().context("no key before =")?;
    let mut table = recipe;
    for part in parts {
        let next = table.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        table = next.as_table_mut().with_context(|| format!("{part} is no table"))?;
    }
    table.insert(last.to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_recipe_cannot_say_is_one_line_that_names_it() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("recipe.toml");
        std::fs::write(&path, "")?;
        for (change, expected) in [
            ("rsic.epoch=3", "unknown field `epoch`"),
            ("rsic.scene_weight=-1", "rsic.scene_weight is -1, expected 0 or more"),
            ("mccl.gamma_image=nan", "mccl.gamma_image is NaN, expected 0 or more"),
            ("network.dropout=0.9", "network.dropout is 0.9, expected 0 to below 0.9"),
            ("seed.x=1", "recipe.toml"),
        ] {
            let refused = Config::read_with(&path, &[change.to_owned()]).err().context(change)?;
            let line = format!("{refused:#}");
            assert!(line.contains(expected) && !line.contains('\n'), "{line:?}, expected {expected}");
        }
        Ok(())
    }
}
