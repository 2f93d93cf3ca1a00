//! Vocabulary, model and weights that a run begins with.

use super::extend::extended;
use super::inputs;
use super::places::{Places, Start};
use crate::config::Config;
use crate::error::{Error, Result, ensure};
use crate::net::read_weights;
use crate::progress::Progress;
use cssa::checkpoint::{Checkpoint, Provenance};
use cssa::dataset::{Dataset, Further, Split};
use cssa::model::Model;
use cssa::vocabulary::{TokenId, Vocabulary};
use std::collections::BTreeMap;
use std::path::Path;

/// Vocabulary, model and weights that a run begins with.
pub(super) struct InitialState {
    pub(super) vocabulary: Vocabulary,
    pub(super) model: Model,
    pub(super) backbone_tensors: Vec<(String, cssa::tensors::Array)>,
    pub(super) earlier: Option<Checkpoint>,
    /// Whether the run started from begins captions as this one's do. Where styles are new, none of its captions has one: it is where
    /// training starts, and no checkpoint to choose.
    pub(super) has_own_manner: bool,
    pub(super) provenance: Provenance,
}

pub(super) fn initial_state(
    config: &Config,
    places: &Places,
    (datasets, sentences): (&[Dataset], &[String]),
    progress: &Progress,
) -> Result<InitialState> {
    let mut provenance = Provenance {
        datasets: datasets.iter().map(|dataset| dataset.name.clone()).collect(),
        backbone_sha256: String::new(),
        seed: config.seed,
        revision: env!("CSSA_REVISION").into(),
    };
    match &places.start {
        Start::Backbone(weights) => {
            let (fields, problem) = ("data.extend and data.replay", "need a run to start from, expected --from");
            ensure!(!config.data.extend && config.data.replay.is_empty(), Error::Contradiction { fields, problem });
            let vocabulary = with_lengths(build_vocabulary(config, datasets, sentences), config, datasets)?;
            let model = config.model(vocabulary.size());
            model.validate()?;
            let backbone_tensors = read_weights(&model, weights, &mut |line| progress.say(line))?;
            provenance.backbone_sha256 = inputs::sha256(weights)?;
            Ok(InitialState { vocabulary, model, backbone_tensors, earlier: None, has_own_manner: true, provenance })
        }
        Start::Run(run) => {
            let mut earlier = Checkpoint::read(run)?;
            let has_own_manner = earlier.vocabulary.has_styles() == config.data.styles;
            if config.data.extend {
                let words = build_vocabulary(config, datasets, sentences);
                earlier = with_words_of(earlier, &words, run, progress);
            }
            unknown_words(datasets, &earlier.vocabulary, run).iter().for_each(|said| progress.say(said));
            let known = &earlier.description.provenance.datasets;
            let any_known = datasets.iter().any(|dataset| known.contains(&dataset.name));
            if earlier.description.dev != config.data.dev && any_known {
                progress.say(&format!(
                    "warning: {} has dev {}, the recipe {}: its scores on dev may be of images that it has trained on",
                    run.display(),
                    earlier.description.dev,
                    config.data.dev
                ));
            }
            let model = config.model(earlier.vocabulary.size());
            let fits = earlier.description.model == model;
            let differing = differing(&earlier.description.model, &model)?;
            ensure!(fits, Error::OtherModel { run: run.clone(), differing });
            let styled = earlier.vocabulary.has_styles();
            ensure!(
                styled == config.data.styles,
                Error::other_run(
                    run,
                    format!("has styles: {styled}, data.styles is {}: expected the same", config.data.styles)
                )
            );
            let classes = earlier.vocabulary.lengths();
            ensure!(
                classes == config.data.lengths,
                Error::other_run(
                    run,
                    format!("has {classes} length classes, data.lengths is {}: expected the same", config.data.lengths)
                )
            );
            let own = |(name, _): &&(String, _)| name.starts_with(cssa::parameters::BACKBONE);
            let backbone_tensors = earlier.tensors.iter().filter(own).cloned().collect();
            provenance.backbone_sha256.clone_from(&earlier.description.provenance.backbone_sha256);
            for name in &earlier.description.provenance.datasets {
                if !provenance.datasets.contains(name) {
                    provenance.datasets.push(name.clone());
                }
            }
            let vocabulary = earlier.vocabulary.clone();
            Ok(InitialState { vocabulary, model, backbone_tensors, earlier: Some(earlier), has_own_manner, provenance })
        }
    }
}

/// The fields in which two models differ, with both values.
fn differing(run: &Model, recipe: &Model) -> Result<String> {
    let (run, recipe) = (toml::Table::try_from(run)?, toml::Table::try_from(recipe)?);
    let differs = |(name, value): (&String, &toml::Value)| {
        let other = recipe.get(name)?;
        (other != value).then(|| format!("{name} is {value} there and {other} here"))
    };
    Ok(run.iter().filter_map(differs).collect::<Vec<_>>().join(", "))
}

/// How many of the train captions' words a run does not know, where there are any: it can never say them.
fn unknown_words(datasets: &[Dataset], vocabulary: &Vocabulary, run: &Path) -> Option<String> {
    let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
    let (mut words, mut lost) = (0_usize, 0_usize);
    for caption in datasets.iter().flat_map(|dataset| dataset.split(Split::Train)).flat_map(|image| &image.captions) {
        for word in cssa::vocabulary::words(caption) {
            words += 1;
            if vocabulary.id(&word) == TokenId::UNKNOWN {
                lost += 1;
                *unknown.entry(word).or_default() += 1;
            }
        }
    }
    let mut frequent: Vec<(String, usize)> = unknown.into_iter().collect();
    frequent.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let examples: Vec<String> = frequent.iter().take(5).map(|(word, count)| format!("{word} ({count})")).collect();
    let share = 100.0 * lost as f64 / words.max(1) as f64;
    let (count, of) = (frequent.len(), vocabulary.size() - TokenId::FIRST_WORD.index());
    (count > 0).then(|| {
        format!(
            "{} knows {of} words and not {count} of the train captions', {share:.1} % of all said: {}",
            run.display(),
            examples.join(", ")
        )
    })
}

/// A run with the words of the datasets that are not replayed.
fn with_words_of(run: Checkpoint, words: &Vocabulary, folder: &Path, progress: &Progress) -> Checkpoint {
    let before = run.vocabulary.size();
    let run = extended(run, words);
    let text = run.vocabulary.text();
    let new: Vec<&str> = text.lines().skip(before).collect();
    let examples =
        if new.is_empty() { String::new() } else { format!(": {}, …", new[..new.len().min(5)].join(", ")) };
    progress.say(&format!("{} is to learn {} new words{examples}", folder.display(), new.len()));
    run
}

/// The words of the train captions and of the sentences beside them, but for datasets that are replayed; styles are those of the
/// datasets and of further captions.
fn build_vocabulary(config: &Config, datasets: &[Dataset], sentences: &[String]) -> Vocabulary {
    let own = || datasets.iter().filter(|dataset| !config.data.replay.contains_key(&dataset.name));
    let images = || own().flat_map(|dataset| dataset.split(Split::Train));
    let further = || images().flat_map(|image| &image.further);
    let captions = images().flat_map(|image| &image.captions).chain(further().map(|further| &further.caption));
    let vocabulary = Vocabulary::build(captions.chain(sentences).map(String::as_str), config.data.minimum_count);
    if !config.data.styles {
        return vocabulary;
    }
    let mut styles: Vec<&str> = own().map(|dataset| dataset.name.as_str()).collect();
    for Further { style, .. } in further() {
        if !styles.contains(&style.as_str()) {
            styles.push(style);
        }
    }
    vocabulary.with_styles(styles)
}

/// The vocabulary with the recipe's length classes: of the train captions each has as equal a share as whole words allow.
fn with_lengths(vocabulary: Vocabulary, config: &Config, datasets: &[Dataset]) -> Result<Vocabulary> {
    if config.data.lengths == 0 {
        return Ok(vocabulary);
    }
    let captions = datasets.iter().flat_map(|dataset| dataset.split(Split::Train)).flat_map(|image| &image.captions);
    let lengths = captions.map(|caption| vocabulary.encode(caption).len()).filter(|&words| words > 0).collect();
    Ok(vocabulary.with_lengths(&quantiles(lengths, config.data.lengths)?))
}

/// The bounds between `classes` classes of lengths, each the longest of its class.
fn quantiles(mut lengths: Vec<usize>, classes: usize) -> Result<Vec<usize>> {
    lengths.sort_unstable();
    let at = |class: usize| lengths.get((lengths.len() * class).div_ceil(classes).saturating_sub(1)).copied();
    let bounds: Vec<usize> = (1..=classes).filter_map(at).collect();
    let expected = "fewer: the train captions' lengths do not differ enough";
    ensure!(
        bounds.len() == classes && bounds.is_sorted_by(|a, b| a < b),
        Error::setting("data.lengths", classes, expected)
    );
    Ok(bounds[..classes - 1].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_classes_share_the_captions_and_none_is_empty() {
        let found = |lengths: &[usize], classes| quantiles(lengths.to_vec(), classes).ok();
        assert_eq!(found(&[9, 7, 8, 5, 6, 10], 3), Some(vec![6, 8]));
        assert_eq!(found(&[5, 5, 5, 6, 7, 9, 12], 2), Some(vec![6]));
        let refused = quantiles(vec![7, 7, 7, 8], 3).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|error| error.contains("data.lengths is 3, expected fewer")));
        assert!(found(&[], 2).is_none() && found(&[4, 4, 4], 2).is_none());
    }
}
