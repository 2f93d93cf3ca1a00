//! `trainer train` in several processes that `mpirun` starts, on rendered scenes: what they compute is what one computes, and whoever
//! is killed, the same command goes on exactly. `RANKS=long` kills each of four, and compares longer.

#![expect(clippy::print_stderr, reason = "a test says what it measured, and when it is skipped")]

mod world;

#[cfg(feature = "mpi")]
mod ends;
#[cfg(feature = "mpi")]
mod same;

/// A program that was built without MPI does not train the same run once more beside others.
#[cfg(not(feature = "mpi"))]
#[test]
fn without_mpi_one_of_several_processes_is_refused() -> anyhow::Result<()> {
    let mut trainer = std::process::Command::new(world::TRAINER);
    let arguments = ["train", "--device", "cpu", "--config", "x", "--data", "x", "--from", "x", "--out", "x"];
    let ended = trainer.args(arguments).env("OMPI_COMM_WORLD_SIZE", "4").output()?;
    let said = String::from_utf8(ended.stderr)?;
    assert!(
        !ended.status.success() && said.contains("one of 4 processes, and this trainer was built without MPI"),
        "{said}"
    );
    Ok(())
}
