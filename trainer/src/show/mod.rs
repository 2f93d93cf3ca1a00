//! Seeing what a model does: attention on an image (paper figure 4), captions beside references (figures 6 and 8).

pub mod gallery;
pub mod heatmap;
