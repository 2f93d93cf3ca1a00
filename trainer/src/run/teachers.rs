//! The finished runs that a run learns from: that they say the same words, and how they see the images.

use super::cache::{cache, known_views};
use super::inputs::sha256;
use crate::config::Config;
use crate::data::features::Source;
use crate::data::samples::{Caches, Samples};
use crate::error::{Error, Result, ensure};
use crate::net::{BackboneNet, Store};
use crate::progress::Progress;
use crate::stages::distillation::{Teacher, Teachers};
use cssa::checkpoint::{Checkpoint, VOCABULARY, WEIGHTS};
use cssa::dataset::Dataset;
use cssa::parameters;
use cssa::vocabulary::Vocabulary;
use std::path::{Path, PathBuf};
use tch::Device;

/// The teachers that the recipe names; none where there is no stage that they teach.
pub(super) fn named(config: &Config) -> &[PathBuf] {
    if config.rsic.epochs > 0 { &config.rsic.teachers } else { &[] }
}

/// SHA-256 of the teachers' weights.
pub(super) fn hashes(config: &Config) -> Result<Vec<String>> {
    named(config).iter().map(|run| sha256(&run.join(WEIGHTS))).collect()
}

/// Reads the teachers of a run whose captions are of `vocabulary`.
pub(super) fn read(
    config: &Config,
    datasets: &[Dataset],
    vocabulary: &Vocabulary,
    (device, progress): (Device, &Progress),
) -> Result<Teachers> {
    let read = |run: &PathBuf| -> Result<Teacher> {
        let Checkpoint { description, tensors, vocabulary: words, .. } = Checkpoint::read(run)?;
        check_words(run, &words, vocabulary)?;
        let (longest, wanted) = (description.model.max_tokens, config.data.max_tokens);
        let problem = || format!("has at most {longest} tokens a caption, expected data.max_tokens, {wanted}, or more");
        ensure!(longest >= wanted, Error::other_run(run, problem()));
        let known = |dataset: &Dataset| description.provenance.datasets.contains(&dataset.name);
        if description.dev != config.data.dev && datasets.iter().any(known) {
            progress.say(&format!(
                "warning: {} has dev {}, the recipe {}: it may teach captions of the images that are chosen on",
                run.display(),
                description.dev,
                config.data.dev
            ));
        }
        let precision = config.network.precision;
        let store = Store::new(&description.model, 0, device).with_precision(precision);
        store.restore(&tensors)?;
        let own = tensors.into_iter().filter(|(name, _)| name.starts_with(parameters::BACKBONE)).collect();
        let backbone = BackboneNet::new(&description.model, own, device)?.with_precision(precision);
        Ok(Teacher { model: description.model, store, backbone, sees: None })
    };
    Ok(Teachers { all: named(config).iter().map(read).collect::<Result<_>>()?, samples: Vec::new() })
}

/// A teacher's distributions are over its words: they must be the student's, in the same order.
fn check_words(run: &Path, found: &Vocabulary, expected: &Vocabulary) -> Result<()> {
    let (found, expected) = (found.text(), expected.text());
    let (mut theirs, mut ours) = (found.lines(), expected.lines());
    for line in 1.. {
        let (word, own) = (theirs.next(), ours.next());
        if word.is_none() && own.is_none() {
            break;
        }
        let shown = |word: Option<&str>| word.map_or("missing".to_owned(), |word| format!("{word:?}"));
        let problem = || {
            format!(
                "line {line} is {}, the student's {}: expected a teacher with the student's words, from the same train \
                 captions by the same [data]",
                shown(word),
                shown(own)
            )
        };
        ensure!(word == own, Error::other_run(run.join(VOCABULARY), problem()));
    }
    Ok(())
}

/// Computes what the teachers see of the train images where it is not what the student sees, `samples`.
pub(super) fn show(
    teachers: &mut Teachers,
    samples: &Samples,
    datasets: &[Dataset],
    views: &dyn Fn(&Dataset) -> usize,
    (student, progress): (&Source<'_>, &Progress),
) -> Result<()> {
    for teacher in &mut teachers.all {
        let (model, backbone) = (&teacher.model, &teacher.backbone);
        let source = Source { model, backbone, ..*student };
        let cached = datasets.iter().map(|dataset| {
            let views = views(dataset);
            cache(&source, dataset, views, known_views(student, views), progress)
        });
        let cached = cached.collect::<Result<_>>()?;
        let caches = Caches { cached, shape: backbone.frozen_output(), size: model.image_size };
        if samples.has(&caches) {
            continue;
        }
        let seen = teachers.samples.iter().position(|other| other.has(&caches));
        teacher.sees = Some(seen.unwrap_or(teachers.samples.len()));
        if seen.is_none() {
            teachers.samples.push(samples.seen_through(caches).onto(student.device)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_teacher_with_other_words_is_refused_by_the_first_that_differs() {
        let run = Path::new("teacher");
        let words = |text: &str| Vocabulary::build([text], 1);
        let said = |found: &Vocabulary| {
            check_words(run, found, &words("a b c")).map_err(|error| error.to_string()).err().unwrap_or_default()
        };
        assert_eq!(said(&words("a b c")), "");
        assert!(said(&words("a d c")).starts_with("teacher/vocabulary.txt line 5 is \"c\", the student's \"b\""));
        assert!(said(&words("a b")).contains("line 6 is missing, the student's \"c\""));
        assert!(said(&words("a b c").with_lengths(&[4])).contains("line 4 is \"<length:4>\", the student's \"a\""));
    }
}
