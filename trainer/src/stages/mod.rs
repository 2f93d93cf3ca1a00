//! The two stages of training (paper 3.4).

pub mod mccl;
pub mod optimizer;
pub mod rsic;
pub mod state;
