//! Who started this process: nobody, or `mpirun` or `srun` together with others.

use super::alone::Alone;
#[cfg(feature = "mpi")]
use super::mpi::Mpi;
use super::transport::Transport;
use crate::error::{RanksError, Result, ensure};

/// How many processes Open MPI's `mpirun`, MPICH's and its kin's, and Slurm's `srun` say that they have started; the first that is there
/// counts, since `mpirun` may itself have been started by `srun`, once a host.
const COUNTS: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"];

pub(super) fn start() -> Result<Box<dyn Transport>> {
    match launched(|name| std::env::var(name).ok()) {
        1 => Ok(Box::new(Alone)),
        processes => join(processes),
    }
}

/// An error where this is one of several processes.
pub fn check_alone() -> Result<()> {
    let processes = launched(|name| std::env::var(name).ok());
    ensure!(processes == 1, RanksError::NotTogether { processes }.into());
    Ok(())
}

fn launched(variable: impl Fn(&str) -> Option<String>) -> usize {
    COUNTS.iter().find_map(|name| variable(name)?.parse().ok()).unwrap_or(1).max(1)
}

#[cfg(feature = "mpi")]
fn join(processes: usize) -> Result<Box<dyn Transport>> {
    let ranks = Mpi::join().ok_or(crate::error::Error::Broken("MPI was started twice"))?;
    let found = ranks.size();
    ensure!(found == processes, RanksError::OtherRanks { found, processes }.into());
    Ok(Box::new(ranks))
}

#[cfg(not(feature = "mpi"))]
fn join(processes: usize) -> Result<Box<dyn Transport>> {
    Err(RanksError::NoMpi { processes }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launchers_are_known_by_what_they_set() {
        let count = |all: &[(&str, &str)]| {
            launched(|name| all.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(count(&[]), 1);
        assert_eq!(count(&[("OMPI_COMM_WORLD_SIZE", "4")]), 4);
        assert_eq!(count(&[("SLURM_STEP_NUM_TASKS", "8")]), 8);
        assert_eq!(count(&[("OMPI_COMM_WORLD_SIZE", "4"), ("SLURM_STEP_NUM_TASKS", "2")]), 4);
        assert_eq!(count(&[("PMI_SIZE", "many")]), 1);
    }
}
