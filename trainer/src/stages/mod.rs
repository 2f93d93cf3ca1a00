//! The stages of training: the paper's two (3.4), and self-critical training after them.

pub mod distillation;
pub mod epochs;
pub mod mccl;
pub mod net;
pub mod optimizer;
pub mod recall;
pub mod rewards;
pub mod rsic;
pub mod schedule;
pub mod scst;
pub mod state;
