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
struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Train all stages; started again with the same command, it goes on where it was stopped.
    Train(commands::training::TrainOptions),
    /// Teach a finished run images and captions of your own, in minutes and without a recipe: new words, new scenes, and it keeps
    /// what it knew.
    Adapt(commands::adapt::AdaptOptions),
    /// Caption a split with a trained model and score it.
    Evaluate(commands::captions::EvaluateOptions),
    /// Caption images with a trained model: one JSON object an image, with the probability of its caption.
    Caption(commands::captions::CaptionOptions),
    /// Try ways to search on dev and make the best one the run's own.
    Tune(commands::captions::TuneOptions),
    /// Score any system's captions, with baselines.
    Score(commands::score::ScoreOptions),
    /// Draw what the model attends to, for a word and for a cell (PNG).
    Heatmap(commands::show::HeatmapOptions),
    /// Make a page of images with references and captions, right and wrong words coloured (HTML).
    Gallery(commands::show::GalleryOptions),
    /// Make one of the paper's tables: 4 (DGP, MCCL), 5 (decay), 7 (branches of MCCL) or 9 (figure 9: learning rate,
    /// temperature, lambda and batch of MCCL), or 10 (what else raises quality, on dev and test), with paired differences; started again, it goes on with what is not finished.
    Ablate(commands::training::AblateOptions),
    /// Report what is wrong with datasets: missing and damaged files, empty captions, images in several splits.
    CheckData(commands::data::CheckDataOptions),
    /// Measure images a second of both stages, beside plain PyTorch where an interpreter with torch is named.
    Bench(commands::bench::BenchOptions),
    /// Count the train captions' n-grams for a run that has no counts, or those of other captions: what packs its captions on the
    /// link, and what consensus decoding compares captions by.
    LanguageModel(commands::data::LanguageModelOptions),
    /// Write what every layer group gives for an image: golden vectors for other runtimes.
    Golden(commands::bench::GoldenOptions),
}

fn main() -> ExitCode {
    let done = |result: Result<()>| result.map(|()| ExitCode::SUCCESS);
    let ended = match Command::parse().action {
        Action::Train(options) => done(commands::training::train(options)),
        Action::Adapt(options) => done(commands::adapt::adapt(options)),
        Action::Evaluate(options) => done(commands::captions::evaluate(options)),
        Action::Caption(options) => done(commands::captions::caption(options)),
        Action::Tune(options) => done(commands::captions::tune(options)),
        Action::Score(options) => done(commands::score::score(options)),
        Action::Heatmap(options) => done(commands::show::heatmap(options)),
        Action::Gallery(options) => done(commands::show::gallery(options)),
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
