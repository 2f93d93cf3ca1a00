//! What keeps processes from training together.

/// Why several processes do not train one model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RanksError {
    /// More ranks on a host than it has CUDA devices.
    #[error(
        "the host has {devices} CUDA devices for its process number {process}, expected one device a process: start fewer there, or --device cpu"
    )]
    NoDeviceLeft {
        /// How many devices the host has.
        devices: i64,
        /// The number of the process on its host, from 1.
        process: usize,
    },
    /// Started as one of several by a program that was built without MPI.
    #[error(
        "one of {processes} processes, and this trainer was built without MPI: cargo build --release -p trainer --features mpi"
    )]
    NoMpi {
        /// How many were started.
        processes: usize,
    },
    /// Started as one of several by a command that runs in one process.
    #[error(
        "one of {processes} processes: train, adapt and bench share their work, this command does not, start it alone"
    )]
    NotTogether {
        /// How many were started.
        processes: usize,
    },
    /// The launcher's MPI and the program's do not know each other.
    #[error(
        "{processes} processes were started and MPI sees {found}: start them with the MPI that trainer was built with (its mpirun, or \
        srun --mpi=pmix; srun --mpi=list names what there is)"
    )]
    OtherRanks {
        /// How many MPI sees.
        found: usize,
        /// How many the launcher started.
        processes: usize,
    },
    /// Ranks that do not compute the same.
    #[error(
        "{rank} has {what} than rank 0, expected the same to the last bit: use one build of trainer and of libtorch on all hosts"
    )]
    Apart {
        /// The first rank that differs, with its host.
        rank: String,
        /// What differs.
        what: &'static str,
    },
    /// NCCL, or what it needs.
    #[cfg(feature = "nccl")]
    #[error(transparent)]
    Nccl(cssa_nccl::Error),
    /// More ranks than there are images to deal out.
    #[error("{ranks} ranks share {entries} images or pairs, expected at least one for each: start fewer")]
    TooManyRanks {
        /// How many ranks there are.
        ranks: usize,
        /// What an epoch has.
        entries: usize,
    },
}
