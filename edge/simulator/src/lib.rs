//! A link that is slow, late, lossy, wrong and often not there: between two real programs, or in simulated time for planning.

mod channel;
mod error;
mod plan;
mod relay;

pub use channel::{Channel, ChannelSettings};
pub use error::Error;
pub use plan::{Pictures, Plan, PlanSettings, plan};
pub use relay::{Relayed, relay, relay_between};
