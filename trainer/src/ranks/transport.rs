//! What carries values between the ranks.

use std::fmt::Debug;

/// What carries values between the ranks. No call fails: a lost rank ends the program.
pub(super) trait Transport: Debug {
    /// The number of this rank, from 0.
    fn rank(&self) -> usize;
    /// How many ranks there are.
    fn size(&self) -> usize;
    /// The number of this rank among those of its host.
    fn node_rank(&self) -> usize;
    /// The name of its host.
    fn host(&self) -> &str;
    /// Puts the sums of all ranks' values into `sums`, which has room for as many.
    fn sum_f32(&self, values: &[f32], sums: &mut [f32]);
    /// The same in double precision.
    fn sum_f64(&self, values: &[f64], sums: &mut [f64]);
    /// The bytes become rank 0's, which are as many.
    fn broadcast(&self, bytes: &mut [u8]);
    /// The bytes of each rank, by number.
    fn gather(&self, own: &[u8]) -> Vec<Vec<u8>>;
    /// Waits until all ranks are here.
    fn barrier(&self);
    /// Ends all ranks; gives the exit code where there is nobody to end.
    fn abort(&self);
}
