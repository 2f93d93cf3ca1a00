//! An archive that one process captions shard by shard: the plan is read once, and the model is loaded once.

use crate::error::{Error, Result};
use crate::job::{Job, Outcome};
use crate::plan::Plan;
use crate::store::Stores;
use crate::tile::Tile;
use cssa::bundle::{Bundle, contents, hexadecimal};
use cssa::errors::chain;
use cssa_captioner::{Captioner, Settings};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A plan, and what captions its tiles.
pub struct Session {
    stores: Arc<Stores>,
    plan: Plan,
    place: PathBuf,
    /// SHA-256 of the bundle's manifest.
    bundle: String,
    settings: Settings,
    /// Threads that read.
    readers: usize,
    /// Loaded with the first tile that has no caption yet.
    captioner: Option<Captioner>,
}

impl Session {
    /// Of a plan, with the bundle at a place; that is loaded later.
    ///
    /// # Errors
    /// A bundle that cannot be read.
    pub fn new(stores: Arc<Stores>, plan: Plan, place: PathBuf, settings: Settings, readers: usize) -> Result<Self> {
        let files = contents(&place).map_err(|error| Error::System(chain(&error)))?;
        let unnamed = || Error::System(format!("{}: the bundle has no manifest.toml", place.display()));
        let manifest = files.get("manifest.toml").ok_or_else(unnamed)?;
        let bundle = hexadecimal(&Sha256::digest(manifest));
        Ok(Self { stores, plan, place, bundle, settings, readers, captioner: None })
    }

    /// All tiles.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Captions a shard into its file at `out`, a folder or `s3://BUCKET/PREFIX`; `seen` hears of each row, with its error.
    ///
    /// # Errors
    /// As [`Job::run`].
    pub fn caption(
        &mut self,
        shard: (u32, u32),
        out: &str,
        stop: &AtomicBool,
        seen: &mut dyn FnMut(&Tile, Option<&Error>),
    ) -> Result<Outcome> {
        let Self { stores, plan, place, bundle, settings, readers, captioner } = self;
        let options = format!("looks {} runtime {}", settings.looks, settings.choice);
        let tiles = plan.shard(shard.0, shard.1)?;
        let job = Job { tiles, shard, out, bundle, options: &options, readers: *readers };
        let open = move || {
            let captioner = captioner;
            let odd = |error: String| Error::System(format!("the model does not load: {error}"));
            let model = match captioner {
                Some(model) => model,
                None => {
                    let bundle = Bundle::read(place).map_err(|error| odd(chain(&error)))?;
                    let model = Captioner::open(&bundle, settings).map_err(|error| odd(chain(&error)))?;
                    tracing::info!("runtime {}", model.at_work());
                    captioner.insert(model)
                }
            };
            Ok(Box::new(move |image: &_| model.caption(image).map_err(|error| chain(&error))) as _)
        };
        job.run(stores, open, stop, seen)
    }
}
