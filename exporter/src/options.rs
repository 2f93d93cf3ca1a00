//! What a user can type.

use clap::{Args, Parser, Subcommand, ValueEnum};
use cssa::dataset::Split;
use cssa_captioner::Looks;
use cssa_terminal::{LogOptions, one_of};
use exporter::request::Method;
use std::path::PathBuf;

/// Exports a trained model for `edge` and proves that it still says the same.
#[derive(Parser)]
#[command(version, about, subcommand_negates_reqs = true)]
#[command(after_help = "\
Examples:
  exporter --checkpoint runs/mine --calibration my-images/ --out mine.cssa
      Makes a bundle in 8 bits, with activation ranges of these images.
  exporter --checkpoint runs/mine --quantize none --out float.cssa
      Makes one in 32-bit floats.
  exporter inspect mine.cssa
      Says what a bundle consists of.")]
pub(crate) struct Command {
    #[command(flatten)]
    pub(crate) log: LogOptions,
    #[command(subcommand)]
    pub(crate) action: Option<Action>,
    #[command(flatten)]
    pub(crate) export: Export,
}

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Print nodes, precision, parameters, MACs and bytes of each layer group of a bundle's graphs.
    Inspect(Inspect),
    /// Print a bundle's STAC item (Machine Learning Model extension 1.5), which new bundles have as `stac-item.json`.
    Describe(Describe),
    /// Compare a bundle with the float model on real images, in every runtime, and write a report.
    Verify(Verify),
    /// Write what a bundle is into its graphs (ONNX `metadata_props`) and the head of its model card. Its weights stay as they are.
    Annotate(Annotate),
    /// Sign all files of a bundle's folder by OpenSSF Model Signing: write `model.sig` into it.
    Sign(Sign),
    /// Check `model.sig` of a folder and every file in it.
    CheckSignature(CheckSignature),
    /// Convert a bundle between a folder and one `.cssa` file, and sign it if asked to.
    Pack(Pack),
    /// Write the difference to an earlier bundle, for a thin uplink. `edge update` applies it.
    Delta(Delta),
    /// Fit a bundle's confidence, familiarity and image check on captioned images, and write the bundle with them.
    Calibrate(Calibrate),
    /// Measure confidence and familiarity on images that nothing was fitted on.
    Trust(Trust),
}

/// Options of exporting.
#[derive(Args)]
pub(crate) struct Export {
    /// Folder of the run that the trainer wrote.
    #[arg(long, required = true)]
    pub(crate) checkpoint: Option<PathBuf>,
    /// Precision of the graphs.
    #[arg(long, value_enum, default_value = "int8")]
    pub(crate) quantize: Quantize,
    /// What the graphs will run on.
    #[arg(long, value_enum, default_value = "cpu")]
    pub(crate) target: Target,
    /// Captioned dataset whose train images determine activation ranges (dev, val and test stay unseen), or a plain
    /// folder of images. int8 needs it.
    #[arg(long)]
    pub(crate) calibration: Option<PathBuf>,
    /// Number of calibration images, at most, spread evenly over those of --calibration.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(8..=4096))]
    pub(crate) calibration_images: u16,
    /// How activation ranges are chosen. Default: the way that measures best.
    #[arg(long, value_enum)]
    pub(crate) ranges: Option<Ranges>,
    /// Captioned dataset on which the score must hold. Layer groups go back to float until it does.
    #[arg(long)]
    pub(crate) validation: Option<PathBuf>,
    /// Split of --validation: dev, val or test.
    #[arg(long, default_value = "dev")]
    pub(crate) split: Split,
    /// Share of the float model's CIDEr that may be lost, such as `0.5%` or `0.005`.
    #[arg(long, default_value = "0.5%", value_parser = share)]
    pub(crate) max_loss: f64,
    /// Captioned datasets on which confidence and familiarity are fitted. Without any, captions have no confidence.
    #[arg(long, num_args = 1..)]
    pub(crate) trust: Vec<PathBuf>,
    /// Their parts on which confidence is fitted, none that the model has trained on.
    #[arg(long, value_delimiter = ',', default_value = "dev", requires = "trust")]
    pub(crate) trust_split: Vec<Split>,
    /// Table of object groups, one group per line. Default: the built-in one.
    #[arg(long, requires = "trust")]
    pub(crate) objects: Option<PathBuf>,
    /// SPDX expression of the weights' licence, for the graphs' metadata and the model card. Default: none is named.
    #[arg(long)]
    pub(crate) license: Option<String>,
    /// Bundle to write: a new or empty folder, or a file that ends in .cssa.
    #[arg(long, required = true)]
    pub(crate) out: Option<PathBuf>,
    /// minisign secret key to sign the manifest with. Its password, if it has one, is taken from MINISIGN_PASSWORD.
    #[arg(long)]
    pub(crate) sign: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  exporter inspect mine.cssa
      Prints a row per layer group, and a drawing of the graphs.")]
pub(crate) struct Inspect {
    /// Bundle: a folder or a `.cssa` file.
    pub(crate) bundle: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// File of a drawing of both graphs (SVG).
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  exporter describe mine.cssa
      Prints the STAC item.")]
pub(crate) struct Describe {
    /// Bundle: a folder or a `.cssa` file.
    pub(crate) bundle: PathBuf,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  exporter annotate mine.cssa --license Apache-2.0 --out annotated.cssa
      Writes the same weights with their licence in the graphs.")]
pub(crate) struct Annotate {
    /// The bundle; its model card, where its folder has one, keeps its text.
    pub(crate) bundle: PathBuf,
    /// SPDX expression of the weights' licence; left out, the one that the graphs name already.
    #[arg(long)]
    pub(crate) license: Option<String>,
    /// The bundle with it: a new or empty folder, or a file that ends in .cssa. It has another id.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// minisign secret key to sign the manifest with.
    #[arg(long)]
    pub(crate) sign: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  exporter sign bundle/ --openssf model.pem
      Writes bundle/model.sig.")]
pub(crate) struct Sign {
    /// The bundle, a folder that is complete: what is changed or added after is refused.
    pub(crate) bundle: PathBuf,
    /// Private key on P-256, PEM: `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` makes one.
    #[arg(long)]
    pub(crate) openssf: PathBuf,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  exporter check-signature bundle/ --openssf model.pub
      Prints how many files are as they were signed, or names the one that is not.")]
pub(crate) struct CheckSignature {
    /// The bundle, a folder.
    pub(crate) bundle: PathBuf,
    /// The signer's public key, PEM: `openssl pkey -in KEY -pubout`. Required.
    #[arg(long)]
    pub(crate) openssf: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  exporter verify mine.cssa --data my-images/ --checkpoint runs/mine --images 2
      Compares ONNX Runtime, tract and the float model on two test images.")]
pub(crate) struct Verify {
    /// Bundle: a folder or a `.cssa` file.
    pub(crate) bundle: PathBuf,
    /// Captioned dataset.
    #[arg(long)]
    pub(crate) data: PathBuf,
    /// Split of --data: train, dev, val or test.
    #[arg(long, default_value = "test")]
    pub(crate) split: Split,
    /// Run that the bundle was made from: the float model. Default: the bundle's own weights in float, which leaves the
    /// rounding of weights out of the comparison.
    #[arg(long)]
    pub(crate) checkpoint: Option<PathBuf>,
    /// Number of images, at most, spread evenly over the split. Default: all.
    #[arg(long)]
    pub(crate) images: Option<usize>,
    /// File of the report (HTML).
    #[arg(long, default_value = "report.html")]
    pub(crate) report: PathBuf,
    /// Also print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  exporter pack bundle/ --out packed.cssa
      Makes one file of a folder.
  exporter pack mine.cssa --out unpacked
      Makes a folder of a file.")]
pub(crate) struct Pack {
    /// Bundle: a folder or a `.cssa` file.
    pub(crate) bundle: PathBuf,
    /// A file that ends in .cssa, or a new or empty folder.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// minisign secret key to sign the manifest with.
    #[arg(long)]
    pub(crate) sign: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  exporter delta mine.cssa new.cssa --out new.delta
      Writes what `ground command delta` sends and `edge update` applies.")]
pub(crate) struct Delta {
    /// Bundle on board.
    pub(crate) earlier: PathBuf,
    /// New bundle.
    pub(crate) new: PathBuf,
    /// Delta to write.
    #[arg(long)]
    pub(crate) out: PathBuf,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  exporter calibrate mine.cssa --data my-images/ --split dev,val --out calibrated.cssa
      Fits confidence on images that the model has not trained on.")]
pub(crate) struct Calibrate {
    /// Bundle: a folder or a `.cssa` file.
    pub(crate) bundle: PathBuf,
    /// Captioned datasets. Their train images are the neighbours that others are compared with.
    #[arg(long, required = true, num_args = 1..)]
    pub(crate) data: Vec<PathBuf>,
    /// Their parts on which confidence is fitted, none that the model has trained on.
    #[arg(long, value_delimiter = ',', default_value = "dev")]
    pub(crate) split: Vec<Split>,
    /// Table of object groups, one group per line. Default: the built-in one.
    #[arg(long)]
    pub(crate) objects: Option<PathBuf>,
    /// Bundle to write, with statistics: a new or empty folder, or a file that ends in .cssa.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// minisign secret key to sign the manifest with.
    #[arg(long)]
    pub(crate) sign: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  exporter trust --data my-images/ --looks 4
      Prints how often a caption of a given confidence is wrong, on the test split.")]
pub(crate) struct Trust {
    /// Bundle: a folder or a `.cssa` file. Default: the default bundle.
    #[arg(long)]
    pub(crate) bundle: Option<PathBuf>,
    /// Captioned datasets.
    #[arg(long, required = true, num_args = 1..)]
    pub(crate) data: Vec<PathBuf>,
    /// Split of --data: dev, val or test.
    #[arg(long, default_value = "test")]
    pub(crate) split: Split,
    /// Folders of images that are outside of what the model knows.
    #[arg(long, num_args = 1..)]
    pub(crate) outside: Vec<PathBuf>,
    /// Output of `edge caption --json` with this bundle for the datasets' images, instead of captioning them again.
    #[arg(long, conflicts_with = "outside")]
    pub(crate) lines: Option<PathBuf>,
    /// Turned and mirrored views of each image that are captioned. Default: those of --lines, or 1.
    #[arg(long, value_parser = one_of::<Looks>(Looks::NAMES))]
    pub(crate) looks: Option<Looks>,
    /// Table of object groups to tell wrong captions by, one group per line. Default: the bundle's.
    #[arg(long)]
    pub(crate) objects: Option<PathBuf>,
    /// Threads of the model.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) threads: u8,
    /// File of a report with the worst mistakes (HTML).
    #[arg(long)]
    pub(crate) report: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Quantize {
    /// 32-bit floats.
    None,
    /// 16-bit floats: as stored, and with --target tensorrt as computed.
    Fp16,
    /// 8-bit weights and activations.
    Int8,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Target {
    /// ONNX Runtime on a CPU: U8 activations, S8 weights per channel.
    Cpu,
    /// TensorRT: S8 with zero point 0. What is not in 8 bits is FP16 in the graph, except LayerNorm.
    Tensorrt,
    /// tract: S8 weights, float arithmetic.
    Tract,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Ranges {
    /// All values seen.
    Minmax,
    /// All but one value in 100,000 at each end.
    Percentile,
    /// The clipping that leaves the distribution's information (Kullback–Leibler divergence, as TensorRT has it).
    Entropy,
    /// Least squared error of rounding and clipping together.
    Mse,
}

impl From<Ranges> for Method {
    fn from(ranges: Ranges) -> Self {
        match ranges {
            Ranges::Minmax => Self::Minmax,
            Ranges::Percentile => Self::Percentile,
            Ranges::Entropy => Self::Entropy,
            Ranges::Mse => Self::Mse,
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    let (digits, unit) = text.strip_suffix('%').map_or((text, 1.0), |digits| (digits, 100.0));
    match digits.trim().parse::<f64>() {
        Ok(number) if (0.0..1.0).contains(&(number / unit)) => Ok(number / unit),
        _ => Err("expected a share such as 0.5% or 0.005".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn help_manual_and_documented_commands_are_this_programs() -> anyhow::Result<()> {
        cssa_manual::check(&super::Command::command(), cssa_manual::Kind::Checkout)
    }
}
