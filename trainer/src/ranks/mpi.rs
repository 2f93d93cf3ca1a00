//! MPI between the ranks.

use super::transport::Transport;
use crate::progress::Progress;
use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::datatype::PartitionMut;
use mpi::environment::{Universe, processor_name};
use mpi::traits::{Communicator, CommunicatorCollectives, Equivalence, Root};

/// Values that are sent in one call: MPI counts in 32 bits.
const PIECE: usize = 1 << 28;

/// The ranks of `MPI_COMM_WORLD`. MPI is called from the thread that made this, and no other.
pub(super) struct Mpi {
    universe: Universe,
    rank: usize,
    size: usize,
    node_rank: usize,
    host: String,
}

impl Mpi {
    /// Joins the others; none where that was done already.
    pub(super) fn join() -> Option<Self> {
        let (universe, _) = mpi::initialize_with_threading(Threading::Funneled)?;
        let world = universe.world();
        let (rank, size) = (world.rank() as usize, world.size() as usize);
        let node_rank = world.split_shared(world.rank()).rank() as usize;
        let host = processor_name().unwrap_or_else(|_| "a host without a name".into());
        Some(Self { universe, rank, size, node_rank, host })
    }

    fn sum<T: Equivalence>(&self, values: &[T], sums: &mut [T]) {
        for (values, sums) in values.chunks(PIECE).zip(sums.chunks_mut(PIECE)) {
            self.universe.world().all_reduce_into(values, sums, SystemOperation::sum());
        }
    }
}

impl Transport for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn node_rank(&self) -> usize {
        self.node_rank
    }

    fn host(&self) -> &str {
        &self.host
    }

    fn sum_f32(&self, values: &[f32], sums: &mut [f32]) {
        self.sum(values, sums);
    }

    fn sum_f64(&self, values: &[f64], sums: &mut [f64]) {
        self.sum(values, sums);
    }

    fn broadcast(&self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(PIECE) {
            self.universe.world().process_at_rank(0).broadcast_into(piece);
        }
    }

    fn gather(&self, own: &[u8]) -> Vec<Vec<u8>> {
        let world = self.universe.world();
        let mut counts = vec![0; self.size];
        world.all_gather_into(&(own.len() as i32), &mut counts[..]);
        let begins: Vec<i32> = counts
            .iter()
            .scan(0, |end, count| {
                *end += count;
                Some(*end - count)
            })
            .collect();
        let mut all = vec![0; counts.iter().map(|&count| count as usize).sum()];
        world.all_gather_varcount_into(own, &mut PartitionMut::new(&mut all[..], &counts[..], &begins[..]));
        let part = |(&begin, &count): (&i32, &i32)| all[begin as usize..(begin + count) as usize].to_vec();
        begins.iter().zip(&counts).map(part).collect()
    }

    fn barrier(&self) {
        self.universe.world().barrier();
    }

    fn abort(&self) {
        self.universe.world().abort(1);
    }
}

impl Drop for Mpi {
    /// MPI ends when all ranks have ended: one that panics must not wait for the others, who wait for it.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { rank, size, host, .. } = self;
            Progress::Shown.say(&format!("error: rank {rank} of {size} on {host}: ended by the fault above"));
            self.abort();
        }
    }
}

impl std::fmt::Debug for Mpi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mpi({} of {} on {})", self.rank, self.size, self.host)
    }
}
