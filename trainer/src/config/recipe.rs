//! How a recipe is read, changed on the command line, and checked.

use super::Config;
use crate::error::{Error, Result, ensure};
use cssa::dataset::DevRule;
use cssa::files;
use cssa::vocabulary::MAX_LENGTHS;
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
            set(&mut recipe, change).map_err(|problem| Error::Change { change: change.clone(), problem })?;
        }
        let config = recipe.try_into().map_err(Error::Field).and_then(|config: Self| {
            config.validate()?;
            Ok(config)
        });
        config.map_err(|error| Error::Recipe { recipe: path.into(), changes: changes.into(), source: Box::new(error) })
    }

    pub(super) fn validate(&self) -> Result<()> {
        self.model(4).validate()?;
        self.search.validate()?;
        self.validate_lengths()?;
        let (mccl, rsic, scst) = (&self.mccl, &self.rsic, &self.scst);
        ensure!(self.data.views <= 64, Error::setting("data.views", self.data.views, "0 to 64"));
        for (name, &repeat) in &self.data.repeat {
            ensure!(
                (1..=100).contains(&repeat),
                Error::setting(format_args!("data.repeat.{name}"), repeat, "1 to 100")
            );
        }
        for (name, replay) in &self.data.replay {
            for (field, count) in [("images", replay.images), ("per_epoch", replay.per_epoch)] {
                ensure!(count >= 1, Error::setting(format_args!("data.replay.{name}.{field}"), count, "1 or more"));
            }
        }
        ensure!(
            (0.0..0.9).contains(&self.network.dropout),
            Error::setting("network.dropout", self.network.dropout, "0 to below 0.9")
        );
        ensure!((0.0..=1.0).contains(&mccl.lambda), Error::setting("mccl.lambda", mccl.lambda, "0 to 1"));
        for (name, value) in [
            ("mccl.clip", mccl.clip),
            ("mccl.schedule", mccl.schedule.height()),
            ("rsic.clip", rsic.clip),
            ("rsic.schedule", rsic.schedule.height()),
            ("scst.clip", scst.clip),
            ("scst.schedule", scst.schedule.height()),
            ("network.backbone_rate", self.network.backbone_rate),
        ] {
            ensure!(value.is_finite() && value > 0.0, Error::setting(name, value, "more than 0"));
        }
        for (name, value) in [
            ("rsic.weight_decay", rsic.weight_decay),
            ("rsic.average", rsic.average),
            ("rsic.label_smoothing", rsic.label_smoothing),
            ("scst.average", scst.average),
            ("scst.cross_entropy", scst.cross_entropy),
        ] {
            ensure!((0.0..1.0).contains(&value), Error::setting(name, value, "0 to below 1"));
        }
        for (name, value) in [
            ("mccl.accumulate", mccl.accumulate),
            ("rsic.accumulate", rsic.accumulate),
            ("scst.accumulate", scst.accumulate),
            ("scst.batch", scst.batch),
        ] {
            ensure!(value >= 1, Error::setting(name, value, "1 or more"));
        }
        ensure!((2..=64).contains(&scst.samples), Error::setting("scst.samples", scst.samples, "2 to 64"));
        ensure!(
            scst.invention_price.is_finite() && scst.invention_price >= 0.0,
            Error::setting("scst.invention_price", scst.invention_price, "0 or more")
        );
        ensure!(scst.bleu.is_finite() && scst.bleu >= 0.0, Error::setting("scst.bleu", scst.bleu, "0 or more"));
        ensure!(
            mccl.temperature.is_finite() && mccl.temperature > 0.0,
            Error::setting("mccl.temperature", mccl.temperature, "more than 0")
        );
        for (name, value) in [
            ("mccl.gamma_image", mccl.gamma_image),
            ("mccl.gamma_sentence", mccl.gamma_sentence),
            ("rsic.pull", rsic.pull),
            ("rsic.scene_weight", rsic.scene_weight),
        ] {
            ensure!(value.is_finite() && value >= 0.0, Error::setting(name, value, "0 or more"));
        }
        ensure!(
            rsic.teacher_weight > 0.0 && rsic.teacher_weight <= 1.0,
            Error::setting("rsic.teacher_weight", rsic.teacher_weight, "more than 0 to 1")
        );
        let negatives = "2 or more: contrast needs negatives";
        ensure!(mccl.batch >= 2, Error::setting("mccl.batch", mccl.batch, negatives));
        ensure!(rsic.batch >= 1, Error::setting("rsic.batch", rsic.batch, "1 or more"));
        let (fields, problem) = ("rsic.epochs and scst.epochs", "are 0: nothing learns to caption");
        ensure!(rsic.epochs + scst.epochs >= 1, Error::Contradiction { fields, problem });
        Ok(())
    }

    /// Where captions have length classes, one of them is searched: one that is named, or that dev chooses.
    fn validate_lengths(&self) -> Result<()> {
        let (classes, searched) = (self.data.lengths, self.search.length);
        let expected = format_args!("0, or 2 to {MAX_LENGTHS}");
        ensure!(classes != 1 && classes <= MAX_LENGTHS, Error::setting("data.lengths", classes, expected));
        if let Some(class) = searched.filter(|&class| usize::from(class) > classes) {
            return Err(Error::setting(
                "search.length",
                class,
                format_args!("one of data.lengths, which is {classes}"),
            ));
        }
        let named = classes == 0 || searched.is_some();
        let (fields, problem) =
            ("data.lengths", "with scst.epochs needs search.length: the class in which captions are drawn");
        ensure!(named || self.scst.epochs == 0, Error::Contradiction { fields, problem });
        let (fields, problem) =
            ("data.lengths", "with data.dev none needs search.length: there is no dev to choose the class on");
        ensure!(named || self.data.dev != DevRule::None, Error::Contradiction { fields, problem });
        Ok(())
    }
}

/// Sets a field, by its path, in a recipe, or says why not.
fn set(recipe: &mut toml::Table, change: &str) -> Result<(), String> {
    let (path, value) = change.split_once('=').ok_or("expected key=value, for example rsic.epochs=20")?;
    let parsed = toml::from_str::<toml::Table>(&format!("value = {value}")).ok();
    let parsed = parsed.and_then(|mut table| table.remove("value"));
    let value = parsed.unwrap_or_else(|| toml::Value::String(value.to_owned()));
    let mut parts: Vec<&str> = path.trim().split('.').collect();
    let last = parts.pop().ok_or("no key before =")?;
    let mut table = recipe;
    for part in parts {
        let next = table.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        table = next.as_table_mut().ok_or_else(|| format!("{part} is no table"))?;
    }
    table.insert(last.to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, Result};

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
            ("rsic.teacher_weight=0", "rsic.teacher_weight is 0, expected more than 0 to 1"),
            ("data.lengths=1", "data.lengths is 1, expected 0, or 2 to 8"),
            ("search.length=2", "search.length is 2, expected one of data.lengths, which is 0"),
            ("data={ lengths = 3, dev = \"none\" }", "data.lengths with data.dev none needs search.length"),
            ("seed.x=1", "recipe.toml"),
        ] {
            let refused = Config::read_with(&path, &[change.to_owned()]).err().context(change)?;
            let line = format!("{:#}", anyhow::Error::from(refused));
            assert!(line.contains(expected) && !line.contains('\n'), "{line:?}, expected {expected}");
        }
        Ok(())
    }
}
