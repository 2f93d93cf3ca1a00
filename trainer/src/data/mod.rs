//! From datasets to batches: augmented views, cached features, captions as tokens.

pub mod augment;
pub mod batches;
pub mod features;
pub mod samples;
pub mod text;
