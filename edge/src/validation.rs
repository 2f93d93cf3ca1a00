//! Values of `edge.toml` that cannot be, whatever machine it is for.

use super::at_work;
use super::camera::CameraConfig;
use super::config::{After, Config, Outside, PolicyConfig, SourceConfig};
use super::error::Error;
use super::health::STATUS;
use super::pictures::PicturesConfig;
use super::store::STORE;
use cssa::files::resolved;
use cssa_image::EXTENSIONS;
use cssa_link::Address;
use cssa_wire::MAX_PRIORITY;
use std::fmt::Display;
use std::path::{Component, Path, PathBuf};

impl Config {
    /// An error for each value that cannot be, by its key.
    pub(crate) fn problems(&self) -> Vec<Error> {
        let mut found = Found(Vec::new());
        found.share("tiler.overlap", self.tiler.overlap, 0.9);
        found.share("policy.least_confidence", f64::from(self.policy.least_confidence), 1.0);
        found.share("policy.reserve", self.policy.reserve, 1.0);
        found.share("policy.novelty_metres", self.policy.novelty_metres, 1e6);
        found.share("policy.novelty_minutes", self.policy.novelty_minutes, 1e6);
        found.share("health.scrub_minutes", self.health.scrub_minutes, 1e6);
        let memory = self.source.memory();
        found.unless(memory >= 1 << 20, "source.memory", memory, "1048576 bytes or more");
        let side = self.tiler.side;
        found.unless(side == 0 || (32..=8192).contains(&side), "tiler.side", side, "0 or 32 to 8192");
        let (threads, batch) = (self.model.threads, self.model.batch);
        found.unless((1..=64).contains(&threads), "model.threads", threads, "1 to 64");
        found.unless((1..=16).contains(&batch), "model.batch", batch, "1 to 16");
        if let Some(beam) = self.model.beam {
            found.unless((1..=16).contains(&beam), "model.beam", beam, "1 to 16");
        }
        found.unless(self.queue >= 1, "queue", self.queue, "1 or more");
        found.0.extend(self.link.problems());
        found.0.extend(self.pictures.problems());
        if self.link.key.is_none() && self.pictures != PicturesConfig::default() {
            let problem = "without link.key nobody can ask for a picture, expected both or none";
            found.0.push(Error::Contradiction { field: "pictures", problem });
        }
        if is_sent_over_own(self) {
            let problem = "it is read or kept here, and packets would be written over it, expected another file";
            found.0.push(Error::Contradiction { field: "link.to", problem });
        }
        found.0.extend(self.position.validate(&self.link).err());
        found.0.extend(self.camera.iter().flat_map(CameraConfig::problems));
        if self.link.footprints && self.camera.is_none() {
            let problem = "without [camera] no frame has one, expected that section, which may be empty";
            found.0.push(Error::Contradiction { field: "link.footprints", problem });
        }
        let is_never_heard = |passes: &Option<_>| self.link.key.is_none() && passes.is_none();
        if self.link.contact.as_ref().is_some_and(|contact| is_never_heard(&contact.passes)) {
            let problem = "without a key the ground is never heard, expected one or link.contact.passes";
            found.0.push(Error::Contradiction { field: "link.contact", problem });
        }
        let heartbeat = self.health.heartbeat_seconds;
        found.unless(heartbeat >= 1, "health.heartbeat_seconds", heartbeat, "1 or more");
        for (word, &priority) in &self.policy.watch {
            let (field, expected) =
                (format_args!("policy.watch.{word:?}"), format_args!("a priority of 1 to {MAX_PRIORITY}"));
            found.unless((1..=MAX_PRIORITY).contains(&priority), field, priority, expected);
        }
        if let SourceConfig::Pipe { command, .. } = &self.source {
            found.unless(!command.is_empty(), "source.command", "empty", "a program and its arguments");
        }
        if let SourceConfig::Scenes { paths, .. } = &self.source {
            found.unless(!paths.is_empty(), "source.paths", "empty", "a scene or more");
        }
        if let SourceConfig::Folder { path, after: After::Move(folder), .. } = &self.source {
            let (path, folder) = (resolved(path), resolved(folder));
            let is_seen = folder.strip_prefix(path).is_ok_and(|below| !below.components().any(is_hidden));
            let problem =
                "it is in source.path, where its images would be captioned again, expected another or a hidden folder";
            if is_seen {
                found.0.push(Error::Contradiction { field: "source.after.move", problem });
            }
        }
        if let Some(power) = &self.peripherals.power {
            let channel = power.channel;
            found.unless((1..=3).contains(&channel), "peripherals.power.channel", channel, "1 to 3");
            let shunt = power.shunt_milliohm;
            found.unless(
                shunt > 0.0 && shunt <= 1e6,
                "peripherals.power.shunt_milliohm",
                shunt,
                "above 0, at most 1000000",
            );
        }
        if let Some(temperature) = &self.peripherals.temperature {
            for (key, celsius) in [("warm", temperature.warm), ("limit", temperature.limit)] {
                let field = format_args!("peripherals.temperature.{key}");
                found.unless((-100.0..=200.0).contains(&celsius), field, celsius, "-100 to 200 °C");
            }
            let is_below = temperature.warm < temperature.limit;
            found.limit(is_below, "peripherals.temperature.warm", "below its limit");
        }
        found.0
    }
}

/// Whether a link appends packets to what is read or kept here.
fn is_sent_over_own(config: &Config) -> bool {
    let Ok(Address::File(to)) = config.link.address() else { return false };
    let to = resolved(&to);
    let kept = [STORE, at_work::NAME, STATUS].map(|name| config.state.join(name));
    let Config { file, link, model, source, .. } = config;
    let passes = link.contact.as_ref().and_then(|contact| contact.passes.as_ref());
    let named =
        file.iter().chain(&link.key).chain(&link.next_key).chain(passes).chain(&model.bundle).chain(&model.trust);
    let (files, folder): (&[PathBuf], _) = match source {
        SourceConfig::List { path, .. } => (std::slice::from_ref(path), None),
        SourceConfig::Scenes { paths, .. } => (paths, None),
        SourceConfig::Folder { path, .. } => (&[], Some(path)),
        SourceConfig::Pipe { .. } | SourceConfig::Own { .. } => (&[], None),
    };
    let ending = to.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let is_image = EXTENSIONS.contains(&&*ending) && folder.is_some_and(|folder| to.starts_with(resolved(folder)));
    let bundle = model.bundle.iter().map(|place| resolved(place)).any(|place| to.starts_with(place));
    is_image || bundle || kept.iter().chain(named).chain(files).any(|path| resolved(path) == to)
}

fn is_hidden(part: Component) -> bool {
    part.as_os_str().as_encoded_bytes().starts_with(b".")
}

/// What was found so far.
struct Found(Vec<Error>);

impl Found {
    fn unless(&mut self, is_right: bool, field: impl Display, found: impl Display, expected: impl Display) {
        if !is_right {
            self.0.push(Error::setting(field, found, expected));
        }
    }

    fn share(&mut self, field: &str, value: f64, most: f64) {
        self.unless((0.0..=most).contains(&value), field, value, format_args!("0 to {most}"));
    }

    fn limit(&mut self, is_right: bool, field: &'static str, limit: &'static str) {
        if !is_right {
            self.0.push(Error::Limit { field, limit });
        }
    }
}

impl PolicyConfig {
    /// What it asks for that the bundle at `place`, which has no statistics, cannot tell.
    #[must_use]
    pub fn unjudged(&self, place: &Path) -> Vec<Error> {
        let confidence = (self.least_confidence > 0.0).then(|| Error::NoConfidence(place.into()));
        let outside = (self.outside == Outside::Drop).then(|| Error::NothingIsOutside(place.into()));
        confidence.into_iter().chain(outside).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_statistics_is_refused_without_them() {
        let plain = PolicyConfig::default();
        let sure = PolicyConfig { least_confidence: 0.5, ..plain.clone() };
        let both = PolicyConfig { outside: Outside::Drop, ..sure.clone() };
        let said = [plain.clone(), sure, PolicyConfig { outside: Outside::Drop, ..plain }, both].map(|policy| {
            let errors = policy.unjudged(Path::new("b"));
            errors.iter().map(|error| error.to_string().split(" has").take(1).collect()).collect::<Vec<String>>()
        });
        let [confidence, outside] = ["policy.least_confidence: b", "policy.outside: b"];
        assert_eq!(said, [vec![], vec![confidence], vec![outside], vec![confidence, outside]]);
    }
}
