//! From datasets to batches: cached features and pixels, augmented views, captions as tokens.

pub mod batches;
pub mod beside;
pub mod captions;
pub mod datasets;
pub mod features;
mod resident;
pub mod rows;
pub mod samples;
pub mod text;
pub mod wordnet;
