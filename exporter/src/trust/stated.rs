//! What a bundle says of an image.

use cssa::trust::{Confidence, Reason};
use std::path::PathBuf;

/// What was said of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Stated {
    /// Its file.
    pub image: PathBuf,
    /// The words.
    pub caption: String,
    /// Probability that it invents nothing.
    pub confidence: Confidence,
    /// 0 to 1.
    pub familiarity: f32,
    /// Why the image is outside; empty where it is not.
    pub reasons: Vec<Reason>,
}
