//! What goes wrong with recipes, datasets, weights, runs and captions, and with the programs that scores and measurements need.

mod ranks;
mod state_dict;

pub use ranks::RanksError;
pub use state_dict::StateDictError;

use cssa::dataset::Split;
use cssa::files::FileError;
use std::fmt::Display;
use std::fs::TryLockError;
use std::io;
use std::path::PathBuf;

/// Why nothing is trained, captioned, scored or shown. Its text leaves out that of its source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A dataset, a checkpoint, an image or another file that cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file that cannot be read on.
    #[error("{}", path.display())]
    Path {
        /// Its path.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A file, folder or program that the operating system does not open, make or start.
    #[error("{} {action}", path.display())]
    System {
        /// Its path.
        path: PathBuf,
        /// What cannot be done.
        action: &'static str,
        /// What the operating system says.
        source: io::Error,
    },
    /// A file of cached rows, or the state of a run, that another process is writing.
    #[error("{} is being written by another run", .0.display())]
    Locked(PathBuf),
    /// A cached or temporary file that the operating system does not look at, cut or keep.
    #[error(transparent)]
    Cache(io::Error),
    /// A file of cached rows that has others than expected.
    #[error("{} {problem}", path.display())]
    Rows {
        /// Its path.
        path: PathBuf,
        /// How many there are, and were expected.
        problem: String,
    },
    /// The event file of a run cannot be written.
    #[error("the event file cannot be written")]
    Events(#[source] io::Error),

    /// A recipe, with fields changed, that cannot be.
    #[error("{}{}", recipe.display(), with(changes))]
    Recipe {
        /// Its file.
        recipe: PathBuf,
        /// The changes of fields, as they were asked for.
        changes: Vec<String>,
        /// What is wrong.
        source: Box<Error>,
    },
    /// A change of a recipe's field that means nothing.
    #[error("--set {change}: {problem}")]
    Change {
        /// The change.
        change: String,
        /// Why, or what was expected.
        problem: String,
    },
    /// A recipe with a field that there is not, or with a value of another kind.
    #[error("{}", one_line(.0))]
    Field(toml::de::Error),
    /// A value that is none of those a field or an option may have.
    #[error("{field} is {found}, expected {expected}")]
    Setting {
        /// The field with its table, `rsic.batch` for example, or the option.
        field: String,
        /// Its value.
        found: String,
        /// Those that it may have.
        expected: String,
    },
    /// A field or an option that names what there is not.
    #[error("{field} names {found}, expected {expected}")]
    Unknown {
        /// The field with its table, or the option.
        field: &'static str,
        /// What it names.
        found: String,
        /// What there is.
        expected: String,
    },
    /// Fields that do not go with each other, or with the data.
    #[error("{fields} {problem}")]
    Contradiction {
        /// The fields.
        fields: &'static str,
        /// Why not, and what was expected.
        problem: &'static str,
    },
    /// Hyper-parameters that no model has.
    #[error(transparent)]
    Model(#[from] cssa::model::ModelError),
    /// The backbone is to be trained from a layer on that it does not have.
    #[error("the backbone has no layer {found}, expected for example {example}")]
    NoLayer {
        /// The layer.
        found: String,
        /// One that there is.
        example: String,
    },
    /// A recipe without what a table studies: two of its cells would be one run.
    #[error("with this recipe the cells {one} and {other} are the same, expected one that has what the table studies")]
    SameCells {
        /// A cell.
        one: &'static str,
        /// The other one.
        other: &'static str,
    },

    /// Two datasets that have one name.
    #[error("{}: another dataset of --data is called {name}, too", folder.display())]
    SharedName {
        /// The second one's folder.
        folder: PathBuf,
        /// The name.
        name: String,
    },
    /// Datasets of which no image is in the split that is asked for.
    #[error("{}: no image of split {} is there, expected at least one", datasets.join(", "), split.name())]
    NoImages {
        /// Their names.
        datasets: Vec<String>,
        /// The split.
        split: Split,
    },
    /// Datasets without an image to train on.
    #[error("the datasets have no train image")]
    NoTrainImages,
    /// Golden vectors of no image.
    #[error("golden vectors need an image that is not for training")]
    NoGolden,
    /// Images that are asked for and cannot be read; the others have been captioned.
    #[error("{} of {images} images could not be read: {}", failed.len(), joined(failed))]
    UnreadableImages {
        /// Why, one reason an image.
        failed: Vec<FileError>,
        /// How many were asked for.
        images: usize,
    },
    /// Images to score that have no hypothesis.
    #[error("{missing} of the {images} images of split {} have no hypothesis, the first is {first}: expected one for each",
        split.name())]
    NoHypothesis {
        /// How many.
        missing: usize,
        /// Those of the split.
        images: usize,
        /// The split.
        split: Split,
        /// The first without one.
        first: String,
    },
    /// A hypothesis for an image that the dataset does not have.
    #[error("hypothesis for {image}, which {} does not have", dataset.display())]
    NoSuchImage {
        /// The image.
        image: String,
        /// The dataset's description.
        dataset: PathBuf,
    },

    /// A folder whose run was started with another recipe, on other inputs, or has what the recipe lacks.
    #[error("{} {problem}", place.display())]
    OtherRun {
        /// The file that tells, or the run.
        place: PathBuf,
        /// In what it differs, and what to do.
        problem: String,
    },
    /// A stage that is to have other epochs when the next one has begun.
    #[error(
        "{}: {stage} had {before} epochs and the next stage has begun, so it cannot have {now} any more",
        recipe.display()
    )]
    StageOver {
        /// The run's recipe.
        recipe: PathBuf,
        /// The stage.
        stage: &'static str,
        /// Its epochs so far.
        before: usize,
        /// Those asked for.
        now: usize,
    },
    /// A run to start from whose model is not the recipe's.
    #[error("{}: its model differs from the recipe's, expected the same: {differing}", run.display())]
    OtherModel {
        /// The run's folder.
        run: PathBuf,
        /// The fields with both values.
        differing: String,
    },

    /// A weights file that is not what its ending says.
    #[error("{} is not a state_dict that torch.save wrote", path.display())]
    StateDict {
        /// The file.
        path: PathBuf,
        /// Why.
        source: StateDictError,
    },
    /// The backbone's weights lack a tensor.
    #[error("tensor {0} is missing")]
    TensorMissing(String),
    /// A checkpoint has, or a layer asks for, a tensor that the model does not have.
    #[error("the model has no tensor {0}")]
    NoTensor(String),
    /// A tensor of another shape than the model's.
    #[error("tensor {tensor} has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Its name.
        tensor: String,
        /// Its shape.
        found: Vec<i64>,
        /// The model's.
        expected: Vec<i64>,
    },
    /// libtorch does not copy a tensor.
    #[error("tensor {tensor}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// What libtorch says.
        source: tch::TchError,
    },
    /// libtorch does not give a tensor's values.
    #[error(transparent)]
    Torch(#[from] tch::TchError),
    /// A loss or weights that are no numbers any more.
    #[error("{0}")]
    Diverged(String),

    /// A search that the model has not what it takes for: document frequencies, or the length class.
    #[error(transparent)]
    Strategy(#[from] cssa::search::StrategyError),
    /// Captions that have no score.
    #[error(transparent)]
    Metrics(#[from] cssa::metrics::MetricsError),
    /// The search found nothing that is a caption.
    #[error("the search gave no caption")]
    NoCaption,
    /// No way to search is to be tried.
    #[error("nothing to try: give --beams or --consensus")]
    NothingToTry,
    /// Runs, a cell or a word that no heatmap shows.
    #[error("{0}")]
    Heatmap(String),

    /// CUDA is asked for and not there.
    #[error("--device cuda: no CUDA device, or no {library} on LD_LIBRARY_PATH")]
    NoCuda {
        /// The library that is looked for.
        library: &'static str,
    },
    /// Processes that cannot train together.
    #[error(transparent)]
    Ranks(#[from] RanksError),
    /// The program does not know where it lies, and cannot start itself again with CUDA.
    #[error("own path is unknown")]
    OwnPath(#[source] io::Error),
    /// The program cannot start itself again with CUDA.
    #[error("{} cannot be started again with {}", program.display(), library.display())]
    Restart {
        /// The program.
        program: PathBuf,
        /// libtorch's CUDA library.
        library: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The program that the trainer is measured beside does not measure.
    #[error("{} {problem}", script.display())]
    Peer {
        /// Its script.
        script: PathBuf,
        /// What it did.
        problem: String,
    },

    /// What is known of a run has no form in TOML.
    #[error(transparent)]
    Record(#[from] toml::ser::Error),
    /// Captions or scores that have no form in JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A page that cannot be put together.
    #[error(transparent)]
    Page(#[from] std::fmt::Error),
    /// What never is where the trainer is right: a mistake of its own.
    #[error("{0}")]
    Broken(&'static str),
}

/// What this crate's functions give.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::Setting`] from anything that can be shown.
    pub(crate) fn setting(field: impl Display, found: impl Display, expected: impl Display) -> Self {
        Self::Setting { field: field.to_string(), found: found.to_string(), expected: expected.to_string() }
    }

    /// An [`Error::System`] from the operating system's answer.
    pub(crate) fn system(path: impl Into<PathBuf>, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { path: path.into(), action, source }
    }

    /// Why a file is not locked: another process has it, or the operating system does not.
    pub(crate) fn lock(path: impl Into<PathBuf>) -> impl FnOnce(TryLockError) -> Self {
        move |error| match error {
            TryLockError::WouldBlock => Self::Locked(path.into()),
            TryLockError::Error(source) => Self::system(path, "cannot be locked")(source),
        }
    }

    /// An [`Error::OtherRun`] from anything that can be shown.
    pub(crate) fn other_run(place: impl Into<PathBuf>, problem: impl Display) -> Self {
        Self::OtherRun { place: place.into(), problem: problem.to_string() }
    }
}

/// What stands behind a recipe's name where fields were changed.
fn with(changes: &[String]) -> String {
    if changes.is_empty() { String::new() } else { format!(" with --set {}", changes.join(" ")) }
}

/// An error of TOML's as one line.
fn one_line(error: &toml::de::Error) -> String {
    let text = error.to_string();
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ")
}

fn joined(errors: &[FileError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

pub(crate) use cssa::ensure;
