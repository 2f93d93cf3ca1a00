//! What every network is built of.

use super::{BackboneNet, Store};
use cssa::model::Model;

/// A model's hyper-parameters, its weights, and the backbone before them.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// Shapes.
    pub model: &'a Model,
    /// All weights that are trained.
    pub store: &'a Store,
    /// Images → grid features.
    pub backbone: &'a BackboneNet,
}
