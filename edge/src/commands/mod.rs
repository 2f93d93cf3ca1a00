//! What `edge`'s commands do with their options.

pub(crate) mod bench;
pub(crate) mod caption;
pub(crate) mod flight;
mod model;
pub(crate) mod update;
mod verification;
