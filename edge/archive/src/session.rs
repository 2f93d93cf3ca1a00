//! An archive that one process captions shard by shard: the plan is read once, and the model is loaded once.

use crate::error::{Error, Result};
use crate::job::{Job, Outcome};
use crate::pipeline::Pace;
use crate::plan::Plan;
use crate::store::Stores;
use crate::tile::Tile;
use cssa::bundle::{Bundle, contents, hexadecimal};
use cssa::errors::chain;
use cssa_captioner::{Caption, Captioner, Provider, Settings, Subject};
use image::RgbImage;
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
    pace: Pace,
    /// Loaded with the first tile that has no caption yet.
    captioner: Option<Captioner>,
}

impl Session {
    /// Of a plan, with the bundle at a place; that is loaded later.
    ///
    /// # Errors
    /// A bundle that cannot be read.
    pub fn new(stores: Arc<Stores>, plan: Plan, place: PathBuf, settings: Settings, pace: Pace) -> Result<Self> {
        let files = contents(&place).map_err(|error| unusable("bundle", &error))?;
        let unnamed = || Error::Load { what: "bundle", cause: format!("{} has no manifest.toml", place.display()) };
        let manifest = files.get("manifest.toml").ok_or_else(unnamed)?;
        let bundle = hexadecimal(&Sha256::digest(manifest));
        Ok(Self { stores, plan, place, bundle, settings, pace, captioner: None })
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
        let Self { stores, plan, place, bundle, settings, pace, captioner } = self;
        let mut options = format!("looks {} runtime {}", settings.looks, settings.choice);
        // What names the files of earlier programs stays.
        if settings.provider != Provider::Cpu {
            options.push_str(&format!(" provider {}", settings.provider));
        }
        let tiles = plan.shard(shard.0, shard.1)?;
        let job = Job { tiles, shard, out, bundle, options: &options, pace: *pace };
        let open = move || {
            let captioner = captioner;
            let model = match captioner {
                Some(model) => model,
                None => {
                    let bundle = Bundle::read(place).map_err(|error| unusable("bundle", &error))?;
                    let model =
                        Captioner::open(&bundle, settings).map_err(|error| unusable(subject(&error), &error))?;
                    tracing::info!("runtime {}", model.at_work());
                    captioner.insert(model)
                }
            };
            Ok(Box::new(move |images: &[&RgbImage]| captions(model, images)) as _)
        };
        job.run(stores, open, stop, seen)
    }
}

fn unusable(what: &'static str, error: &(dyn std::error::Error + 'static)) -> Error {
    Error::Load { what, cause: chain(error) }
}

fn subject(error: &cssa_captioner::Error) -> &'static str {
    match error.subject() {
        Subject::Runtime => "runtime",
        Subject::Provider => "provider",
        Subject::Bundle => "bundle",
    }
}

/// The captions of images that are captioned together; where that fails, of one after the other, so that each has its own error.
fn captions(model: &mut Captioner, images: &[&RgbImage]) -> Vec<Result<Caption, String>> {
    let alone = |model: &mut Captioner, image: &&RgbImage| model.caption(image).map_err(|error| chain(&error));
    if images.len() > 1 {
        let together =
            model.sights(images).and_then(|sights| sights.iter().map(|sight| model.look_again(sight)).collect());
        if let Ok(captions) = together {
            let captions: Vec<Caption> = captions;
            return captions.into_iter().map(Ok).collect();
        }
    }
    images.iter().map(|image| alone(model, image)).collect()
}
