//! What a program that flies brings of its own: [`run_with`](crate::run::run_with).

use super::config::{
    Config, HealthConfig, ModelConfig, PeripheralsConfig, PolicyConfig, PositionConfig, SourceConfig, TilerConfig,
    memory, queue_limit,
};
use super::downlink::LinkConfig;
use super::peripherals::Peripherals;
use super::pictures::PicturesConfig;
use super::sources::Source;
use cssa_link::Port;
use std::path::PathBuf;

/// What a program brings of its own, in the place of what its configuration names.
#[derive(Default)]
pub struct Own {
    /// Where frames come from, instead of `[source]`.
    pub source: Option<Box<dyn Source>>,
    /// What carries packets, instead of `link.to`; the rest of `[link]` holds for it, but for the framing, which is the port's.
    pub port: Option<Box<dyn Port>>,
    /// The machine's devices, instead of `[peripherals]`.
    pub peripherals: Option<Peripherals>,
}

impl Config {
    /// The defaults for a program that brings its source itself.
    #[must_use]
    pub fn new(state: impl Into<PathBuf>, link: LinkConfig) -> Self {
        Self {
            file: None,
            state: state.into(),
            model: ModelConfig::default(),
            source: SourceConfig::Own { memory: memory() },
            tiler: TilerConfig::default(),
            position: PositionConfig::default(),
            camera: None,
            policy: PolicyConfig::default(),
            queue: queue_limit(),
            link,
            pictures: PicturesConfig::default(),
            peripherals: PeripheralsConfig::default(),
            health: HealthConfig::default(),
        }
    }
}
