//! Why a run does not become a bundle, or a bundle is not what it should be.

use cssa::files::FileError;
use cssa::metrics::MetricsError;
use cssa::search::StrategyError;
use cssa::tolerance::{Difference, Tolerance};
use cssa_captioner::Provider;
use cssa_graph::DequantizeError;
use minisign::PError;
use std::path::PathBuf;

/// The environment's variable that holds the password of a secret key.
pub(crate) const PASSWORD: &str = "MINISIGN_PASSWORD";

/// Why a run does not become a bundle, or a bundle is not what it should be. Every message is whole: what caused an error stands
/// in its text, behind the place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder that cannot be read or written, or that holds something else than it should.
    #[error(transparent)]
    File(#[from] FileError),
    /// A folder or an image that has no path from the root.
    #[error(transparent)]
    Folder(std::io::Error),
    /// INT8 is asked for without images that tell the ranges of activations.
    #[error("--quantize int8 needs --calibration with a dataset or a folder of images")]
    CalibrationMissing,
    /// Too few images to calibrate with.
    #[error("{}: {found} {kind}, expected at least {expected} to calibrate with", folder.display())]
    FewImages {
        /// The dataset's folder, or a plain one.
        folder: PathBuf,
        /// How many it has.
        found: usize,
        /// Which of its images count.
        kind: &'static str,
        /// How many it takes.
        expected: usize,
    },
    /// A part of a dataset that has no image.
    #[error("{}: has no image of {part}", folder.display())]
    NoImages {
        /// The dataset's folder.
        folder: PathBuf,
        /// The part.
        part: String,
    },
    /// A run that is not the one a bundle was made from.
    #[error("{}: its model differs from the bundle's", run.display())]
    OtherModel {
        /// The run's folder.
        run: PathBuf,
    },
    /// A checkpoint lacks a tensor that its model has.
    #[error("the checkpoint has no tensor {0}")]
    TensorMissing(String),
    /// A model file without a graph.
    #[error("the model has no graph")]
    NoGraph,
    /// A weight that is not among the graph's constants.
    #[error("tensor {0} is no constant")]
    NotConstant(String),
    /// An activation that is to become 8 bits, and whose range nobody measured.
    #[error("tensor {0} has no calibrated range")]
    NoRange(String),
    /// A node that reads what no node writes, or a circle of nodes.
    #[error("node {0} reads a tensor that nothing writes")]
    NeverWritten(String),
    /// A constant that FP16 cannot hold.
    #[error("tensor {0} has values beyond what FP16 holds")]
    BeyondFp16(String),
    /// A file that is no ONNX model.
    #[error(transparent)]
    Onnx(#[from] prost::DecodeError),
    /// A quantized graph whose float network cannot be read off it.
    #[error(transparent)]
    Dequantize(#[from] DequantizeError),
    /// tract refuses a graph, or finds no shapes for its tensors.
    #[error("{0}")]
    Shapes(String),
    /// The captioner: no ONNX Runtime, or a bundle that does not load or gives no caption.
    #[error(transparent)]
    Captioner(#[from] cssa_captioner::Error),
    /// ONNX Runtime refuses an input, or fails in a graph.
    #[error(transparent)]
    OnnxRuntime(#[from] ort::Error),
    /// Inner tensors are seen on the CPU only.
    #[error("graphs are observed on the CPU, not with {0}")]
    NotOnCpu(Provider),
    /// A graph lacks an output of the contract.
    #[error("{graph}: has no output {output}")]
    OutputMissing {
        /// `encoder.onnx` or `decoder.onnx`.
        graph: &'static str,
        /// The output.
        output: String,
    },
    /// The memory has a value that is no number: no range and no caption of it would be true.
    #[error("the encoder gives values that are not finite")]
    NotFinite,
    /// Confidence is to be fitted on images that the model has learned by heart.
    #[error("confidence cannot be fitted on train, which the model has seen: expected dev, val or test")]
    FittedOnTrain,
    /// A part of a dataset, or an image, that is given twice.
    #[error("{what} is there twice, expected each image once")]
    Twice {
        /// The dataset and split, or the image.
        what: String,
    },
    /// Too few images to fit or to check statistics on.
    #[error("{found} {kind}, expected {expected} or more: {reason}")]
    FewFitted {
        /// How many there are.
        found: usize,
        /// What is counted.
        kind: &'static str,
        /// How many it takes.
        expected: usize,
        /// Why.
        reason: &'static str,
    },
    /// A table of object groups that no caption of the bundle can name one of.
    #[error(
        "{table}: none of its {groups} groups has a word of the bundle's vocabulary, expected a line a group, such as `river rivers`"
    )]
    ForeignGroups {
        /// The table's file.
        table: String,
        /// How many groups it has.
        groups: usize,
    },
    /// Statistics that cannot be fitted: fewer images than dimensions, or all alike.
    #[error("{0}: the images are too few or too much alike to fit it")]
    NotFitted(&'static str),
    /// Too few train images to compare others with.
    #[error("{found} train images, expected {expected} or more to compare images with")]
    FewNeighbours {
        /// How many there are.
        found: usize,
        /// How many it takes.
        expected: usize,
    },
    /// Statistics of familiarity that are none.
    #[error(transparent)]
    Familiarity(#[from] cssa::trust::FamiliarityError),
    /// Tensors that cannot be written.
    #[error(transparent)]
    Tensors(#[from] safetensors::SafeTensorError),
    /// A bundle whose captions have no confidence.
    #[error("{}: has no statistics: `exporter calibrate` adds them", .0.display())]
    NotCalibrated(PathBuf),
    /// Quantization has moved the confidence away from the truth.
    #[error(
        "the confidence of the bundle's graphs is off by {found:.3} (ECE), the float model's by {float:.3}, expected at most {most:.3}: quantize less, or fit it anew with `exporter calibrate`"
    )]
    CalibrationBroken {
        /// Of the bundle's graphs.
        found: f64,
        /// Of the float model.
        float: f64,
        /// What is allowed.
        most: f64,
    },
    /// A confidence that says nothing of the captions.
    #[error(
        "the confidence of the bundle's graphs is off by {found:.3} (ECE) on {images} images, expected at most {most}: fit it anew with `exporter calibrate`"
    )]
    Miscalibrated {
        /// The calibration error.
        found: f64,
        /// What is allowed.
        most: f64,
        /// Images measured.
        images: usize,
    },
    /// A confidence that is as high for wrong captions as for right ones.
    #[error(
        "the confidence does not tell wrong captions from right ones: AUROC {found:.3} on {images} images, expected {least} or more: fit it anew with `exporter calibrate`"
    )]
    Uninformative {
        /// The AUROC.
        found: f64,
        /// What it takes.
        least: f64,
        /// Images measured.
        images: usize,
    },
    /// Images of the datasets' part that no line is of.
    #[error("{}: has no line of {missing} of {expected} images, the first is {}", lines.display(), first.display())]
    Unstated {
        /// The file of the lines.
        lines: PathBuf,
        /// How many.
        missing: usize,
        /// Of how many.
        expected: usize,
        /// The first one.
        first: PathBuf,
    },
    /// A line that is not what `edge caption --json` prints.
    #[error("{}: line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A search that the model has not what it takes for: document frequencies, or the length class.
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    /// The search found nothing that is a caption.
    #[error("the search gave no caption")]
    NoCaption,
    /// The search gave a token that the vocabulary lacks.
    #[error("the search gave a token that is no word")]
    NoWord,
    /// Captions that have no score.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A bundle strays from the checkpoint's golden vectors.
    #[error(
        "{runtime}: {label} {tensor} differs from the checkpoint by {:.2e} (cosine {:.6}), {} allows {:.2e} (cosine {})",
        found.relative, found.cosine, allowed.name, allowed.relative, allowed.cosine
    )]
    Parity {
        /// `graphs`, `ort` or `tract`.
        runtime: &'static str,
        /// The precision.
        label: String,
        /// `memory` or `logits`.
        tensor: &'static str,
        /// By how much.
        found: Difference,
        /// What is allowed.
        allowed: Tolerance,
    },
    /// The score on the validation set falls too far, whatever stays in float.
    #[error("CIDEr falls by more than {max_loss} even with all groups in float")]
    Score {
        /// The share of the float model's CIDEr-D that may go.
        max_loss: f64,
    },
    /// A file that is no secret key.
    #[error("{}: is no minisign secret key: {cause}", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// minisign's reason.
        cause: PError,
    },
    /// A secret key that its password, or the lack of one, does not open.
    #[error("{}: cannot be opened; {} holds the password where it has one: {cause}", path.display(), PASSWORD)]
    LockedKey {
        /// The file.
        path: PathBuf,
        /// minisign's reason.
        cause: PError,
    },
    /// minisign does not sign.
    #[error(transparent)]
    Signature(#[from] PError),
    /// A manifest that has no form in TOML.
    #[error(transparent)]
    Manifest(#[from] toml::ser::Error),
    /// A report that cannot be put together.
    #[error(transparent)]
    Report(#[from] std::fmt::Error),
    /// A graph, a step or a cache is not as the model has it.
    #[error("{0}")]
    Unexpected(String),
    /// An error and where it came up.
    #[error("{place}: {cause}")]
    At {
        /// A file, a node, an image.
        place: String,
        /// The error.
        cause: Box<Error>,
    },
}

/// What this crate's functions give.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Says where an error came up.
pub(crate) trait At<T> {
    /// The result, its error with the place before it.
    fn at(self, place: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Error>> At<T> for std::result::Result<T, E> {
    fn at(self, place: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Error::At { place: place(), cause: Box::new(error.into()) })
    }
}

/// [`Error::Unexpected`] from a message.
macro_rules! unexpected {
    ($($message:tt)*) => { $crate::error::Error::Unexpected(format!($($message)*)) };
}

/// Gives [`Error::Unexpected`] back where a condition does not hold.
macro_rules! ensure {
    ($condition:expr, $($message:tt)*) => {
        cssa::ensure!($condition, $crate::error::unexpected!($($message)*))
    };
}

pub(crate) use {ensure, unexpected};
