//! What keeps the node from starting, or ends it.

use cssa::files::FileError;
use std::path::PathBuf;

/// A result of this crate.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// What keeps the node from starting, or ends it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Argument(String),
    #[error("{name} is no name of ROS 2 ({problem})")]
    Name { name: String, problem: String },
    #[error("{}: {problem}", path.display())]
    ParametersFile { path: PathBuf, problem: String },
    #[error("parameter {name} is {found}, expected {expected}")]
    Parameter { name: String, found: String, expected: String },
    #[error("parameter {name} is not known, expected one of {expected}")]
    UnknownParameter { name: String, expected: String },
    #[error("{0}")]
    Environment(String),
    #[error(transparent)]
    Bundle(#[from] FileError),
    #[error("the bundle does not load")]
    Model(#[from] cssa_captioner::Error),
    #[error("parameter looks is {looks}, expected 1: {} has no statistics to judge looks by (`exporter calibrate` adds them)", bundle.display())]
    Looks { looks: String, bundle: PathBuf },
    #[error(
        "{what}: {problem}; is a network interface up, and a multicast route there (`ip link set lo multicast on`)?"
    )]
    Dds { what: String, problem: String },
    #[error("the node cannot wait")]
    Wait(#[source] std::io::Error),
    #[error(
        "{resident:.0} MiB are in memory, more than the parameter memory_mib ({most}) allows: somebody on the network announced more than there is, or images are larger"
    )]
    Memory { resident: f64, most: usize },
    #[error("the captioner's thread ended: please report what it said before")]
    Worker,
}
