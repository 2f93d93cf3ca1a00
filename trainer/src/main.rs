//! `trainer`: trains, evaluates and shows CSSA, and scores any system's captions.

mod commands;

use anyhow::Result;
use clap::{Parser, Subcommand};
use cssa::errors::chain;
use std::process::ExitCode;
use trainer::progress::Progress;

/// Trains CSSA: contrastive image-sentence alignment, captioning, self-critical training.
#[derive(Parser)]
#[command(version, about)]
#[command(after_help = "\
Examples:
  trainer check-data --data my-images/
      Names what is wrong with a dataset.
  trainer adapt --bundle-run fixtures/run --data my-images/ --out runs/mine
      Adapts the default bundle's run to your images.
  trainer evaluate --run runs/mine --data my-images/
      Scores its captions of the test split.")]
struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Train all stages. The same command again continues a run that was stopped.
    Train(commands::training::TrainOptions),
    /// Adapt a finished run to a few hundred captioned images of your own, without a recipe.
    Adapt(commands::adapt::AdaptOptions),
    /// Write the run of several runs' mean weights, and score all of them on dev.
    Average(commands::average::AverageOptions),
    /// Caption a split with a trained model and score it.
    Evaluate(commands::captions::EvaluateOptions),
    /// Caption images with a trained model: one JSON object per image, with the caption's log-probability.
    Caption(commands::captions::CaptionOptions),
    /// Try beams, length exponents and consensus on dev, and make the best search the run's own.
    Tune(commands::captions::TuneOptions),
    /// Score the captions of any system, beside baselines.
    Score(commands::score::ScoreOptions),
    /// Draw what the model attends to for a word and for a cell (PNG).
    Heatmap(commands::show::HeatmapOptions),
    /// Write a page of images with references and captions, with right and wrong words coloured (HTML).
    Gallery(commands::show::GalleryOptions),
    /// Write a run's report: curves, captions of dev images, reliability, classes (HTML). Training writes it, too.
    Report(commands::show::ReportOptions),
    /// Make one of the paper's tables, with paired differences: 4 (DGP, MCCL), 5 (decay), 7 (branches of MCCL) or 9
    /// (figure 9: learning rate, temperature, lambda and batch of MCCL); or 10 (what else raises quality, on dev and
    /// test). The same command again continues what is not finished.
    Ablate(commands::training::AblateOptions),
    /// Report problems of datasets: missing and damaged files, empty captions, images in several splits.
    CheckData(commands::data::CheckDataOptions),
    /// Measure images per second of the stages, beside plain PyTorch if --peer names an interpreter with torch.
    Bench(commands::bench::BenchOptions),
    /// Count the n-grams of train captions for a run: the link's language model and the document frequencies of
    /// consensus decoding.
    LanguageModel(commands::data::LanguageModelOptions),
    /// Write the output of every layer group for an image: golden vectors for other runtimes.
    Golden(commands::bench::GoldenOptions),
}

fn main() -> ExitCode {
    let done = |result: Result<()>| result.map(|()| ExitCode::SUCCESS);
    let ended = match Command::parse().action {
        Action::Train(options) => done(commands::training::train(options)),
        Action::Adapt(options) => done(commands::adapt::adapt(options)),
        Action::Average(options) => done(commands::average::average(options)),
        Action::Evaluate(options) => done(commands::captions::evaluate(options)),
        Action::Caption(options) => done(commands::captions::caption(options)),
        Action::Tune(options) => done(commands::captions::tune(options)),
        Action::Score(options) => done(commands::score::score(options)),
        Action::Heatmap(options) => done(commands::show::heatmap(options)),
        Action::Gallery(options) => done(commands::show::gallery(options)),
        Action::Report(options) => done(commands::show::report(options)),
        Action::Ablate(options) => done(commands::training::ablate(options)),
        Action::CheckData(options) => commands::data::check_data(options),
        Action::Bench(options) => done(commands::bench::bench(options)),
        Action::LanguageModel(options) => done(commands::data::language_model(options)),
        Action::Golden(options) => done(commands::bench::golden(options)),
    };
    ended.unwrap_or_else(|error| {
        Progress::Shown.say(&format!("error: {}", chain(&*error)));
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn help_manual_and_documented_commands_are_this_programs() -> anyhow::Result<()> {
        cssa_manual::check(&super::Command::command(), cssa_manual::Kind::Checkout)
    }
}
